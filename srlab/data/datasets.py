"""Image sets: the bundled photos, folders of images, and benchmark datasets."""

import re
import sys
import unicodedata
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from srlab.data.cache import cached
from srlab.data.catalog import is_named
from srlab.data.download import fetch
from srlab.data.image_set import ImageSet, check_lr
from srlab.data.images import EXTENSIONS, TIFF, read_pixels, to_uint8
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
    return Path(find_spec(package).origin).parent / file  # without importing the package


def load_images(where: str | Path, scale: int = 4) -> ImageSet:
    """Load a folder of images, a folder of pairs, or a dataset by its name.

    Images are directly in the folder, because subfolders are not read. A folder of pairs contains the folders ``HR``
    and ``LRx4`` with the same names, so ``HR/a.png`` and ``LRx4/a.png``; without ``LRx4``, LR is made from HR. What is
    left out is printed. A folder that mixes HR and LR images is an error.

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
        Images sorted by file name, and named without the extension. In a name, ``‹`` replaces ``<``.
    """
    path = find_in_course(where)
    if is_named(path) and not path.exists():
        path = fetch(str(path))
    hr, lr = find_images(path, scale)
    bases = {HR_END.sub("", name) for name in hr}
    if mixed := [name for name in hr if LR_END.search(name) and LR_END.sub("", name) in bases]:
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
    hr, lr = image_files(top), image_files(small) if paired and small.is_dir() else {}
    if lr and (alone := sorted(hr.keys() ^ lr.keys())):
        raise SrlabError(f"{path} has no pair for {some(alone)}. Use the same names in HR and LRx{scale}.")
    read = [top, small] if lr else [top]
    below = [place for folder in read for place in folder.iterdir() if place.is_dir()]
    others = {*below, *path.iterdir()} if paired else {*below}
    names = [place.relative_to(path).as_posix() for place in others - {*read} if place.name[0] not in ".@$#"]
    if names:  # without hidden folders and recycle bins
        where = " and ".join(folder.name for folder in read)
        print(printable(f"Left out of {path.name}: {some(sorted(names))}. Only images directly in {where} are read."))
    return hr, lr


def image_files(path: Path) -> dict[str, Path]:
    """Return the images directly in a folder as name -> file, sorted by name; two must not have the same name."""
    try:
        places = sorted(path.iterdir(), key=lambda place: place.name)
    except OSError as error:
        raise SrlabError(f"Cannot read the folder {path} ({error.strerror}). Check the path.") from error
    places = [place for place in places if place.name[0] != "." and not place.is_dir()]
    found = [file for file in places if file.suffix.lower() in EXTENSIONS]
    if tiffs := [file.name for file in places if file.suffix.lower() in TIFF]:
        print(printable(f"Left out: {some(tiffs)} in {path}. Save a TIFF as PNG first."), file=sys.stderr)
    files: dict[str, Path] = {}
    for file in found:
        name = image_name(file.stem)
        if breaks_line(file.name):
            print(f"Left out: {file.name!a} in {path}, because its name is not printable.", file=sys.stderr)
        elif name in files:
            raise SrlabError(f"{path} has several images named {name}. Rename them; the extension does not count.")
        else:
            files[name] = file
    if not files:
        raise SrlabError(
            f"No images found in {path}; subfolders are not read. Their names must end in {', '.join(EXTENSIONS)}."
        )
    return files


def image_name(stem: str) -> str:
    """Return the name of an image in a set: macOS decomposes accents, and a styled table of pandas would read a tag."""
    return unicodedata.normalize("NFC", stem).replace("<", "‹")


def read_images(name: str, files: Mapping[str, Path], part: str = "") -> ImageSet:
    """Read named image files into a set: in memory, or mapped from the cache if there are `CACHE_FROM` or more.

    `part` is the part of the cache, see `srlab.data.cache.cached`.
    """
    if len(files) >= CACHE_FROM:
        return cached(name, files, part)
    levels = {image: to_uint8(read_pixels(file)) for image, file in files.items()}
    gray = [image for image, pixels in levels.items() if pixels.shape[2] == 1]
    hr = {image: pixels.expand(-1, -1, 3).permute(2, 0, 1) for image, pixels in levels.items()}
    return ImageSet.from_images(name, hr, gray=gray)
