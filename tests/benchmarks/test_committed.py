"""What is committed of the reference runs: the report and the README's table are those of the records beside them."""

import matplotlib.pyplot as plt
import pytest

from benchmarks.reference import record, report
from benchmarks.reference.rows import HERE, RECORDS
from studies.report import Page


@pytest.fixture
def undrawn(monkeypatch):
    """Name the figures, and draw none: it is the text that counts."""
    monkeypatch.setattr(Page, "keep", lambda page, name, figure: page.figures.update({name: plt.close(figure)}))


def test_the_committed_report_and_the_table_of_the_readme_are_those_of_the_committed_records(undrawn):
    records = record.read_all()
    assert len(records) > 1
    page = report.report(records, RECORDS)
    assert (HERE / "RESULTS.md").read_text(encoding="utf-8") == page.text
    assert all((HERE / "figures" / name).is_file() for name in page.figures)
    assert max(file.stat().st_size for file in HERE.rglob("*") if file.is_file()) < 1_000_000
    assert report.short(records, report.README) in (HERE.parents[1] / "README.md").read_text(encoding="utf-8")
