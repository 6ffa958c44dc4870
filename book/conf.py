"""Sphinx reads this: how the site of the course looks. `build.py` beside it gathers the pages."""

import hashlib
import importlib.util
import shutil
from base64 import b64decode
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

project = html_title = "srlab"
language = "en"
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["README.md"]  # its table of the labs is included in the index

nb_execution_mode = "off"  # `make labs` has executed them
nb_ipywidgets_js = {}  # would come from a CDN; build.py takes the widgets out
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]

html_theme = "sphinx_book_theme"
html_theme_options = {
    "navbar_persistent": [],  # the search stands in the sidebar
    "footer_content_items": [],
    "use_download_button": False,
    "show_toc_level": 2,
}
html_context = {"default_mode": "auto"}
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = False  # would be all outputs a second time
html_use_index = False
html_show_search_summary = False  # would be fetched, which a browser refuses for pages opened as files
copybutton_selector = "div.cell_input pre"

# MathJax comes out of a package that holds nothing else, and without its menu, which would load what is left out here.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}
UNUSED = ("*svg*", "*-full*", "mml-*", "*-mml-*", "node-main.js", "sre", "a11y", "adaptors", "mml", "asciimath*")


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put what pages need of MathJax beside them: its script, its fonts and its rarer extensions."""
    if exception is None:
        package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
        target = app.outdir / "_static" / "mathjax"
        shutil.copytree(package / "static" / "mathjax", target, ignore=shutil.ignore_patterns(*UNUSED))


def name_pictures(app: Sphinx, document: nodes.document) -> None:
    """Give figures the alternative texts that stand in the notebook, which myst-nb does not read."""
    source = app.env.doc2path(app.env.docname)
    if source.suffix != ".ipynb":
        return
    outputs = [output for cell in nbformat.read(source, 4).cells for output in cell.get("outputs", [])]
    names = {
        hashlib.sha256(b64decode(output.data["image/png"])).hexdigest(): output.metadata["image/png"]["alt"]
        for output in outputs
        if "alt" in output.get("metadata", {}).get("image/png", {})
    }
    for picture in document.findall(nodes.image):
        picture["alt"] = names.get(Path(picture["uri"]).stem, "")  # myst-nb names the files by their SHA-256


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("doctree-read", name_pictures)
    app.connect("build-finished", copy_mathjax)
