"""Catalog of the papers' datasets: where to download them, and which folders they are unpacked to.

On disk a dataset is a folder in the data home with ``HR/`` and ``LRx4/``, which `srlab.load_images` reads; DIV2K has
``train/`` and ``valid/`` in between.
"""

from pathlib import Path
from typing import NamedTuple

from srlab.errors import SrlabError
from srlab.paths import data_home


class Archive(NamedTuple):
    """File to download, the folders to unpack, and its SHA-256, or "" if it is not known.

    The file is a zip or an uncompressed tar file. A folder is its path below the data home, its path in the archive,
    and the number of its images: PNG files with names of letters, digits, _ and -, all in this archive.
    """

    url: str
    folders: tuple[tuple[str, str, int], ...]
    sha256: str = ""


class DataSet(NamedTuple):
    """Data set with its archives and license; docs/data.md has the citation.

    ``folder`` is the one to train, validate or evaluate on, ``images`` is the number of HR images in it, and ``usual``
    their usual height and width. The archives may also contain other datasets.
    """

    folder: str
    images: int
    usual: tuple[int, int]
    archives: tuple[Archive, ...]
    license: str


ETHZ = "https://data.vision.ee.ethz.ch/cvl/DIV2K"
EDSR = "https://cv.snu.ac.kr/research/EDSR"
SIZE_2K = (1400, 2000)
DIV2K_VALID = (
    Archive(
        f"{ETHZ}/DIV2K_valid_HR.zip",
        (("DIV2K/valid/HR", "DIV2K_valid_HR", 100),),
        "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
    ),
    Archive(
        f"{ETHZ}/DIV2K_valid_LR_bicubic_X4.zip",
        (("DIV2K/valid/LRx4", "DIV2K_valid_LR_bicubic/X4", 100),),
        "a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553",
    ),
)
DIV2K_TRAIN = Archive(
    f"{ETHZ}/DIV2K_train_HR.zip",
    (("DIV2K/train/HR", "DIV2K_train_HR", 800),),
    "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
)
FLICKR2K = Archive(f"{EDSR}/Flickr2K.tar", (("Flickr2K/HR", "Flickr2K_HR", 2650),))
# Folder -> name in the archive of all four, and number of images.
BENCHMARKS = {"Set5": ("Set5", 5), "Set14": ("Set14", 14), "BSD100": ("B100", 100), "Urban100": ("Urban100", 100)}
BENCHMARK = Archive(
    f"{EDSR}/benchmark.tar",
    tuple(
        (f"{folder}/{ours}", f"{name}/{theirs}", images)
        for folder, (name, images) in BENCHMARKS.items()
        for ours, theirs in (("HR", "HR"), ("LRx4", "LR_bicubic/X4"))
    ),
)
DIV2K_LICENSE = "for academic research only; the photos belong to their owners"
FLICKR2K_LICENSE = "no license is stated; photos of Flickr that belong to their owners, used for research"
NO_LICENSE = "no license is stated; used for research, and not to be passed on"

SETS = {
    "div2k": DataSet("DIV2K/train", 800, SIZE_2K, (DIV2K_TRAIN, *DIV2K_VALID), DIV2K_LICENSE),
    "div2k-valid": DataSet("DIV2K/valid", 100, SIZE_2K, DIV2K_VALID, DIV2K_LICENSE),
    "flickr2k": DataSet("Flickr2K", 2650, SIZE_2K, (FLICKR2K,), FLICKR2K_LICENSE),
} | {
    folder.lower(): DataSet(folder, images, (321, 481), (BENCHMARK,), NO_LICENSE)
    for folder, (_, images) in BENCHMARKS.items()
}


def is_named(name: str | Path) -> bool:
    """Return whether a dataset has this name, ignoring case."""
    return str(name).lower() in SETS


def data_set(name: str | Path) -> DataSet:
    """Return the dataset with this name, ignoring case."""
    if not is_named(name):
        raise SrlabError(f"'{name}' is not a known dataset. Use one of {', '.join(SETS)}.")
    return SETS[str(name).lower()]


def folder_of(name: str | Path) -> Path:
    """Return the folder of a dataset to train, validate or evaluate on, whether or not it exists."""
    return data_home() / data_set(name).folder
