"""Find failures of a training run in its log. Each rule returns evidence, and has a cause and advice."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from srlab.errors import SrlabError
from srlab.text import in_markdown, printable
from srlab.training.divergence import DIVERGED, FALLEN, HEALTHY, History, series
from srlab.training.runs import LOG_EVERY, Run, find_run

ENOUGH = 5  # logged rows that a rule needs


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong: its name, the evidence, the likely cause, and what to try."""

    name: str
    evidence: str
    cause: str
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """The findings about a run; prints as text, and as Markdown in a notebook."""

    run: str
    findings: list[Finding] = field(default_factory=list)
    too_early: str = ""  # for a run that has just begun: from which step it can be judged

    @property
    def verdict(self) -> str:
        """A summary in words."""
        return "something looks wrong" if self.findings else self.too_early or "nothing looks wrong"

    def __str__(self) -> str:
        lines = [f"- {one.name}: {one.evidence}.\n  Why: {one.cause}\n  Try: {one.advice}" for one in self.findings]
        return "\n".join([f"{self.run}: {self.verdict}", *lines])

    def _repr_markdown_(self) -> str:
        lines = [f"- **{one.name}**: {one.evidence}. *Why:* {one.cause} *Try:* {one.advice}" for one in self.findings]
        return "\n\n".join([f"**{in_markdown(f'{self.run}: {self.verdict}')}.**", "\n".join(lines)]).rstrip()


def diagnose(run: Run | str | os.PathLike) -> Diagnosis:
    """Read a run's curves, and return what looks wrong and what to try.

    `run` is a `Run`, ``"LAB/NAME"``, or the path of a run folder. The rules are simple, so a run without findings may
    still have failed.
    """
    run = run if isinstance(run, Run) else find_run(run)
    manifest = run.manifest()
    if manifest is None:
        raise SrlabError(f"There is no run in {run.path}; give the folder of one, or <lab>/<name>.")
    history = run.metrics()
    findings = find_symptoms(history)
    if manifest["status"] == "failed":
        findings.insert(0, Finding("training broke down", printable(manifest["failure"]), *BROKEN))
    logged = sum("loss" in row or "g_loss" in row for row in history)
    too_early = (
        f"too early to judge, with {logged} of the {ENOUGH} rows of losses that the rules need; a run has them from "
        f"step {ENOUGH * LOG_EVERY} on"
    )
    return Diagnosis(printable(f"{run.lab}/{run.name}"), findings, too_early if logged < ENOUGH else "")


def find_symptoms(history: History) -> list[Finding]:
    """Apply the rules to logged rows.

    Rows have ``step`` and the logged values: ``loss``, or for a GAN ``g_loss``, ``d_loss``, ``d_real``, ``d_fake``,
    ``g_norm`` and ``d_norm``; rows with a validation have ``val_psnr`` in dB.
    """
    found = [(name, rule(history), cause, advice) for name, rule, cause, advice in RULES]
    return [Finding(name, evidence, *why) for name, evidence, *why in found if evidence]


def _late(values: Sequence[float], share: float = 0.25) -> list[float]:
    """Return the last part of a curve."""
    return list(values[-max(1, round(share * len(values))) :])


# --- Rules: each returns the evidence of a failure, or "" ------------------------------------------------------


def _gap(history: History, share: float) -> float:
    """Return D(HR) - D(SR), averaged over the last share of a GAN's run, or NaN if too little was logged.

    The rules use this difference because in a small batch one flat patch, which D cannot classify, moves both values.
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
        return ""  # the second stage of a run logs g_loss, and may not improve
    if len(scored) >= 4 and scored[0]["step"] == 0:  # otherwise the run had learned before its log starts
        first, half = scored[0]["val_psnr"], len(losses) // 2
        farthest = max(abs(row["val_psnr"] - first) for row in scored)
        # Batches differ: in runs of 90 to 300 steps that learned nothing, the halves differed by up to a sixth.
        if farthest <= 0.1 and fmean(losses[half:]) >= 0.7 * fmean(losses[:half]):
            return f"up to step {scored[-1]['step']:g} PSNR stays within {farthest:.2f} dB of its first {first:.2f} dB"
    first, last = fmean(losses[: max(1, len(losses) // 10)]), fmean(_late(losses))
    if len(losses) < 4 * ENOUGH or last < 0.97 * first:
        return ""
    return f"the loss is {first:.4g} at the beginning and {last:.4g} at the end"


def _overfits(history: History) -> str:
    scores, name = series(history, "val_psnr"), "loss" if series(history, "loss") else "g_loss"
    losses = series(history, name)
    if len(scores) < 4 or len(losses) < 2 * ENOUGH or series(history, "d_loss"):
        return ""  # a GAN trades PSNR for sharpness, which is not overfitting
    if max(losses) > DIVERGED * losses[0]:
        return ""  # after an explosion the loss falls too, from a level at which nothing was learned
    lost = max(scores) - scores[-1]
    best = max((row for row in history if "val_psnr" in row), key=lambda row: row["val_psnr"])["step"]
    # Compare with the loss at the best score: once photos are memorized, the loss is low and hardly falls further.
    then = series([row for row in history if row["step"] <= best], name)[-ENOUGH:] or losses[:ENOUGH]
    if lost < 0.3 or fmean(_late(losses)) >= fmean(then):
        return ""
    return f"validation has lost {lost:.2f} dB since step {best:g}, while the training loss has fallen"


def _collapses(history: History) -> str:
    scores = series(history, "val_psnr")
    if len(scores) < 2 or max(scores) - scores[-1] < FALLEN:
        return ""
    return f"validation PSNR has fallen from {max(scores):.2f} to {scores[-1]:.2f} dB"


RULES: tuple[tuple[str, Callable[[History], str], str, str], ...] = (  # name, rule, cause, advice
    (
        "D wins",
        _d_wins,
        "D is sure of every patch, so what it still tells G is little, or noise.",
        "a lower rate for D, instance noise, smooth labels, or a smaller D.",
    ),
    (
        "D starves",
        _d_starves,
        "D cannot tell HR from SR, so G hears nothing from it.",
        "a higher rate for D, less noise on what it sees, more updates of D; and see whether its optimizer steps.",
    ),
    (
        "D is upside down",
        _d_is_upside_down,
        "D takes SR for the photo: labels or signs are exchanged in one of the losses.",
        "look at which of HR and SR has the label 1 in the loss of D, and that G asks for the label of HR.",
    ),
    (
        "no gradient reaches G",
        _no_gradient,
        "A detach on G's way cuts the loss off from G, or a loss that fades where D is sure has faded.",
        "look for detach and no_grad in G's half of the step, and take the loss of G that does not saturate.",
    ),
    (
        "it does not learn",
        _does_not_learn,
        "The steps are so large that they switch ReLUs off for good, or so small that nothing moves; or LR and HR do "
        "not belong together, or the optimizer has the weights of another network. One that was trained before may "
        "just have nothing left to learn.",
        "show a batch of LR and HR side by side; then a learning rate four times lower or a slower rise to it, then "
        "one ten times higher.",
    ),
    (
        "it overfits",
        _overfits,
        "The network learns the training photos by heart, which are too few for its size.",
        "more photos, a smaller network, or stop earlier: the best weights are kept.",
    ),
    (
        "the picture runs away",
        _collapses,
        "An update was too large, or the adversarial loss outweighs what holds the picture.",
        "lower the learning rates, or give D a smaller weight.",
    ),
)
BROKEN = (
    "A loss or a weight became NaN or infinite, the loss exploded, or PSNR fell far: the steps were too large, or the "
    "precision too small.",
    "lower the learning rates, or set precision to 'no', under another run name.",
)
