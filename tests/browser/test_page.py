"""Test a student's page on a phone and on a desktop, offline."""

import pytest

import srlab
from srlab_course import workshops
from tests.workshops.tiny import keep_tiny

from .conftest import drag

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("width", [360, pytest.param(1280, marks=pytest.mark.nightly)])
def test_page_fits_and_its_slider_and_die_work(open_page, tmp_path, width):
    photo = srlab.write_image(srlab.bundled_photos("validation")["chelsea"], tmp_path / "cat.png")
    name = "Ada_with_a_long_name_" * 5
    page = open_page(
        workshops.page(keep_tiny(tmp_path), photo, name).as_uri(), viewport={"width": width, "height": 800}
    )
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert page.get_by_role("heading", level=1).inner_text() == f"{name}'s super-resolution network"
    stage = page.locator(".srlab-stage")
    box = stage.bounding_box()
    assert box["width"] > 0.55 * page.locator("body").bounding_box()["width"]
    drag(page, box, (box["width"] / 2, box["height"] / 3), (box["width"] / 4, box["height"] / 3))
    assert abs(int(stage.get_attribute("aria-valuenow")) - 25) <= 1
    for guess in (1, 2, 3, 4, 1):
        page.get_by_role("button", name="Roll the die").press("Enter")
        assert page.locator(".srlab-right b").inner_text() == f"guess {guess}"
    page.get_by_role("group", name="Right image").get_by_role("button", name="differ").click()
    assert page.locator(".srlab-right b").inner_text() == "where guesses differ"
    assert page.get_by_role("button", name="Copy view").count() == 0


def test_page_without_a_flow_has_no_die(open_page, tmp_path):
    photo = srlab.write_image(srlab.bundled_photos("validation")["chelsea"], tmp_path / "cat.png")
    page = open_page(workshops.page(keep_tiny(tmp_path, kinds=["network"]), photo).as_uri())
    assert page.locator(".srlab-stage").count() == 1
    assert page.get_by_role("button", name="Roll the die").count() == 0
