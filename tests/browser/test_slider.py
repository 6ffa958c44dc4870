"""The slider in a real browser: what the pixels show, with scripts and without, saved and exported."""

import nbformat
import numpy as np
import pytest

import srlab

from .conftest import FACTOR, SIZE, WAIT, magnified, pictures, pixels, screen, settle, shows, snap

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


def test_plus_minus_and_zero_zoom(slider):
    page, stage, _ = slider
    stage.focus()
    page.keyboard.press("+")
    assert not shows(screen(page, stage), A, B, 0.5)
    page.keyboard.press("-")
    assert shows(screen(page, stage), A, B, 0.5)
    for key in ("+", "+", "0"):
        page.keyboard.press(key)
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


def test_a_finger_moves_the_divider_and_two_fingers_zoom(open_page, saved):
    page = open_page(saved, has_touch=True, is_mobile=True, viewport={"width": 600, "height": 900})
    stage = page.locator(".srlab-stage")
    box = stage.bounding_box()
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{"x": box["x"] + x, "y": box["y"] + y, "id": number} for number, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

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


def test_a_narrow_page_shows_it_smaller_and_whole(open_page, saved):
    page = open_page(saved, viewport={"width": 400, "height": 900})
    stage = page.locator(".srlab-stage")
    assert stage.bounding_box()["width"] == 5 * SIZE  # whole screen pixels
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.set_viewport_size({"width": 900, "height": 900})
    assert shows(screen(page, stage), A, B, 0.5)


def test_on_a_dark_page_the_labels_are_light_and_the_focus_ring_is_seen(open_page, saved):
    page = open_page(saved, color_scheme="dark")
    page.keyboard.press("Tab")
    settle(page)
    label = pixels(page.locator(".srlab-left b").screenshot(timeout=WAIT))
    assert label.min() < 60
    assert label.max() > 200
    box = page.locator(".srlab-stage").bounding_box()
    clip = {"x": box["x"] - 8, "y": box["y"] + 100, "width": 8, "height": 1}
    edge = pixels(page.screenshot(clip=clip))
    assert (edge == (0x1A, 0x73, 0xE8)).all(-1).any(), "a ring of the accent colour"


def test_a_label_with_markup_in_it_is_text(open_page, tmp_path):
    label = """<b>"x"&</script><script>document.title = "srlab was here"</script>"""
    path = srlab.compare({label: A, "B": B}, notes={}, caption=label).save(tmp_path / "page.html")
    page = open_page(path.as_uri())
    assert page.locator(".srlab-left b").inner_text() == label
    assert page.title() != "srlab was here"
    assert shows(screen(page, page.locator(".srlab-stage")), A, B, 0.5)


def test_a_notebook_exported_by_nbconvert_keeps_the_slider(open_page, tmp_path):
    from nbconvert import HTMLExporter

    html = srlab.compare(pictures(), left="A", right="B", notes={})._repr_html_()
    output = nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": "Comparison"})
    cell = nbformat.v4.new_code_cell("srlab.compare(images)", outputs=[output], execution_count=1)
    exported, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert exported.count("data:image/webp") == 3, "each picture once"
    (tmp_path / "lab.html").write_text(exported, encoding="utf-8")
    page = open_page((tmp_path / "lab.html").as_uri())
    stage = page.locator(".srlab-stage")
    stage.focus()
    page.keyboard.press("3")
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    assert shows(screen(page, stage), A, C, 0.1)
