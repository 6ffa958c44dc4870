"""A name that isn't there yet: the error says what to run first, and stays the error that it was."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from srlab.lab.missing_names import explain_missing_names


@pytest.mark.parametrize(
    ("cell", "error", "advised"),
    [
        ("sampler", "NameError: name 'sampler' is not defined", True),
        ("def f():\n    return sampler\nf()", "NameError: name 'sampler' is not defined", True),
        ("def f():\n    x += 1\nf()", "UnboundLocalError", False),
        ("1 / 0", "ZeroDivisionError", False),
    ],
)
def test_a_missing_name_says_what_to_run_first(monkeypatch, capsys, cell, error, advised):
    shell = InteractiveShell(colors="nocolor")
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    explain_missing_names()
    assert not shell.run_cell(cell).success
    said = capsys.readouterr().out
    assert error in said
    assert ("If a cell above makes sampler, run that first: menu Run > Run All Above Selected Cell" in said) == advised
