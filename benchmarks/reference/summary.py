"""Compute the numbers of the report from the records."""

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
    """Effect of a GAN on its starting network, on one set.

    Attributes
    ----------
    gap
        Share of the sharpness gap between the starting network and HR that it closes, photo by photo. Older records
        only have the share for the means, which is equal or larger.
    energy
        Energy errors of the starting network, of the same with noise, and of the GAN.
    loss
        Loss of PSNR in dB.
    """

    gap: float
    energy: tuple[float, float, float]
    loss: float

    @property
    def holds(self) -> bool:
        """Whether it closes half of the gap, has the lowest energy error, and loses at most 2.5 dB of PSNR."""
        return self.gap >= 0.5 and self.energy[2] < min(self.energy[:2]) and self.loss <= 2.5


def claim(record: Record, start: Record, images: str) -> Claim:
    """Compare a GAN with the network of the same seed that it started from."""
    before, after = start["scores"][images], record["scores"][images]
    of_means = (after["gradient_ratio"] - before["gradient_ratio"]) / (1 - before["gradient_ratio"])
    gap = record.get("gap", {}).get(images, of_means)
    energy = before["energy_error"], record["noise"][images], after["energy_error"]
    return Claim(gap, energy, before["psnr"] - after["psnr"])
