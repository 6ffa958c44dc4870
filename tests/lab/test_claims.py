"""A lab is executed without the cells of a tag, and with its claims where they are to hold."""

import nbformat
import pytest

from srlab.base.errors import SrlabError
from srlab.lab.execute import execute, read_headline

LAB = """\
import dataclasses

import srlab
from srlab.lab.lab import Lab

lab, found = Lab(**dict.fromkeys(one.name for one in dataclasses.fields(Lab)) | {"as_tried": True}), 5
"""
CLAIMS = """\
\"\"\"About the lab.\"\"\"

# %% after first
lab.expect(found == 5, "it is five")
found, lab = 6, None

# %% after left-out
lab.expect(unknown, "a cell that is left out has no claims")

# %% after last
lab.expect(found == 6, "it is six")
"""


def test_claims_end_a_lab_only_where_they_are_to_hold_and_change_nothing_in_it(tmp_path, monkeypatch):
    file, out = tmp_path / "notebooks" / "lab.ipynb", tmp_path / "out.ipynb"
    parts = {"first": (LAB, []), "number": ("number = 1", ["parameters"]), "left-out": ("1 / 0", ["explore", "x"])}
    parts["last"] = ('srlab.headline("found", found + number)', [])
    cells = [nbformat.v4.new_code_cell(code, id=name, metadata={"tags": tags}) for name, (code, tags) in parts.items()]
    for folder in ("recipes", "claims"):
        (tmp_path / "notebooks" / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "claims" / "lab.py").write_text(CLAIMS)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    monkeypatch.chdir(tmp_path)
    assert execute(file, out, {"number": 3}, without="explore")["value"] == 8
    assert [cell.id for cell in nbformat.read(out, 4).cells if cell.id in parts] == ["first", "number", "last"]
    monkeypatch.setenv("SRLAB_CLAIMS", "1")
    with pytest.raises(SrlabError, match="does not hold: it is six"):
        execute(file, out, {"number": 4}, without="explore")
    assert read_headline(nbformat.read(out, 4))["value"] == 9


def test_parameters_are_refused_where_no_cell_would_take_them(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "lab.ipynb")
    with pytest.raises(SrlabError, match=r"lab\.ipynb takes no parameters, as none of its cells has the tag parameter"):
        execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {"seed": 1})
