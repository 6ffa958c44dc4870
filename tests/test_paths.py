"""Test srlab.paths: the runs folder, and paths passed by the user."""

import os
from pathlib import Path

import pytest

from srlab import paths
from srlab.errors import SrlabError
from srlab_course.layout import seen_from_here


@pytest.fixture
def course(tmp_path):
    (tmp_path / "course" / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "course"


@pytest.mark.parametrize(
    ("folder", "variable", "runs"),
    [
        ("course", "", "course/runs"),  # as after an empty line in a CI file
        ("course/notebooks/recipes", None, "course/runs"),
        ("elsewhere", None, "elsewhere/runs"),
        ("elsewhere", "mine", "elsewhere/mine"),
        ("course", "../mine", "course/../mine"),
        ("course/notebooks", "../mine", "course/../mine"),
        ("elsewhere", "~/mine", "~/mine"),
    ],
)
def test_home_of_runs(course, monkeypatch, folder, variable, runs):
    monkeypatch.chdir(course.parent / folder)
    monkeypatch.delenv("SRLAB_HOME")
    if variable is not None:
        monkeypatch.setenv("SRLAB_HOME", variable)
    assert paths.runs_home() == course.parent / Path(runs).expanduser()
    monkeypatch.setenv("SRLAB_DATA", variable or "runs")
    assert paths.data_home() == paths.runs_home()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no folders for everyone with the sticky bit")
def test_folder_for_everyone_is_no_course(course, monkeypatch):
    monkeypatch.chdir(course / "notebooks")
    monkeypatch.delenv("SRLAB_HOME")
    course.chmod(0o777)  # as all folders of a Windows drive in WSL
    assert paths.course() == course
    course.chmod(0o1777)  # as /tmp
    assert paths.course() is None
    assert paths.runs_home() == course / "notebooks" / "runs"
    (course.parent / "notebooks" / "recipes").mkdir(parents=True)
    assert paths.course() == course.parent


def test_path_search_order(course, monkeypatch):
    for file in ("course/notebooks/own.png", "course/top.png", "course/notebooks/recipes/own.png"):
        (course.parent / file).touch()
    for here in (course / "notebooks", course):
        monkeypatch.chdir(here)
        assert paths.find_in_course("own.png").resolve() == course / "notebooks" / "own.png"
        assert paths.find_in_course("notebooks/own.png").resolve() == course / "notebooks" / "own.png"
        assert paths.find_in_course("top.png").resolve() == course / "top.png"
        for nowhere in ("no.png", "x" * 300):
            assert paths.find_in_course(nowhere) == Path(nowhere)
    monkeypatch.chdir(course / "notebooks" / "recipes")
    assert paths.find_in_course("own.png") == Path("own.png")


@pytest.mark.parametrize("around", ['"{}"', "'{}'", "“{}”", '{}"', ' "{}" ', "\u202a{}"])
def test_pasted_path_is_found_without_quotes(around, tmp_path, monkeypatch):
    photo = tmp_path / "my photo [1].jpg"
    photo.touch()
    assert paths.find_in_course(around.format(photo)) == photo
    assert paths.locate(around.format(photo)) == photo
    assert paths.expand_user(around.format(tmp_path / "new.png")) == tmp_path / "new.png"
    monkeypatch.setenv("SRLAB_HOME", around.format(tmp_path))
    assert paths.runs_home() == tmp_path


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_existing_path_is_never_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("'quoted'", '"', "a\tb", "*.jpg", "it's", "~"):
        Path(name).touch()
        assert paths.expand_user(name) == Path(name)


def test_folder_called_like_the_home_folder_gets_no_runs(tmp_path, monkeypatch):
    """A stranger's folder would otherwise become that of your runs, and of compiled code."""
    monkeypatch.chdir(tmp_path)
    Path("~", "runs").mkdir(parents=True)
    monkeypatch.setenv("SRLAB_HOME", "~/runs")
    assert paths.expand_user("~/runs") == Path("~/runs")
    assert paths.runs_home() == paths.expanded("~/runs") == Path.home() / "runs"


@pytest.mark.parametrize("path", ["C:\new\table.png", "D:\album\big", "C:\2024\1.jpg", "C:\\photos\0.png"])
def test_control_character_of_a_backslash_is_explained(path):
    for function in (paths.expand_user, paths.find_in_course, paths.locate):
        with pytest.raises(SrlabError, match=r"contains a control character: .* Write r'...', or / instead of each \\"):
            function(path)


def test_path_on_other_windows_drive_is_absolute(tmp_path, monkeypatch):
    def relpath(path):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr("os.path.relpath", relpath)
    assert seen_from_here(tmp_path) == str(tmp_path)
