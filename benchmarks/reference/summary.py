"""What the report says, computed from the records: means over seeds, time to beat bicubic, claims, extrapolation."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .rows import BICUBIC, read_rows

Record = dict[str, Any]

# Row -> its name in tables and figures; the part before the bracket has the colour of the method.
TITLES = {
    BICUBIC: "bicubic",
    "mse": "MSE",
    "hybrid": "hybrid",
    "vgg22": "content loss (VGG22)",
    "resnet18": "content loss (ResNet18)",
    "srgan": "SRGAN",
    "esrgan-loss": "SRGAN (losses of ESRGAN)",
    "esrgan-psnr": "RRDB",
    "esrgan": "ESRGAN",
    "srresnet": "MSRResNet (16x64)",
    "srresnet-srgan": "SRGAN (16x64)",
    "srresnet-esrgan-loss": "SRGAN (16x64, losses of ESRGAN)",
}
LENGTHS = "length-"  # rows that differ in their number of steps alone, with `mse` one more of them
STEPS = (0.5, 1.0, 2.0, 3.0)  # dB over bicubic


def of_row(records: Iterable[Record], row: str) -> list[Record]:
    """The records of a row, one per seed."""
    return [record for record in records if record["row"] == row]


def start_of(row: str) -> str:
    """The row whose generator this one began with; empty for one from scratch."""
    if row == "esrgan":
        return "esrgan-psnr"
    return next((one.start for one in read_rows() if one.name == row), "")


def beaten(record: Record, bicubic: float) -> dict[float, float]:
    """Minutes until a run was above bicubic by so many dB on the validation set, for those that it reached.

    The time of a step is taken to be the same throughout, validations included.
    """
    minutes = record["wall_time_s"] / record["step"] / 60
    first = {gain: [s for s, psnr in record["curve"] if psnr >= bicubic + gain] for gain in STEPS}
    return {gain: min(steps) * minutes for gain, steps in first.items() if steps}


class Claim(NamedTuple):
    """What a GAN has done to its start, on one set.

    Attributes
    ----------
    gap
        Share of the gap in mean gradient magnitude between the start and HR that it closes.
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
        """Half of the gap, a lower error than start and noise, and at most 2.5 dB."""
        return self.gap >= 0.5 and self.energy[2] < min(self.energy[:2]) and self.loss <= 2.5


def claim(record: Record, start: Record, images: str) -> Claim:
    """Compare a GAN with its start of the same seed."""
    before, after = start["scores"][images], record["scores"][images]
    gap = (after["gradient_ratio"] - before["gradient_ratio"]) / (1 - before["gradient_ratio"])
    energy = before["energy_error"], record["noise"][images], after["energy_error"]
    return Claim(gap, energy, before["psnr"] - after["psnr"])


def lengths(records: Iterable[Record], images: str) -> dict[int, list[float]]:
    """Steps -> final PSNR per seed, of trainings that differ in their length alone."""
    found: dict[int, list[float]] = {}
    for record in records:
        if record["row"].startswith(LENGTHS) or record["row"] == "mse":
            found.setdefault(record["step"], []).append(record["scores"][images]["psnr"])
    return dict(sorted(found.items()))


def extrapolate(found: dict[int, list[float]], steps: float, draws: int = 400) -> tuple[float, float, float] | None:
    """PSNR after more steps by a saturating power law ``a - b * steps ** -c``, and where 95 % of the draws lie.

    Each draw takes one seed per length and leaves one length out, so that the interval has the noise of the seeds and
    what the choice of the lengths does; it does not have that the law may be wrong.

    Parameters
    ----------
    found
        From `lengths`.
    steps
        To extrapolate to.
    draws
        Fits that the interval is made from.

    Returns
    -------
    tuple of float or None
        Middle, lower and upper end in dB; None for less than five lengths, which leave nothing to spare.
    """
    if len(found) < 5:
        return None
    random = np.random.default_rng(0)
    ends = []
    for _ in range(draws):
        kept = sorted(random.permutation(list(found))[1:])
        ends.append(_law(kept, [random.choice(found[step]) for step in kept], steps))
    low, middle, high = np.percentile(ends, (2.5, 50, 97.5))
    return float(middle), float(low), float(high)


def _law(steps: list[int], values: list[float], at: float) -> float:
    """Least squares over a grid of exponents, for each of which the law is linear."""
    best = (math.inf, math.nan)
    for exponent in np.linspace(0.1, 1.5, 57):
        terms = np.stack([np.ones(len(steps)), -(np.asarray(steps, float) ** -exponent)], axis=1)
        fit, *_ = np.linalg.lstsq(terms, np.asarray(values), rcond=None)
        error = float(((terms @ fit - values) ** 2).sum())
        best = min(best, (error, float(fit[0] - fit[1] * at**-exponent)))
    return best[1]
