"""Test executing a lab without the cells of a tag, and with its claims."""

import dataclasses
import math
import sys
from types import SimpleNamespace

import nbformat
import pytest

from benchmarks.claims import distance, read_records, rows_of
from srlab.errors import SrlabError
from srlab_course.lab.lab import Lab
from srlab_course.notebook_files.claims import insert_claims
from srlab_course.notebook_files.execute import execute, read_metric
from srlab_course.notebook_files.marks import CLAIM

LAB = """\
import dataclasses

import srlab_course as course
from srlab_course.lab.lab import Lab

values = dict.fromkeys(one.name for one in dataclasses.fields(Lab)) | {"is_reference_config": True, "parameters": {}}
lab, found = Lab(**values), 5
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


@pytest.fixture(autouse=True)
def course(tmp_path, monkeypatch):
    """Create a folder of notebooks with recipes and claims in the working directory."""
    for folder in ("recipes", "claims"):
        (tmp_path / "notebooks" / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "claims" / "lab.py").write_text(CLAIMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_claims_do_not_affect_lab(tmp_path, monkeypatch):
    file, out = tmp_path / "notebooks" / "lab.ipynb", tmp_path / "out.ipynb"
    parts = {
        "first": (LAB, []),
        "number": ("number = 1", ["parameters"]),
        "sockets": ("import ipykernel.kernelapp as app; app.IPKernelApp.instance().transport", []),
        "left-out": ("1 / 0", ["not-in-studies", "x"]),
    }
    parts["last"] = ('course.report_metric("first", 1.0); course.report_metric("found", found + number, "dB")', [])
    cells = [nbformat.v4.new_code_cell(code, id=name, metadata={"tags": tags}) for name, (code, tags) in parts.items()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    monkeypatch.setenv("SRLAB_CLAIMS", "1")
    with pytest.raises(SrlabError, match=r"it is above six \(5, must be above 6\)"):
        execute(file, out, {"number": 4}, without="not-in-studies")
    executed = nbformat.read(out, 4)
    assert executed.metadata.papermill.end_time
    assert executed.metadata.papermill.keys().isdisjoint({"input_path", "output_path"})
    out.write_text("an answer of the student's", encoding="utf-8")
    with pytest.raises(SrlabError, match=r"did not write .*out\.ipynb, or it has been changed"):
        execute(file, out, {"number": 4}, without="not-in-studies")
    nbformat.write(executed, out)
    assert [cell.id for cell in executed.cells if cell.id in parts] == ["first", "number", "sockets", "last"]
    (transport,) = next(cell.outputs for cell in executed.cells if cell.id == "sockets")
    assert transport.data["text/plain"] == ("'ipc'" if sys.platform == "linux" else "'tcp'"), "others can read TCP"
    assert read_metric(executed).items() >= {"label": "found", "value": 9, "unit": "dB"}.items()
    with pytest.raises(SrlabError, match="did not report a metric"):
        read_metric(nbformat.v4.new_notebook())
    records = [(record["claim"], record["value"], record["holds"]) for record in read_records(out)]
    assert records == [("it is five", 1, True), ("it is about five", 5, True), ("it is above six", 5, False)]


def test_unmeasured_claims_are_skipped():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", id="last")])
    insert_claims(notebook, "lab")
    exec(notebook.cells[1].source, {"lab": SimpleNamespace(is_reference_config=False)})


def test_failed_lab_is_reported(tmp_path, monkeypatch):
    def clash(*_, **__):
        raise RuntimeError("Kernel died before replying to kernel_info")

    nbformat.write(nbformat.v4.new_notebook(), "lab.ipynb")
    with pytest.raises(SrlabError, match="accepts no parameters"):
        execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {"seed": 1})
    monkeypatch.setattr("papermill.execute_notebook", clash)
    with pytest.raises(SrlabError, match="died or did not start"):
        execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {})


def test_claim_needs_bound_and_is_recorded_for_make_seeds(monkeypatch):
    lab = Lab(**dict.fromkeys(field.name for field in dataclasses.fields(Lab)) | {"parameters": {}})
    with pytest.raises(SrlabError, match="'it is large' has no bound"):
        lab.expect("it is large", 5.0)
    with pytest.raises(SrlabError, match="false: the value is undefined"):
        lab.expect("the value is undefined", float("nan"), above=0)
    lab.expect("most seeds are above six", 5.0, above=6, usually=True)
    monkeypatch.setenv("SRLAB_CLAIMS", "record")
    lab.expect("the value is undefined", float("nan"), above=0)


def test_table_lists_distance_to_nearer_bound(tmp_path):
    folders = [tmp_path / str(seed) for seed in range(3)]
    for folder, value in zip(folders, (1.0, 2.0, 3.0), strict=True):
        record = {"claim": "the gain", "value": value, "exact": False, "holds": value < 2.5, "above": -2, "below": 2.5}
        cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", {CLAIM: record})])
        (folder / "notebooks").mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "notebooks" / "lab.ipynb")
    lines, broken = rows_of("lab.ipynb", folders)
    assert "| the gain | 2 | 1 | 1 | 3 | > -2 and < 2.5 | 0.5 | 2 of 3 |" in lines
    assert len(broken) == 2
    constant = {"above": 0.0, "below": 1.0}
    assert [distance([value] * 3, constant) for value in (0.5, 2.0)] == [math.inf, -math.inf]
