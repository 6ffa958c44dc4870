"""Patches that are rotated at random, as in the study's text and as in its code."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from srlab.data.degradation import Degrade
from srlab.data.image_set import ImageSet
from srlab.data.images import quantize
from srlab.data.patch_sampler import PatchSampler
from srlab.errors import SrlabError


class RotatedSampler(PatchSampler):
    """A `srlab.PatchSampler` that rotates each patch about its center by a random angle.

    LR is made from the rotated patch as if it were a whole image, so there is no margin.

    Parameters
    ----------
    images, scale, patch, batch, degradation, augment, seed, device
        See `srlab.PatchSampler`.
    rotate
        Largest angle in degrees, above 0 and at most 45. A larger window is rotated, so no corner stays black.
    black_corners
        Crop before the rotation, rotate without interpolation, and leave the corners black, as in the study's code.
    """

    def __init__(
        self,
        images: ImageSet,
        scale: int = 4,
        patch: int = 96,
        batch: int = 16,
        degradation: Degrade | None = None,
        augment: str = "all",
        seed: int = 0,
        device: str | torch.device = "cpu",
        rotate: float = 10.0,
        black_corners: bool = False,
    ) -> None:
        if images.lr is not None:
            raise SrlabError(f"{images.name} has LR images, which are not rotated. Pass only its HR images.")
        if not 0 < rotate <= 45:
            raise SrlabError(f"rotate must be above 0 and at most 45 degrees, but is {rotate}.")
        self.rotate, self.black_corners, self.largest_angle = rotate, black_corners, math.radians(rotate)
        window = patch
        if not black_corners:
            # The window contains the rotated patch. It has the same parity, so that both have the same center.
            larger = math.cos(self.largest_angle) + math.sin(self.largest_angle)
            window += 2 * math.ceil(patch * (larger - 1) / 2)
        super().__init__(images.at_least(window), scale, patch, batch, degradation, augment, seed, device)
        self.window, self.margin = window, 0

    def cut(self, windows: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Cut windows, rotate each about its center, and return the patches in their centers."""
        angles = (2 * draws - 1) * self.largest_angle
        cos, sin = angles.cos(), angles.sin()
        zero = torch.zeros_like(cos)
        theta = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
        zoom = self.patch / self.window  # for grid_sample the borders of the window are -1 and 1
        whole = super().cut(windows, draws)
        theta = (theta * zoom).to(whole, non_blocking=True)
        grid = F.affine_grid(theta, [len(angles), 3, self.patch, self.patch], align_corners=False)
        mode, padding = ("nearest", "zeros") if self.black_corners else ("bilinear", "border")
        return quantize(F.grid_sample(whole, grid, mode=mode, padding_mode=padding, align_corners=False))

    def describe(self) -> dict[str, Any]:
        """Return all settings that determine the batches, by name, for a run's manifest."""
        return super().describe() | {"rotate": self.rotate, "black_corners": self.black_corners}


def patches_of(lab: Any, rotate: float, black_corners: bool) -> RotatedSampler:
    """Return the sampler that a lab's recipe specifies, with rotation; each call starts with the same patches."""
    settings = (lab.scale, lab.patch, lab.batch, lab.degradation, lab.augment, lab.seed, lab.device)
    return RotatedSampler(lab.train_set, *settings, rotate, black_corners)
