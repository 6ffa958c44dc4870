"""Where images come from: embedded photos, folders, benchmark sets."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from srlab.base.errors import SrlabError
from srlab.base.places import expanded
from srlab.base.text import breaks_line, printable
from srlab.data.cache import cached, fingerprint
from srlab.data.catalog import data_set, folder_of, is_named
from srlab.data.degradation import Degradation
from srlab.data.download import fetch
from srlab.data.images import EXTENSIONS, check_scale, mod_crop, read_pixels, to_float, to_uint8

# Photos that come inside packages the course needs anyway: name -> (package, file in the package).
PHOTOS = {
    "camera": ("skimage", "data/camera.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg"),
    "ihc": ("skimage", "data/ihc.png"),
    "motorcycle_left": ("skimage", "data/motorcycle_left.png"),
    "motorcycle_right": ("skimage", "data/motorcycle_right.png"),
    "page": ("skimage", "data/page.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "text": ("skimage", "data/text.png"),
    "brick": ("skimage", "data/brick.png"),
}
VALIDATION_PHOTOS = ("astronaut", "chelsea", "text", "brick")
HALVED = "gravel"  # alike everywhere, so its left half is trained on, and its right half stays unseen
CACHE_FROM = 100  # photos in a folder, from which on they are decoded once and then mapped
HR_FOLDERS = ("HR", "GTmod12")  # of a benchmark set; the second as in the archives of BasicSR


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Decoded images with names, in memory as 8-bit levels; `dataclasses.replace` makes a changed one.

    Attributes
    ----------
    name
        Of the set, for tables and manifests.
    names
        Of the images.
    hr
        One ``(3, H, W)`` uint8 tensor per image, each a view of `pixels`.
    lr
        Low-resolution versions that came with the set, or None: then they are made from `hr`.
    grey
        Names of the images whose file is grey; the paper protocol scores their grey values.
    pixels
        ``(all pixels, 3)``, uint8: image after image and row after row, in memory or mapped from the disk. It follows
        from `hr`; a part of a set has the pixels of the whole.

    Raises
    ------
    SrlabError
        There is no name for each image, or no LR image for each, or a name comes twice.

    Examples
    --------
    >>> photos = srlab.photos("validation")
    >>> photos["astronaut"].shape
    torch.Size([1, 3, 512, 512])
    """

    name: str
    names: list[str]
    hr: Sequence[torch.Tensor]
    lr: Sequence[torch.Tensor] | None = None
    grey: frozenset[str] = frozenset()
    pixels: torch.Tensor = field(init=False, repr=False)
    _digest: str = field(init=False, repr=False, default="")  # the fingerprint, known without a look at the pixels

    def __post_init__(self) -> None:
        for kind, images in (("HR", self.hr), ("LR", self.lr)):
            if images is not None and len(images) != len(self.names):
                raise SrlabError(
                    f"{self.name} has {len(self.names)} names and {len(images)} {kind} images; give one for each name."
                )
        if twice := sorted(name for name, count in Counter(self.names).items() if count > 1):
            raise SrlabError(f"{self.name} has several images named {', '.join(twice)}; names must differ.")
        pixels = _pixels_under(self.hr)
        if pixels is None:
            pixels = torch.cat([image.permute(1, 2, 0).flatten(0, 1) for image in self.hr])
            hr = _views(pixels, [tuple(image.shape[1:]) for image in self.hr])
        else:
            hr = self.hr
        self._settle(pixels=pixels, hr=tuple(hr), lr=None if self.lr is None else tuple(self.lr))

    def _settle(self, **values: object) -> "ImageSet":
        """Set what follows from other things, which a frozen class refuses otherwise."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
        return self

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        return ((name, _batch(hr)) for name, hr in zip(self.names, self.hr, strict=True))

    def __getitem__(self, name: str) -> torch.Tensor:
        """The HR image of that name as a batch of one: ``(1, 3, H, W)``, float32 in [0, 1]."""
        return _batch(self.hr[self._indices([name])[0]])

    def lr_of(self, name: str) -> torch.Tensor | None:
        """The LR image that came with the set as ``(1, 3, h, w)``, float32 in [0, 1], or None."""
        return None if self.lr is None else _batch(self.lr[self._indices([name])[0]])

    def subset(self, *names: str) -> "ImageSet":
        """The images of these names, as a set that shares the pixels of this one."""
        indices = self._indices(names)
        lr = None if self.lr is None else [self.lr[i] for i in indices]
        part = ImageSet(self.name, list(names), [self.hr[i] for i in indices], lr, self.grey & set(names))
        if self._digest:  # hashing the pixels would read them all
            part._settle(_digest=hashlib.sha256(f"{self._digest}{names}".encode()).hexdigest()[:16])
        return part

    def at_least(self, side: int) -> "ImageSet":
        """The images in which a square patch of so many pixels a side finds room; a line names those left out.

        Parameters
        ----------
        side
            In HR pixels.

        Raises
        ------
        SrlabError
            No image is that large.
        """
        small, large = [], []
        for name, image in zip(self.names, self.hr, strict=True):
            (large if min(image.shape[1:]) >= side else small).append(name)
        if not large:
            raise SrlabError(f"No image of {self.name} is {side} pixels wide and high; take larger ones.")
        if not small:
            return self
        more = f" and {len(small) - 3} more" if len(small) > 3 else ""
        print(
            f"Left out of {self.name}, as they are smaller than {side} x {side} pixels: {', '.join(small[:3])}{more}."
        )
        return self.subset(*large)

    def center_crop(self, side: int) -> "ImageSet":
        """The middle of each image, at most `side` pixels a side; LR is then made from it.

        Parameters
        ----------
        side
            In HR pixels; 256 in the SRGAN content-loss study. An image with shorter sides keeps them.

        Raises
        ------
        SrlabError
            The side is below 1.
        """
        if side < 1:
            raise SrlabError(f"A centre crop must be at least 1 pixel a side, but is {side}.")
        parts = []
        for image in self.hr:
            top, left = (max(0, (length - side) // 2) for length in image.shape[1:])
            parts.append(image[:, top : top + side, left : left + side])
        return ImageSet(f"{self.name} centre {side}", list(self.names), parts, grey=self.grey)

    def with_lr(self, degradation: Degradation, scale: int, seed: int = 0) -> "ImageSet":
        """The same set with LR images that are made once, so that a random degradation gives fixed pairs.

        With the seed 0 they are those that `srlab.evaluate` makes of the same degradation. LR images that came with
        the set stay, and the degradation is not used; `srlab.evaluate`, given one, does the opposite.

        Parameters
        ----------
        degradation
            How LR is made from HR. Each image gets its own draw, in the order of the set.
        scale
            HR pixels per LR pixel; HR is cropped to a multiple of it first, at the bottom and on the right.
        seed
            Of the draws.

        Returns
        -------
        ImageSet
            With the same HR images as this one.

        Raises
        ------
        SrlabError
            An image is smaller than one LR pixel; the message names it.
        """
        if self.lr is not None:
            return self
        random = torch.Generator().manual_seed(seed)
        lr = []
        for name, image in zip(self.names, self.hr, strict=True):
            try:
                made = degradation(mod_crop(_batch(image), scale).contiguous(), scale, random)
            except SrlabError as error:
                raise SrlabError(f"Image '{name}' of {self.name}: {error}") from error
            lr.append(to_uint8(made)[0])
        return replace(self, lr=lr)._settle(_digest=self._digest)

    def fingerprint(self) -> str:
        """A short hash of all names and pixels: two runs with the same one saw the same images."""
        return self._digest or fingerprint(zip(self.names, self.hr, strict=True))

    def describe(self) -> dict[str, Any]:
        """Its ``name``, the ``count`` of its images and its ``fingerprint``, for a run's manifest."""
        return {"name": self.name, "count": len(self), "fingerprint": self.fingerprint()}

    def _indices(self, names: Sequence[str]) -> list[int]:
        place = {name: index for index, name in enumerate(self.names)}
        for name in names:
            if name not in place:
                raise SrlabError(f"There is no image '{name}' in {self.name}; it has {', '.join(self.names)}.")
        return [place[name] for name in names]


def _batch(levels: torch.Tensor) -> torch.Tensor:
    """8-bit levels as a batch of one, float32 in [0, 1]; contiguous, because the pixels of a set lie channels last."""
    return to_float(levels.contiguous())[None]


def photos(split: str) -> ImageSet:
    """The photos that come inside scikit-image and matplotlib, so that the labs need no download.

    Parameters
    ----------
    split
        ``"train"`` (12 photos, of gravel the left half), or ``"validation"`` (astronaut, chelsea, text, brick: never
        trained on).

    Returns
    -------
    ImageSet
        Licences: the README files beside the images in the two packages (public domain and CC0 for most).
    """
    chosen = {
        "train": [name for name in PHOTOS if name not in VALIDATION_PHOTOS],
        "validation": list(VALIDATION_PHOTOS),
    }
    if split not in chosen:
        raise SrlabError(f"Unknown split '{split}' of the embedded photos; choose one of {', '.join(chosen)}.")
    images = _read_set(f"photos/{split}", {name: photo_file(name) for name in chosen[split]})
    if HALVED not in images.names:
        return images
    hr = [
        image[..., : image.shape[2] // 2] if name == HALVED else image
        for name, image in zip(images.names, images.hr, strict=True)
    ]
    return ImageSet(images.name, images.names, hr, grey=images.grey)


def photo_file(name: str) -> Path:
    """File of an embedded photo, inside the package that brings it."""
    package, file = PHOTOS[name]
    return Path(find_spec(package).origin).parent / file  # the package itself need not be imported


def folder(path: str | Path) -> ImageSet:
    """All images directly in a folder (or in the folders in it, if it has none itself), sorted by name.

    From 100 photos on they are decoded once, see `srlab.data.cache`, and read from there when a patch needs them.
    A line names the folders below that have images and are left out, down to two levels.

    Raises
    ------
    SrlabError
        No such folder, no image in it, two images that differ in their extension only, or a damaged image.
    """
    path = expanded(path)
    files = image_files(path)
    if passed := _folders_left_out(path, {file.parent for file in files.values()}):
        names = ", ".join(printable(name) for name in passed[:3])
        more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
        print(
            f"{printable(path.name)} has images in these folders, too, which are left out: {names}{more}. To take all, "
            "put all images into folders directly in it."
        )
    return _read_folder(path.name, path, files)


def benchmark(path: str | Path, scale: int = 4) -> ImageSet:
    """A benchmark set such as Set5: a folder with ``HR/`` and, if there, ``LRx4/`` with files of the same names.

    An LR file may have the scale behind its name (``0801x4.png``), as in DIV2K. The folders may also be called
    ``GTmod12/`` and ``LRbicx4/``, as in the archives of BasicSR.

    Without the LR folder the LR images are made from HR where they are needed.

    Parameters
    ----------
    path
        The folder of the set.
    scale
        Which ``LRx<scale>`` folder to take.

    Raises
    ------
    SrlabError
        There is no HR folder, an HR image has no LR image, its size does not fit, or the scale is no whole number of
        at least 1.
    """
    path = expanded(path)
    check_scale(scale)
    hr_folder = _one_of(path, HR_FOLDERS) or path / "HR"
    lr_folder = _one_of(path, (f"LRx{scale}", f"LRbicx{scale}"))
    images = _read_folder(path.name, hr_folder, image_files(hr_folder))
    if lr_folder is None:
        return images
    files = image_files(lr_folder)
    files = {name: files.get(name, files.get(f"{name}x{scale}")) for name in images.names}  # 0801x4.png, as in DIV2K
    missing = [name for name, file in files.items() if file is None]
    if missing:
        raise SrlabError(f"{lr_folder} has no LR image for {', '.join(missing)}; add them or remove the folder.")
    small = _read_folder(path.name, lr_folder, files).hr
    for name, hr, lr in zip(images.names, images.hr, small, strict=True):
        if [side // scale for side in hr.shape[1:]] != list(lr.shape[1:]):
            raise SrlabError(
                f"LR image '{name}' in {path} is {lr.shape[2]}x{lr.shape[1]}, which is not 1/{scale} of its HR image."
            )
    return replace(images, lr=small)._settle(_digest=images._digest)


def image_set(path: str | Path, scale: int = 4) -> ImageSet:
    """A benchmark set where the folder has ``HR/`` (or ``GTmod12/``) inside, else the images directly in the folder.

    Parameters
    ----------
    path
        The folder; or the name of a data set in `srlab.data.catalog`, such as ``"div2k"``, ``"div2k-valid"`` or
        ``"set5"``, which is downloaded if it is not there yet.
    scale
        Of the LR images that a benchmark set may bring, see `benchmark`.

    Raises
    ------
    SrlabError
        As for `benchmark` or `folder`, and for `srlab.data.download.fetch`.
    """
    check_scale(scale)
    path = expanded(path)
    if is_named(path) and not path.exists():
        path = fetch(str(path))
    return benchmark(path, scale) if _one_of(path, HR_FOLDERS) else folder(path)


def stand_in(path: str | Path, scale: int = 4) -> ImageSet:
    """The same as `image_set` without a download: of a named set that is not there, images of the usual size alone.

    They have a shape and no pixels, which is enough to plan a training.
    """
    if not is_named(path) or Path(path).exists():
        return image_set(path, scale)
    known, place = data_set(str(path)), folder_of(str(path))
    if (place / "HR").is_dir():
        return image_set(place, scale)
    count = next(
        one.images for archive in known.archives for one in archive.folders if one.path == f"{known.folder}/HR"
    )
    image = torch.empty((3, *known.usual), dtype=torch.uint8, device="meta")
    images = ImageSet(known.title, [str(number) for number in range(count)], [image] * count)
    return images._settle(_digest="not there yet")


def _one_of(path: Path, names: Iterable[str]) -> Path | None:
    """The first folder in `path` with one of these names."""
    return next((path / name for name in names if (path / name).is_dir()), None)


def image_files(path: Path) -> dict[str, Path]:
    """Name without extension -> file, for the images directly in a folder, sorted by name.

    A folder that has only folders of images in it, as the 70 of FFHQ, gives the images of all these, named
    ``<folder>-<image>``.

    Raises
    ------
    SrlabError
        No such folder, no image in it, or two images that would have the same name.
    """
    try:
        if not path.is_dir():
            raise SrlabError(f"There is no folder {path}; check the path.")
        named = [(file.stem, file) for file in _images_in(path)]
        if not named:
            if hr := _one_of(path, HR_FOLDERS):
                raise SrlabError(f"{path} is a set with HR images in a folder of their own; give {hr}.")
            below = sorted(folder for folder in path.iterdir() if folder.is_dir())
            named = [(f"{folder.name}-{file.stem}", file) for folder in below for file in _images_in(folder)]
    except OSError as error:
        raise SrlabError(
            f"The folder {path} cannot be read ({error.strerror}); check it and who may read it."
        ) from error
    if not named:
        raise SrlabError(f"There are no images in {path}; it needs files that end in {', '.join(EXTENSIONS)}.")
    counts = Counter(name for name, _ in named)
    for name in counts:
        if breaks_line(name):
            raise SrlabError(f"{path} has a file named {name!a}, which is no line of text; rename it.")
    if twice := sorted(name for name in counts if counts[name] > 1):
        raise SrlabError(
            f"{path} has several images named {', '.join(twice)}; names must differ without the extension."
        )
    return dict(named)


def _folders_left_out(path: Path, taken: set[Path]) -> list[str]:
    """Folders up to two levels below one that have images and aren't among those taken, but for hidden ones, sorted."""
    found = []
    for place, below, names in os.walk(path):
        folder = Path(place)
        parts = folder.relative_to(path).parts
        below[:] = [name for name in below if name[0] != "." and len(parts) < 2]
        if folder not in taken and any(name[0] != "." and name.lower().endswith(EXTENSIONS) for name in names):
            found.append("/".join(parts))
    return sorted(found)


def _images_in(folder: Path) -> list[Path]:
    # Without the hidden ones, such as macOS leaves. Path.iterdir would take seconds for the 70,000 faces of FFHQ.
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.name.lower().endswith(EXTENSIONS) and e.name[0] != "." and e.is_file()]
    return [folder / name for name in sorted(names)]


def _read_folder(name: str, path: Path, files: dict[str, Path]) -> ImageSet:
    """The images of a folder: in memory if they are few, mapped from the cache if they are many."""
    if len(files) < CACHE_FROM:
        return _read_set(name, files)
    decoded = cached(path, files)
    hr = _views(decoded.pixels, decoded.sizes)
    return ImageSet(name, list(files), hr, grey=decoded.grey)._settle(_digest=decoded.fingerprint)


def _read_set(name: str, files: dict[str, Path]) -> ImageSet:
    images = {image_name: to_uint8(read_pixels(file)) for image_name, file in files.items()}
    grey = frozenset(image_name for image_name, image in images.items() if image.shape[2] == 1)
    hr = [image.expand(-1, -1, 3).permute(2, 0, 1) for image in images.values()]
    return ImageSet(name, list(images), hr, grey=grey)


def _pixels_under(images: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """The pixels ``(all pixels, 3)`` that all these images are views of already, whatever else is there; or None."""
    if not images:
        return torch.empty(0, 3, dtype=torch.uint8)
    memory, count = images[0].untyped_storage().data_ptr(), images[0].untyped_storage().nbytes() // 3
    for image in images:
        where = image.untyped_storage().data_ptr() == memory and image.storage_offset() % 3 == 0
        if not where or image.dtype != torch.uint8 or image.stride() != (1, 3 * image.shape[2], 3):
            return None
    return images[0].as_strided((count, 3), (3, 1), 0)


def _views(pixels: torch.Tensor, sizes: Sequence[tuple[int, int]]) -> list[torch.Tensor]:
    """The images ``(3, H, W)`` that lie one after the other in ``(all pixels, 3)``."""
    parts = pixels.split([height * width for height, width in sizes])
    return [part.view(*size, 3).permute(2, 0, 1) for part, size in zip(parts, sizes, strict=True)]
