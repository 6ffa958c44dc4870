"""Folders of SR and HR files: which belongs to which, and what the pairs score."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet, folder, image_files
from srlab.data.images import mod_crop, read_image
from srlab.evaluation.metrics import PAPER, Protocol
from srlab.evaluation.scoring import measure, measures

# What says of an HR file that it is one, at the end of its name: img_001_SRF_4_HR, baby_GT, babyHR.
_MARK = re.compile(r"(?:[_-](?:HR|GT|hr|gt)|(?<=[a-z0-9])HR)$")


def pair_names(found: Sequence[str], wanted: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Pair names (without extension) of files with those of the HR images they belong to.

    The same name comes first. Else it is the longest HR name that the other begins with, when what follows is no
    letter or digit, or is ``x`` and a digit: ``baby_x4_SRGAN`` and ``babyx4`` belong to ``baby``, ``baby2`` does not.
    Where all HR names end in the same mark (``_HR``, ``-HR``, ``HR``, ``_GT``), they are also tried without it:
    ``baby_SRGAN`` belongs to ``baby_HR``, unless ``baby_HR_SRGAN`` is there.

    Parameters
    ----------
    found
        Names of the SR (or LR) files.
    wanted
        Names of the HR files.

    Returns
    -------
    tuple
        HR name -> its file, in the order of `wanted`; and a line for each name that stays alone, which says why.
    """
    claims: dict[str, list[str]] = {}
    loose: dict[str, list[str]] = {}  # claims by a name without its mark
    starts = _without_mark(wanted)
    alone = []
    for name in found:
        owners = [hr for hr in wanted if _continues(name, hr)]
        lesser = [] if owners else [hr for hr in wanted if hr in starts and _continues(name, starts[hr])]
        if owners or lesser:
            (claims if owners else loose).setdefault(max(owners or lesser, key=len), []).append(name)
        else:
            alone.append(f"{name} (no HR image has the beginning of its name)")
    pairs = {}
    for hr in wanted:
        names, others = claims.get(hr, []), loose.get(hr, [])
        if not names:
            names, others = others, []
        best = next((name for name in (hr, starts.get(hr)) if name in names), names[0] if len(names) == 1 else None)
        if best is not None:
            pairs[hr] = best
            alone += [f"{name} ({hr} has {best} already)" for name in [*names, *others] if name != best]
        elif names:
            alone.append(f"{', '.join([*names, *others])} (more than one for {hr})")
        else:
            alone.append(f"{hr} (an HR image without a partner)")
    return pairs, alone


def _without_mark(names: Sequence[str]) -> dict[str, str]:
    """Name -> the name without its mark; nothing unless all names have the same one, and a name besides."""
    marks = {found[0] if (found := _MARK.search(name)) else "" for name in names}
    mark = marks.pop() if len(marks) == 1 else ""
    return {name: name.removesuffix(mark) for name in names} if mark and mark not in names else {}


def _continues(name: str, start: str) -> bool:
    """Whether a name is the other one, or that one with something behind it that is not part of a word."""
    rest = name[len(start) :]
    return name.startswith(start) and (not rest[:1].isalnum() or re.match(r"x\d", rest) is not None)


def pair_files(found: Path, hr: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Pair the image files of two folders: HR name -> (file, HR file), and a line for each file left alone.

    Raises
    ------
    SrlabError
        A folder is missing or empty, or nothing pairs.
    """
    files, originals = image_files(found), image_files(hr)
    pairs, alone = pair_names(list(files), list(originals))
    if not pairs:
        raise SrlabError(
            f"No image in {found} has the name of one in {hr} (such as {next(iter(files))} and "
            f"{next(iter(originals))}); rename the files so that they begin alike."
        )
    return {name: (files[mine], originals[name]) for name, mine in pairs.items()}, alone


def score_folders(
    sr: str | Path,
    hr: str | Path,
    scale: int = 4,
    protocol: Protocol = PAPER,
    metrics: Sequence[str] = ("psnr", "ssim"),
    weights: str | Path = "auto",
) -> tuple[pd.DataFrame, list[str]]:
    """Score a folder of SR files, made by anybody, against the folder of HR files.

    An HR image that is a little larger than its SR is cut at the bottom and right to a multiple of the scale. The HR
    file decides what grey means under a Y protocol: against a grey HR the grey values are scored (of a colour SR:
    its full-range luma, which is what `srlab.score` does with the output of a network), and a grey SR against a
    colour HR becomes RGB first.

    Parameters
    ----------
    sr, hr
        Folders; files are paired by name, see `pair_names`.
    scale
        HR pixels per LR pixel.
    protocol, metrics, weights
        As for `srlab.score`.

    Returns
    -------
    tuple
        The table (one row per pair: ``image``, ``file``, then the metrics), and a note for each file that was
        not paired or where one of a pair is grey and the other is not.

    Raises
    ------
    SrlabError
        Nothing pairs, a file is damaged, or SR has another size than HR; the message names the file.
    """
    chosen = measures(metrics, protocol, weights)
    pairs, alone = pair_files(Path(sr), Path(hr))
    notes = [f"not paired: {line}" for line in alone]
    rows = []
    for name, (sr_file, hr_file) in pairs.items():
        mine, original = (read_image(file, keep_grey=True)[None] for file in (sr_file, hr_file))
        original = _fit(mine, original, scale, sr_file)
        grey = original.shape[1] == 1
        if grey != (mine.shape[1] == 1):
            how = "their grey values are scored" if grey and protocol.color == "y" else "both are scored as colour"
            notes.append(f"{sr_file.name} is {'colour' if grey else 'grey'} and its HR is not: {how}")
        mine, original = (image.expand(-1, 3, -1, -1) for image in (mine, original))
        try:
            rows.append({"image": name, "file": sr_file.name} | measure(mine, original, grey, chosen, protocol))
        except SrlabError as error:
            raise SrlabError(f"{sr_file}: {error}") from error
    return pd.DataFrame(rows, columns=["image", "file", *chosen]), notes


def _fit(sr: torch.Tensor, hr: torch.Tensor, scale: int, file: Path) -> torch.Tensor:
    if hr.shape[-2:] != sr.shape[-2:] and min(hr.shape[-2:]) >= scale:
        hr = mod_crop(hr, scale)
    if hr.shape[-2:] != sr.shape[-2:]:
        sizes = [f"{image.shape[-1]}x{image.shape[-2]}" for image in (sr, hr)]
        raise SrlabError(f"{file} has {sizes[0]} pixels but its HR image {sizes[1]} (cut to a multiple of {scale}).")
    return hr


def image_set(hr: str | Path, lr: str | Path | None = None, scale: int = 4) -> tuple[ImageSet, list[str]]:
    """A folder of HR files as a set, with the LR files of another folder where there is one.

    Parameters
    ----------
    hr, lr
        Folders; files are paired by name, see `pair_names`. HR images without LR are left out.
    scale
        HR pixels per LR pixel.

    Returns
    -------
    tuple
        The set, and a note for each file that was not paired.

    Raises
    ------
    SrlabError
        Nothing pairs, a file is damaged, or the size of an LR image does not fit; the message names it.
    """
    images = folder(hr)
    if lr is None:
        return images, []
    pairs, alone = pair_files(Path(lr), Path(hr))
    small = folder(lr)
    images = images.subset(*pairs)
    images.lr = [small.hr[small.names.index(file.stem)] for file, _ in pairs.values()]
    for name, high, low in zip(images.names, images.hr, images.lr, strict=True):
        if [side // scale for side in high.shape[1:]] != list(low.shape[1:]):
            raise SrlabError(
                f"The LR image {pairs[name][0]} is {low.shape[2]}x{low.shape[1]}, which is not 1/{scale} of its HR "
                f"image ({high.shape[2]}x{high.shape[1]})."
            )
    return images, [f"not paired: {line}" for line in alone]
