"""What the report says, computed from the records: means over seeds, time to beat bicubic, claims, extrapolation."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .rows import BICUBIC, LENGTHS

Record = dict[str, Any]

# Row -> its name in tables and figures; the part before the bracket has the colour of the method.
TITLES = {
    BICUBIC: "bicubic",
    "mse": "MSE",
    "hybrid": "hybrid",
    "vgg22": "content loss (VGG22)",
    "resnet18": "content loss (ResNet18)",
    "srgan": "SRGAN",
    "ragan": "SRGAN (relativistic)",
    "esrgan-psnr": "RRDB",
    "esrgan": "ESRGAN",
    "srresnet": "MSRResNet (16x64)",
    "srresnet-short": "MSRResNet (16x64, short)",
    "srresnet-srgan": "SRGAN (16x64)",
    "srresnet-ragan": "SRGAN (16x64, relativistic)",
}
STEPS = (0.5, 1.0, 2.0, 3.0)  # dB over bicubic


def of_row(records: Iterable[Record], row: str) -> list[Record]:
    """The records of a row, one per seed."""
    return [record for record in records if record["row"] == row]


def minutes_a_step(record: Record) -> float:
    """Mean over the training, validations included."""
    return record["wall_time_s"] / record["step"] / 60


def beaten(record: Record, bicubic: float) -> dict[float, float]:
    """Minutes until a run was above bicubic by so many dB on the validation set, for those that it reached.

    Between two validations the PSNR is taken to rise on a line, and the time of a step to be the same throughout,
    validations included.
    """
    minutes, found = minutes_a_step(record), {}
    for gain in STEPS:
        goal = bicubic + gain
        for (before, low), (after, high) in pairwise(record["curve"]):
            if low < goal <= high:
                found[gain] = minutes * (before + (after - before) * (goal - low) / (high - low))
                break
    return found


class Claim(NamedTuple):
    """What a GAN has done to its start, on one set.

    Attributes
    ----------
    gap
        Share of the gap in sharpness between the start and HR that it closes, photo by photo. Of a record without it,
        that of the means, which is as large or larger.
    energy
        Energy errors: of the start, of the start with noise, and of the GAN.
    loss
        dB of PSNR that it gives up against its start.
    """

    gap: float
    energy: tuple[float, float, float]
    loss: float

    @property
    def holds(self) -> bool:
        """At least half of the gap, a lower error than start and noise, and at most 2.5 dB."""
        return self.gap >= 0.5 and self.energy[2] < min(self.energy[:2]) and self.loss <= 2.5


def claim(record: Record, start: Record, images: str) -> Claim:
    """Compare a GAN with its start of the same seed."""
    before, after = start["scores"][images], record["scores"][images]
    of_means = (after["gradient_ratio"] - before["gradient_ratio"]) / (1 - before["gradient_ratio"])
    gap = record.get("gap", {}).get(images, of_means)
    energy = before["energy_error"], record["noise"][images], after["energy_error"]
    return Claim(gap, energy, before["psnr"] - after["psnr"])


def lengths(records: Iterable[Record], images: str) -> dict[int, list[float]]:
    """Steps -> final PSNR per seed, of trainings that differ in their length alone."""
    found: dict[int, list[float]] = {}
    for record in records:
        if record["row"].startswith(LENGTHS) or record["row"] == "mse":
            found.setdefault(record["step"], []).append(record["scores"][images]["psnr"])
    return dict(sorted(found.items()))


class Forecast(NamedTuple):
    """PSNR at a length that nobody has trained, by two laws that fit the lengths there are.

    The bounds take their law for granted, so they leave out what the choice of the law is worth.

    Attributes
    ----------
    power, power_low, power_high
        By ``a - b * steps ** -c``, which levels off: from the means, and where 95 % of the bootstrap lies.
    logarithm, logarithm_low, logarithm_high
        The same by ``a + b * log(steps)`` through the longer half of the lengths, which never levels off.
    held_out
        What the power law says of the longest length from the others, less what was measured there.
    """

    power: float
    power_low: float
    power_high: float
    logarithm: float
    logarithm_low: float
    logarithm_high: float
    held_out: float


def extrapolate(found: dict[int, list[float]], steps: float, draws: int = 300) -> Forecast | None:
    """Forecast the PSNR after more steps.

    The bootstrap moves each mean by what means of so many seeds scatter; how far seeds scatter is pooled over the
    lengths. Which law is right, nobody knows: the two together show what that is worth.

    Parameters
    ----------
    found
        From `lengths`.
    steps
        To forecast for.
    draws
        Of the bootstrap.

    Returns
    -------
    Forecast or None
        None for less than five lengths, or without two seeds each, which leaves the scatter unknown.
    """
    if len(found) < 5 or min(map(len, found.values())) < 2:
        return None
    at, seeds = list(found), np.array([len(values) for values in found.values()])
    means = np.array([np.mean(values) for values in found.values()])
    freedom = sum(seeds - 1)
    scatter = math.sqrt(sum(((np.asarray(v) - np.mean(v)) ** 2).sum() for v in found.values()) / freedom)
    random = np.random.default_rng(0)
    moved = [means + random.standard_t(freedom, len(at)) * scatter / np.sqrt(seeds) for _ in range(draws)]
    ends = []
    for law in (_power_law, _logarithm):
        ends += [law(at, means, steps), *np.percentile([law(at, values, steps) for values in moved], (2.5, 97.5))]
    return Forecast(*map(float, ends), float(_power_law(at[:-1], means[:-1], at[-1]) - means[-1]))


def _power_law(steps: list[int], values: np.ndarray, at: float) -> float:
    """Least squares over a grid of exponents, for each of which the law is linear."""
    best = (math.inf, math.nan)
    for exponent in np.geomspace(0.02, 2, 60):
        error, value = _linear(-(np.asarray(steps, float) ** -exponent), values, -(at**-exponent))
        best = min(best, (error, value))
    return best[1]


def _logarithm(steps: list[int], values: np.ndarray, at: float) -> float:
    half = len(steps) // 2
    return _linear(np.log(steps[half:]), values[half:], math.log(at))[1]


def _linear(x: np.ndarray, y: np.ndarray, at: float) -> tuple[float, float]:
    """Squared error of the best line, and its value at a point."""
    terms = np.stack([np.ones(len(x)), x], axis=1)
    fit, *_ = np.linalg.lstsq(terms, y, rcond=None)
    return float(((terms @ fit - y) ** 2).sum()), float(fit[0] + fit[1] * at)
