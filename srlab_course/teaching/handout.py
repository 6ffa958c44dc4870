"""``srlab handout``: write the text of a lab for paper."""

import argparse
import base64
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
ATTRIBUTES = ["id", "class", "style", "title", "align", "width", "height", "colspan", "rowspan", "start"]
CLEANER = Cleaner(
    TAGS.split(),
    {"*": ATTRIBUTES, "a": ["href"], "img": ["src", "alt"]},
    protocols=["http", "https", "mailto", "data"],  # the last one for pictures
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
SIZE = 11.5  # points; as large as the text around a formula looks


class Offline(IPythonRenderer):
    """Render Markdown with its formulas as pictures, which need no script and no font."""

    def _src_to_base64(self, src: str) -> str | None:
        """Embed only files that are pictures and in the folder of the lab, also if a link leads elsewhere."""
        folder, file = os.path.realpath(self.path), Path(os.path.realpath(Path(self.path, src)))
        if not file.is_relative_to(folder) or not exists(file):
            return None
        try:
            open_upright(file)
        except SrlabError:  # another file, such as a key or a list of grades
            return None
        return super()._src_to_base64(src)

    def _html_embed_images(self, html: str) -> str:
        """Leave other tags as they are: nbconvert gets them one by one, and would close each at once."""
        return super()._html_embed_images(html) if "<img" in html.lower() else html

    def inline_math(self, body: str) -> str:
        """Render a formula in a line of text."""
        return draw(body, "vertical-align: {}pt")

    def block_math(self, body: str) -> str:
        """Render a formula in a line of its own."""
        return draw(body, "display: block; margin: auto")


def draw(formula: str, place: str) -> str:
    """Return a formula as an SVG image with its LaTeX source as text, or the source if matplotlib cannot draw it.

    matplotlib has one size of parentheses and fractions. `place` is the style, with {} for the shift in points.
    """
    drawn, known = io.BytesIO(), re.sub(r"\\[bB]igg?[lrm]?(?![A-Za-z])", "", formula).replace(r"\tfrac", r"\frac")
    source = escaped(formula.strip())
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
    for part in (notebook, *notebook.cells):
        part.metadata.clear()  # a title, tags and widgets would also get into the page
    for cell in notebook.cells:
        cell.source = FOLDED.sub("", cell.source)
        for name, picture in cell.get("attachments", {}).items():  # nbconvert does not find them in HTML
            kind, data = next(iter(picture.items()))
            cell.source = cell.source.replace(f"attachment:{name}", f"data:{kind};base64,{data}")
    exporter = HTMLExporter(raw_template=PAGE, extra_template_basedirs=[])  # not of the working directory
    offline = MarkdownWithMath(renderer=Offline(escape=False, embed_images=True, path=str(lab.parent)))
    exporter.register_filter("markdown2html", lambda text: CLEANER.clean(offline.render(text)))
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": lab.stem}})  # the title
    write_atomic(out, page.encode(), replace=options.force)
    print(seen_from_here(out))
    return 0
