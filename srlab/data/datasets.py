"""Image sets: the bundled photos, folders of images, and benchmark datasets."""

import os
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from srlab.data.cache import cached, decode
from srlab.data.catalog import is_named
from srlab.data.download import fetch
from srlab.data.image_set import ImageSet, check_lr
from srlab.data.images import EXTENSIONS, Lost, print_lost
from srlab.errors import SrlabError
from srlab.paths import find_in_course
from srlab.text import breaks_line, printable, some

# Photos inside packages that the course needs anyway: name -> (package, file in the package).
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
HALVED = "gravel"  # looks the same everywhere, so we train on its left half and hold out the right half
CACHE_FROM = 100  # sets of this many photos or more are decoded once into a file and mapped from there

# Ends of names if HR and LR images are in one folder: img_001_SRF_4_HR and _LR, img_LR4, 0801x4.
HR_END = re.compile(r"[_-](HR|GT)$", re.IGNORECASE)
LR_END = re.compile(r"([_-]L[RQ]\d?|_?x\d)$", re.IGNORECASE)
LR_FOLDER = re.compile(r"([_-]|^)L[RQ]([_-]|x?\d|$)|^x\d$", re.IGNORECASE)  # LRx4, LR, DIV2K_train_LR_bicubic, X4
NOT_READ = f"only {', '.join(EXTENSIONS)} with printable names are read"
DEEPEST = 100  # folders above an image, below the folder that is read
HIDDEN = ".@$#"  # first signs of hidden folders, and of the recycle bins of network disks
RESULT = re.compile(r"_x\d+(?=/|$)")  # what `srlab upscale` adds to the name of an image or a folder


def bundled_photos(split: str) -> ImageSet:
    """Return photos that are part of scikit-image and matplotlib, so that the labs need no download.

    Their licenses are in README files next to the images in the two packages (public domain or CC0 for most).

    Parameters
    ----------
    split
        ``"train"`` (12 photos, of which gravel is only the left half), or ``"validation"`` (astronaut, chelsea, text,
        brick: held out).
    """
    splits = {"train": [name for name in PHOTOS if name not in VALIDATION_PHOTOS], "validation": VALIDATION_PHOTOS}
    if split not in splits:
        raise SrlabError(f"'{split}' is not a split of the bundled photos. Use one of {', '.join(splits)}.")
    images = read_images(f"photos/{split}", {name: photo_file(name) for name in splits[split]})
    if HALVED not in images.names:
        return images
    parts = dict(zip(images.names, images.hr, strict=True))
    parts[HALVED] = parts[HALVED][..., : parts[HALVED].shape[2] // 2]
    return ImageSet.from_images(images.name, parts, gray=images.gray)


def photo_file(name: str) -> Path:
    """Return the file of a bundled photo, inside the package that contains it."""
    package, file = PHOTOS[name]
    spec = find_spec(package)  # without importing the package
    assert spec is not None  # the package needs it
    assert spec.origin is not None
    return Path(spec.origin).parent / file


def load_images(where: str | Path, scale: int = 4) -> ImageSet:
    """Load a folder of images, a folder of pairs, or a dataset by its name.

    A set is a folder with its subfolders, where ``photos/2024/a.jpg`` is the image ``2024/a``. A folder of pairs
    contains the folders ``HR`` and ``LRx4`` with the same names, so ``HR/a.png`` and ``LRx4/a.png``; without ``LRx4``,
    LR is made from HR. Folders that are named as LR are not read as HR, and neither are results of ``srlab upscale``
    next to their images. What is left out is printed, except hidden files and folders. A folder that mixes HR and LR
    images is an error.

    A set has 8-bit levels: of 16 bits, the upper 8 are read, transparent pixels become white, and of several images in
    a file, the first one is used. A line names these files.

    Sets of 100 images or more are decoded once into a file (`srlab.data.cache`).

    Parameters
    ----------
    where
        Folder, or name of a dataset in `srlab.data.catalog`, such as ``"div2k"`` or ``"set5"``. A missing dataset is
        downloaded.
    scale
        HR pixels per LR pixel.

    Returns
    -------
    ImageSet
        Images sorted by file name, and named by their path below the folder without the extension. In a name, ``‹``
        replaces ``<``.
    """
    path = find_in_course(where)
    if is_named(path) and not path.exists():
        path = fetch(str(path))
    hr, lr = find_images(path, scale)
    bases = {HR_END.sub("", last_part(name)) for name in hr}
    if mixed := [name for name in hr if LR_END.search(name) and LR_END.sub("", last_part(name)) in bases]:
        raise SrlabError(
            f"{path} mixes HR and LR images, such as {mixed[0]}. Put them into two folders, HR and LRx{scale}."
        )
    images = read_images(path.name, hr)
    if not lr:
        return images
    images.lr = read_images(path.name, {name: lr[name] for name in hr}, f"LRx{scale}")
    check_lr(images, scale)
    return images


def find_images(path: Path, scale: int = 4) -> tuple[dict[str, Path], dict[str, Path]]:
    """Find the HR images of a set, and its LR images or none: name -> file. Print what is left out."""
    paired = (path / "HR").is_dir()
    top, small = path / "HR" if paired else path, path / f"LRx{scale}"
    found, others = image_files(top)
    lr, more = image_files(small) if paired and small.is_dir() else ({}, [])
    results = result_names(found)
    hr = {name: file for name, file in found.items() if name not in results and not _is_lr(name)}
    if paired:
        where = {top: "HR", small: small.name} if lr else {top: "HR"}
        outside = [place for place in path.iterdir() if place not in where and place.name[0] not in HIDDEN]
        print_left_out(path, outside, f"not in {' or '.join(where.values())}")
    unlike = [found[name] for name in found.keys() - hr.keys()]
    print_left_out(path, unlike, "named like LR images or results of srlab upscale")
    print_left_out(path, [*others, *more], NOT_READ)
    if not hr:
        raise SrlabError(f"No images found in {path}. Their names must end in {', '.join(EXTENSIONS)}.")
    if lr and (alone := sorted(hr.keys() ^ lr.keys())):
        raise SrlabError(f"{path} has no pair for {some(alone)}. Use the same names in HR and LRx{scale}.")
    return hr, lr


def image_files(path: Path) -> tuple[dict[str, Path], list[Path]]:
    """Return the images in a folder and its subfolders, name -> file, and what else is there.

    The name is the path below the folder without the extension; two images must not have the same name.
    """
    found, others = walk(path)
    files: dict[str, Path] = {}
    for file in found:
        name = image_name(file.relative_to(path).with_suffix("").as_posix())
        if name in files:
            raise SrlabError(f"{path} has several images named {name}. Rename them; the extension does not count.")
        files[name] = file
    return files, others


def walk(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the images in a folder and its subfolders, and what else is there; both sorted, without hidden ones.

    A folder that cannot be read is among the others, and so is what has an unprintable name, or more than `DEEPEST`
    folders above it.
    """
    images: list[Path] = []
    others: list[Path] = []
    seen = set()

    def refused(error: OSError) -> None:
        if Path(error.filename) == path:
            raise SrlabError(f"Cannot read the folder {path} ({error.strerror}). Check the path.") from error
        others.append(Path(error.filename))

    for where, folders, names in os.walk(path, onerror=refused, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:  # links can lead in a circle
            folders.clear()
            continue
        seen.add(real)
        if len(Path(where).parts) - len(path.parts) == DEEPEST:  # os.walk calls itself before Python 3.12
            others += [Path(where, name) for name in folders]
            folders.clear()
        odd = [name for name in (*folders, *names) if breaks_line(name)]
        others += [Path(where, name) for name in odd]
        folders[:] = [name for name in folders if name[0] not in HIDDEN and name not in odd]
        for file in (Path(where, name) for name in names if name[0] != "." and name not in odd):
            (images if file.suffix.lower() in EXTENSIONS else others).append(file)
    return sorted(images), sorted(others)


def result_names(names: Collection[str]) -> set[str]:
    """Return the names of results of ``srlab upscale``: an image or a folder named as another, plus _x4.

    Names are paths without extensions, such as ``photo_x4`` and ``photo``, or ``photos_x4/a`` and ``photos/a``.
    """
    known = set(names)
    return {name for name in known if RESULT.search(name) and RESULT.sub("", name) in known}


def last_part(name: str) -> str:
    """Return the name of an image without the subfolders."""
    return name.rpartition("/")[2]


def _is_lr(name: str) -> bool:
    """Return whether an image is in a subfolder for LR images."""
    return any(LR_FOLDER.search(part) for part in name.split("/")[:-1])


def print_left_out(path: Path, places: Sequence[Path], why: str, file: TextIO | None = None) -> None:
    """Print in one line which files and folders in `path` are not read."""
    if places:
        names = some(sorted(place.relative_to(path).as_posix() for place in places))
        print(printable(f"Left out of {path.name or path}: {names} ({why})."), file=file)


def image_name(stem: str) -> str:
    """Return the name of an image in a set: macOS decomposes accents, and a styled table of pandas would read a tag."""
    return unicodedata.normalize("NFC", stem).replace("<", "‹")


def read_images(name: str, files: Mapping[str, Path], part: str = "") -> ImageSet:
    """Read named image files into a set: in memory, or mapped from the cache if there are `CACHE_FROM` or more.

    `part` is the part of the cache, see `srlab.data.cache.cached`.
    """
    if len(files) >= CACHE_FROM:
        return cached(name, files, part)
    lost: Lost = {}
    levels = dict(decode(files, lost))
    print_lost(lost)
    gray = [image for image, pixels in levels.items() if pixels.shape[2] == 1]
    hr = {image: pixels.expand(-1, -1, 3).permute(2, 0, 1) for image, pixels in levels.items()}
    return ImageSet.from_images(name, hr, gray=gray)
