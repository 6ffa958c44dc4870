"""The slider in a real browser: what the pixels show, with scripts and without."""

import numpy as np
import pytest
import torch

import srlab

from .conftest import FACTOR, SIZE, WAIT, drag, magnified, pictures, screen, settle, shows, snap

pytestmark = pytest.mark.xdist_group("browser")  # one worker, so one JupyterLab and one Chromium

A, B, C = pictures().values()
MIDDLE = SIZE * FACTOR / 2


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "slider.html"
    return srlab.compare(pictures(), left="A", right="B", notes={}).save(path).as_uri()


@pytest.fixture
def slider(open_page, saved):
    page = open_page(saved)
    stage = page.locator(".srlab-stage")
    stage.wait_for()
    box = stage.bounding_box()
    assert (box["width"], box["height"]) == (SIZE * FACTOR, SIZE * FACTOR)
    return page, stage, box


def zoomed(page):
    return page.get_by_role("button", name="Reset the view (0)").inner_text()


def test_the_divider_follows_mouse_and_keys_and_the_slider_says_where_it_is(slider):
    page, stage, box = slider
    assert shows(screen(page, stage), A, B, 0.5)
    drag(page, box, (MIDDLE, 100), (MIDDLE + 128, 140))
    assert shows(screen(page, stage), A, B, 0.75)
    page.mouse.click(box["x"] + 64, box["y"] + 40)
    assert shows(screen(page, stage), A, B, 0.125)
    drag(page, box, (64, 40), (-50, 40))  # the mouse leaves the picture, and the divider stays at its edge
    assert shows(screen(page, stage), A, B, 0)
    for keys, percent in ((["PageUp"] * 3, 30), (["ArrowRight"] * 2, 32), (["Home"], 0), (["End"], 100)):
        for key in keys:
            page.keyboard.press(key)
        assert shows(screen(page, stage), A, B, percent / 100), percent
        assert stage.get_attribute("aria-valuenow") == str(percent)
    assert stage.get_attribute("aria-valuetext") == "100 % A, 0 % B"
    assert stage.get_attribute("aria-label") == "Divider between A and B"


def test_digits_choose_the_right_picture_with_shift_the_left_and_held_space_swaps_them(slider):
    page, stage, _ = slider
    stage.focus()
    page.keyboard.press("3")
    assert shows(screen(page, stage), A, C, 0.5)
    page.keyboard.press("Shift+Digit2")
    assert shows(screen(page, stage), B, C, 0.5)
    page.get_by_role("group", name="Left picture").get_by_role("button", name="A").click()
    stage.focus()
    flicker = page.get_by_role("button", name="Flicker").bounding_box()
    page.mouse.move(flicker["x"] + 20, flicker["y"] + 10)
    for hold, release in (
        (lambda: page.keyboard.down(" "), lambda: page.keyboard.up(" ")),
        (page.mouse.down, page.mouse.up),
        (lambda: page.keyboard.down(" "), lambda: page.evaluate("document.activeElement.blur()")),  # now on the button
    ):
        hold()
        assert shows(screen(page, stage), C, A, 0.5)
        assert page.locator(".srlab-names b").all_inner_texts() == ["C", "A"]
        release()
        assert shows(screen(page, stage), A, C, 0.5)


def test_the_wheel_scrolls_the_page_until_the_slider_has_the_focus_and_then_magnifies_what_is_under_the_mouse(slider):
    page, stage, box = slider
    page.evaluate("document.body.style.height = '5000px'")
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.wheel(0, 120)
    page.wait_for_function("window.scrollY > 0", timeout=WAIT)
    page.mouse.wheel(0, -120)
    page.wait_for_function("window.scrollY === 0", timeout=WAIT)
    stage.focus()
    assert zoomed(page) == "8×"
    for zoom in ("12×", "16×"):
        page.mouse.wheel(0, -100)
        settle(page)
        assert zoomed(page) == zoom

    def assert_corner(top, left, cut):
        """The pixel at that corner is where it should be, and each is a square of one colour."""
        seen, half = screen(page, stage)[:170], round(cut * SIZE * FACTOR)
        assert np.array_equal(seen[:, : half - 3], magnified(A, 16)[top:, left:][:170, : half - 3])
        assert np.array_equal(seen[:, half + 3 :], magnified(B, 16)[top:, left + half + 3 :][:170, : 509 - half])
        assert stage.get_attribute("aria-valuenow") == str(round(100 * cut))

    assert_corner(60, 100, 0.5)
    drag(page, box, (100, 150), (60, 120))
    assert_corner(90, 140, 0.5)
    drag(page, box, (MIDDLE, 60), (MIDDLE - 128, 60))  # on the line it is the divider that moves
    assert_corner(90, 140, 0.25)
    page.mouse.dblclick(box["x"] + 300, box["y"] + 300)
    assert shows(screen(page, stage), A, B, 0.5)
    page.mouse.wheel(0, 120)  # no further out: the page has it again
    page.wait_for_function("window.scrollY > 0", timeout=WAIT)


@pytest.mark.parametrize(("view", "start"), [(None, 100), ((8, 8, 4), MIDDLE)])  # far from the line, and on it
def test_a_swipe_scrolls_the_page_a_finger_moves_divider_or_picture_and_two_zoom(open_page, tmp_path, view, start):
    path = srlab.compare(pictures(), left="A", right="B", notes={}, view=view).save(tmp_path / "page.html")
    page = open_page(path.as_uri(), has_touch=True, is_mobile=True, viewport={"width": 600, "height": 780})
    page.evaluate("document.body.style.height = '3000px'")
    stage = page.locator(".srlab-stage")
    box, before, touch = stage.bounding_box(), screen(page, stage), page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{"x": box["x"] + x, "y": box["y"] + y, "id": number} for number, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", (start, 400))
    for step in range(1, 16):
        send("touchMove", (start + 3 * min(step, 2), 400 - 20 * step))
        page.wait_for_timeout(10)
    page.wait_for_function("window.scrollY > 100", timeout=WAIT)
    page.wait_for_timeout(200)  # the finger rests, so that the page does not roll on
    send("touchEnd")
    assert stage.get_attribute("aria-valuenow") == "50"
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function("window.scrollY === 0", timeout=WAIT)
    assert np.array_equal(screen(page, stage), before)
    page.touchscreen.tap(box["x"] + 384, box["y"] + 100)  # which moves the line, or lets a finger move the picture
    send("touchStart", (400, 300))
    for step in range(1, 9):
        send("touchMove", (400 - 16 * step, 300 + 4 * step))
    send("touchEnd")
    if view:
        assert stage.get_attribute("aria-valuenow") == "50"
        assert not np.array_equal(screen(page, stage), before)
        return
    assert shows(screen(page, stage), A, B, 0.5)  # from 0.75, by a quarter
    send("touchStart", (300, 300))
    send("touchStart", (300, 300), (340, 300))
    for apart in (40, 60, 80, 120):
        send("touchMove", (320 - apart / 2, 300), (320 + apart / 2, 300))
    send("touchEnd", (260, 300))
    send("touchEnd")
    settle(page)
    assert zoomed(page) == "24×"


# --- ways to look --------------------------------------------------------------------------------------------


def test_the_difference_is_exact_to_the_level_and_says_how_often_it_is_taken(slider):
    page, stage, _ = slider
    stage.focus()
    between = np.abs(magnified(A).astype(int) - magnified(B))
    for times in (8, 32):
        page.keyboard.press("d")
        assert np.array_equal(screen(page, stage), np.minimum(between * times, 255))
        assert page.locator(".srlab-left b").inner_text() == f"|A − B| × {times}"
    page.keyboard.press("d")
    assert shows(screen(page, stage), A, B, 0.5)


def test_the_grid_shows_the_same_part_of_every_picture_zoomed_and_moved_together(slider):
    page, stage, _ = slider
    stage.focus()
    page.keyboard.press("g")

    def assert_cells(scale, top, left):
        seen = screen(page, stage)  # cells of 256 pixels, 8 between them, with 22 for the labels
        for number, picture in enumerate((A, B, C)):
            part = magnified(picture, scale)[top : top + 256, left : left + 256]
            assert np.array_equal(seen[22:278, 264 * number :][:, :256], part), number

    assert_cells(4, 0, 0)
    page.keyboard.press("+")
    assert_cells(6, 64, 64)
    drag(page, stage.bounding_box(), (400, 150), (364, 126))
    assert_cells(6, 88, 100)
    page.keyboard.press("Shift+ArrowRight")  # by a tenth of what is seen; without a divider the arrows alone do it
    page.keyboard.press("ArrowUp")
    assert_cells(6, 88 - 26, 100 + 26)
    page.keyboard.press("g")
    page.keyboard.press("0")
    assert shows(screen(page, stage), A, B, 0.5)


def test_it_opens_at_a_view_scores_what_is_seen_and_copies_the_view(open_page, tmp_path):
    images = {"A": A, "B": B, "HR": C}
    path = srlab.compare(images, "A", "B", {}, view=(16, 24, 4), split=0.25).save(tmp_path / "page.html")
    page = open_page(path.as_uri(), permissions=["clipboard-read", "clipboard-write"])
    stage = page.locator(".srlab-stage")
    seen, part = screen(page, stage), (slice(None), slice(16, 32), slice(24, 40))
    assert np.array_equal(seen[:200, :125], magnified(A[part], 32)[:200, :125])
    assert np.array_equal(seen[:200, 131:], magnified(B[part], 32)[:200, 131:])

    def psnr(sr, hr):
        return 10 * torch.log10(255**2 / (sr.double() - hr.double()).square().mean())

    settle(page)
    expected = f"This part: A {psnr(A[part], C[part]):.2f} dB · B {psnr(B[part], C[part]):.2f} dB"
    assert page.locator(".srlab-score").inner_text().startswith(f"{expected}PSNR to HR on 8-bit RGB")
    stage.focus()
    page.keyboard.press("c")
    page.get_by_text("Copied: ").wait_for(timeout=WAIT)
    assert page.evaluate("navigator.clipboard.readText()") == "view=(16, 24, 4), split=0.25"
    refuse = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }"
    page.evaluate(refuse)  # as on a page from far without encryption
    page.get_by_role("button", name="Copy view").click()
    page.wait_for_function("getSelection().toString() === 'view=(16, 24, 4), split=0.25'", timeout=WAIT)


# --- where little is there -----------------------------------------------------------------------------------


def test_without_scripts_a_css_divider_shows_left_over_right_and_the_rest_below(open_page, saved):
    page = open_page(saved, java_script_enabled=False, viewport={"width": 900, "height": 1200})
    still = page.locator(".srlab-still")
    assert shows(snap(page, still.get_by_alt_text("B")), A, B, 0.5)
    assert still.get_by_text("C", exact=True).is_visible()
    assert still.get_by_alt_text("C").is_visible()


def test_two_sliders_on_a_dark_page_and_a_script_that_runs_twice_do_not_meet(open_page, tmp_path):
    one = srlab.compare({"A": A, "B": B}, notes={})
    two = srlab.compare({"B": B, "C": C}, notes={})
    page_file = tmp_path / "two.html"
    page_file.write_text(f"<meta charset=utf-8><body style='color: #fed'>{one.html}{two.html}{one.html}", "utf-8")
    page = open_page(page_file.as_uri(), viewport={"width": 900, "height": 2400})
    stages = page.locator(".srlab-stage")
    stages.nth(0).focus()
    page.keyboard.press("PageUp")
    page.evaluate(one.html.partition("<script>")[2].removesuffix("</script>"))
    assert stages.count() == 3
    assert shows(screen(page, stages.nth(0)), A, B, 0.6)
    assert shows(screen(page, stages.nth(1)), B, C, 0.5)
    assert shows(screen(page, stages.nth(2)), A, B, 0.5)
    assert page.evaluate("getComputedStyle(document.querySelector('.srlab-left b')).color") == "rgb(255, 238, 221)"
