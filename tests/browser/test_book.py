"""Test the website, built from tiny labs: it works offline, and so do the outputs of a lab."""

import base64
import io
import os
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import srlab
import srlab_course.notebook_files.marks
from tests.conftest import EXTRAS, LABS, ROOT, load_script

from .conftest import WAIT, pictures

for package in ("myst_nb", "sphinx_book_theme", "sphinx_copybutton", "sphinx-mathjax-offline"):
    pytest.importorskip(package, reason=f"needs {package}, which `make book` installs with the extra `book`")
BeautifulSoup = pytest.importorskip("bs4").BeautifulSoup  # installed with the theme

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.xdist_group("browser"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # warnings of Sphinx about its extensions
]

NAME = f"notebooks/{LABS[0].stem}"
SITE, FILES = "https://somebody.github.io/course/", "github.com/Somebody/course"
COLAB = f"https://colab.research.google.com/{FILES.replace('.com', '')}/blob/main/"
KAGGLE = f"https://kaggle.com/kernels/welcome?src=https://{FILES}/blob/main/"
TEXT = """# The first lab

A word to look for is quincunx. And an equation, $a_0$ in a line and

$$\\mathrm{lr} = \\frac{\\mathrm{hr}}{4} + n .$$

## A section

This code is wider than a phone: `course.show_source(losses.generator_loss_of_the_average_gan)`.
"""


@pytest.fixture(scope="session")
def book():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs" / "book")  # build.py imports pages.py from its folder
        return load_script(ROOT / "docs" / "book" / "build.py")


def first_lab():
    png = io.BytesIO()
    Image.new("RGB", (900, 60), (200, 100, 50)).save(png, "png")
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "x", "version_major": 2, "version_minor": 0}}
    figure = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": "Image"}
    shown = [
        widget | {"text/plain": "run:   0%|          | 0/60 [00:00<?, ?it/s]"},
        {"text/html": "Guessing needs its kernel.", "text/plain": "Guess"},
        widget | {"text/plain": "VBox(children=(IntSlider(value=1),))"},
        {"text/html": srlab.compare(pictures(), left="A", right="B").html},
        {"text/plain": "gain: 1.00 dB", srlab_course.notebook_files.marks.METRIC: {"label": "gain"}},
    ]
    outputs = [new_output("display_data", data) for data in shown]
    folded = "<details><summary>One solution (try your own first!)</summary><pre>psnr</pre></details>"
    outputs.append(new_output("display_data", figure, metadata={"image/png": {"alt": "A figure."}}))
    cells = [
        new_markdown_cell(TEXT),
        new_code_cell("install('colab')", metadata={"tags": ["colab"]}),
        new_code_cell(f"srlab.compare(images)  # {'long ' * 40}", outputs=outputs, execution_count=1),
        new_code_cell('def psnr(sr, hr, crop):\n    """PSNR."""\n    return course.TODO'),
        new_code_cell(
            'psnr = course.check("degradation.psnr", psnr)',
            outputs=[new_output("display_data", {"text/html": folded, "text/plain": "folded"})],
        ),
    ]
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}})


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("executed")
    for lab in [*LABS, *EXTRAS]:
        notebook = first_lab() if lab == LABS[0] else new_notebook(cells=[new_markdown_cell(f"# {lab.stem}")])
        nbformat.write(notebook, folder / lab.name)
    return folder


def fake_try_page(target):
    target.mkdir(parents=True)
    (target / "index.html").write_text("<title>test_try_page.py builds this page</title>", encoding="utf-8")


@pytest.fixture(scope="session")
def site(book, executed, tmp_path_factory):
    target = tmp_path_factory.mktemp("book")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book.try_page, "build", fake_try_page)
        assert book.build(executed, target, f"https://{FILES}") == 0, "Sphinx printed warnings, see above"
    return target / "html"


def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def addresses(soup):
    """Return all URLs in a page: links, scripts, styles, images."""
    return [tag[name] for name in ("src", "href", "action", "srcset") for tag in soup.find_all(attrs={name: True})]


def test_site_needs_no_network(site):
    """Check that pages load nothing from other sites; tests/labs/test_site.py checks links to headings."""
    pages = {page: read(page) for page in site.rglob("*.html") if "_static" not in page.parts}  # has templates
    assert len(pages) >= len(LABS) + 2
    wrong = []
    for page, soup in pages.items():
        reading = {link["href"] for link in soup.select("a.external")} if page.parent.name == "docs" else set()
        for address in set(addresses(soup)) - reading:
            parts = urlsplit(address)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            inside = not (parts.scheme or parts.netloc) and target.is_relative_to(site) and target.is_file()
            if not inside and not address.startswith(("data:", COLAB, KAGGLE, SITE, f"https://{FILES}/blob/main/")):
                wrong.append((page.name, address))
    assert wrong == []


def test_lab_page(site):
    soup = read(site / f"{NAME}.html")
    assert {f"{COLAB}{NAME}.ipynb", f"{KAGGLE}{NAME}.ipynb"} <= set(addresses(soup))
    preview = [soup.find("meta", property=f"og:{name}")["content"] for name in ("url", "image", "description")]
    assert preview[:2] == [f"{SITE}{NAME}.html", f"{SITE}poster/preview.jpg"]
    assert "quincunx" in preview[2]
    assert Image.open(site / "poster" / "preview.jpg").size == (1280, 640)  # as the page says
    assert soup.find("img", alt="A figure.")
    said = " ".join(output.get_text() for output in soup.find_all(class_="cell_output"))
    found = [text in said for text in ("Guessing needs its kernel.", "gain: 1.00 dB", "0/60", "VBox")]
    assert found == [True, True, False, False]
    (solution,) = [one for one in soup.find_all("details") if "One solution" in one.summary.get_text()]
    assert "def psnr(sr, hr, crop):" in solution.get_text()
    assert "course.TODO" not in solution.get_text()
    assert not soup.find_all(string=lambda text: "install(" in text)


def test_start_page(site, open_page):
    """Check that it leads to each lab, that one line divides both photos, and that a choice replaces the left side."""
    page = open_page((site / "index.html").as_uri())
    links = [link.get_attribute("href") for link in page.locator(".bd-article h2 a.internal").all()]
    assert links == [f"notebooks/{lab.stem}.html" for lab in LABS]
    left, right = page.locator(".poster-photo").all()
    box = right.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    for photo in (left, right):
        line, box = photo.locator(".poster-line").bounding_box(), photo.bounding_box()
        assert abs((line["x"] - box["x"]) / box["width"] - 0.25) < 0.02
        assert photo.locator("input").input_value() == "25"
    page.get_by_text("bicubic", exact=True).click()
    shown = [image.get_attribute("src") for image in page.locator(".poster-method:visible").all()]
    assert shown == ["poster/chelsea-bicubic.webp", "poster/gravel-bicubic.webp"]
    assert page.evaluate("[...document.querySelectorAll('.poster img')].every(image => image.naturalWidth === 176)")


def test_search_finds_word_of_lab(site, open_page):
    page = open_page((site / "search.html").as_uri() + "?q=quincunx")
    page.locator("#search-results a").first.wait_for(timeout=WAIT)
    assert NAME in page.locator("#search-results a").first.get_attribute("href")


def test_pages_on_phone(site, open_page):
    phone = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    for name in ("index.html", "docs/next.html", f"{NAME}.html"):
        page = open_page((site / name).as_uri(), **phone)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, name
    stage = page.locator(".srlab-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.wait_for_function("document.querySelector('.srlab-stage').ariaValueNow === '25'", timeout=WAIT)


def test_stale_labs_are_detected(book, tmp_path):
    lab, copy = tmp_path / "lab.ipynb", tmp_path / "copy.ipynb"
    cells = [new_markdown_cell("A question."), new_code_cell("answer = 42")]
    nbformat.write(new_notebook(cells=cells), lab)
    assert book.stale(lab, copy)
    end = "2026-01-01T00:00:00"
    added = new_code_cell("recipe = 'smoke'", metadata={"tags": ["injected-parameters"]})
    for exception, end_time, wanted in ((True, end, True), (None, None, True), (None, end, False)):
        run = {"exception": exception, "end_time": end_time}
        nbformat.write(new_notebook(cells=[cells[0], added, cells[1]], metadata={"papermill": run}), copy)
        assert book.stale(lab, copy) == wanted
    os.utime(lab, (0, 0))  # older than the copy, as after a restored backup
    assert not book.stale(lab, copy)
    nbformat.write(new_notebook(cells=[cells[0], new_code_cell("answer = 43")]), lab)
    os.utime(lab, (0, 0))
    assert book.stale(lab, copy)
