"""When a training has failed: a loss that explodes, or a picture that is ruined. `Trainer` stops such a run."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

History = Sequence[Mapping[str, float]]
DIVERGED = 100  # a loss that is so many times its recent median has diverged
FALLEN = 3.0  # dB below the best PSNR, from which on a network is ruined
# Bands of D's mean answer, 0 to 1, in which it has something to teach: it can tell HR from SR, but is not sure.
HEALTHY = {"D(HR)": (0.5, 0.9), "D(SR)": (0.1, 0.5)}


def find_ruin(history: History, floor: float) -> str | None:
    """Say that a training has failed, before a state of it takes the place of a good one; None while it may go on.

    Parameters
    ----------
    history
        Logged rows. A loss in the newest has exploded at a hundred times the median of the fifty before it. PSNR in it
        tells of ruin under the floor and far below its best.
    floor
        In dB.
    """
    row = history[-1]
    # Not D's: it is near 0 where D is sure, and a hundred times that is no ruin.
    for name in (name for name in row if name.endswith("loss") and name != "d_loss"):
        before = [abs(earlier[name]) for earlier in history[-51:-1] if name in earlier]
        usual = median(before) if before else math.inf
        if row[name] > max(DIVERGED * usual, 1.0):  # differences of images in [0, 1] are at most 1
            return (
                f"the {name} is {row[name]:.3g} at step {row['step']}, more than {DIVERGED} times the {usual:.3g} of "
                "before"
            )
    scores = series(history, "val_psnr") if "val_psnr" in row else []
    if scores and scores[-1] < min(floor, max(scores) - FALLEN):
        return (
            f"the validation PSNR has fallen from {max(scores):.2f} to {scores[-1]:.2f} dB at step {row['step']}, "
            f"below the {floor:.2f} dB that this run must not fall under"
        )
    return None


def series(history: History, key: str) -> list[float]:
    """The values of a logged number, in the order of the steps."""
    return [row[key] for row in history if key in row]
