"""Test the slider in a real browser, on the visible pixels."""

import numpy as np
import pytest

import srlab

from .conftest import FACTOR, SIZE, WAIT, drag, magnified, pictures, screen, settle, shows, snap

pytestmark = pytest.mark.xdist_group("browser")  # one worker, so one JupyterLab and one Chromium

A, B, C = pictures().values()
MIDDLE = SIZE * FACTOR / 2


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "slider.html"
    return srlab.compare(pictures(), left="A", right="B", notes={}).save(path).as_uri()


@pytest.fixture
def slider(open_page, saved):
    page = open_page(saved)
    stage = page.locator(".srlab-stage")
    stage.focus()
    return page, stage, stage.bounding_box()


def test_divider_choice_and_flicker_with_mouse_and_keys(slider):
    page, stage, box = slider
    assert shows(screen(page, stage), A, B, 0.5)
    drag(page, box, (MIDDLE, 100), (MIDDLE + 128, 140))
    assert shows(screen(page, stage), A, B, 0.75)
    drag(page, box, (MIDDLE + 128, 40), (-50, 40))  # beyond the edge of the image
    assert shows(screen(page, stage), A, B, 0)
    for keys, percent in ((["PageUp"] * 3, 30), (["ArrowRight"] * 2, 32), (["Home"], 0), (["End"], 100)):
        for key in keys:
            page.keyboard.press(key)
        assert shows(screen(page, stage), A, B, percent / 100), percent
        assert stage.get_attribute("aria-valuenow") == str(percent)
    for key in ("0", "3", "Shift+Digit2"):
        page.keyboard.press(key)
    assert shows(screen(page, stage), B, C, 0.5)
    page.get_by_role("button", name="Flicker").hover()
    for hold, release in (
        (page.mouse.down, page.mouse.up),
        (lambda: page.keyboard.down(" "), lambda: page.evaluate("document.activeElement.blur()")),
    ):
        hold()
        assert shows(screen(page, stage), C, B, 0.5)
        assert page.locator(".srlab-names b").all_inner_texts() == ["C", "B"]
        release()
        assert shows(screen(page, stage), B, C, 0.5)


@pytest.mark.nightly
def test_wheel_zooms_only_the_focused_image(slider):
    page, stage, box = slider
    page.evaluate("document.body.style.height = '5000px'; document.activeElement.blur()")
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    for turn, place in ((120, "> 0"), (-120, "=== 0")):
        page.mouse.wheel(0, turn)
        page.wait_for_function(f"window.scrollY {place}", timeout=WAIT)
    stage.focus()
    for zoom in ("12×", "16×"):
        page.mouse.wheel(0, -100)
        settle(page)
        assert page.get_by_role("button", name="Reset the view (0)").inner_text() == zoom
    assert np.array_equal(screen(page, stage)[:200, :250], magnified(A, 16)[60:260, 100:350])
    drag(page, box, (100, 150), (60, 120))  # away from the divider, dragging moves the image
    assert np.array_equal(screen(page, stage)[:200, :250], magnified(A, 16)[90:290, 140:390])
    page.mouse.dblclick(box["x"] + 300, box["y"] + 300)
    assert shows(screen(page, stage), A, B, 0.5)


@pytest.mark.nightly
def test_touch_gestures(open_page, saved):
    page = open_page(saved, has_touch=True, is_mobile=True, viewport={"width": 600, "height": 900})
    page.evaluate("document.body.style.height = '3000px'")
    stage = page.locator(".srlab-stage")
    box, touch = stage.bounding_box(), page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{"x": box["x"] + x, "y": box["y"] + y, "id": number} for number, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def move(start, by, steps):
        send("touchStart", start)
        for step in range(1, steps + 1):
            send("touchMove", (start[0] + step * by[0], start[1] + step * by[1]))
            page.wait_for_timeout(10)

    move((100, 400), (0, -20), 15)
    page.wait_for_function("window.scrollY > 100", timeout=WAIT)
    page.wait_for_timeout(200)  # hold the finger still, so that the page stops scrolling
    send("touchEnd")
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function("window.scrollY === 0", timeout=WAIT)
    assert shows(screen(page, stage), A, B, 0.5)
    move((MIDDLE, 300), (-16, 4), 8)
    send("touchEnd")
    assert shows(screen(page, stage), A, B, 0.25)
    send("touchStart", (300, 300))
    send("touchStart", (300, 300), (340, 300))
    send("touchMove", (260, 300), (380, 300))
    send("touchEnd", (260, 300))
    send("touchEnd")
    settle(page)
    assert page.get_by_role("button", name="Reset the view (0)").inner_text() == "24×"


@pytest.mark.nightly
def test_difference_and_grid(slider):
    page, stage, _ = slider
    for times in (8, 32):
        page.keyboard.press("d")
        difference = np.minimum(np.abs(magnified(A).astype(int) - magnified(B)) * times, 255)
        assert np.array_equal(screen(page, stage), difference)
    page.keyboard.press("g")
    for key, scale, top, left in (("0", 4, 0, 0), ("+", 6, 64, 64), ("Shift+ArrowRight", 6, 64, 90)):
        page.keyboard.press(key)
        seen = screen(page, stage)  # 256-pixel cells, 8 pixels apart, below labels of 22 pixels
        for number, image in enumerate((A, B, C)):
            part = magnified(image, scale)[top : top + 256, left : left + 256]
            assert np.array_equal(seen[22:278, 264 * number :][:, :256], part), (key, number)


@pytest.mark.nightly
def test_score_and_copied_view(open_page, tmp_path):
    path, view = tmp_path / "page.html", "view=(16, 24, 4), split=0.25"
    srlab.compare({"A": A, "B": B, "HR": C}, "A", "B", {}, view=(16, 24, 4), split=0.25).save(path)
    page = open_page(path.as_uri(), permissions=["clipboard-read", "clipboard-write"])
    stage, part = page.locator(".srlab-stage"), (slice(None), slice(16, 32), slice(24, 40))
    assert np.array_equal(screen(page, stage)[:200, :125], magnified(A[part], 32)[:200, :125])
    settle(page)
    plain = srlab.Protocol(color="rgb", crop=0)
    a, b = (srlab.psnr(image[part] / 255, C[part] / 255, plain).item() for image in (A, B))
    assert f"A {a:.2f} dB · B {b:.2f} dB" in page.locator(".srlab-score").inner_text()
    stage.focus()
    page.keyboard.press("c")
    page.get_by_text("Copied: ").wait_for(timeout=WAIT)
    assert page.evaluate("navigator.clipboard.readText()") == view
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")  # without encryption
    page.get_by_role("button", name="Copy view").click()
    page.wait_for_function(f"getSelection().toString() === '{view}'", timeout=WAIT)


REPLACE = """async (complete) => {
  const [one, two] = document.querySelectorAll(".srlab-compare"), image = two.querySelector("img[alt=C]").cloneNode();
  await image.decode();
  Object.defineProperty(image, "complete", { value: complete });
  one.srlabSlider.replace(1, image, "");
}"""


def test_names_image_and_buttons_fit_on_a_laptop(open_page, tmp_path):
    large = {f"network {number}": srlab.upsample(A[None] / 255, 8) for number in range(5)}  # two rows of buttons
    srlab.compare(large).save(tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri(), viewport={"width": 700, "height": 768})
    settle(page)
    names, tools = (page.locator(f".srlab-{part}").bounding_box() for part in ("names", "tools"))
    assert 400 < tools["y"] + tools["height"] - names["y"] < 635  # what JupyterLab shows of a notebook
    help_text = page.get_by_text("Drag the line")
    assert not help_text.is_visible()
    page.get_by_role("button", name="?").click()
    assert help_text.is_visible()


def test_one_score_for_the_whole_image_and_one_for_a_region(open_page, tmp_path):
    srlab.compare({"A": A, "HR": C}).save(tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri())
    score = page.locator(".srlab-score")
    settle(page)
    assert page.locator(".srlab-left .srlab-note").inner_text().endswith(" dB")
    assert score.inner_text() == ""
    page.locator(".srlab-stage").focus()
    page.keyboard.press("+")
    settle(page)
    assert "This region: A " in score.inner_text()


@pytest.mark.nightly
def test_two_sliders_on_a_page_and_an_image_that_is_incomplete(open_page, tmp_path):
    one, two = (srlab.compare(images, notes={}) for images in ({"A": A, "B": B}, {"B": B, "C": C}))
    (tmp_path / "two.html").write_text(f"<meta charset=utf-8>{one.html}{two.html}", "utf-8")
    page = open_page((tmp_path / "two.html").as_uri(), viewport={"width": 900, "height": 1700})
    stages = page.locator(".srlab-stage")
    stages.nth(0).focus()
    page.keyboard.press("PageUp")
    page.evaluate(one.html.partition("<script>")[2].removesuffix("</script>"))  # as in a cell that is run again
    assert stages.count() == 2
    assert shows(screen(page, stages.nth(0)), A, B, 0.6)
    assert shows(screen(page, stages.nth(1)), B, C, 0.5)
    for complete in (False, True):  # the size of an image is known before its pixels
        page.evaluate(REPLACE, complete)
        assert shows(screen(page, stages.nth(0)), A, C, 0.6) == complete


@pytest.mark.nightly
def test_slider_without_javascript(open_page, saved):
    page = open_page(saved, java_script_enabled=False, viewport={"width": 900, "height": 1800})
    still = page.locator(".srlab-still")
    for name, image in (("A", A), ("B", B), ("C", C)):
        assert shows(snap(page, still.get_by_alt_text(name)), image, image, 0.5)
