"""Networks with weights published by others, built with spandrel."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from srlab.errors import SrlabError

SCALES = (2, 3, 4, 8)


class SpandrelNetwork(nn.Module):
    """A spandrel network with the interface of our generators, for LR images of any size.

    The descriptor pads LR if its network needs that.

    Attributes
    ----------
    precision : str
        ``"auto"`` if the network works in every 16-bit format, else ``"fp32"``.
    tile, overlap : int
        Sizes in LR pixels, see `srlab.models.Generator`. Networks with attention need more memory per pixel than ours
        and have a larger receptive field. Multiples of 32 keep the attention windows where they are in the whole image.
    """

    tile, overlap = 192, 32

    network: nn.Module

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.descriptor, self.network = found, found.model
        self.config = {"scale": found.scale}
        self.precision = "auto" if found.supports_half and found.supports_bfloat16 else "fp32"

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)`` in [0, 1], without gradients."""
        # A copy, because RCAN overwrites its input, and some of these networks cannot read channels_last.
        return self.descriptor(lr.clone(memory_format=torch.contiguous_format))


def build_spandrel(path: Path, weights: dict[str, torch.Tensor]) -> SpandrelNetwork:
    """Build a network from the weights in a file; spandrel recognizes it by their names and shapes.

    It must be for super-resolution of RGB photos by 2, 3, 4 or 8. It is in eval mode, on the CPU.
    """
    from spandrel import ModelLoader, UnsupportedModelError, canonicalize_state_dict  # takes seconds

    try:
        found = ModelLoader("cpu").load_from_state_dict(canonicalize_state_dict(weights))
    except UnsupportedModelError as error:
        raise SrlabError(
            f"{path} does not contain a network that spandrel supports. For a network of this course, use its run "
            "folder or its generator.safetensors; for a class of your own, see docs/tools.md."
        ) from error
    except Exception as error:  # each architecture raises its own errors for weights that do not fit
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise SrlabError(f"The weights in {path} do not fit the network that they resemble ({reason}).") from error
    channels = (found.input_channels, found.output_channels)
    if found.purpose != "SR" or found.scale not in SCALES or channels != (3, 3):
        raise SrlabError(
            f"{path} is a {found.architecture.name} for {found.purpose}, x{found.scale}, from {channels[0]} to "
            f"{channels[1]} channels. Use one for SR from RGB to RGB with a scale of {', '.join(map(str, SCALES))}."
        )
    return SpandrelNetwork(found).eval()
