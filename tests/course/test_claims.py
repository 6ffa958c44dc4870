"""A lab is executed without the cells of a tag, and with its claims where they are to hold."""

import dataclasses
import math
from types import SimpleNamespace

import nbformat
import pytest

from benchmarks.claims import distance, read_records, rows_of
from srlab.course.claims import insert_claims
from srlab.course.execute import execute, read_headline
from srlab.course.lab import Lab
from srlab.course.saved import CLAIM
from srlab.errors import SrlabError

LAB = """\
import dataclasses

from srlab import course
from srlab.course.lab import Lab

lab, found = Lab(**dict.fromkeys(one.name for one in dataclasses.fields(Lab)) | {"as_tried": True}), 5
"""
CLAIMS = """\
\"\"\"About the lab.\"\"\"

# %% after first
lab.expect("it is five", found == 5)
lab.expect("it is about five", found, above=4, below=6)
found, lab = 6, None

# %% after left-out
lab.expect("a cell that is left out has no claims", unknown)

# %% after last
lab.expect("it is above six", found, above=6)
"""


@pytest.fixture
def lab():
    return Lab(**dict.fromkeys(field.name for field in dataclasses.fields(Lab)))


def test_claims_end_a_lab_only_where_they_are_to_hold_and_change_nothing_in_it(tmp_path, monkeypatch):
    file, out = tmp_path / "notebooks" / "lab.ipynb", tmp_path / "out.ipynb"
    parts = {"first": (LAB, []), "number": ("number = 1", ["parameters"]), "left-out": ("1 / 0", ["explore", "x"])}
    parts["last"] = ('course.headline("found", found + number)', [])
    cells = [nbformat.v4.new_code_cell(code, id=name, metadata={"tags": tags}) for name, (code, tags) in parts.items()]
    for folder in ("recipes", "claims"):
        (tmp_path / "notebooks" / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "claims" / "lab.py").write_text(CLAIMS)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRLAB_CLAIMS", "1")
    with pytest.raises(SrlabError, match=r"is false: it is above six \(5, must be above 6\)"):
        execute(file, out, {"number": 4}, without="explore")
    assert read_headline(nbformat.read(out, 4))["value"] == 9
    assert [cell.id for cell in nbformat.read(out, 4).cells if cell.id in parts] == ["first", "number", "last"]
    records = [(record["claim"], record["value"], record["holds"]) for record in read_records(out)]
    assert records == [("it is five", 1, True), ("it is about five", 5, True), ("it is above six", 5, False)]


def test_a_kernel_that_cannot_start_is_one_sentence(tmp_path, monkeypatch):
    def clash(*_, **__):
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr("papermill.execute_notebook", clash)
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "lab.ipynb")
    with pytest.raises(SrlabError, match=r"kernel of lab.ipynb died or did not start \(Kernel died before .*again\.$"):
        execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {})


@pytest.mark.parametrize("as_tried", [True, False])
def test_claims_are_skipped_on_a_device_for_which_they_were_not_measured(tmp_path, monkeypatch, as_tried):
    for folder in ("recipes", "claims"):
        (tmp_path / "notebooks" / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "claims" / "lab.py").write_text("# %% after first\nseen.append(1)\n")
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", id="first")])
    insert_claims(notebook, "lab")
    names = {"lab": SimpleNamespace(as_tried=as_tried), "seen": []}
    exec(notebook.cells[1].source, names)
    assert names["seen"] == [1] * as_tried


def test_a_claim_about_a_number_needs_a_bound_and_is_only_recorded_for_make_seeds(lab, monkeypatch):
    with pytest.raises(SrlabError, match="The claim 'it is large' has no bound"):
        lab.expect("it is large", 5.0)
    lab.expect("the value is undefined", 0.5, above=0)
    with pytest.raises(SrlabError, match="false: the value is undefined"):
        lab.expect("the value is undefined", float("nan"), above=0)
    monkeypatch.setenv("SRLAB_CLAIMS", "record")
    lab.expect("the value is undefined", float("nan"), above=0)


def test_the_table_gives_the_distance_of_the_nearer_bound_in_standard_deviations(tmp_path):
    for seed, value in enumerate((1.0, 2.0, 3.0)):
        record = {"claim": "the gain", "value": value, "exact": False, "holds": value < 2.5, "above": -2, "below": 2.5}
        exact = {"claim": "a count", "value": 1, "exact": True, "holds": True}
        outputs = [nbformat.v4.new_output("display_data", {CLAIM: entry}) for entry in (record, exact)]
        (tmp_path / str(seed) / "notebooks").mkdir(parents=True)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
        nbformat.write(notebook, tmp_path / str(seed) / "notebooks" / "lab.ipynb")
    lines, broken = rows_of("lab.ipynb", [tmp_path / str(seed) for seed in range(3)])
    assert "| the gain | 2 | 1 | 1 | 3 | > -2 and < 2.5 | 0.5 | 2 of 3 |" in lines
    assert broken == [
        "lab.ipynb: the gain: false for 1 of 3 seeds.",
        "lab.ipynb: the gain: 0.5 standard deviations from its bound.",
    ]
    constant = {"above": 0.0, "below": 1.0}
    assert [distance([value] * 3, constant) for value in (0.5, 2.0)] == [math.inf, -math.inf]


def test_parameters_are_refused_where_no_cell_would_take_them(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "lab.ipynb")
    with pytest.raises(SrlabError, match=r"lab\.ipynb takes no parameters, as none of its cells has the tag parameter"):
        execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {"seed": 1})
