"""Networks from weights that others have published, through spandrel."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from srlab.base.errors import SrlabError
from srlab.models.pretrained import load_weights

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor  # its import takes seconds

SCALES = (2, 3, 4, 8)


class Published(nn.Module):
    """A network of spandrel, as the rest of srlab takes one: its output keeps the size whatever the input's is.

    Parameters
    ----------
    found
        From `spandrel.ModelLoader`: an ``ImageModelDescriptor``. It pads what its network cannot take.

    Attributes
    ----------
    config : dict
        The ``scale``.
    precision : str
        ``"auto"`` where every half precision will do, else ``"no"``.
    tile, overlap : int
        In LR pixels, see `srlab.inference.tiling`. Networks with attention take more memory for a pixel than ours, and
        look farther; as multiples of 32 both keep their windows where they are in the whole image.
    """

    tile, overlap = 192, 32

    def __init__(self, found: "ImageModelDescriptor") -> None:
        super().__init__()
        self.descriptor, self.network = found, found.model
        self.config = {"scale": found.scale}
        self.precision = "auto" if found.supports_half and found.supports_bfloat16 else "no"

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)`` in [0, 1], without gradients."""
        # A copy, as RCAN writes over its input, and some of these networks cannot take channels_last.
        return self.descriptor(lr.clone(memory_format=torch.contiguous_format))


def read_published(path: Path) -> Published:
    """Build a network from a file of weights alone; what network it is follows from their names and shapes.

    Parameters
    ----------
    path
        A ``.pth`` or ``.safetensors`` file of any network for super-resolution that spandrel knows, such as ESRGAN's.

    Returns
    -------
    Published
        In eval mode, on the CPU.

    Raises
    ------
    SrlabError
        The file is damaged, or its network is unknown, does not enlarge RGB x2, x3, x4 or x8, or is no network for
        super-resolution of any photo.
    """
    from spandrel import ModelLoader, UnsupportedModelError

    weights = load_weights(path)
    try:
        found = ModelLoader("cpu").load_from_state_dict(weights)
    except UnsupportedModelError as error:
        raise SrlabError(f"{path} holds no network that srlab or spandrel knows; give another file.") from error
    except Exception as error:  # each of its architectures has its own ways to meet weights that do not fit
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise SrlabError(f"The weights in {path} fit none of the networks they look like ({reason}).") from error
    channels = (found.input_channels, found.output_channels)
    if found.purpose != "SR" or found.scale not in SCALES or channels != (3, 3):
        raise SrlabError(
            f"{path} is a {found.architecture.name} for {found.purpose}, x{found.scale}, from {channels[0]} to "
            f"{channels[1]} channels; give one for SR from RGB to RGB that enlarges x{', x'.join(map(str, SCALES))}."
        )
    return Published(found).eval()
