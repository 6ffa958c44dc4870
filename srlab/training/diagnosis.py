"""Is my training stable? Rules that know a failure by one number in the log, with its cause and what to try."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from srlab.base.errors import SrlabError
from srlab.base.text import in_markdown, printable
from srlab.training.guard import DIVERGED, FALLEN, History
from srlab.training.runs import LOG_EVERY, Run, find_run

ENOUGH = 5  # logged rows; fewer say nothing
SILENT = 1e-7  # a norm of the gradient of G below it is none
# Bands of D's mean answer, 0 to 1, in which it has something to teach: it can tell HR from SR, but is not sure.
HEALTHY = {"D(HR)": (0.5, 0.9), "D(SR)": (0.1, 0.5)}


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong: its name, the number it is seen in, why it happens, and what to try."""

    name: str
    evidence: str
    cause: str
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found about a run; prints as text, and as Markdown in a notebook."""

    run: str
    findings: list[Finding] = field(default_factory=list)
    too_early: str = ""  # says of a run that has hardly begun from which step on it can be judged

    @property
    def verdict(self) -> str:
        """Whether there are findings, in words."""
        return "something looks wrong" if self.findings else self.too_early or "nothing looks wrong"

    def __str__(self) -> str:
        lines = [f"- {one.name}: {one.evidence}.\n  Why: {one.cause}\n  Try: {one.advice}" for one in self.findings]
        return "\n".join([f"{self.run}: {self.verdict}", *lines])

    def _repr_markdown_(self) -> str:
        lines = [f"- **{one.name}**: {one.evidence}. *Why:* {one.cause} *Try:* {one.advice}" for one in self.findings]
        return "\n\n".join([f"**{in_markdown(f'{self.run}: {self.verdict}')}.**", "\n".join(lines)]).rstrip()


def diagnose(run: Run | str | os.PathLike) -> Diagnosis:
    """Read a run's curves and say what looks wrong and what to try.

    A rule knows a failure by one number, so nothing found is no proof of health.

    Parameters
    ----------
    run
        A run, or as `srlab.training.runs.find_run` takes it.

    Raises
    ------
    SrlabError
        There is no such run, or its files are damaged.
    """
    run = run if isinstance(run, Run) else find_run(run)
    manifest = run.manifest()
    if manifest is None:
        raise SrlabError(f"There is no run in {run.path}; give the folder of one, or <lab>/<name>.")
    history = run.metrics()
    findings = find_symptoms(history)
    if manifest.get("state") == "failed":
        findings.insert(
            0, Finding("training broke down", f"it stopped by itself after step {manifest['step']}", *BROKEN)
        )
    logged = sum("loss" in row or "g_loss" in row for row in history)
    too_early = (
        f"too early to judge, with {logged} of the {ENOUGH} rows of losses that the rules need; a run has them from "
        f"step {ENOUGH * LOG_EVERY} on"
    )
    return Diagnosis(printable(f"{run.lab}/{run.name}"), findings, too_early if logged < ENOUGH else "")


def find_symptoms(history: History) -> list[Finding]:
    """Hold logged rows against the rules.

    Parameters
    ----------
    history
        Rows with ``step`` and what the trainer logs: ``loss``, or ``g_loss``, ``d_loss``, ``d_real``, ``d_fake``,
        ``g_norm`` and ``d_norm``; and with a validation ``val_psnr`` in decibels and ``dead_units``.
    """
    return [Finding(name, evidence, *words) for name, (see, *words) in SYMPTOMS.items() if (evidence := see(history))]


def series(history: History, key: str) -> list[float]:
    """The values of a logged number, in the order of the steps."""
    return [row[key] for row in history if key in row]


def answers(history: History, share: float) -> tuple[float, float]:
    """Mean of what D said of HR and of SR in the last share of a run in which it said something."""
    real, fake = (fmean(_late(series(history, key), share)) for key in ("d_real", "d_fake"))
    return real, fake


def _answers_logged(history: History) -> int:
    return min(len(series(history, key)) for key in ("d_real", "d_fake"))


def _late(values: Sequence[float], share: float = 0.25) -> list[float]:
    """The last part of a curve."""
    return list(values[-max(1, round(share * len(values))) :])


def _d_wins(history: History) -> str:
    if _answers_logged(history) < ENOUGH:
        return ""
    real, fake = answers(history, 0.25)
    # Their distance, not each alone: in a small batch one flat patch, which nobody can tell, moves either of them.
    if real - fake <= HEALTHY["D(HR)"][1] - HEALTHY["D(SR)"][0]:
        return ""
    return f"at the end D(HR) is {real:.2f} and D(SR) {fake:.2f}"


def _d_starves(history: History) -> str:
    if _answers_logged(history) < ENOUGH:
        return ""
    real, fake = answers(history, 0.5)
    if abs(real - fake) > 0.02:
        return ""
    return f"in the second half D(HR) - D(SR) is {real - fake:+.3f}"


def _d_upside_down(history: History) -> str:
    if _answers_logged(history) < ENOUGH:
        return ""
    real, fake = answers(history, 0.25)
    if real - fake > -0.1:
        return ""
    return f"at the end D(HR) is {real:.2f} and D(SR) {fake:.2f}"


def _g_hears_nothing(history: History) -> str:
    norms = series(history, "g_norm")
    if len(norms) < ENOUGH or (largest := max(_late(norms))) > SILENT:
        return ""
    return f"its norm is {largest:.1g} at the end"


def _overflows(history: History) -> str:
    norms = series(history, "g_norm")[ENOUGH:]  # the scaler of float16 begins too high, and finds its scale
    lost = norms.count(0)  # what the trainer logs of such a step
    if len(norms) < ENOUGH or lost < 0.1 * len(norms) or max(_late(norms)) <= SILENT:
        return ""
    return f"in {lost} of {len(norms)} logged steps the gradient of G was NaN or infinite"


def _learns_nothing(history: History) -> str:
    losses = series(history, "loss")
    if len(losses) < 4 * ENOUGH or _explodes(history) or _never_began(history):
        return ""
    first, last = fmean(losses[: len(losses) // 10]), fmean(_late(losses))
    if last < 0.97 * first:
        return ""
    return f"{first:.4g} at the beginning, {last:.4g} at the end"


def _overfits(history: History) -> str:
    scores, name = series(history, "val_psnr"), "loss" if series(history, "loss") else "g_loss"
    losses = series(history, name)
    if len(scores) < 4 or len(losses) < 2 * ENOUGH or series(history, "d_loss"):
        return ""  # a GAN pays PSNR for sharpness, which is not this
    if max(losses) > DIVERGED * losses[0]:
        return ""  # what has exploded falls as well, from a height that nothing was learned at
    lost = max(scores) - scores[-1]
    best = max((row for row in history if "val_psnr" in row), key=lambda row: row["val_psnr"])["step"]
    # Held against the loss at the best score: what is known by heart has a loss that is low already, and stays so.
    then = series([row for row in history if row["step"] <= best], name)[-ENOUGH:] or losses[:ENOUGH]
    if lost < 0.3 or fmean(_late(losses)) >= fmean(then):
        return ""
    return f"validation has lost {lost:.2f} dB since step {best:g}, while the training loss has fallen"


def _runs_away(history: History) -> str:
    scores = series(history, "val_psnr")
    if len(scores) < 2 or max(scores) - scores[-1] < FALLEN:
        return ""
    return f"validation PSNR has fallen from {max(scores):.2f} to {scores[-1]:.2f} dB"


def _explodes(history: History) -> str:
    losses = series(history, "loss") or series(history, "g_loss")
    if len(losses) < ENOUGH:
        return ""
    # The lower half, as one may have exploded, and the first may be the start. Without signs: a loss of G has either.
    half = len(losses) // 2
    usual = min(median(map(abs, part)) for part in (losses[:half], losses[half:]))
    if losses[-1] < max(DIVERGED * usual, 1.0):  # as in the guard
        return ""
    return f"it is {losses[-1]:.3g} at the end, and for half of the run {usual:.3g}"


def _never_began(history: History) -> str:
    scored, losses = [row for row in history if "val_psnr" in row], series(history, "loss")
    # From step 0, as a run whose log was lost has learned before. A second stage logs a g_loss, and may stand still.
    if len(scored) < 4 or scored[0]["step"] > 0 or len(losses) < 2 * ENOUGH or series(history, "d_loss"):
        return ""
    first, half = scored[0]["val_psnr"], len(losses) // 2
    farthest = max(abs(row["val_psnr"] - first) for row in scored)
    # Batches differ: with nothing learned, the halves of runs of 90 to 300 steps were up to a sixth apart.
    if farthest > 0.1 or fmean(losses[half:]) < 0.7 * fmean(losses[:half]):
        return ""
    return (
        f"up to step {scored[-1]['step']:g} validation PSNR stays within {farthest:.2f} dB of its first {first:.2f} dB"
    )


def _dead_units(history: History) -> str:
    shares = series(history, "dead_units")
    # MSRResNet of the laptop's size, after 90 to 1000 steps at rate 2e-3: 0.08 to 0.27 with MSE, and with L1 0.30 to
    # 0.48 where it learns (0.53 on the way), but 0.86 to 0.98 at a constant rate, where it does not.
    if not shares or shares[-1] < 0.6:
        return ""
    return f"{shares[-1]:.0%} of the channels behind ReLUs are zero at each pixel of a batch"


# name -> what sees it and gives the evidence ("" where all is well), why it happens, what to try
SYMPTOMS: dict[str, tuple[Callable[[History], str], str, str]] = {
    "D wins": (
        _d_wins,
        "D is sure of every patch, so what it still tells G is little, or noise.",
        "a lower rate for D, instance noise, smooth labels, or a smaller D.",
    ),
    "D starves": (
        _d_starves,
        "D cannot tell HR from SR, so G hears nothing from it.",
        "a higher rate for D, less noise on what it sees, more updates of D; and see whether its optimiser steps.",
    ),
    "D is upside down": (
        _d_upside_down,
        "D takes SR for the photo: labels or signs are exchanged in one of the losses.",
        "look at which of HR and SR has the label 1 in the loss of D, and that G asks for the label of HR.",
    ),
    "no gradient reaches G": (
        _g_hears_nothing,
        "A detach on G's way cuts the loss off from G, or a loss that fades where D is sure has faded.",
        "look for detach and no_grad in G's half of the step, and take the loss of G that does not saturate.",
    ),
    "NaN in half precision": (
        _overflows,
        "Above 65,504 a number of float16 is infinite, and the difference of two such is NaN; the step is left out.",
        "precision bf16 or 'no', or smaller weights of the losses, under another run name.",
    ),
    "the loss does not fall": (
        _learns_nothing,
        "The steps are far too small or too large, or LR and HR do not belong together.",
        "show a batch of LR and HR side by side; then another learning rate, tenfold up or down.",
    ),
    "it overfits": (
        _overfits,
        "The network learns the training photos by heart, which are too few for its size.",
        "more photos, a smaller network, or stop earlier: the best weights are kept.",
    ),
    "the picture runs away": (
        _runs_away,
        "An update was too large, or the adversarial loss outweighs what holds the picture.",
        "lower the learning rates, or give D a smaller weight.",
    ),
    "the loss explodes": (
        _explodes,
        "An update was too large, and each one since makes the next still larger. It need not come to NaN.",
        "a learning rate four times lower or a slower rise to it, under another run name; or clip the gradient.",
    ),
    "it never began to learn": (
        _never_began,
        "Steps so large that they switch ReLUs off for good, or so small that nothing moves; or the optimiser has the "
        "weights of another network. One that was trained before may just have nothing left to learn.",
        "a learning rate four times lower or a slower rise to it, then one ten times higher.",
    ),
    "dead units": (
        _dead_units,
        "Large updates have pushed them below zero, where a ReLU passes no gradient that could bring them back.",
        "a learning rate four times lower or a slower rise to it, MSE in place of L1, or LeakyReLU or PReLU.",
    ),
}
BROKEN = (
    "A loss or a weight became NaN or infinite, the loss exploded, or PSNR fell far: the steps were too large, or the "
    "precision too small.",
    "lower the learning rates, or set precision to 'no', under another run name.",
)
