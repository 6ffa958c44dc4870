"""The site of the course, built from tiny labs: it needs no network, and what a lab shows works in it."""

import base64
import io
import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import srlab
import srlab.lab.notebooks
from tests.conftest import EXTRAS, LABS, load_script

from .conftest import WAIT, pictures

for package in ("myst_nb", "sphinx_book_theme", "sphinx_copybutton", "sphinx-mathjax-offline"):
    pytest.importorskip(package, reason=f"needs {package}, which `make book` installs with the extra `book`")

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.xdist_group("browser"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # of Sphinx to its own extensions
]

ROOT = Path(__file__).parents[2]
TEXT = """# The first lab

A word to look for is quincunx. And an equation, $a_0$ in a line and

$$\\mathrm{lr} = \\frac{\\mathrm{hr}}{4} + n .$$

## A section
"""
A, B, C = pictures().values()


@pytest.fixture(scope="session")
def book():
    return load_script(ROOT / "book" / "build.py")


def first_lab():
    png = io.BytesIO()
    Image.new("RGB", (900, 60), (200, 100, 50)).save(png, "png")
    slider = srlab.compare(pictures(), left="A", right="B")
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "x", "version_major": 2, "version_minor": 0}}
    outputs = [
        new_output("display_data", widget | {"text/plain": "run:   0%|          | 0/60 [00:00<?, ?it/s]"}),
        new_output("display_data", {"text/html": "Guessing needs its kernel.", "text/plain": "Guess"}),
        new_output("display_data", widget | {"text/plain": "VBox(children=(IntSlider(value=1),))"}),
        new_output(
            "display_data",
            {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": "Image"},
            metadata={"image/png": {"alt": "A figure."}},
        ),
        new_output("display_data", {"text/html": slider.html, "text/plain": repr(slider)}),
        new_output("display_data", {"text/plain": "gain: 1.00 dB", srlab.lab.notebooks.HEADLINE: {"label": "gain"}}),
    ]
    code = new_code_cell(f"srlab.compare(images)  # {'long ' * 40}", outputs=outputs, execution_count=1)
    language = {"name": "python", "pygments_lexer": "ipython3"}
    exercise = new_code_cell('def psnr(sr, hr, crop):\n    """PSNR."""\n    return srlab.TODO')
    check = new_code_cell('psnr = srlab.check("degradation.psnr", psnr)')
    for_colab = new_code_cell("install('colab')", metadata={"tags": ["colab"]})
    cells = [new_markdown_cell(TEXT), for_colab, code, exercise, check]
    return new_notebook(cells=cells, metadata={"language_info": language})


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    executed = tmp_path_factory.mktemp("executed")
    for lab in [*LABS, *EXTRAS]:
        notebook = first_lab() if lab == LABS[0] else new_notebook(cells=[new_markdown_cell(f"# {lab.stem}")])
        nbformat.write(notebook, executed / lab.name)
    return executed


@pytest.fixture(scope="session")
def site(book, executed, tmp_path_factory):
    target = tmp_path_factory.mktemp("book")
    assert book.build(executed, target) == 0, "Sphinx has warned, see above"
    return target / "html"


@pytest.fixture
def open_lab(site, open_page):
    def visit(**options):
        page = open_page((site / "notebooks" / f"{LABS[0].stem}.html").as_uri(), **options)
        page.locator(".srlab-stage").wait_for()
        return page

    return visit


class Addresses(HTMLParser):
    """Collects what a page names (links, scripts, styles, pictures) and the anchors that it has."""

    def __init__(self, page):
        super().__init__()
        self.named, self.anchors = [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href", "action", "srcset"):
                self.named.append(value)
            if name == "id":
                self.anchors.add(value)


def test_no_address_leaves_the_folder_and_every_one_is_there(site):
    pages = {page: Addresses(page) for page in site.rglob("*.html") if "_static" not in page.parts}  # templates there
    assert len(pages) >= len(LABS) + 2
    wrong = []
    for page, addresses in pages.items():
        for address in addresses.named:
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            inside = not (parts.scheme or parts.netloc) and target.is_relative_to(site) and target.is_file()
            anchor = unquote(parts.fragment)
            if not inside or (anchor and target in pages and anchor not in pages[target].anchors):
                wrong.append((page.name, address))
    assert wrong == []


def test_with_an_address_pages_open_in_colab_and_links_to_them_show_a_picture(book, executed, tmp_path):
    assert book.build(executed, tmp_path, "https://github.com/Somebody/course") == 0
    name = f"notebooks/{LABS[0].stem}"
    page = tmp_path / "html" / f"{name}.html"
    colab = f"https://colab.research.google.com/github/Somebody/course/blob/main/{name}.ipynb"
    kaggle = f"https://kaggle.com/kernels/welcome?src=https://github.com/Somebody/course/blob/main/{name}.ipynb"
    assert {colab, kaggle} <= set(Addresses(page).named)
    text = page.read_text(encoding="utf-8")
    for property, value in (
        ("og:url", f"https://somebody.github.io/course/{name}.html"),
        ("og:image", "https://somebody.github.io/course/_static/preview.png"),
        ("og:description", "A word to look for is quincunx. And an equation, a_0 in a line and"),
    ):
        assert f'<meta property="{property}" content="{value}">' in text
    with Image.open(tmp_path / "html" / "_static" / "preview.png") as picture:
        assert picture.size == (1280, 640)


def test_a_finger_moves_the_slider_on_a_phone_and_the_page_is_no_wider(open_lab):
    page = open_lab(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    stage = page.locator(".srlab-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.wait_for_function("document.querySelector('.srlab-stage').ariaValueNow === '25'", timeout=WAIT)


def test_neither_a_progress_bar_nor_a_widget_is_left_but_what_stands_for_it(open_lab):
    said = open_lab().locator("div.cell_output").inner_text()
    assert "0/60" not in said
    assert "VBox" not in said
    assert "Guessing needs its kernel." in said
    assert "gain: 1.00 dB" in said


def test_an_exercise_is_followed_by_a_solution_that_opens_with_a_click(open_lab):
    page = open_lab()
    solution = page.locator("details", has_text="One solution")
    assert not solution.locator("pre").is_visible()
    solution.locator("summary").click()
    said = solution.locator("pre").inner_text()
    assert "def psnr(sr, hr, crop):" in said
    assert "srlab.TODO" not in said


def test_a_lab_is_run_again_when_its_copy_is_missing_older_broken_or_cut_off(book, tmp_path):
    lab, copy = tmp_path / "lab.ipynb", tmp_path / "copy.ipynb"
    lab.touch()
    assert book.stale(lab, copy)
    for run, wanted in (
        ({"exception": None, "end_time": "2026-01-01T00:00:00"}, False),
        ({"exception": True, "end_time": "2026-01-01T00:00:00"}, True),
        ({"exception": None, "end_time": None}, True),
    ):
        nbformat.write(new_notebook(metadata={"papermill": run}), copy)
        assert book.stale(lab, copy) == wanted
    nbformat.write(new_notebook(metadata={"papermill": {"end_time": "2026-01-01T00:00:00"}}), copy)
    os.utime(copy, (0, 0))
    assert book.stale(lab, copy)
