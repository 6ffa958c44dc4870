"""Test `python -m srlab_course.notebook_files.execute`, which accepts the arguments of papermill."""

import pytest

from srlab_course.notebook_files.execute import main


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("--help", 0, "--parameters"),
        ("lab.ipynb out.ipynb --bogus", 2, "No such option '--bogus'"),
        ("lab.ipynb out.ipynb -p iters", 2, "requires 2 arguments"),
    ],
)
def test_usage_is_that_of_papermill(arguments, code, words, capsys):
    with pytest.raises(SystemExit, match=str(code)):
        main(arguments.split())
    assert words in "".join(capsys.readouterr())


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_process_keeps_its_notebook(rank, monkeypatch):
    given = {}
    monkeypatch.setattr("papermill.cli.execute_notebook", lambda **arguments: given.update(arguments))
    monkeypatch.setattr("srlab_course.notebook_files.execute.from_torchrun", lambda name: rank)
    with pytest.raises(SystemExit, match="0"):
        main(["lab.ipynb", "out.ipynb", "-p", "iters", "5"])
    assert given["parameters"] == {"iters": 5}
    assert (given["output_path"] == "out.ipynb") == (rank == 0)
