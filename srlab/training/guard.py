"""When to end a training that has failed, before a state of it takes the place of a good one."""

import math
import statistics
from collections.abc import Mapping, Sequence

History = Sequence[Mapping[str, float]]
DIVERGED = 100  # a loss that is so many times its recent median has diverged
FALLEN = 3.0  # dB below the best PSNR; with that, and under the floor, a network is ruined


def explodes(history: History) -> str:
    """Say that the loss of the generator has run away: still finite, but of no use; "" where it has not.

    Parameters
    ----------
    history
        Logged rows; the newest is held against the fifty before it.
    """
    row = history[-1]
    name = "loss" if "loss" in row else "g_loss"
    before = [abs(earlier[name]) for earlier in history[-51:-1] if name in earlier]
    usual = statistics.median(before) if before else math.inf
    if row.get(name, 0.0) <= max(DIVERGED * usual, 1.0):  # differences of images in [0, 1] are at most 1
        return ""
    return f"the {name} is {row[name]:.3g} at step {row['step']}, more than {DIVERGED} times the {usual:.3g} of before"


def falls(history: History, floor: float) -> str:
    """Say that the picture is ruined: PSNR under the floor and far below its best; "" where it is not.

    Parameters
    ----------
    history
        Logged rows; the newest has the scores of a validation.
    floor
        In dB.
    """
    scores = [row["val_psnr"] for row in history if "val_psnr" in row]
    if "val_psnr" not in history[-1] or scores[-1] >= min(floor, max(scores) - FALLEN):
        return ""
    return (
        f"the validation PSNR has fallen from {max(scores):.2f} to {scores[-1]:.2f} dB at step {history[-1]['step']}, "
        f"below the {floor:.2f} dB that this run must not fall under"
    )
