"""Is my training stable? What the curves of a run say, by rules and beside a band of healthy runs, in words."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.base.places import home
from srlab.base.text import in_markdown
from srlab.training.bands import beside, read_band
from srlab.training.runs import Run
from srlab.training.symptoms import Finding, broke_down, check


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found; prints as text, and as Markdown in a notebook.

    Attributes
    ----------
    run
        What it is about.
    findings
        Empty where nothing looks wrong.
    notes
        What was looked at, and what could not be.
    """

    run: str
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Whether there are findings, in words."""
        return "something looks wrong" if self.findings else "nothing looks wrong"

    def __str__(self) -> str:
        head = f"{self.run}: {self.verdict}"
        lines = [f"- {one.name}: {one.evidence}.\n  Why: {one.cause}\n  Try: {one.advice}" for one in self.findings]
        return "\n".join([head, *lines, *(f"({note})" for note in self.notes)])

    def _repr_markdown_(self) -> str:
        head = f"**{in_markdown(self.run)}: {self.verdict}.**"
        lines = [f"- **{one.name}**: {one.evidence}. *Why:* {one.cause} *Try:* {one.advice}" for one in self.findings]
        return "\n\n".join([head, "\n".join(lines), " ".join(map(in_markdown, self.notes))])


def diagnose(run: Run | str | os.PathLike) -> Diagnosis:
    """Read a run's curves and say what looks wrong and what to try.

    First come rules that hold for every run; then, where there is a band of healthy runs of the same recipe, the curves
    are held against it. A rule knows a failure by one number, so nothing found is no proof of health.

    Parameters
    ----------
    run
        A run, the path of its folder, or ``"<lab>/<name>"`` in the folder of the runs.

    Raises
    ------
    SrlabError
        There is no such run, or its files are damaged.
    """
    run = run if isinstance(run, Run) else run_at(Path(run))
    manifest = run.manifest()
    if manifest is None:
        raise SrlabError(f"There is no run in {run.path}; give the folder of one, or <lab>/<name>.")
    history = run.metrics()
    findings = [] if manifest.get("state") != "failed" else [broke_down(history)]
    findings += check(history)
    found, note = beside(history, manifest, read_band(run.lab))
    return Diagnosis(f"{run.lab}/{run.name}", [*findings, *found], [note])


def run_at(path: Path) -> Run:
    """Find a run by the path of its folder, or by ``<lab>/<name>`` in the folder of the runs.

    Raises
    ------
    SrlabError
        There is none.
    """
    folder = path if path.is_dir() else home() / path
    if not (folder / "run.json").is_file():
        raise SrlabError(f"There is no run in {path}; give the folder of one, or <lab>/<name> in {home()}.")
    run = Run(folder.resolve().parent.name, folder.resolve().name)
    run.path = folder
    return run
