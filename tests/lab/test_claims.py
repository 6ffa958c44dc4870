"""What a lab says of its results is inserted where it is to hold, and changes nothing in the lab."""

import nbformat
import pytest

from srlab.base.errors import SrlabError
from srlab.lab.execute import execute

LAB = """\
import dataclasses

import srlab
from srlab.lab.lab import Lab

lab, found = Lab(**dict.fromkeys(one.name for one in dataclasses.fields(Lab)) | {"as_tried": True}), 5
"""
CLAIM = """\
\"\"\"About the lab.\"\"\"

# %% after first
found = {0}
lab.expect(found == 5, "it is five")

# %% after left-out
lab.expect(unknown, "a cell that is left out has no claims")
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab with a claim after its first cell; a function that writes what is claimed of it."""
    cells = [nbformat.v4.new_code_cell(LAB, id="first")]
    left_out = nbformat.v4.new_code_cell("unknown = 1", id="left-out", metadata={"tags": ["explore"]})
    cells += [left_out, nbformat.v4.new_code_cell('srlab.headline("found", found, "")', id="last")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / "lab.ipynb")
    monkeypatch.chdir(tmp_path)

    def write(number):
        (tmp_path / "notebooks" / "claims" / "lab.py").write_text(CLAIM.format(number))
        return tmp_path / "notebooks" / "lab.ipynb"

    return write


@pytest.fixture(autouse=True)
def course(tmp_path):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "notebooks" / "claims").mkdir()


def test_a_claim_that_does_not_hold_ends_a_lab_where_claims_are_to_hold(lab, tmp_path, monkeypatch):
    assert execute(lab(4), tmp_path / "out.ipynb", {}, "explore")["value"] == 5, "a learner's lab has no claims"
    monkeypatch.setenv("SRLAB_CLAIMS", "1")
    with pytest.raises(SrlabError, match="does not hold: it is five"):
        execute(lab(4), tmp_path / "out.ipynb", {}, "explore")


def test_parameters_are_refused_where_no_cell_would_take_them(lab, tmp_path):
    with pytest.raises(
        SrlabError, match=r"lab\.ipynb takes no parameters, as none of its cells has the tag parameters"
    ):
        execute(lab(5), tmp_path / "out.ipynb", {"seed": 1})


def test_a_claim_leaves_the_names_of_the_lab_alone(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_CLAIMS", "1")
    claim = lab("found; found, lab = 6, dataclasses.replace(lab, as_tried=False)")
    assert execute(claim, tmp_path / "out.ipynb", {}, "explore")["value"] == 5
    copy = nbformat.read(tmp_path / "out.ipynb", 4)
    assert [cell.id for cell in copy.cells if "check" not in cell.metadata.get("tags", [])] == ["first", "last"]
