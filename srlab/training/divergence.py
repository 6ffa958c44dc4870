"""Detect a failed training run: a loss that is NaN or explodes, or a collapsed PSNR. `Trainer` stops such a run."""

from collections.abc import Collection, Mapping, Sequence
from statistics import median

import torch

History = Sequence[Mapping[str, float]]
DIVERGED = 100  # a loss above this multiple of its recent median has diverged
# Values that count in that median, too. An adversarial loss is near 0 until D has learned something, and then reaches 1
# or 10, which is harmless.
BEFORE = [1.0] * 10
FALLEN = 3.0  # dB below the best PSNR at which a network counts as collapsed
# Ranges of D's mean output (0 to 1) from which G can learn: D tells HR from SR, but is not overconfident.
HEALTHY = {"D(HR)": (0.5, 0.9), "D(SR)": (0.1, 0.5)}


def first_bad_step(found: torch.Tensor, losses: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
    """Return the first step with a loss that is NaN or infinite, or 0: the one `found` before, or this `step`.

    The result ``()`` stays on the device, so that the loop does not wait for a GPU.
    """
    healthy = torch.stack([value.float() for value in losses.values()]).isfinite().all()
    return torch.where(healthy | (found > 0), found, step)


def detect_divergence(history: History, losses: Collection[str], min_psnr: float) -> str | None:
    """Return why a training run has failed, or None if it can continue.

    Only the newest row of `history` is checked: each of the `losses` against the median of `BEFORE` and the 50 rows
    before it, and the PSNR against `min_psnr` (in dB) and the best PSNR so far.
    """
    row = history[-1]
    for name in (name for name in losses if name in row):
        usual = median(BEFORE + [abs(earlier[name]) for earlier in history[-51:-1] if name in earlier])
        if abs(row[name]) > max(DIVERGED * usual, 1.0):  # differences of images in [0, 1] are at most 1
            return (
                f"the {name} is {row[name]:.3g} at step {row['step']}, more than {DIVERGED} times the median of "
                f"{usual:.3g} before"
            )
    scores = series(history, "val_psnr") if "val_psnr" in row else []
    if scores and scores[-1] < min(min_psnr, max(scores) - FALLEN):
        return (
            f"the validation PSNR has fallen from {max(scores):.2f} to {scores[-1]:.2f} dB at step {row['step']}, "
            f"below the minimum of {min_psnr:.2f} dB"
        )
    return None


def series(history: History, key: str) -> list[float]:
    """Return the values of one logged column, in the order of the steps."""
    return [row[key] for row in history if key in row]
