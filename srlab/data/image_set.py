"""`ImageSet`: named images, with all their pixels in one buffer."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch

from srlab.data.degradation import Degrade
from srlab.data.images import mod_crop, to_float, to_uint8
from srlab.errors import SrlabError
from srlab.text import printable, some


class ImageSet:
    """Named images, with all their 8-bit pixels in one buffer.

    Parameters
    ----------
    name
        Name of the set, for tables and manifests.
    pixels
        ``(all pixels, 3)``, uint8, RGB: image after image and row after row; in memory, or mapped from the cache and
        then read-only.
    sizes
        Height and width of each image.
    starts
        Index of each image's first pixel in `pixels`; by default the images follow one another.
    lr
        LR images with the same names, or None if LR is made from HR.
    gray
        Names of the images with a grayscale file; the paper protocol scores their gray values.
    digest
        Fingerprint, if it is known without reading the pixels.

    Attributes
    ----------
    hr
        One uint8 tensor ``(3, H, W)`` per image, each a view of `pixels`.

    Examples
    --------
    >>> photos = srlab.bundled_photos("validation")
    >>> photos["astronaut"].shape
    torch.Size([1, 3, 512, 512])
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        pixels: torch.Tensor,
        sizes: Sequence[tuple[int, int]],
        starts: Sequence[int] | None = None,
        lr: "ImageSet | None" = None,
        gray: Collection[str] = (),
        digest: str = "",
    ) -> None:
        counts = [height * width for height, width in sizes]
        self.name, self.names, self.pixels, self.sizes = name, list(names), pixels, list(sizes)
        self.starts = list(accumulate(counts, initial=0))[:-1] if starts is None else list(starts)
        self.lr, self.gray, self.digest = lr, frozenset(gray), digest
        self._places = {name: index for index, name in enumerate(self.names)}
        self.hr = [
            pixels[start : start + count].view(*size, 3).permute(2, 0, 1)
            for start, count, size in zip(self.starts, counts, sizes, strict=True)
        ]

    @classmethod
    def from_images(cls, name: str, images: Mapping[str, torch.Tensor], gray: Collection[str] = ()) -> "ImageSet":
        """Copy images ``(3, H, W)``, uint8, into one buffer; `gray` names those with a grayscale file."""
        pixels = [image.permute(1, 2, 0).flatten(0, 1) for image in images.values()]
        sizes = [(image.shape[1], image.shape[2]) for image in images.values()]
        flat = torch.cat(pixels) if pixels else torch.empty(0, 3, dtype=torch.uint8)
        return cls(name, list(images), flat, sizes, gray=gray)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        return ((name, _batch(hr)) for name, hr in zip(self.names, self.hr, strict=True))

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return an HR image as a batch of one: ``(1, 3, H, W)``, float32 in [0, 1]."""
        return _batch(self.hr[self._indices([name])[0]])

    def lr_of(self, name: str) -> torch.Tensor | None:
        """Return an LR image as ``(1, 3, h, w)``, float32 in [0, 1], or None if the set has no LR images."""
        return None if self.lr is None else self.lr[name]

    def subset(self, *names: str) -> "ImageSet":
        """Return the images with these names, as a set with the same buffer."""
        indices = self._indices(names)
        sizes, starts = [self.sizes[i] for i in indices], [self.starts[i] for i in indices]
        lr = None if self.lr is None else self.lr.subset(*names)
        digest = hashlib.sha256(f"{self.digest}{names}".encode()).hexdigest()[:16] if self.digest else ""
        return ImageSet(self.name, names, self.pixels, sizes, starts, lr, self.gray & set(names), digest)

    def at_least(self, side: int) -> "ImageSet":
        """Return the images of at least `side` x `side` HR pixels; print which are left out."""
        large = [name for name, size in zip(self.names, self.sizes, strict=True) if min(size) >= side]
        small = [name for name, size in zip(self.names, self.sizes, strict=True) if min(size) < side]
        if not large:
            raise SrlabError(f"No image in {self.name} has at least {side} x {side} pixels. Use larger images.")
        if not small:
            return self
        print(
            printable(f"Left out of {self.name} because they are smaller than {side} x {side} pixels: {some(small)}.")
        )
        return self.subset(*large)

    def center_crop(self, side: int) -> "ImageSet":
        """Return the center crop of each image, at most `side` HR pixels square, without LR images."""
        if side < 1:
            raise SrlabError(f"The side of a center crop must be at least 1 pixel, but is {side}.")
        crops = {}
        for name, image in zip(self.names, self.hr, strict=True):
            top, left = (max(0, (length - side) // 2) for length in image.shape[1:])
            crops[name] = image[:, top : top + side, left : left + side]
        return ImageSet.from_images(f"{self.name} center {side}", crops, gray=self.gray)

    def with_lr(self, degradation: Degrade, scale: int, seed: int = 0) -> "ImageSet":
        """Return the same set with LR images made once, so that a random degradation gives fixed pairs.

        Each image gets its own random draw, in the order of the set. HR is first cropped to a multiple of `scale`. With
        seed 0 these are the LR images that `srlab.evaluate` makes with the same degradation. Existing LR images are
        kept.
        """
        if self.lr is not None:
            return self
        random, lr = torch.Generator().manual_seed(seed), {}
        for name, image in self:
            try:
                lr[name] = to_uint8(degradation(mod_crop(image, scale).contiguous(), scale, random))[0]
            except SrlabError as error:
                raise SrlabError(f"Image '{name}' of {self.name}: {error}") from error
        small = ImageSet.from_images(self.name, lr)
        return ImageSet(self.name, self.names, self.pixels, self.sizes, self.starts, small, self.gray, self.digest)

    def fingerprint(self) -> str:
        """Return a short hash of all names and HR pixels."""
        return self.digest or fingerprint(zip(self.names, self.hr, strict=True))

    def describe(self) -> dict[str, Any]:
        """Return ``name``, ``count``, ``fingerprint``, and ``lr``, that of the LR images, for a run's manifest."""
        lr = {"lr": self.lr.fingerprint()} if self.lr is not None else {}
        return {"name": self.name, "count": len(self), "fingerprint": self.fingerprint()} | lr

    def _indices(self, names: Sequence[str]) -> list[int]:
        for name in names:
            if name not in self._places:
                raise SrlabError(f"Image '{name}' not found in {self.name}. Use one of {', '.join(self.names)}.")
        return [self._places[name] for name in names]


def _batch(levels: torch.Tensor) -> torch.Tensor:
    """Return 8-bit levels as a batch of one, float32 in [0, 1]; contiguous, because the buffer is channels last."""
    return to_float(levels.contiguous())[None]


def check_lr(images: ImageSet, scale: int) -> None:
    """Reject a set unless each HR image has an LR image of the same name and 1 / `scale` of its size, rounded down."""
    assert images.lr is not None
    if alone := sorted({*images.names} ^ {*images.lr.names}):
        raise SrlabError(f"{images.name} has no pair for {some(alone)}. Use the same names in HR and LRx{scale}.")
    sizes = dict(zip(images.lr.names, images.lr.sizes, strict=True))
    for name, (height, width) in zip(images.names, images.sizes, strict=True):
        if (height // scale, width // scale) != tuple(sizes[name]):
            small = "{1}x{0}".format(*sizes[name])
            raise SrlabError(
                f"LR image '{name}' of {images.name} is {small}, which is not 1/{scale} of its HR image, "
                f"{width}x{height}."
            )


def fingerprint(images: Iterable[tuple[str, torch.Tensor]]) -> str:
    """Return 16 hexadecimal digits of a hash of names and images ``(3, H, W)``, uint8, in their order."""
    digest = hashlib.sha256()
    for name, image in images:
        digest.update(f"{name}{tuple(image.shape)}".encode())
        digest.update(image.numpy().tobytes())
    return digest.hexdigest()[:16]
