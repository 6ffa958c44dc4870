"""Test a student's page on a phone and on a desktop, offline."""

import pytest

import srlab
from srlab_course import workshops
from tests.workshops.tiny import keep_tiny

from .conftest import drag

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("width", [360, pytest.param(1280, marks=pytest.mark.nightly)])
def test_page_fits_and_its_sliders_and_die_work(open_page, tmp_path, monkeypatch, width):
    photo = srlab.write_image(srlab.bundled_photos("validation")["chelsea"], tmp_path / f"{'a_long_name_' * 5}.png")
    monkeypatch.setattr(srlab, "export", lambda network, file, **_: file)
    address = workshops.page(keep_tiny(tmp_path), photo, "Ada").as_uri()
    page = open_page(address, viewport={"width": width, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert page.get_by_role("heading", level=1).inner_text() == "Ada's super-resolution network"
    assert page.locator("article").count() == 3
    assert page.get_by_role("button", name="Copy view").count() == 0
    stages = page.locator(".srlab-stage").all()
    assert len(stages) == 2  # the photo, and the subject
    assert stages[0].bounding_box()["width"] > 0.55 * page.locator("body").bounding_box()["width"]  # of a small photo
    for stage in stages:
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        drag(page, box, (box["width"] / 2, box["height"] / 3), (box["width"] / 4, box["height"] / 3))
        assert abs(int(stage.get_attribute("aria-valuenow")) - 25) <= 1

    die, chosen = page.get_by_role("group", name="Guesses of the flow"), page.locator(".srlab-right b").nth(1)
    right = page.get_by_role("group", name="Right image").nth(1)
    right.get_by_role("button", name="mean of guesses").click()
    assert chosen.inner_text() == "mean of guesses"
    assert die.count() == 1  # only the subject has a flow
    throw, mapping = die.get_by_role("button", name="Throw the die"), die.get_by_role("button", name="differ")
    for guess in (1, 2, 3, 4, 1):
        throw.press("Enter")
        assert chosen.inner_text() == f"guess {guess}"
        assert die.get_by_role("status").inner_text() == f"Guess {guess} of 4"
    assert die.get_by_role("img").count() == 0  # the legend
    for shown, pressed in (("where guesses differ", "true"), ("guess 1", "false")):
        mapping.press("Enter")
        assert (chosen.inner_text(), mapping.get_attribute("aria-pressed")) == (shown, pressed)
    right.get_by_role("button", name="differ").click()
    assert mapping.get_attribute("aria-pressed") == "true"
    assert "32 gray levels or more" in die.get_by_role("img").get_attribute("aria-label")
