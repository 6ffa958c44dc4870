"""Folders of SR and HR files: which belongs to which, and what the pairs score."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from srlab.base.errors import SrlabError
from srlab.data.datasets import image_files
from srlab.data.images import mod_crop, read_image
from srlab.evaluation.metrics import PAPER, Protocol
from srlab.evaluation.scoring import measures, score_pair

# What says of an HR file that it is one, at the end of its name: img_001_SRF_4_HR, baby_GT.
_MARK = re.compile(r"[_-](?:HR|GT)$", re.IGNORECASE)


def pair_names(found: Sequence[str], wanted: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Pair names (without extension) of files with those of the HR images they belong to.

    A file belongs to the longest HR name that its own begins with, when what follows is no letter or digit, or is
    ``x`` and a digit: ``baby_x4_SRGAN`` and ``babyx4`` belong to ``baby``, ``baby2`` does not. A mark at the end of an
    HR name (``_HR``, ``-GT``) does not count: ``baby_SRGAN`` belongs to ``baby_HR``.

    Parameters
    ----------
    found
        Names of the SR files.
    wanted
        Names of the HR files.

    Returns
    -------
    tuple
        HR name -> its file, in the order of `wanted`; and a line for each name that stays alone, which says why.
    """
    starts = {hr: _MARK.sub("", hr) for hr in wanted}
    claims: dict[str, list[str]] = {hr: [] for hr in wanted}
    pairs, alone = {}, []
    for name in found:
        # What follows is no part of a word.
        owners = [hr for hr in wanted if re.match(rf"{re.escape(starts[hr])}(x\d|[\W_]|$)", name)]
        if owners:
            claims[max(owners, key=lambda hr: len(starts[hr]))].append(name)
        else:
            alone.append(f"{name} (no HR image has the beginning of its name)")
    for hr, names in claims.items():
        if len(names) == 1:
            pairs[hr] = names[0]
        elif names:
            alone.append(f"{', '.join(names)} (more than one for {hr})")
        else:
            alone.append(f"{hr} (an HR image without a partner)")
    return pairs, alone


def evaluate_folders(
    sr: str | Path,
    hr: str | Path,
    scale: int = 4,
    protocol: Protocol = PAPER,
    metrics: Sequence[str] = ("psnr", "ssim"),
    weights: str | Path = "auto",
) -> tuple[pd.DataFrame, list[str]]:
    """Score a folder of SR files, made by anybody, against the folder of HR files.

    An HR image that is a little larger than its SR is cut at the bottom and right to a multiple of the scale. The HR
    file decides what grey means under a Y protocol: against a grey HR the paper's scores grey values (of a colour SR:
    its full-range luma, which is what `srlab.evaluate` does with the output of a network), and a grey SR against a
    colour HR becomes RGB first.

    Parameters
    ----------
    sr, hr
        Folders; files are paired by name, see `pair_names`.
    scale
        HR pixels per LR pixel.
    protocol, metrics, weights
        As for `srlab.evaluate`.

    Returns
    -------
    tuple
        The table (one row per pair: ``image``, ``file``, then the metrics), and a note for each file that was not
        paired.

    Raises
    ------
    SrlabError
        Nothing pairs, a folder or file is missing or damaged, or SR has another size than HR; the message says which.
    """
    chosen = measures(metrics, protocol, scale, weights)
    files, originals = image_files(Path(sr)), image_files(Path(hr))
    pairs, alone = pair_names(list(files), list(originals))
    if not pairs:
        raise SrlabError(
            f"No image in {sr} has the name of one in {hr} (such as {next(iter(files))} and "
            f"{next(iter(originals))}); rename the files so that they begin alike."
        )
    rows = []
    for name, mine in pairs.items():
        sr_file = files[mine]
        result, original = (read_image(file, keep_grey=True)[None] for file in (sr_file, originals[name]))
        try:
            cut = original if original.shape[-2:] == result.shape[-2:] else mod_crop(original, scale)
            if cut.shape[-2:] != result.shape[-2:]:
                sizes = [f"{image.shape[-1]}x{image.shape[-2]}" for image in (result, cut)]
                raise SrlabError(
                    f"It has {sizes[0]} pixels but its HR image {sizes[1]} (cut to a multiple of {scale})."
                )
            pair = (image.expand(-1, 3, -1, -1) for image in (result, cut))
            scores = score_pair(*pair, cut.shape[1] == 1, chosen, protocol)
        except SrlabError as error:
            raise SrlabError(f"{sr_file}: {error}") from error
        rows.append({"image": name, "file": sr_file.name} | scores)
    return pd.DataFrame(rows, columns=["image", "file", *chosen]), [f"not paired: {line}" for line in alone]
