"""The slider in a real browser: what the pixels show, with scripts and without, saved and exported."""

import numpy as np
import pytest
import torch

import srlab

from .conftest import FACTOR, SIZE, WAIT, magnified, pictures, screen, settle, shows, snap

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
    yield page, stage, box
    assert page.outside == [], "the page asks for nothing from outside"


def drag(page, box, start, end, steps=6):
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=steps)
    page.mouse.up()


def zoom(page, stage, box, at, notches):
    stage.focus()
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    for _ in range(notches):
        page.mouse.wheel(0, -100)
        settle(page)


def test_the_left_picture_is_left_of_the_divider_and_the_right_one_beyond(slider):
    page, stage, _ = slider
    assert shows(screen(page, stage), A, B, 0.5)


def test_the_divider_follows_the_mouse_and_a_click_brings_it(slider):
    page, stage, box = slider
    drag(page, box, (MIDDLE, 100), (MIDDLE + 128, 140))
    assert shows(screen(page, stage), A, B, 0.75)
    page.mouse.click(box["x"] + 64, box["y"] + 40)
    assert shows(screen(page, stage), A, B, 0.125)
    drag(page, box, (64, 40), (-50, 40))  # the mouse leaves the picture, and the divider stays at its edge
    assert shows(screen(page, stage), A, B, 0)


def test_arrow_keys_move_the_divider_and_the_slider_says_where_it_is(slider):
    page, stage, _ = slider
    stage.focus()
    for keys, percent in ((["PageDown"] * 2, 30), (["ArrowRight"] * 2, 32), (["Home"], 0), (["End"], 100)):
        for key in keys:
            page.keyboard.press(key)
        assert shows(screen(page, stage), A, B, percent / 100), percent
        assert stage.get_attribute("aria-valuenow") == str(percent)
    assert stage.get_attribute("aria-valuetext") == "100 % A, 0 % B"
    assert stage.get_attribute("aria-label") == "Divider between A and B"


def test_digits_choose_the_right_picture_and_with_shift_the_left(slider):
    page, stage, _ = slider
    stage.focus()
    page.keyboard.press("3")
    assert shows(screen(page, stage), A, C, 0.5)
    page.keyboard.press("Shift+Digit2")
    assert shows(screen(page, stage), B, C, 0.5)
    page.get_by_role("group", name="Left picture").get_by_role("button", name="C").click()
    assert shows(screen(page, stage), C, C, 0.5)
    assert page.locator(".srlab-left b").inner_text() == "C"


def test_the_wheel_magnifies_the_pixel_under_the_mouse_to_a_square_of_one_colour(slider):
    page, stage, box = slider
    zoom(page, stage, box, at=(100, 60), notches=2)
    seen, scale = screen(page, stage), 16
    assert page.get_by_role("button", name="Reset the view (0)").inner_text() == f"{scale}×"
    pixel = A.permute(1, 2, 0).numpy()[60 // FACTOR, 100 // FACTOR]
    assert np.array_equal(seen[60, 100], pixel)
    same = (seen[:160, :240] == pixel).all(-1)
    rows, columns = np.where(same.any(1))[0], np.where(same.any(0))[0]
    assert (len(rows), len(columns)) == (scale, scale)
    assert same.sum() == scale**2
    # And the right picture has moved along: the two show the same place.
    row, column = rows[0] % scale, columns[0] % scale
    top, left = 60 // FACTOR - rows[0] // scale, 100 // FACTOR - columns[0] // scale
    shown = magnified(B, scale)[top * scale - row :][:200, left * scale - column :][:, : SIZE * FACTOR]
    start = round(MIDDLE) + 3
    assert np.array_equal(seen[:200, start:], shown[:, start:])


def test_a_zoomed_picture_is_dragged_while_the_divider_stays(slider):
    page, stage, box = slider
    zoom(page, stage, box, at=(MIDDLE, 250), notches=3)
    before = screen(page, stage)
    drag(page, box, (100, 150), (60, 120))
    after = screen(page, stage)
    assert np.array_equal(after[:170, :200], before[30:200, 40:240])
    assert stage.get_attribute("aria-valuenow") == "50"
    drag(page, box, (MIDDLE, 60), (MIDDLE - 100, 60))  # on the line it is the divider that moves
    assert np.array_equal(screen(page, stage)[:170, :140], after[:170, :140])
    assert int(stage.get_attribute("aria-valuenow")) == 30
    page.mouse.dblclick(box["x"] + 300, box["y"] + 300)
    assert shows(screen(page, stage), A, B, 0.5)


def test_the_wheel_scrolls_the_page_until_the_slider_has_the_focus(slider):
    page, stage, box = slider
    page.evaluate("document.body.style.height = '5000px'")
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.wheel(0, 120)
    page.wait_for_function("window.scrollY > 0", timeout=WAIT)
    page.evaluate("window.scrollTo(0, 0)")
    stage.focus()
    page.mouse.wheel(0, -120)
    settle(page)
    assert page.get_by_role("button", name="Reset the view (0)").inner_text() == "12×"
    page.mouse.wheel(0, 120)  # back out; from there on the page has it again
    settle(page)
    assert page.evaluate("window.scrollY") == 0
    page.mouse.wheel(0, 120)
    page.wait_for_function("window.scrollY > 0", timeout=WAIT)


def fingers(page, box):
    """Sends touches at places of the stage."""
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{"x": box["x"] + x, "y": box["y"] + y, "id": number} for number, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return send


@pytest.mark.parametrize(
    ("view", "start"),
    [  # far from the line, and on it
        (None, 100),
        ((8, 8, 4), MIDDLE),
        pytest.param(None, MIDDLE, marks=pytest.mark.nightly),
        pytest.param((8, 8, 4), 100, marks=pytest.mark.nightly),
    ],
)
def test_a_swipe_that_scrolls_the_page_moves_neither_the_divider_nor_the_picture(open_page, tmp_path, view, start):
    path = srlab.compare(pictures(), left="A", right="B", notes={}, view=view).save(tmp_path / "page.html")
    page = open_page(path.as_uri(), has_touch=True, is_mobile=True, viewport={"width": 600, "height": 780})
    page.evaluate("document.body.style.height = '3000px'")
    stage = page.locator(".srlab-stage")
    send, before = fingers(page, stage.bounding_box()), screen(page, stage)
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
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + 128, box["y"] + 100)  # which moves the line, or lets a finger move the picture
    send("touchStart", (400, 300))
    for step in range(1, 9):
        send("touchMove", (400 - 16 * step, 300 + 4 * step))
    send("touchEnd")
    assert stage.get_attribute("aria-valuenow") == ("50" if view else str(round(100 * 272 / 512)))
    assert not np.array_equal(screen(page, stage), before)


def test_a_finger_moves_the_divider_and_two_fingers_zoom(open_page, saved):
    page = open_page(saved, has_touch=True, is_mobile=True, viewport={"width": 600, "height": 900})
    stage = page.locator(".srlab-stage")
    send = fingers(page, stage.bounding_box())
    send("touchStart", (MIDDLE, 100))
    for x in range(0, 129, 16):
        send("touchMove", (MIDDLE - x, 100))
    send("touchEnd")
    assert shows(screen(page, stage), A, B, 0.25)
    send("touchStart", (300, 300))
    send("touchStart", (300, 300), (340, 300))
    for apart in (40, 60, 80, 120):
        send("touchMove", (320 - apart / 2, 300), (320 + apart / 2, 300))
    send("touchEnd", (260, 300))
    send("touchEnd")
    settle(page)
    assert page.get_by_role("button", name="Reset the view (0)").inner_text() == "24×"


# --- ways to look --------------------------------------------------------------------------------------------


def test_left_and_right_change_places_as_long_as_space_or_its_button_is_held(slider):
    page, stage, _ = slider
    stage.focus()
    button = page.get_by_role("button", name="Flicker").bounding_box()
    page.mouse.move(button["x"] + 20, button["y"] + 10)
    for hold, release in (
        (lambda: page.keyboard.down(" "), lambda: page.keyboard.up(" ")),
        (page.mouse.down, page.mouse.up),
        (lambda: page.keyboard.down(" "), lambda: page.evaluate("document.activeElement.blur()")),  # now on the button
    ):
        hold()
        assert shows(screen(page, stage), B, A, 0.5)
        assert page.locator(".srlab-names b").all_inner_texts() == ["B", "A"]
        release()
        assert shows(screen(page, stage), A, B, 0.5)
        assert page.locator(".srlab-names b").all_inner_texts() == ["A", "B"]


def test_the_difference_is_exact_to_the_level_and_says_how_often_it_is_taken(slider):
    page, stage, _ = slider
    stage.focus()
    between = np.abs(magnified(A).astype(int) - magnified(B))
    for times in (8, 32):
        page.keyboard.press("d")
        assert np.array_equal(screen(page, stage), np.minimum(between * times, 255))
        assert page.locator(".srlab-left b").inner_text() == f"|A − B| × {times}"
        assert stage.get_attribute("aria-label") == f"Difference of A and B, {times} times"
        assert page.get_by_role("button", name="Difference").inner_text().endswith(f"×{times}")
    page.keyboard.press("d")
    assert shows(screen(page, stage), A, B, 0.5)


def test_the_grid_shows_the_same_part_of_every_picture_zoomed_and_moved_together(slider):
    page, stage, _ = slider
    stage.focus()
    page.keyboard.press("g")

    def cells_show(scale, top, left):
        seen = screen(page, stage)  # cells of 256 pixels, 8 between them, with 22 for the labels
        for number, picture in enumerate((A, B, C)):
            part = magnified(picture, scale)[top : top + 256, left : left + 256]
            assert np.array_equal(seen[22:278, 264 * number :][:, :256], part), number

    cells_show(4, 0, 0)
    page.keyboard.press("+")
    cells_show(6, 64, 64)
    drag(page, stage.bounding_box(), (400, 150), (364, 126))
    cells_show(6, 88, 100)
    page.keyboard.press("Shift+ArrowRight")  # by a tenth of what is seen; without a divider the arrows alone do it
    page.keyboard.press("ArrowUp")
    cells_show(6, 88 - 26, 100 + 26)
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 264 + 2, box["y"] + 22 + 2)
    page.mouse.wheel(0, -100)  # around the corner of the second cell
    settle(page)
    seen = screen(page, stage)
    for number, picture in enumerate((A, B, C)):
        pixel = picture[:, 64 // 6, 128 // 6].numpy()
        assert np.array_equal(seen[22 + 2, 264 * number + 2], pixel)
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

    expected = f"This part: A {psnr(A[part], C[part]):.2f} dB · B {psnr(B[part], C[part]):.2f} dB"
    score = page.locator(".srlab-score")
    assert score.inner_text() == f"{expected}PSNR to HR on 8-bit RGB, not on luma as in tables"
    stage.focus()
    page.keyboard.press("c")
    page.get_by_text("Copied: ").wait_for(timeout=WAIT)
    assert page.evaluate("navigator.clipboard.readText()") == "view=(16, 24, 4), split=0.25"
    refuse = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }"
    page.evaluate(refuse)  # as on a page from far without encryption
    page.get_by_role("button", name="Copy view").click()
    page.wait_for_function("getSelection().toString() === 'view=(16, 24, 4), split=0.25'", timeout=WAIT)
    page.keyboard.press("3")
    page.keyboard.press("Shift+Digit3")
    settle(page)
    assert score.inner_text() == "", "HR against itself"


# --- where little is there -----------------------------------------------------------------------------------


def test_without_scripts_a_css_divider_shows_left_over_right_and_the_rest_below(open_page, saved):
    page = open_page(saved, java_script_enabled=False, viewport={"width": 900, "height": 1200})
    still = page.locator(".srlab-still")
    assert shows(snap(page, still.get_by_alt_text("B")), A, B, 0.5)
    assert still.get_by_text("C", exact=True).is_visible()
    assert still.get_by_alt_text("C").is_visible()


def test_the_css_divider_is_pulled_by_its_corner(open_page, tmp_path):
    """With the script taken out as sanitizers do; in a page that forbids scripts, Playwright waits for ever here."""
    html = srlab.compare(pictures(), left="A", right="B", notes={}).html
    (tmp_path / "still.html").write_text("<meta charset=utf-8>" + html[: html.index("<script>")], encoding="utf-8")
    page = open_page((tmp_path / "still.html").as_uri(), viewport={"width": 900, "height": 1200})
    pair = page.get_by_alt_text("B")
    drag(page, pair.bounding_box(), (MIDDLE - 5, 505), (MIDDLE + 123, 505))
    assert shows(screen(page, pair), A, B, 0.75)


def test_two_sliders_on_one_page_and_a_script_that_runs_twice_do_not_meet(open_page, tmp_path):
    one = srlab.compare({"A": A, "B": B}, notes={})
    two = srlab.compare({"B": B, "C": C}, notes={})
    (tmp_path / "two.html").write_text(f"<meta charset=utf-8>{one.html}{two.html}{one.html}", encoding="utf-8")
    page = open_page((tmp_path / "two.html").as_uri(), viewport={"width": 900, "height": 2400})
    stages = page.locator(".srlab-stage")
    assert stages.count() == 3
    stages.nth(0).focus()
    page.keyboard.press("PageUp")
    page.evaluate(one.html.partition("<script>")[2].removesuffix("</script>"))
    assert stages.count() == 3
    assert shows(screen(page, stages.nth(0)), A, B, 0.6)
    assert shows(screen(page, stages.nth(1)), B, C, 0.5)
    assert shows(screen(page, stages.nth(2)), A, B, 0.5)
