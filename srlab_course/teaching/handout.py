"""``srlab handout``: write the text of a lab for paper."""

import argparse
import base64
import functools
import io
import os
import re
from pathlib import Path
from urllib.parse import unquote

from bleach.css_sanitizer import ALLOWED_CSS_PROPERTIES, CSSSanitizer
from bleach.sanitizer import Cleaner
from matplotlib import style
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from srlab import paths
from srlab.data.images import open_upright
from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab.paths import exists
from srlab.text import escaped
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.editable import markdown_cell, new_notebook, read_notebook
from srlab_course.notebook_files.finding import find_notebook

# Answers, and what paper could not open; without its end it goes on to the end of the cell, as in a browser.
FOLDED = re.compile(r"<details>.*?(?:</details>|\Z)", re.DOTALL)
# All that the text of a notebook may become. So it cannot move the reader to another page, or run or load anything.
TAGS = (
    "h1 h2 h3 h4 h5 h6 p br hr div span center pre code blockquote a img figure figcaption ul ol li dl dt dd table "
    "caption colgroup col thead tbody tfoot tr th td b strong i em u s del ins mark small sub sup kbd samp var q cite "
    "abbr details summary"
)
ATTRIBUTES = ["id", "class", "style", "title", "alt", "align", "width", "height", "colspan", "rowspan", "start"]
LINK = re.compile(r"(https?|mailto):|#|[^:&]*$", re.IGNORECASE)  # not data:, and no colon as &colon;
PLACES = {("a", "href"): LINK, ("img", "src"): re.compile("data:image/")}  # (tag, attribute) -> how its value begins
CLEANER = Cleaner(
    TAGS.split(),
    lambda tag, name, value: name in ATTRIBUTES or ((tag, name) in PLACES and bool(PLACES[tag, name].match(value))),
    protocols=["http", "https", "mailto", "data"],
    strip=True,  # what is between other tags stays as text
    css_sanitizer=CSSSanitizer({*ALLOWED_CSS_PROPERTIES, "margin"}),
)
# Without scripts: nbconvert loads some from the internet for widgets, formulas and diagrams, and a lab may contain any.
RULES = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
HEAD = {"": f'<meta http-equiv="Content-Security-Policy" content="{RULES}">', "_mathjax": "", "_mermaidjs": ""}
PAGE = "{% extends 'lab/index.html.j2' %}"
PAGE += "".join(f"{{% block html_head_js{part} %}}{text}{{% endblock %}}" for part, text in HEAD.items())
FORMULAS = {"mathtext.fontset": "stix"}  # over matplotlib's defaults, whatever the user's own settings
LONGEST_FORMULA = 2000  # characters; the course's longest formula has 190
LONGEST_TEXT = 20_000  # characters of a cell; the course's longest cell has 3,400, and the time grows with their square
MOST_REPEATED = 50_000  # tags times tags and lines of a cell: html5lib repeats tags that are left open
LARGEST_PAGE = 20 * 10**6  # bytes of pictures and text
LETTER = 100  # bytes that a character or a tag of the page counts, and 10 times as many in a formula, slow to draw
SIZE = 11.5  # points; as large as the text around a formula looks


class Offline(IPythonRenderer):
    """Render Markdown with its formulas as pictures, which need no script and no font."""

    embedded = 0

    def embed(self, data: str, size: int) -> str:
        """Return a part of the page, which counts `size` bytes, and raise an error if the page gets too large."""
        self.embedded += size
        if self.embedded > LARGEST_PAGE:
            raise SrlabError(
                f"The lab is too large for a handout: it needs more than {LARGEST_PAGE / 1e6:g} MB, where a character "
                f"and a tag count {LETTER} bytes. Use smaller pictures, or divide the lab."
            )
        return data

    def _embed_image_or_attachment(self, src: str) -> str:
        """Embed a picture in Markdown like one in HTML."""
        return self._src_to_base64(src) or src

    def _src_to_base64(self, src: str) -> str | None:
        """Embed only attached pictures, and files that are pictures and really in the folder of the lab."""
        if src.startswith("attachment:"):
            picture = self.attachments.get(unquote(src.removeprefix("attachment:")), {})
            kind, data = next(iter(picture.items()), ("", ""))
            found = f"data:{kind};base64,{data}"
            return self.embed(found, len(found))
        folder, file = os.path.realpath(self.path), Path(os.path.realpath(Path(self.path, src)))
        if not file.is_relative_to(folder) or not exists(file) or not is_picture(file):
            return None
        found = super()._src_to_base64(src) or ""
        return self.embed(found, len(found)) or None

    def _html_embed_images(self, html: str) -> str:
        """Leave other tags as they are: nbconvert gets them one by one, and would close each at once."""
        return super()._html_embed_images(html) if "<img" in html.lower() else html

    def block_code(self, code: str, info: str | None = None) -> str:
        """Render code without colors: most highlighters take the square of its length, and some much longer."""
        return super().block_code(code)

    def inline_math(self, body: str) -> str:
        """Render a formula in a line of text."""
        return self._formula(body, "vertical-align: {}pt")

    def block_math(self, body: str) -> str:
        """Render a formula in a line of its own."""
        return self._formula(body, "display: block; margin: auto")

    def _formula(self, body: str, place: str) -> str:
        return self.embed(draw(body, place), 10 * LETTER * (10 + len(body)))


@functools.cache
def is_picture(file: Path) -> bool:
    """Return whether a file can be decoded, unlike a key or a list of grades."""
    try:
        open_upright(file)
    except SrlabError:
        return False
    return True


@functools.cache
def draw(formula: str, place: str) -> str:
    """Return a formula as an SVG image with its LaTeX source as text, or the source if matplotlib cannot draw it.

    matplotlib has one size of parentheses and fractions. `place` is the style, with {} for the shift in points.
    """
    drawn, known = io.BytesIO(), re.sub(r"\\[bB]igg?[lrm]?(?![A-Za-z])", "", formula).replace(r"\tfrac", r"\frac")
    source = escaped(formula.strip())
    if len(formula) > LONGEST_FORMULA:
        return f"<code>{source}</code>"
    try:
        with style.context(["default", FORMULAS]):
            depth = math_to_image(f"${' '.join(known.split())}$", drawn, FontProperties(size=SIZE), format="svg")
    except (ValueError, RecursionError):  # the last one only in malicious files
        return f"<code>{source}</code>"
    data = base64.b64encode(drawn.getvalue()).decode()
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{source}" style="{place.format(round(-depth, 2))}">'


def handout(options: argparse.Namespace) -> int:
    """Write the text of a lab as an HTML page with its pictures, and print the path.

    Code, outputs, and everything that is folded, such as answers, are left out.
    """
    lab = find_notebook(options.lab)
    out = paths.runs_home() / "handouts" / f"{lab.stem}.html"
    refuse_existing(out, options.force)
    offline = Offline(escape=False, embed_images=True, path=str(lab.parent))
    cells = [cell for cell in read_notebook(lab).cells if cell.cell_type == "markdown"]
    # Of a cell, only this gets into the page: a title, ids, tags and widgets do not.
    texts = [render(FOLDED.sub("", cell.source), cell.get("attachments", {}), offline) for cell in cells]
    exporter = HTMLExporter(raw_template=PAGE, extra_template_basedirs=[])  # not of the working directory
    for name in ("markdown2html", "strip_files_prefix"):  # the second one takes the square of the length
        exporter.register_filter(name, lambda text: text)
    notebook = new_notebook([markdown_cell(text) for text in texts])
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": lab.stem}})  # the title
    write_atomic(out, page.encode(errors="replace"), replace=options.force)  # JSON may contain half a character
    print(seen_from_here(out))
    return 0


def render(text: str, attachments: dict[str, dict[str, str]], offline: Offline) -> str:
    """Return the text of a Markdown cell with its attached pictures as HTML.

    A text that is too long, or has too many tags, is returned as it is.
    """
    offline.embed(text, LETTER * len(text))
    tags = text.count("<")
    if len(text) > LONGEST_TEXT or tags * (tags + text.count("\n")) > MOST_REPEATED:
        lines = "\n".join(map(escaped, text.splitlines()))
        return f"<pre>{lines}</pre>"
    offline.attachments = attachments
    html = CLEANER.clean(MarkdownWithMath(renderer=offline).render(text))
    return offline.embed(html, LETTER * html.count("<"))
