"""``srlab handout``: write the text of a lab for paper."""

import argparse
import base64
import functools
import io
import os
import re
from pathlib import Path

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
from srlab_course.notebook_files.editable import read_notebook
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
LARGEST_PAGE = 20 * 10**6  # bytes of pictures and formulas
FORMULA = 5  # times that the bytes of a formula count, because drawing is slow
SIZE = 11.5  # points; as large as the text around a formula looks


class Offline(IPythonRenderer):
    """Render Markdown with its formulas as pictures, which need no script and no font."""

    embedded = 0

    def embed(self, data: str, times: int = 1) -> str:
        """Return a picture or formula for the page, and raise an error if the page gets too large."""
        self.embedded += times * len(data)
        if self.embedded > LARGEST_PAGE:
            raise SrlabError(
                f"The pictures and formulas of the lab need more than {LARGEST_PAGE / 1e6:g} MB in a handout. Use "
                "smaller pictures."
            )
        return data

    def _src_to_base64(self, src: str) -> str | None:
        """Embed only files that are pictures and in the folder of the lab, also if a link leads elsewhere."""
        folder, file = os.path.realpath(self.path), Path(os.path.realpath(Path(self.path, src)))
        if not file.is_relative_to(folder) or not exists(file) or not is_picture(file):
            return None
        return self.embed(super()._src_to_base64(src) or "") or None

    def _html_embed_images(self, html: str) -> str:
        """Leave other tags as they are: nbconvert gets them one by one, and would close each at once."""
        return super()._html_embed_images(html) if "<img" in html.lower() else html

    def inline_math(self, body: str) -> str:
        """Render a formula in a line of text."""
        return self.embed(draw(body, "vertical-align: {}pt"), FORMULA)

    def block_math(self, body: str) -> str:
        """Render a formula in a line of its own."""
        return self.embed(draw(body, "display: block; margin: auto"), FORMULA)


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
    notebook = read_notebook(lab)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    offline = Offline(escape=False, embed_images=True, path=str(lab.parent))
    for part in (notebook, *notebook.cells):
        part.metadata.clear()  # a title, tags and widgets would also get into the page
    for cell in notebook.cells:
        cell.source = FOLDED.sub("", cell.source)
        for name, picture in cell.get("attachments", {}).items():  # nbconvert does not find them in HTML
            link, (kind, data) = f"attachment:{name}", next(iter(picture.items()))
            if name and (times := cell.source.count(link)):
                cell.source = cell.source.replace(link, offline.embed(f"data:{kind};base64,{data}", times))
    exporter = HTMLExporter(raw_template=PAGE, extra_template_basedirs=[])  # not of the working directory
    markdown = MarkdownWithMath(renderer=offline)
    exporter.register_filter("markdown2html", lambda text: CLEANER.clean(markdown.render(text)))
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": lab.stem}})  # the title
    write_atomic(out, page.encode(), replace=options.force)
    print(seen_from_here(out))
    return 0
