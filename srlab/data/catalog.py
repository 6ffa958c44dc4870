"""The data sets of the papers: where they are, what is in them, and how they come to lie where the labs read them.

On the disk a set is a folder of the data home, with ``HR/`` and ``LRx4/`` as `srlab.image_set` reads them;
DIV2K has ``train/`` and ``valid/`` in between. Nothing here needs torch.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.base.places import data_home
from srlab.data.images import EXTENSIONS


@dataclass(frozen=True)
class Folder:
    """Images of one archive that become one folder.

    Attributes
    ----------
    path
        Below the data home.
    members
        Regular expression for the end of a member's path without suffix; its group is the name that the image gets.
        The folders before it do not matter, as they differ between the archives that are about.
    images
        How many there are.
    """

    path: str
    members: str
    images: int

    def place(self, member: str) -> str | None:
        """The file name in the folder for a member of the archive, or None if it is not of this folder."""
        suffix = Path(member).suffix
        found = suffix.lower() in EXTENSIONS and re.fullmatch(rf"(?:.*/)?{self.members}", member.removesuffix(suffix))
        return f"{found[1]}{suffix}" if found else None


@dataclass(frozen=True)
class Archive:
    """A file to download; size (bytes) and SHA-256 are None where nobody has stated them."""

    name: str
    server: str  # the address begins with it and ends with the name
    folders: tuple[Folder, ...]
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A set with its archives, and what has to be said when it is used."""

    title: str  # its name in `SETS` as the paper spells it; a comma and more may follow
    folder: str  # to train, validate or measure on, below the data home
    archives: tuple[Archive, ...]
    licence: str
    citation: str
    trains: bool = False  # a set to train on, not to measure with
    usual: tuple[int, int] = (321, 481)  # height and width of an image, about

    def own(self, folder: Folder) -> bool:
        """Whether a folder belongs to this set: others may come in the same archive."""
        return Path(folder.path).parts[0] == Path(self.folder).parts[0]


ETHZ = "https://data.vision.ee.ethz.ch/cvl/DIV2K"
EDSR = "https://cv.snu.ac.kr/research/EDSR"


def _pair(title: str, name: str, images: int) -> tuple[Folder, Folder]:
    """A benchmark set, which its archive calls `name`."""
    return (
        Folder(f"{title}/HR", rf"{name}/HR/([\w-]+)", images),
        Folder(f"{title}/LRx4", rf"{name}/LR_bicubic/X4/([\w-]+)x4", images),
    )


DIV2K_VALID = (
    Archive(
        "DIV2K_valid_HR.zip",
        ETHZ,
        (Folder("DIV2K/valid/HR", r"DIV2K_valid_HR/(\d{4})", 100),),
        448993893,
        "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
    ),
    Archive(
        "DIV2K_valid_LR_bicubic_X4.zip",
        ETHZ,
        (Folder("DIV2K/valid/LRx4", r"DIV2K_valid_LR_bicubic/X4/(\d{4})x4", 100),),
        31505881,
        "a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553",
    ),
)
DIV2K = (
    Archive(
        "DIV2K_train_HR.zip",
        ETHZ,
        (Folder("DIV2K/train/HR", r"DIV2K_train_HR/(\d{4})", 800),),
        3530603713,
        "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
    ),
    *DIV2K_VALID,
)
DIV2K_SAID = (
    "for academic research only; the photos belong to their owners",
    "Agustsson and Timofte, NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study, "
    "CVPR Workshops 2017",
)
FLICKR2K = Archive(
    "Flickr2K.tar",
    EDSR,
    (Folder("Flickr2K/HR", r"Flickr2K_HR/(\d{6})", 2650),),
)
BENCHMARK = Archive(
    "benchmark.tar",
    EDSR,
    (
        *_pair("Set5", "Set5", 5),
        *_pair("Set14", "Set14", 14),
        *_pair("BSD100", "B100", 100),
        *_pair("Urban100", "Urban100", 100),
    ),
)


def _benchmark(title: str, citation: str) -> DataSet:
    licence = "no licence is stated; in use for research, and not to be passed on"
    return DataSet(title, title, (BENCHMARK,), licence, citation)


SIZE_2K = (1400, 2000)

SETS = {
    "div2k": DataSet("DIV2K", "DIV2K/train", DIV2K, *DIV2K_SAID, trains=True, usual=SIZE_2K),
    "div2k-valid": DataSet("DIV2K, validation", "DIV2K/valid", DIV2K_VALID, *DIV2K_SAID, usual=SIZE_2K),
    "flickr2k": DataSet(
        "Flickr2K",
        "Flickr2K",
        (FLICKR2K,),
        "no licence is stated; photos of Flickr that belong to their owners, in use for research",
        "Timofte et al., NTIRE 2017 Challenge on Single Image Super-Resolution: Methods and Results; Lim et al., "
        "Enhanced Deep Residual Networks for Single Image Super-Resolution (EDSR); both CVPR Workshops 2017",
        trains=True,
        usual=SIZE_2K,
    ),
    "set5": _benchmark(
        "Set5",
        "Bevilacqua et al., Low-Complexity Single-Image Super-Resolution Based on Nonnegative Neighbor Embedding, "
        "BMVC 2012",
    ),
    "set14": _benchmark(
        "Set14",
        "Zeyde, Elad and Protter, On Single Image Scale-Up Using Sparse-Representations, Curves and Surfaces 2010",
    ),
    "bsd100": _benchmark(
        "BSD100",
        "Martin et al., A Database of Human Segmented Natural Images and Its Application to Evaluating Segmentation "
        "Algorithms and Measuring Ecological Statistics, ICCV 2001 (the 100 test images)",
    ),
    "urban100": _benchmark(
        "Urban100",
        "Huang, Singh and Ahuja, Single Image Super-Resolution from Transformed Self-Exemplars, CVPR 2015",
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
