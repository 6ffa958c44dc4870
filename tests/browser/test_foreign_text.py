"""Test in a real browser that text from a file runs no script and becomes no element."""

import pytest

from tests.test_foreign_text import PAYLOADS, SHOWN, rendered

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize("show", SHOWN.values())
def test_foreign_text_runs_no_script(show, home, tmp_path, monkeypatch, open_page):
    home.mkdir()
    monkeypatch.setattr("srlab_course.lab.guesses.on_a_page", lambda: True)
    parts = "".join(rendered(show, name, monkeypatch) for name in PAYLOADS)
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8><body>{parts}", encoding="utf-8")
    page = open_page((tmp_path / "page.html").as_uri())
    page.wait_for_timeout(200)  # for an image that fails to load
    assert page.evaluate("document.querySelectorAll('[src=x], [onmouseover], a').length") == 0
    assert page.title() != "1"
