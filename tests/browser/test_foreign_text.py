"""Test in a real browser that text from a file runs no script and becomes no element."""

import nbformat
import pytest

from srlab.cli.main import main
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


def test_handout_runs_no_script_and_loads_nothing(tmp_path, home, open_page):
    attack = '<meta http-equiv="refresh" content="0;url=about:blank">\n\n'
    attack += '<script>document.title = "1"</script><img src="http://localhost/x" onerror="document.title = 1">'
    cells = [nbformat.v4.new_markdown_cell(f"# Lab\n\n{attack}\n\n$x^2$\n\n<p style='color: red'>red</p>")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lab.ipynb")
    assert main(["handout", str(tmp_path / "lab.ipynb")]) == 0
    page = open_page((home / "handouts" / "lab.html").as_uri())
    page.wait_for_timeout(200)
    assert page.title() == "lab", "it is still this page"
    assert page.evaluate("document.querySelector('[alt=\"x^2\"]').naturalWidth") > 0
    assert page.evaluate("getComputedStyle(document.querySelector('p[style]')).color") == "rgb(255, 0, 0)"
