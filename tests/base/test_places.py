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


def test_a_path_is_found_from_the_notebooks_and_from_the_courses_folder_alike(tmp_path, monkeypatch):
    notebooks = tmp_path / "course" / "notebooks"
    (notebooks / "recipes").mkdir(parents=True)
    for file in (notebooks / "own.png", tmp_path / "course" / "top.png"):
        file.touch()
    for here in (notebooks, notebooks.parent):
        monkeypatch.chdir(here)
        assert places.expanded("own.png").resolve() == notebooks / "own.png"
        assert places.expanded("notebooks/own.png").resolve() == notebooks / "own.png"
        assert places.expanded("top.png").resolve() == tmp_path / "course" / "top.png"
        for nowhere in ("no.png", "x" * 300, "a\0b"):
            assert places.expanded(nowhere) == Path(nowhere)


def test_what_is_in_the_working_directory_comes_first(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    for folder in ("notebooks", "elsewhere"):
        (tmp_path / folder / "own.png").parent.mkdir(exist_ok=True)
        (tmp_path / folder / "own.png").touch()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert places.expanded("own.png") == Path("own.png")
