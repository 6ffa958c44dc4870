"""The command line: a slip is one line on stderr and exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from srlab.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with two labs, of which the first has a recipe more; the working directory is in it."""
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    recipe = "{about: x, source: y, values: {batch: 1}}"
    for lab, more in (("01_srresnet", f"blind: {recipe}\n"), ("02_content_loss", "")):
        (tmp_path / "notebooks" / f"{lab}.ipynb").write_text("{}")
        text = f"meaning: {{batch: patches}}\nlaptop: {recipe}\nsmoke: {recipe}\n{more}"
        (tmp_path / "notebooks" / "recipes" / f"{lab}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *arguments):
    """The one line that a refused command says."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("srlab: ")
    return said.err


@pytest.mark.parametrize("name", ["smok", "..", "meaning", ""])
def test_an_unknown_recipe_is_refused_with_the_known_ones(course, capsys, home, name):
    sentence = f"no recipe '{name}'; choose auto, laptop, smoke, blind."
    assert sentence in refused(capsys, "labs", "--recipe", name)
    assert not home.exists()


@pytest.mark.parametrize("lab", ["07", "0", "srresnet", "01_srresnet_x"])
def test_a_lab_that_is_not_one_of_them_is_refused_with_the_known_ones(course, capsys, home, lab):
    assert f"no single lab '{lab}'; choose from 01_srresnet, 02_content_loss." in refused(capsys, "labs", lab)
    assert not home.exists()


def test_outside_of_the_course_it_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "go to the folder of the course first" in refused(capsys, "labs")


def test_labs_are_found_from_the_notebooks_folder_too(course, capsys, monkeypatch):
    monkeypatch.chdir(course / "notebooks")
    assert "choose from 01_srresnet" in refused(capsys, "labs", "07")


@pytest.mark.parametrize(("asked", "ran"), [((), ["01", "02"]), (("02",), ["02"]), (("01_srresnet.ipynb",), ["01"])])
def test_labs_are_run_with_their_recipe_and_counted_in_the_exit_code(course, capsys, monkeypatch, asked, ran):
    from srlab.base.errors import SrlabError
    from srlab.cli import papermill

    calls = []

    def execute(notebook, output, parameters):
        calls.append((notebook.stem[:2], parameters))
        if notebook.stem.startswith("02"):
            raise SrlabError("NameError: name 'x' is not defined")
        return {"label": "PSNR", "value": 28.1234, "unit": "dB", "peak_memory_mib": 2048}

    monkeypatch.setattr(papermill, "execute", execute)
    assert main(["labs", "--recipe", "blind", *asked]) == int("02" in ran)
    assert calls == [(lab, {"01": {"recipe": "blind"}, "02": {}}[lab]) for lab in ran]
    said = capsys.readouterr().out
    assert ("PSNR: 28.12 dB" in said and "2.0 GiB" in said) == ("01" in ran)
    assert ("02_content_loss failed: NameError" in said) == ("02" in ran)


def test_the_exit_code_of_the_process_is_2(tmp_path):
    command = [sys.executable, "-m", "srlab", "labs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
