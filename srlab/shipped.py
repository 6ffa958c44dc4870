"""Two small generators that come with srlab: one trained for PSNR, and one that a critic made sharper.

Labs 01 and 03 have trained them on the twelve embedded training photos and on nothing else; ``weights/README.md`` has
the commands, the photos with their licences, and the scores. So there is something to upscale and to compare with
before any lab was run.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

FOLDER = Path(__file__).parent / "weights"
SHIPPED = {"MSRResNet": "msrresnet", "SRGAN": "srgan"}  # method, as srlab.plots.COLORS spells it -> name


def find(name: str) -> Path | None:
    """Weights file of a name, or None where no generator of that name comes with srlab."""
    return FOLDER / f"{name}.safetensors" if name in SHIPPED.values() else None


def load_shipped() -> "dict[str, nn.Module]":
    """Both generators by their method, in eval mode on the CPU; they enlarge x4."""
    from srlab.runs import read_generator

    return {method: read_generator(find(name)) for method, name in SHIPPED.items()}
