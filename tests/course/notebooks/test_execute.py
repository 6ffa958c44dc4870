"""Test `python -m srlab_course.notebooks.execute`, which accepts the arguments of papermill."""

import nbformat
import papermill
import pytest

from srlab_course.notebooks.execute import main


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("--help", 0, "--parameters"),
        ("--version", 0, papermill.__version__),
        ("lab.ipynb out.ipynb --bogus", 2, "No such option '--bogus'"),
        ("lab.ipynb out.ipynb -p iters", 2, "requires 2 arguments"),
        ("lab.ipynb out.ipynb more", 2, "unexpected extra argument"),
        ("none.ipynb out.ipynb", 1, "srlab: [Errno 2] No such file or directory: 'none.ipynb'"),
        ("damaged.ipynb out.ipynb", 1, "srlab: Notebook does not appear to be JSON"),
        ("invalid.ipynb out.ipynb", 1, "srlab: "),
    ],
)
def test_usage_and_mistakes(arguments, code, words, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.ipynb").write_text("no JSON")
    (tmp_path / "invalid.ipynb").write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}')
    assert main(arguments.split()) == code
    said = "".join(capfd.readouterr())
    assert words in said
    assert "Traceback" not in said


def test_error_of_cell_is_one_message(capsys, tmp_path, monkeypatch):
    def fail(**_):
        raise papermill.PapermillExecutionError(1, 3, "1 / 0", "ZeroDivisionError", "division by zero", ["line 1"])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("papermill.cli.execute_notebook", fail)
    nbformat.write(nbformat.v4.new_notebook(), "lab.ipynb")
    assert main(["lab.ipynb", "out.ipynb"]) == 1
    assert capsys.readouterr().err == "srlab: ZeroDivisionError: division by zero (cell 3 of out.ipynb)\n"
