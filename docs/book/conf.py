"""Sphinx configuration of the site. `build.py` gathers the pages."""

import hashlib
import importlib.util
import io
import re
import shutil
import tomllib
from base64 import b64decode
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

from srlab_course.notebook_files.editable import read_notebook

project = html_title = "srlab"
course = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
release = course["version"]
language = "en"
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
templates_path = ["templates"]

nb_execution_mode = "off"  # `make labs` has executed them
nb_ipywidgets_js = {}  # would be loaded from a CDN; pages.py removes the widgets
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3  # labs link to sections of docs/next.md

html_theme = "sphinx_book_theme"
html_theme_options = {
    "navbar_persistent": [],  # the search field is in the sidebar
    "footer_content_items": ["extra-footer"],
    "extra_footer": "Text and figures: the srlab authors, CC BY 4.0 (creativecommons.org/licenses/by/4.0). Code: MIT.",
    "use_download_button": False,
    "show_toc_level": 2,
}
html_context = {"default_mode": "auto", "try_it": tags.has("try_it")}  # noqa: F821, Sphinx defines the tags
html_sidebars = {"**": ["navbar-logo.html", "search-button-field.html", "try-it.html", "sbt-sidebar-nav.html"]}
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_favicon = "static/icon.svg"
html_copy_source = False  # would contain all outputs a second time
html_use_index = False
html_show_search_summary = False  # needs fetch, which browsers block for pages opened as files
copybutton_selector = "div.cell_input pre"

# MathJax is copied from a Python package. Its menu is disabled because it would load files that are left out here.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}
UNUSED = ("*svg*", "*-full*", "mml-*", "*-mml-*", "node-main.js", "sre", "a11y", "adaptors", "mml", "asciimath*")


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy the parts of MathJax that pages need into the site: script, fonts and extensions."""
    if exception is None:
        package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
        target = app.outdir / "_static" / "mathjax"
        shutil.copytree(package / "static" / "mathjax", target, ignore=shutil.ignore_patterns(*UNUSED))


def name_pictures(app: Sphinx, document: nodes.document) -> None:
    """Give figures their alternative texts from the notebook, which myst-nb ignores, and their size.

    With known sizes, figures can load lazily without moving the text.
    """
    source = app.env.doc2path(app.env.docname)
    if app.env.docname == "index":  # its style sheet knows the sizes
        for picture in document.findall(nodes.image):
            picture["loading"] = "lazy"
    if source.suffix != ".ipynb":
        return
    outputs = [output for cell in read_notebook(source).cells for output in cell.get("outputs", [])]
    figures = {
        hashlib.sha256(png).hexdigest(): (Image.open(io.BytesIO(png)).size, output.metadata.get("image/png", {}))
        for output in outputs
        if (png := b64decode(output.get("data", {}).get("image/png", "")))
    }
    for picture in document.findall(nodes.image):
        if known := figures.get(Path(picture["uri"]).stem):  # myst-nb names the files by their SHA-256
            (width, height), said = known
            shown = said.get("width", width)
            picture["alt"] = said.get("alt", "")
            picture["width"], picture["height"] = str(shown), str(round(shown * height / width))
            picture["loading"] = "lazy"


def describe(app: Sphinx, page: str, _: str, context: dict[str, Any], document: nodes.document | None) -> None:
    """Add a description to the head of a page, for search engines and link previews, and its own files to the first."""
    lab = document is not None and page.startswith("notebooks/")
    told = [" ".join(part.astext().split()) for part in document.findall(nodes.paragraph)] if lab else []
    first = next(filter(None, told), f"{course['description']}.")
    text = " ".join(re.split(r"(?<=[.?!])\s", first)[:2])
    said = {
        "og:title": re.sub("<.*?>", "", context.get("title", "")) or project,
        "og:description": text,
        "og:type": "website",
        "og:site_name": project,
    }
    if app.config.html_baseurl:  # these URLs must be absolute
        address = app.config.html_baseurl
        said |= {"og:url": f"{address}{page}.html", "og:image": f"{address}poster/preview.jpg"}
        said |= {"og:image:width": "1280", "og:image:height": "640", "twitter:card": "summary_large_image"}
    lines = [f'<meta name="description" content="{escape(text)}">']
    lines += [f'<meta property="{name}" content="{escape(value)}">' for name, value in said.items()]
    if page == "index":
        app.add_css_file("poster.css")
        app.add_js_file("poster.js", loading_method="defer")
    context["metatags"] = context.get("metatags", "") + "\n".join(lines)


def setup(app: Sphinx) -> None:
    """Connect the functions above to Sphinx, which calls this."""
    app.connect("doctree-read", name_pictures)
    app.connect("html-page-context", describe)
    app.connect("build-finished", copy_mathjax)
