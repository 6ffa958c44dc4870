"""Rules that detect common failures in the log of a training run, each with a cause and advice."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from srlab.errors import SrlabError
from srlab.text import printable
from srlab.training.calendar import LOG_EVERY
from srlab.training.divergence import DIVERGED, FALLEN, HEALTHY, History, series
from srlab.training.runs import Run, find_run
from srlab_course.layout import in_markdown

ENOUGH = 5  # logged rows that each rule needs


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
    findings: list[Finding] = field(default_factory=list)
    too_early: str = ""  # message for a run that has just begun

    @property
    def verdict(self) -> str:
        """A summary of the findings."""
        return "something looks wrong" if self.findings else self.too_early or "nothing looks wrong"

    def __str__(self) -> str:
        lines = [f"- {one.name}: {one.evidence}.\n  Why: {one.cause}\n  Try: {one.advice}" for one in self.findings]
        return "\n".join([f"{self.run}: {self.verdict}", *lines])

    def _repr_markdown_(self) -> str:
        lines = [f"- **{one.name}**: {one.evidence}. *Why:* {one.cause} *Try:* {one.advice}" for one in self.findings]
        return "\n\n".join([f"**{in_markdown(f'{self.run}: {self.verdict}')}.**", "\n".join(lines)]).rstrip()


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
        findings.insert(0, Finding("training failed", printable(manifest["failure"]), *BROKEN))
    logged = sum("loss" in row or "g_loss" in row for row in history)
    too_early = (
        f"too early to judge, with {logged} of the {ENOUGH} rows of losses that the rules need (available from step "
        f"{ENOUGH * LOG_EVERY} on)"
    )
    return Diagnosis(printable(f"{run.lab}/{run.name}"), findings, too_early if logged < ENOUGH else "")


def find_symptoms(history: History) -> list[Finding]:
    """Apply the rules to logged rows.

    Each row has ``step`` and the logged values: ``loss``, or for a GAN ``g_loss``, ``d_loss``, ``d_real``, ``d_fake``,
    ``g_norm`` and ``d_norm``. Rows with a validation also have ``val_psnr`` in dB.
    """
    found = [(name, rule(history), cause, advice) for name, rule, cause, advice in RULES]
    return [Finding(name, evidence, *why) for name, evidence, *why in found if evidence]


def _late(values: Sequence[float], share: float = 0.25) -> list[float]:
    """Return the last part of a curve."""
    return list(values[-max(1, round(share * len(values))) :])


# --- Rules: each returns the evidence of a failure, or "" ------------------------------------------------------


def _gap(history: History, share: float) -> float:
    """Return D(HR) - D(SR), averaged over the last share of a GAN's run, or NaN if too little was logged.

    The rules use this difference because a flat patch, which D cannot classify, shifts both values in a small batch.
    """
    gaps = [row["d_real"] - row["d_fake"] for row in history if "d_real" in row and "d_fake" in row]
    return fmean(_late(gaps, share)) if len(gaps) >= ENOUGH else math.nan


def _d_wins(history: History) -> str:
    gap, sure = _gap(history, 0.25), HEALTHY["D(HR)"][1] - HEALTHY["D(SR)"][0]
    return f"D(HR) - D(SR) is {gap:.2f} at the end" if gap > sure else ""


def _d_starves(history: History) -> str:
    gap = _gap(history, 0.5)
    return f"D(HR) - D(SR) is {gap:+.3f} in the second half" if abs(gap) <= 0.02 else ""


def _d_is_upside_down(history: History) -> str:
    gap = _gap(history, 0.25)
    return f"D(HR) - D(SR) is {gap:.2f} at the end" if gap <= -0.1 else ""


def _no_gradient(history: History) -> str:
    norms = series(history, "g_norm")
    largest = max(_late(norms), default=math.inf)
    return f"its norm is {largest:.1g} at the end" if len(norms) >= ENOUGH and largest <= 1e-7 else ""


def _does_not_learn(history: History) -> str:
    scored, losses = [row for row in history if "val_psnr" in row], series(history, "loss")
    if len(losses) < 2 * ENOUGH or series(history, "d_loss"):
        return ""  # the second stage of a GAN run logs g_loss, which need not improve
    if len(scored) >= 4 and scored[0]["step"] == 0:  # otherwise the network had learned before the log starts
        first, half = scored[0]["val_psnr"], len(losses) // 2
        farthest = max(abs(row["val_psnr"] - first) for row in scored)
        # Batches differ: in runs of 90 to 300 steps that learned nothing, the halves differed by up to a sixth.
        if farthest <= 0.1 and fmean(losses[half:]) >= 0.7 * fmean(losses[:half]):
            return (
                f"until step {scored[-1]['step']:g} PSNR stays within {farthest:.2f} dB of its initial {first:.2f} dB"
            )
    first, last = fmean(losses[: max(1, len(losses) // 10)]), fmean(_late(losses))
    if len(losses) < 4 * ENOUGH or last < 0.97 * first:
        return ""
    return f"the loss is {first:.4g} at the beginning and {last:.4g} at the end"


def _overfits(history: History) -> str:
    scores, name = series(history, "val_psnr"), "loss" if series(history, "loss") else "g_loss"
    losses = series(history, name)
    if len(scores) < 4 or len(losses) < 2 * ENOUGH or series(history, "d_loss"):
        return ""  # a GAN trades PSNR for sharpness; that is not overfitting
    if max(losses) > DIVERGED * losses[0]:
        return ""  # after an explosion the loss also falls, from a level where nothing was learned
    lost = max(scores) - scores[-1]
    best = max((row for row in history if "val_psnr" in row), key=lambda row: row["val_psnr"])["step"]
    # Compare with the loss at the best score: once the photos are memorized, the loss hardly falls further.
    then = series([row for row in history if row["step"] <= best], name)[-ENOUGH:] or losses[:ENOUGH]
    if lost < 0.3 or fmean(_late(losses)) >= fmean(then):
        return ""
    return f"validation PSNR has dropped by {lost:.2f} dB since step {best:g}, while the training loss has fallen"


def _collapses(history: History) -> str:
    scores = series(history, "val_psnr")
    if len(scores) < 2 or max(scores) - scores[-1] < FALLEN:
        return ""
    return f"validation PSNR has fallen from {max(scores):.2f} to {scores[-1]:.2f} dB"


RULES: tuple[tuple[str, Callable[[History], str], str, str], ...] = (  # name, rule, cause, advice
    (
        "D overpowers G",
        _d_wins,
        "D is confident about every patch, so the gradient that it passes to G is tiny or mostly noise.",
        "a lower learning rate for D, instance noise, label smoothing, or a smaller D.",
    ),
    (
        "D is too weak",
        _d_starves,
        "D cannot tell HR from SR, so G learns nothing from it.",
        "a higher learning rate for D, less instance noise, or more updates of D; check that D's optimizer steps.",
    ),
    (
        "the labels of D are swapped",
        _d_is_upside_down,
        "D takes SR for the photo: labels or signs are swapped in one of the losses.",
        "check that HR has the label 1 in D's loss, and that G's loss uses the label of HR for SR.",
    ),
    (
        "no gradient reaches G",
        _no_gradient,
        "A detach cuts G off from its loss, or G's loss has saturated because D is confident.",
        "look for detach and no_grad in G's half of the step, and use the non-saturating loss for G.",
    ),
    (
        "the network does not learn",
        _does_not_learn,
        "The steps are so large that ReLUs die, or so small that nothing changes; or LR and HR do not match, or the "
        "optimizer has the parameters of another network. A pretrained network may have nothing left to learn.",
        "show a batch of LR and HR side by side. Then try a learning rate four times lower or a slower warm-up, then "
        "a rate ten times higher.",
    ),
    (
        "the network overfits",
        _overfits,
        "The network memorizes the training photos, which are too few for its size.",
        "more photos, a smaller network, or fewer steps; the best weights are kept.",
    ),
    (
        "training diverged",
        _collapses,
        "An update was too large, or the adversarial loss outweighs the pixel and content losses.",
        "lower learning rates, or a smaller weight for the adversarial loss.",
    ),
)
BROKEN = (
    "A loss or a weight became NaN or infinite, the loss exploded, or PSNR dropped far: the steps were too large, or "
    "the numeric precision too low.",
    "lower learning rates, or precision fp32; use another run name.",
)
