"""Test a student's page on a phone and on a desktop, offline."""

import pytest

import srlab
from srlab.course import workshops
from tests.workshops.tiny import keep_tiny

from .conftest import drag

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    photo = srlab.write_image(srlab.bundled_photos("validation")["chelsea"], folder / f"{'a_long_name_' * 5}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(srlab, "export", lambda network, file, **_: file)
        return workshops.page(keep_tiny(folder), photo, "Ada").as_uri()


@pytest.mark.parametrize("width", [360, 1280])
def test_page_fits_and_its_sliders_move(open_page, address, width):
    page = open_page(address, viewport={"width": width, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert page.get_by_role("heading", level=1).inner_text() == "Ada's super-resolution network"
    assert page.locator("article").count() == 3
    stages = page.locator(".srlab-stage")
    assert stages.count() == 3  # a detail, the whole photo, and the subject
    for index in range(3):
        stage = stages.nth(index)
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        drag(page, box, (box["width"] / 2, box["height"] / 3), (box["width"] / 4, box["height"] / 3))
        assert abs(int(stage.get_attribute("aria-valuenow")) - 25) <= 1
    right = page.get_by_role("group", name="Right image").nth(2)
    right.get_by_role("button", name="flow, mean of guesses").click()
    assert page.locator(".srlab-right b").nth(2).inner_text() == "flow, mean of guesses"
    assert page.get_by_role("button", name="Copy view").count() == 0
