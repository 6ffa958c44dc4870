"""A name that isn't there yet: the error says what to run first, and stays the error that it was."""

from IPython.core.interactiveshell import InteractiveShell

from srlab.course.missing_names import explain_missing_names

ADVICE = "If a cell above makes sampler, run that first: menu Run > Run All Above Selected Cell"


def test_a_missing_name_says_what_to_run_first(monkeypatch, capsys):
    shell = InteractiveShell(colors="nocolor")
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    explain_missing_names()
    for cell, error, advised in (
        ("def f():\n    return sampler\nf()", "NameError: name 'sampler' is not defined", True),
        ("def f():\n    sampler += 1\nf()", "UnboundLocalError", False),
    ):
        assert not shell.run_cell(cell).success
        said = capsys.readouterr().out
        assert error in said
        assert (ADVICE in said) == advised
