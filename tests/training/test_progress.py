"""Test the progress of a training run: a bar where someone watches, and lines in the terminal elsewhere."""

import io
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest

from srlab.training import progress
from srlab.training.progress import RETURN, WIDTH, Progress

LOSSES = {f"loss_{number}": "0.1234" for number in range(20)}


@pytest.fixture
def shown(monkeypatch):
    """Run in a notebook, and collect what it shows. `shown.request` is the request of the cell, as from a page."""
    found = []

    def show(data, **_):
        found.append(data["text/plain"])
        return SimpleNamespace(update=show)

    monkeypatch.setattr("IPython.display.display", show)
    shell = SimpleNamespace(kernel=None, get_parent=lambda: {"metadata": {"cellId": "a"}})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    return SimpleNamespace(found=found, shell=shell)


def advance(scores):
    with Progress(total=20, initial=5, desc="default", mininterval=0) as bar:
        for count in (5, 10):
            bar.set_postfix(LOSSES, refresh=False)
            bar.update(count)
            bar.report(scores)


def test_page_shows_bar_of_constant_width(shown, capfd):
    advance({"psnr": 26.0})
    first, *rest = next(text for text in shown.found if " 50%" in text).split("\n")
    assert first.startswith("default:  50%|█████")
    assert len(first) == WIDTH
    assert all(len(line) <= WIDTH for line in rest[:-2])
    assert all(f"{name}={value}" in " ".join(rest) for name, value in LOSSES.items())
    assert "\n".join(rest).endswith(RETURN)
    assert "100%" in shown.found[-1]
    assert RETURN not in shown.found[-1], "there must be no second line"
    assert capfd.readouterr() == ("", "")


def test_notebook_without_page_prints_lines_in_the_terminal(shown, capfd, monkeypatch):
    monkeypatch.setattr(progress, "PAUSE_S", 0)
    shown.shell.get_parent = lambda: {"metadata": {}}
    advance({"psnr": 26.0})
    assert not any(RETURN in text for text in shown.found)
    out, err = capfd.readouterr()
    first, second = err.strip().split("\n")
    assert first.startswith("default: step 10 of 20, loss_0=0.1234, ")
    assert " psnr=26, 00:00 left" in first
    assert second.startswith("default: step 20 of 20, ")
    assert out == ""


def test_short_run_prints_no_lines(shown, capfd):
    shown.shell.get_parent = lambda: {"metadata": {}}
    advance({"psnr": 26.0})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_script_shows_bar_in_a_terminal_and_lines_in_a_log(terminal, monkeypatch):
    monkeypatch.setattr(progress, "PAUSE_S", 0)
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    advance({"psnr": 26.0})
    assert ("\r" in stream.getvalue()) == terminal
    assert (len(stream.getvalue().splitlines()) == 2) != terminal


@pytest.mark.skipif(sys.platform == "win32", reason="a kernel on Windows has no copy of the terminal")
def test_papermill_shows_lines_of_a_cell_while_it_runs(tmp_path):
    code = "from srlab.shell import on_a_page, print_in_terminal\nprint_in_terminal('läuft')\nassert not on_a_page()"
    cells = [nbformat.v4.new_code_cell(code)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lab.ipynb")
    command = [sys.executable, "-m", "papermill", "lab.ipynb", "out.ipynb", "-k", "python3", "--no-progress-bar"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "läuft\n" in done.stderr
    assert not nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs
