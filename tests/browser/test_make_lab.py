"""JupyterLab as `srlab lab` starts it."""

import json

import pytest

from srlab_course.cli import lab_command
from tests.conftest import ROOT

from .conftest import WAIT, start_jupyterlab

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("browser")]


def test_student_sees_notebooks_and_no_news(browser, tmp_path):
    own = {"ServerApp": {"preferred_dir": str(tmp_path)}}  # JupyterLab doesn't start with a folder outside of its own
    (tmp_path / "jupyter_server_config.json").write_text(json.dumps(own), encoding="utf-8")
    with start_jupyterlab(tmp_path, *lab_command.settings(ROOT / "notebooks")) as address:
        page = browser.new_context().new_page()
        page.goto(address("lab"))
        page.locator(".jp-DirListing-item").first.wait_for(timeout=3 * WAIT)
        page.wait_for_timeout(3000)  # the popup comes a little later
        shown = page.locator(".jp-DirListing-itemText").all_inner_texts()
        assert {name for name in shown if not name.endswith(".ipynb")} <= {"extras", "workshops", "own"}
        assert "00_degradation.ipynb" in shown
        cut = "(names) => names.filter((name) => name.scrollWidth > name.clientWidth).length"
        assert page.locator(".jp-DirListing-itemText").evaluate_all(cut) == 0
        assert page.get_by_text("Jupyter news").count() == 0
