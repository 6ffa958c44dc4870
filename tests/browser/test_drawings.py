"""The drawings in a browser: no words lie on others, and a phone shows them in a readable size."""

import pytest

from srlab.view import plots
from srlab.view.drawings import FOLDER
from tests.conftest import ROOT

pytestmark = pytest.mark.xdist_group("browser")  # one worker, so one JupyterLab and one Chromium

FILES = sorted([*FOLDER.iterdir(), *(ROOT / "docs" / "images").glob("*.svg")])
# Texts that leave the drawing, and pairs of which one lies on the other; lines may come as near as they do in print.
TROUBLE = """() => {
  const size = document.documentElement.getBoundingClientRect();
  const texts = [...document.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  const out = texts.filter(([, a]) => a.left < 0 || a.top < 0 || a.right > size.right || a.bottom > size.bottom);
  const met = texts.flatMap(([one, a], place) => texts.slice(place + 1).filter(([, b]) =>
    a.left < b.right && b.left < a.right && a.top + 4 < b.bottom - 4 && b.top + 4 < a.bottom - 4
  ).map(([other]) => `${one} / ${other}`));
  return [...out.map(([text]) => text), ...met];
}"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_words_are_inside_and_beside_each_other(open_page, file):
    page = open_page(file.as_uri())
    assert page.evaluate(TROUBLE) == []


def test_a_phone_scrolls_the_drawing_and_not_the_page(open_page, monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data["text/html"]))
    plots.drawing("srresnet")
    (tmp_path / "page.html").write_text(f'<!doctype html><meta charset="utf-8">{shown[0]}', encoding="utf-8")
    for width, drawn in ((390, 600), (800, 784), (1200, 900)):
        page = open_page((tmp_path / "page.html").as_uri(), viewport={"width": width, "height": 600})
        picture = page.get_by_alt_text("SRResNet from left to right")
        assert picture.evaluate("(image) => image.complete && image.naturalWidth") == 900
        assert picture.bounding_box()["width"] == drawn
        assert page.evaluate("document.documentElement.scrollWidth") == width
