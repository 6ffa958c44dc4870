"""Image sets: the bundled photos, folders of images, and benchmark datasets."""

import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from srlab.data.cache import cached
from srlab.data.catalog import is_named
from srlab.data.download import fetch
from srlab.data.image_set import ImageSet
from srlab.data.images import EXTENSIONS, TIFF, check_scale, read_pixels, to_uint8
from srlab.errors import SrlabError
from srlab.paths import find_in_course
from srlab.text import breaks_line, some

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

# Marks of HR and LR in the path of an image: its folder, or the end of its name. The group of LR is the scale.
# HR/, DIV2K_valid_HR/, img_001_SRF_4_HR, GTmod12/; LRx4/, LR_bicubic/X4/, img_001_SRF_4_LR, LQ/.
HR_MARK = re.compile(r"(?:^|[/_-])(?:HR|GT)(?:mod\d+)?(?=/|$)", re.IGNORECASE)
LR_MARK = re.compile(r"(?:^|[/_-])L[RQ](?:bic|_[a-z]+)?(?:_?x|/x(?=\d/))?(\d?)(?=/|$)", re.IGNORECASE)


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
    """Load all images in a folder and its subfolders, or a dataset by its name.

    HR images are paired with the LR images of the same name, if there are any: ``HR/a.png`` with ``LRx4/a.png`` or
    ``LR_bicubic/X4/ax4.png``, and ``a_HR.png`` with ``a_LR.png``. If some images are marked HR, those without a mark
    are left out, and so are LR images of another scale; their folders are printed. Downscaled copies without a mark are
    an error. Hidden folders, recycle bins and unreadable folders are skipped.

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
        Images sorted by path and named after their files, with the folder in front if there are several folders.
    """
    check_scale(scale)
    path = find_in_course(where)
    if is_named(path) and not path.exists():
        path = fetch(str(path))
    hr, lr = find_images(path, scale)
    images = read_images(path.name, hr)
    if not lr:
        _refuse_small_copies(dict(zip(hr.values(), images.sizes, strict=True)))
        return images
    images.lr = read_images(path.name, lr, f"LRx{scale}")
    for name, (height, width), size in zip(images.names, images.sizes, images.lr.sizes, strict=True):
        if (height // scale, width // scale) != tuple(size):
            raise SrlabError(
                f"LR image '{name}' in {path} is {size[1]}x{size[0]}, which is not 1/{scale} of its HR image."
            )
    return images


def _refuse_small_copies(sizes: Mapping[Path, tuple[int, int]]) -> None:
    """Reject a folder of images that are all downscaled copies of others with the same names, so LR without a mark."""
    largest: dict[str, tuple[int, int]] = {}
    for file, size in sizes.items():
        largest[file.stem] = max(largest.get(file.stem, (0, 0)), tuple(size))
    folders: dict[Path, bool] = {}
    for file, size in sizes.items():
        factor = round(largest[file.stem][0] / size[0])
        copy = all(abs(large - factor * side) < factor for large, side in zip(largest[file.stem], size, strict=True))
        folders[file.parent] = folders.get(file.parent, True) and factor > 1 and copy
    if small := [folder for folder, copies in folders.items() if copies]:
        raise SrlabError(
            f"The images in {small[0]} seem to be the LR images of others with the same names. Pass the folder of the "
            "HR images, or name the two folders HR and LR."
        )


def find_images(path: Path, scale: int = 4) -> tuple[dict[str, Path], dict[str, Path]]:
    """Find the HR images of a folder, and the LR images that belong to them.

    Return name -> HR file and name -> LR file, with the same names; the second is empty if there are no LR images.
    """
    places = _places(path)
    lr = {file: mark[1] for file, place in places.items() if (mark := LR_MARK.search(place))}
    if len(lr) == len(places):  # LR images only, as in LR_bicubic/
        lr = {}
    hr = {file: place for file, place in places.items() if HR_MARK.search(place)}
    hr = hr or {file: place for file, place in places.items() if file not in lr}
    partners = {_key(places[file]): file for file, digit in lr.items() if digit in ("", str(scale))}
    images, pairs = _named(path, hr), {}
    for name, file in images.items():
        for end in ("", f"x{scale}", f"_x{scale}"):  # 0801x4.png, as in DIV2K
            if (partner := partners.get(_key(hr[file]) + end)) is not None:
                pairs[name] = partner
    if pairs and (missing := [name for name in images if name not in pairs]):
        raise SrlabError(f"{path} has no LR image for {some(missing)}. Add the missing ones, or remove all LR images.")
    if unused := places.keys() - {*hr, *pairs.values()}:
        folders = sorted({f"{path.name}/{file}".rpartition("/")[0] for file in unused})
        print(f"Left out of {path.name}: {len(unused)} images in {some(folders)}.")
    return tuple({name: path / file for name, file in found.items()} for found in (images, pairs))


def image_files(path: Path) -> dict[str, Path]:
    """Return the images directly in a folder as name -> file, sorted by name."""
    return {name: path / file for name, file in _named(path, _places(path, below=False)).items()}


def _places(path: Path, below: bool = True) -> dict[str, str]:
    """Return the image files of a folder: path relative to it -> the same path without an extension."""
    places = {file: file.rpartition(".")[0] for file in _walk(path, below)}
    if not places:
        raise SrlabError(f"No images found in {path}. Their names must end in {', '.join(EXTENSIONS)}.")
    return places


def _key(place: str) -> str:
    """Return a path without its marks, which is the key that pairs HR with LR images.

    Accents are in one form, because macOS decomposes them in file names.
    """
    return HR_MARK.sub("", LR_MARK.sub("", unicodedata.normalize("NFC", place))).strip("/")


def _named(path: Path, places: Mapping[str, str]) -> dict[str, str]:
    """Return image name -> file; two images must not have the same name."""
    top = os.path.commonpath({file.rpartition("/")[0] for file in places})
    named = [(place[len(top) :].lstrip("/").replace("/", "-"), file) for file, place in places.items()]
    counts = Counter(name for name, _ in named)
    if twice := sorted(name for name in counts if counts[name] > 1):
        raise SrlabError(
            f"{path} has several images named {', '.join(twice)}. Rename them; the extension does not count."
        )
    return dict(named)


def _walk(path: Path, below: bool) -> Iterator[str]:
    """Yield the images in a folder, with `below` also those in its subfolders, as ``sub/a.png``.

    Hidden folders and recycle bins (``.Trash``, ``@eaDir``, ``$RECYCLE.BIN``, ``#recycle``) are skipped. Folders that
    cannot be read and TIFF files are printed.
    """

    def skip(error: OSError) -> None:
        if isinstance(error, NotADirectoryError):
            raise SrlabError(f"{path} is not a folder. Pass the folder that contains the images.") from error
        if Path(error.filename) == path:
            raise SrlabError(f"Cannot read the folder {path} ({error.strerror}). Check the path.") from error
        print(f"Left out: the folder {error.filename}, which cannot be read ({error.strerror}).")

    seen = set()
    for place, folders, names in os.walk(path, onerror=skip, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = _on_one_line(place, [name for name in folders if below and name[0] not in ".@$#"])
        shown = [name for name in names if name[0] != "."]
        if tiffs := _on_one_line(place, [name for name in shown if name.lower().endswith(TIFF)]):
            print(f"Left out: {some(tiffs)} in {place}. Save a TIFF as PNG first.", file=sys.stderr)
        for name in _on_one_line(place, [name for name in shown if name.lower().endswith(EXTENSIONS)]):
            yield Path(place, name).relative_to(path).as_posix()


def _on_one_line(place: str, names: Sequence[str]) -> list[str]:
    """Sort names; leave out those that would break a line or a terminal, and print them with escapes."""
    for name in filter(breaks_line, names):
        print(f"Left out: {name!a} in {place}, because its name is not printable. Rename it.")
    return sorted(name for name in names if not breaks_line(name))


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
