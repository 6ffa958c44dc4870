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


@pytest.mark.parametrize(
    ("folder", "of"), [("course", "course"), ("course/notebooks/recipes", "course"), ("elsewhere", "elsewhere")]
)
def test_home_is_runs_of_the_course_from_wherever_one_works_and_of_the_folder_outside(
    tmp_path, monkeypatch, folder, of
):
    (tmp_path / "course" / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / folder)
    monkeypatch.setenv("SRLAB_HOME", "")  # as an empty line in a CI file leaves it
    assert places.home() == tmp_path / of / "runs"
    monkeypatch.delenv("SRLAB_HOME")
    assert places.home() == tmp_path / of / "runs"
