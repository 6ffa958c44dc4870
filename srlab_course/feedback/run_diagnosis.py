"""Rules that detect common failures in the log of a training run, each with a cause and advice."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from srlab.errors import SrlabError
from srlab.text import escaped, printable
from srlab.training.calendar import LOG_EVERY
from srlab.training.divergence import FALLEN, HEALTHY, History, series
from srlab.training.runs import Run, find_run

ENOUGH = 5  # logged rows that the rules need
SURE = HEALTHY["D(HR)"][1] - HEALTHY["D(SR)"][0]  # a larger D(HR) - D(SR) is overconfident


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong: its name, the evidence, the likely cause, and what to try."""

    name: str
    evidence: str
    cause: str
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """The findings about a run, printed as text or, in a notebook, as Markdown."""

    run: str
    findings: list[Finding]
    verdict: str

    def __str__(self) -> str:
        lines = [f"- {one.name}: {one.evidence}.\n  Why: {one.cause}\n  Try: {one.advice}" for one in self.findings]
        return "\n".join([f"{self.run}: {self.verdict}", *lines])

    def _repr_markdown_(self) -> str:
        parts = [map(escaped, (one.name, one.evidence, one.cause, one.advice)) for one in self.findings]
        lines = [f"- **{name}**: {evidence}. *Why:* {cause} *Try:* {advice}" for name, evidence, cause, advice in parts]
        return "\n\n".join([f"**{escaped(f'{self.run}: {self.verdict}')}.**", "\n".join(lines)]).rstrip()


def diagnose(run: Run | str | os.PathLike) -> Diagnosis:
    """Diagnose a run from its curves: return what looks wrong and what to try.

    `run` is a `Run`, ``"LAB/NAME"``, or the path of a run folder. The rules are simple: a run without findings may
    still have failed.
    """
    run = run if isinstance(run, Run) else find_run(run)
    manifest = run.manifest()
    if manifest is None:
        raise SrlabError(f"No run found in {run.path}. Pass the path of a run folder, or <lab>/<name>.")
    history = run.metrics()
    findings = find_symptoms(history)
    if manifest["status"] == "failed":
        findings.insert(
            0,
            Finding(
                "training failed",
                printable(manifest["failure"]),
                "A loss or a weight became NaN or infinite, the loss exploded, or PSNR dropped far: the steps were too "
                "large, or the numeric precision too low.",
                "lower learning rates, or precision fp32; use another run name.",
            ),
        )
    early = sum("loss" in row or "g_loss" in row for row in history) < ENOUGH
    healthy = f"too early to judge before step {ENOUGH * LOG_EVERY}" if early else "nothing looks wrong"
    verdict = "something looks wrong" if findings else healthy
    return Diagnosis(printable(f"{run.lab}/{run.name}"), findings, verdict)


def find_symptoms(history: History) -> list[Finding]:
    """Apply the rules to logged rows.

    Each row has ``step`` and the logged values: for a GAN ``d_real``, ``d_fake``, and ``g_norm``. Rows with a
    validation also have ``val_psnr`` in dB.
    """
    return [*_of_d(history), *_of_g(history), *_of_psnr(history)]


def _of_d(history: History) -> Iterator[Finding]:
    """Yield findings about D(HR) - D(SR). A flat patch, which D cannot classify, shifts both values alike."""
    gaps = [row["d_real"] - row["d_fake"] for row in history if "d_real" in row and "d_fake" in row]
    if len(gaps) < ENOUGH:
        return
    end, second_half = (sum(last) / len(last) for last in (_last(gaps, 0.25), _last(gaps, 0.5)))
    if end > SURE:
        yield Finding(
            "D overpowers G",
            f"D(HR) - D(SR) is {end:.2f} at the end",
            "D is confident about every patch, so the gradient that it passes to G is tiny or mostly noise.",
            "a lower learning rate for D, instance noise, label smoothing, or a smaller D.",
        )
    if abs(second_half) <= 0.02:
        yield Finding(
            "D is too weak",
            f"D(HR) - D(SR) is {second_half:+.3f} in the second half",
            "D cannot tell HR from SR, so G learns nothing from it.",
            "a higher learning rate for D, less instance noise, or more updates of D; check that D's optimizer steps.",
        )
    if end <= -0.1:
        yield Finding(
            "the labels of D are swapped",
            f"D(HR) - D(SR) is {end:.2f} at the end",
            "D takes SR for the photo: labels or signs are swapped in one of the losses.",
            "check that HR has the label 1 in D's loss, and that G's loss uses the label of HR for SR.",
        )


def _of_g(history: History) -> Iterator[Finding]:
    norms = series(history, "g_norm")
    if len(norms) >= ENOUGH and max(_last(norms, 0.25)) <= 1e-7:
        yield Finding(
            "no gradient reaches G",
            f"its norm is {max(_last(norms, 0.25)):.1g} at the end",
            "A detach cuts G off from its loss, or G's loss has saturated because D is confident.",
            "look for detach and no_grad in G's half of the step, and use the non-saturating loss for G.",
        )


def _of_psnr(history: History) -> Iterator[Finding]:
    scores = series(history, "val_psnr")
    if scores and max(scores) - scores[-1] >= FALLEN:
        yield Finding(
            "training diverged",
            f"validation PSNR has fallen from {max(scores):.2f} to {scores[-1]:.2f} dB",
            "An update was too large, or the adversarial loss outweighs the pixel and content losses.",
            "lower learning rates, or a smaller weight for the adversarial loss.",
        )


def _last(values: Sequence[float], share: float) -> Sequence[float]:
    """Return the last part of a curve."""
    return values[-max(1, round(share * len(values))) :]
