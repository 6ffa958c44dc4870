"""The data sets of the papers: where they are, what is in them, and how they come to lie where the labs read them.

On the disk a set is ``<data home>/<folder>``, with ``HR/`` and ``LRx4/`` as `srlab.image_set` reads them;
DIV2K has ``train/`` and ``valid/`` in between. Nothing here needs torch.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from srlab.base.errors import SrlabError


@dataclass(frozen=True)
class File:
    """A file to download; size (bytes) and SHA-256 are None where nobody has stated them."""

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Part:
    """Images of one archive that become one folder.

    Attributes
    ----------
    folder
        Below the data home.
    file
        The archive.
    members
        Regular expression for the end of a member's path; its group is the name that the image gets. The folders
        before it do not matter, as they differ between the archives that are about.
    images
        How many there are.
    on_request
        Not needed for the labs, which make LR images themselves.
    """

    folder: str
    file: File
    members: str
    images: int
    on_request: bool = False

    def place(self, member: str) -> str | None:
        """The file name in the folder for a member of the archive, or None if it is not of this part."""
        found = re.fullmatch(rf"(?:.*/)?{self.members}\.png", member)
        return f"{found[1]}.png" if found else None


@dataclass(frozen=True)
class DataSet:
    """A set with its parts, and what has to be said when it is used."""

    title: str
    folder: str  # to train or validate on, below the data home
    parts: tuple[Part, ...]
    licence: str
    citation: str
    trains: bool = False  # a set to train on, not to measure with


ETHZ = "https://data.vision.ee.ethz.ch/cvl/DIV2K/"
EDSR = "https://cv.snu.ac.kr/research/EDSR/"


def _div2k(name: str, size: int, sha256: str) -> File:
    return File(name, (ETHZ + name,), size, sha256)


def _benchmark(title: str, images: int, citation: str, name: str) -> DataSet:
    """A set of ``benchmark.tar``, in which it is called `name`."""
    parts = (
        Part(f"{title}/HR", BENCHMARK, rf"{name}/HR/([^/.][^/]*)", images),
        Part(f"{title}/LRx4", BENCHMARK, rf"{name}/LR_bicubic/X4/([^/.][^/]*)x4", images),
    )
    return DataSet(title, title, parts, "no licence is stated; in use for research, and not to be passed on", citation)


TRAIN_HR = _div2k("DIV2K_train_HR.zip", 3530603713, "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335")
VALID_HR = _div2k("DIV2K_valid_HR.zip", 448993893, "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc")
TRAIN_LR = _div2k(
    "DIV2K_train_LR_bicubic_X4.zip", 246914039, "f006b837f4eb52b82909aa01478e6d6d199eefce932179491d0c9dbb706dde3a"
)
VALID_LR = _div2k(
    "DIV2K_valid_LR_bicubic_X4.zip", 31505881, "a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553"
)
FLICKR2K = File("Flickr2K.tar", (f"{EDSR}Flickr2K.tar",))
BENCHMARK = File("benchmark.tar", (f"{EDSR}benchmark.tar",))

DIV2K_VALID = (
    Part("DIV2K/valid/HR", VALID_HR, r"DIV2K_valid_HR/(\d{4})", 100),
    Part("DIV2K/valid/LRx4", VALID_LR, r"DIV2K_valid_LR_bicubic/X4/(\d{4})x4", 100),
)
DIV2K_SAID = (
    "for academic research only; the photos belong to their owners",
    "Agustsson and Timofte, NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study, "
    "CVPR Workshops 2017",
)

SETS = {
    "div2k": DataSet(
        "DIV2K",
        "DIV2K/train",
        (
            Part("DIV2K/train/HR", TRAIN_HR, r"DIV2K_train_HR/(\d{4})", 800),
            *DIV2K_VALID,
            Part("DIV2K/train/LRx4", TRAIN_LR, r"DIV2K_train_LR_bicubic/X4/(\d{4})x4", 800, on_request=True),
        ),
        *DIV2K_SAID,
        trains=True,
    ),
    "div2k-valid": DataSet("DIV2K, validation", "DIV2K/valid", DIV2K_VALID, *DIV2K_SAID),
    "flickr2k": DataSet(
        "Flickr2K",
        "Flickr2K",
        (
            Part("Flickr2K/HR", FLICKR2K, r"Flickr2K_HR/(\d{6})", 2650),
            Part("Flickr2K/LRx4", FLICKR2K, r"Flickr2K_LR_bicubic/X4/(\d{6})x4", 2650, on_request=True),
        ),
        "no licence is stated; photos of Flickr that belong to their owners, in use for research",
        "Timofte et al., NTIRE 2017 Challenge on Single Image Super-Resolution: Methods and Results; Lim et al., "
        "Enhanced Deep Residual Networks for Single Image Super-Resolution (EDSR); both CVPR Workshops 2017",
        trains=True,
    ),
    "set5": _benchmark(
        "Set5",
        5,
        "Bevilacqua et al., Low-Complexity Single-Image Super-Resolution Based on Nonnegative Neighbor Embedding, "
        "BMVC 2012",
        "Set5",
    ),
    "set14": _benchmark(
        "Set14",
        14,
        "Zeyde, Elad and Protter, On Single Image Scale-Up Using Sparse-Representations, Curves and Surfaces 2010",
        "Set14",
    ),
    "bsd100": _benchmark(
        "BSD100",
        100,
        "Martin et al., A Database of Human Segmented Natural Images and Its Application to Evaluating Segmentation "
        "Algorithms and Measuring Ecological Statistics, ICCV 2001 (the 100 test images)",
        "B100",
    ),
    "urban100": _benchmark(
        "Urban100",
        100,
        "Huang, Singh and Ahuja, Single Image Super-Resolution from Transformed Self-Exemplars, CVPR 2015",
        "Urban100",
    ),
}


def is_named(name: str | Path) -> bool:
    """Whether this is the name of a set, in capitals or not."""
    return str(name).lower() in SETS


def data_set(name: str) -> DataSet:
    """The set of that name, in capitals or not.

    Raises
    ------
    SrlabError
        There is none.
    """
    if not is_named(name):
        raise SrlabError(f"There is no data set '{name}' to download; choose among {', '.join(SETS)}.")
    return SETS[name.lower()]


def folder_of(name: str, home: Path | None = None) -> Path:
    """Folder to train, validate or measure on, whether it is there or not.

    Parameters
    ----------
    name
        Of a set.
    home
        Instead of `data_home`.

    Raises
    ------
    SrlabError
        There is no set of that name.
    """
    return (home or data_home()) / data_set(name).folder
