"""Numbers in the report that are computed from the records."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from .rows import BICUBIC

Record = dict[str, Any]

# Row -> its name in tables and figures; the part before the parenthesis selects the color.
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


def of_row(records: Iterable[Record], row: str) -> list[Record]:
    """Return the records of a row, one per seed."""
    return [record for record in records if record["row"] == row]


def minutes_a_step(record: Record) -> float:
    """Return the mean minutes per step, including validations."""
    return record["wall_time_s"] / record["step"] / 60


class Claim(NamedTuple):
    """The effect of a GAN on the network it started from, on one set.

    Attributes
    ----------
    gap
        Share of the gap in sharpness between the start and HR that it closes, photo by photo; for older records the
        share for the means, which is the same or larger.
    energy
        Energy errors of the start, of the start with noise, and of the GAN.
    loss
        Loss of PSNR in dB.
    """

    gap: float
    energy: tuple[float, float, float]
    loss: float

    @property
    def holds(self) -> bool:
        """Whether it closes half of the gap, has a lower error than start and noise, and loses at most 2.5 dB."""
        return self.gap >= 0.5 and self.energy[2] < min(self.energy[:2]) and self.loss <= 2.5


def claim(record: Record, start: Record, images: str) -> Claim:
    """Compare a GAN with its start of the same seed."""
    before, after = start["scores"][images], record["scores"][images]
    of_means = (after["gradient_ratio"] - before["gradient_ratio"]) / (1 - before["gradient_ratio"])
    gap = record.get("gap", {}).get(images, of_means)
    energy = before["energy_error"], record["noise"][images], after["energy_error"]
    return Claim(gap, energy, before["psnr"] - after["psnr"])
