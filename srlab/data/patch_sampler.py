"""Sample training batches: crop patches from images and degrade them on the device."""

from typing import Any

import torch

from srlab.data.degradation import Degradation, Degrade
from srlab.data.image_set import ImageSet, check_lr
from srlab.data.images import to_float
from srlab.data.resampling import mirrored
from srlab.errors import SrlabError
from srlab.text import name_of


class PatchSampler:
    """An endless stream of ``(lr, hr)`` training batches, cropped and degraded on the device.

    A batch is a single gather from the buffer of the set, which is in memory, on the GPU if it fits there, or mapped
    from the cache. Position, flips and transpose of a patch are index arithmetic on the device of the buffer, so
    training decodes no file and starts no worker.

    LR is degraded as a part of its photo: it is made from the patch with a margin as wide as the kernels reach,
    mirrored at the border of the photo, and the margin is then cropped off. With ``nearest``, which takes a pixel next
    to the center of each cell, a transposed or flipped patch is treated as a whole image.

    If the set has LR images, each LR patch is cut out of them with the window and the orientation of its HR patch. The
    windows are then at multiples of `scale`, and LR is not degraded.

    Each image is equally likely, whatever its size. All draws come from one CPU generator, so a seed gives the same
    patches on every device, and a resumed run needs only `state_dict`.

    Parameters
    ----------
    images
        HR images, or pairs of HR and LR images. Images smaller than a patch are left out, and listed.
    scale
        HR pixels per LR pixel along an axis.
    patch
        Side of the HR patch in pixels; a multiple of `scale`.
    batch
        Patches per step.
    degradation
        Degradation from HR to LR; None means only bicubic downsampling. With LR images, any other one is an error. Any
        function ``(hr, scale, generator) -> lr`` can be used, too: it gets the batch on the device, and must draw its
        random numbers from the generator. If it has an attribute ``reach``, the margin is ``reach(scale)`` LR pixels
        wide, see `Degradation.reach`; otherwise each patch is treated as a whole image. A run's manifest has only the
        function's name.
    augment
        ``"all"``: flip and transpose at random, so that each of the eight orientations is equally likely; ``"flip"``:
        left to right only; or ``"none"``.
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
    ) -> None:
        if patch < scale or patch % scale:
            raise SrlabError(f"patch must be a positive multiple of the scale {scale}, but is {patch}.")
        if batch < 1:
            raise SrlabError(f"batch must be at least 1, but is {batch}.")
        if not len(images):
            raise SrlabError(f"The set {images.name} has no images to crop patches from.")
        if augment not in ("all", "flip", "none"):
            raise SrlabError(f"'{augment}' is not a valid augment. Use all, flip or none.")
        self.degradation = degradation or Degradation()
        check_pairs(images, scale, self.degradation)
        images = images.at_least(patch)
        self.images, self.scale, self.patch, self.batch = images, scale, patch, batch
        reach = getattr(self.degradation, "reach", None) if images.lr is None else None
        self.window = patch  # side in HR pixels of the square that is drawn from an image
        self.margin = reach(scale) if reach else 0  # LR pixels on each side of it
        self.augment, self.seed = augment, seed
        self.device = torch.device(device)
        self.generator = torch.Generator().manual_seed(seed)
        self._noise = torch.Generator(self.device)
        self._pixels = images.pixels.to(self.device) if _fits(images.pixels, self.device) else images.pixels
        self._tables = [_table(images)]  # of the HR images, and of LR images
        if images.lr is not None:
            lr = images.lr.subset(*images.names)
            self._tables.append(_table(lr))
            self._lr_pixels = lr.pixels.to(self.device) if _fits(lr.pixels, self.device) else lr.pixels

    def __iter__(self) -> "PatchSampler":
        return self

    def __next__(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return LR ``(batch, 3, patch / scale, patch / scale)`` and HR ``(batch, 3, patch, patch)``.

        Both are float32 in [0, 1] on 8-bit levels.
        """
        # Only a few numbers per patch are sent to a GPU, and the CPU does not wait for the GPU.
        windows, *lr_windows = self._draw_windows()
        # One more number per patch, for subclasses. It is always drawn, so that a seed still gives the same patches.
        draws = torch.rand(self.batch, generator=self.generator)
        # Degradations may draw on the device, so they have a generator there, seeded in each step.
        seed = int(torch.randint(2**62, (), generator=self.generator))
        hr = self.cut(windows, draws)
        if lr_windows:
            return self._gather(self._lr_pixels, lr_windows[0], self.window // self.scale, 0), hr
        lr = self.degradation(hr, self.scale, self._noise.manual_seed(seed))
        if lr.shape[-2:] != (expected := tuple(side // self.scale for side in hr.shape[-2:])):
            raise SrlabError(f"The degradation returned LR of {tuple(lr.shape[-2:])} pixels instead of {expected}.")
        return _without_margin(lr, self.margin), _without_margin(hr, self.margin * self.scale)

    def cut(self, windows: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Cut drawn windows with their margin out of the images: ``(n, 3, side, side)``, float32 on 8-bit levels.

        A subclass can change the patches, for example rotate them. `draws` are random numbers in [0, 1) for that,
        ``(n,)`` on the CPU. LR patches of given LR images are not cut here.
        """
        return self._gather(self._pixels, windows, self.window, self.margin * self.scale)

    def _gather(self, pixels: torch.Tensor, windows: torch.Tensor, side: int, margin: int) -> torch.Tensor:
        """Read windows of `side` pixels with a margin out of a buffer, as float32 batches on the device."""
        indices = _indices(windows.to(pixels.device, non_blocking=True), side, margin)
        patches = pixels.index_select(0, indices.flatten()).view(*indices.shape, 3).to(self.device)
        return to_float(patches).permute(0, 3, 1, 2).contiguous()

    def _draw_windows(self) -> list[torch.Tensor]:
        """Draw start, height and width of the image, position and flips of each patch: ``(8, batch)``.

        With LR images, also return the windows of the same patches in LR.
        """

        def below(limit: torch.Tensor) -> torch.Tensor:
            return (torch.rand(self.batch, generator=self.generator, dtype=torch.float64) * limit).long()

        image = below(torch.full((self.batch,), len(self.images)))
        sources = [table[:, image] for table in self._tables]
        grid = 1 if self.images.lr is None else self.scale  # HR patches of pairs begin where an LR pixel does
        _, height, width = sources[0]
        top, left = (below((length - self.window) // grid + 1) * grid for length in (height, width))
        flips = torch.rand(3, self.batch, generator=self.generator) < 0.5  # of rows, of columns, transposed
        allowed = {"all": (True, True, True), "flip": (False, True, False), "none": (False, False, False)}[self.augment]
        flips &= torch.tensor(allowed)[:, None]
        return [
            torch.stack([*source, top // factor, left // factor, *flips])
            for source, factor in zip(sources, (1, self.scale), strict=False)
        ]

    def describe(self) -> dict[str, Any]:
        """Return all settings that determine the batches, by name, for a run's manifest."""
        names = ("scale", "patch", "batch", "augment", "seed")
        function = self.degradation
        described = function.describe() if hasattr(function, "describe") else {"function": name_of(function)}
        parts = {"images": self.images.describe(), "degradation": described}
        return {name: getattr(self, name) for name in names} | parts

    def restart(self) -> None:
        """Begin again with the first batch."""
        self.generator.manual_seed(self.seed)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the state that determines the next batches."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Resume where `state_dict` was called."""
        self.generator.set_state(state["generator"])


def check_pairs(images: ImageSet, scale: int, degradation: Degrade) -> None:
    """Reject LR images that do not fit their HR images, and a degradation that would not be applied to them."""
    if images.lr is None:
        return
    if degradation != Degradation():
        raise SrlabError(
            f"{images.name} has LR images, which are not degraded again. To degrade its HR images instead, pass only "
            "the folder HR."
        )
    check_lr(images, scale)


def _table(images: ImageSet) -> torch.Tensor:
    """Return start, height and width of each image in the buffer: ``(3, images)``."""
    return torch.cat([torch.tensor(images.starts)[None], torch.tensor(images.sizes).T])


def _indices(windows: torch.Tensor, side: int, margin: int) -> torch.Tensor:
    """Return the buffer indices of windows of `side` pixels with their margin, ``(batch, side, side)``."""
    start, height, width, top, left, flip_rows, flip_columns, transpose = windows[:, :, None]
    steps = torch.arange(-margin, side + margin, device=windows.device)
    backwards = side - 1 - steps
    rows = mirrored(top + torch.where(flip_rows > 0, backwards, steps), height)
    columns = mirrored(left + torch.where(flip_columns > 0, backwards, steps), width)
    indices = (start + rows * width)[:, :, None] + columns[:, None, :]
    return torch.where(transpose[:, None] > 0, indices.transpose(1, 2), indices)


def _without_margin(patches: torch.Tensor, margin: int) -> torch.Tensor:
    height, width = patches.shape[-2:]
    return patches[..., margin : height - margin, margin : width - margin].contiguous()


def _fits(pixels: torch.Tensor, device: torch.device) -> bool:
    """Return whether a buffer fits on the device; it may fill half of the free memory."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # torch caches freed memory
    return pixels.numel() < free / 2
