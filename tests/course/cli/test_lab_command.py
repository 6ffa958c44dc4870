"""Test srlab lab: JupyterLab starts with the same options wherever it is started from."""

import os

import pytest

from srlab.cli.main import main
from tests.conftest import ROOT

LabApp = pytest.importorskip("jupyterlab.labapp").LabApp


@pytest.fixture
def started(monkeypatch):
    """Collect the options of JupyterLab instead of starting it."""
    options = []
    monkeypatch.setattr(LabApp, "launch_instance", lambda given: options.extend(option[2:] for option in given))
    return options


def test_lab_opens_the_notebooks_from_any_folder(started, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["lab"]) == 0
    assert {f"ServerApp.{name}={ROOT / 'notebooks'}" for name in ("root_dir", "preferred_dir")} < {*started}
    places = (option.partition("=")[2] for option in started if "_dir=" in option or "basedirs=" in option)
    assert all(map(os.path.isdir, places))


def test_lab_opens_a_copy_of_the_notebooks_with_the_settings_of_the_course(started, tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)  # as `cp -r` leaves it
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "notebooks", "--port", "8899"]) == 0
    assert {f"ServerApp.root_dir={tmp_path / 'notebooks'}", "ServerApp.port=8899"} < {*started}
    assert f"LabApp.app_settings_dir={ROOT / 'docs' / 'book' / 'jupyterlab'}" in started
