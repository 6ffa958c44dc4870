"""srlab.base.places: where runs are."""

from pathlib import Path

import pytest

from srlab.base import places


def test_home_is_srlab_home_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRLAB_HOME", "elsewhere")
    assert places.home() == tmp_path / "elsewhere"
    monkeypatch.setenv("SRLAB_HOME", "~/sr")
    assert places.home() == Path("~/sr").expanduser()


@pytest.mark.parametrize("unset", [True, False])
@pytest.mark.parametrize("folder", [".", "notebooks", "notebooks/recipes"])
def test_home_is_runs_of_the_course_from_wherever_one_works(tmp_path, monkeypatch, folder, unset):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    if unset:
        monkeypatch.delenv("SRLAB_HOME")
    else:
        monkeypatch.setenv("SRLAB_HOME", "")  # as an empty line in a CI file leaves it
    assert places.home() == tmp_path / "runs"


def test_outside_of_the_course_home_is_runs_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRLAB_HOME")
    assert places.home() == tmp_path / "runs"
