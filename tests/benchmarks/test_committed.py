"""Test the committed benchmarks: pages match the records, and row presets fit their labs."""

import json

import matplotlib.pyplot as plt
import pytest
import torch

from benchmarks.reference import record, report
from benchmarks.reference.rows import HERE, RECORDS, read_rows
from srlab import tensor_files
from srlab.data import datasets
from srlab.models.backbones import OWN_WEIGHTS
from srlab.paths import recipes
from srlab_course.lab.recipes import read_book
from studies.report import Page


@pytest.fixture
def undrawn(monkeypatch):
    """Record the names of the figures without drawing them, because only the text is compared."""
    monkeypatch.setattr(Page, "keep", lambda page, name, figure: page.figures.update({name: plt.close(figure)}))


def test_committed_report_matches_the_records(undrawn):
    records = record.read_all()
    assert len(records) > 1
    page = report.report(records, RECORDS)
    assert (HERE / "RESULTS.md").read_text(encoding="utf-8") == page.text
    assert all((HERE / "figures" / name).is_file() for name in page.figures)
    assert max(file.stat().st_size for file in HERE.rglob("*") if file.is_file()) < 1_000_000


def test_row_presets_are_valid_and_ordered():
    before = []
    for row in read_rows():
        read_book(recipes() / f"{row.lab}.py").lab.check(row.preset)
        assert row.preset["recipe"] != "auto", "another machine might choose another recipe"
        assert row.start in ("", *before)
        before.append(row.name)


def test_bundled_features_are_small_and_from_embedded_photos():
    photos = datasets.bundled_photos("train")
    made = json.loads(OWN_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert made["images"] == photos.describe()
    assert OWN_WEIGHTS.stat().st_size < 1_000_000
    weights, notes = tensor_files.read_safetensors(OWN_WEIGHTS)
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert notes["network"] == "vgg6"
