"""Score a folder of SR files against a folder of HR files."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from srlab.data.datasets import find_images, image_files
from srlab.data.images import mod_crop, read_image
from srlab.errors import SrlabError
from srlab.evaluation.metrics import PAPER, Protocol
from srlab.evaluation.scoring import measures, score_pair
from srlab.paths import expand_user

# The end of a name that marks an HR file: img_001_SRF_4_HR, baby_GT.
_MARK = re.compile(r"[_-](?:HR|GT)$", re.IGNORECASE)


def pair_names(sr: Sequence[str], hr: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Pair names of SR files with names of HR files, both without extension.

    An SR file belongs to the longest HR name that its own name starts with, if the next character is not a letter or
    digit, or is an ``x`` before a digit: ``baby_x4_SRGAN`` and ``babyx4`` belong to ``baby``, ``baby2`` does not. A
    mark at the end of an HR name (``_HR``, ``-GT``) is ignored: ``baby_SRGAN`` belongs to ``baby_HR``.

    Return HR name -> SR name, in the order of `hr`, and a message for each name without a partner.
    """
    # Normalize accents before comparing: macOS decomposes them in file names.
    starts = {name: unicodedata.normalize("NFC", _MARK.sub("", name)) for name in hr}
    claims: dict[str, list[str]] = {name: [] for name in hr}
    alone = []
    for name in sr:
        composed = unicodedata.normalize("NFC", name)
        owners = [owner for owner in hr if re.match(rf"{re.escape(starts[owner])}(x\d|[\W_]|$)", composed)]
        if owners:
            claims[max(owners, key=lambda owner: len(starts[owner]))].append(name)
        else:
            alone.append(f"{name} (its name does not start with that of an HR image)")
    for owner, names in claims.items():
        if len(names) > 1:
            alone.append(f"{', '.join(names)} (more than one for {owner})")
        elif not names:
            alone.append(f"{owner} (an HR image without a partner)")
    return {owner: names[0] for owner, names in claims.items() if len(names) == 1}, alone


def evaluate_folders(
    sr: str | Path,
    hr: str | Path,
    scale: int = 4,
    protocol: Protocol = PAPER,
    metrics: Sequence[str] = ("psnr", "ssim"),
    weights: str | Path = "auto",
) -> tuple[pd.DataFrame, list[str]]:
    """Score a folder of SR files against the folder of HR files; `pair_names` pairs them.

    An HR image of another size is first cropped at the bottom and right to a multiple of the scale. A gray HR file
    makes the pair gray, see `srlab.evaluation.scoring.score_pair`. `srlab.evaluate` explains the other parameters.

    Return a table with one row per pair (``image``, ``file``, then the metrics), and a note for each file without a
    partner and each pair that cannot be scored.
    """
    chosen = measures(metrics, protocol, scale, weights)
    files, originals = image_files(expand_user(sr)), find_images(expand_user(hr))[0]
    pairs, alone = pair_names(list(files), list(originals))
    if not pairs:
        raise SrlabError(
            f"No image in {sr} matches one in {hr} by name (such as {next(iter(files))} and "
            f"{next(iter(originals))}). Rename the SR files so that they start with the names of the HR files."
        )
    rows, notes = [], [f"not paired: {line}" for line in alone]
    for name, sr_name in pairs.items():
        file = files[sr_name]
        try:
            result, original = (read_image(path, keep_gray=True)[None] for path in (file, originals[name]))
            if original.shape[-2:] != result.shape[-2:]:
                original = mod_crop(original, scale)
            if original.shape[-2:] != result.shape[-2:]:
                sizes = [f"{image.shape[-1]}x{image.shape[-2]}" for image in (result, original)]
                raise SrlabError(f"It has {sizes[0]} pixels, but its HR image {sizes[1]} (a multiple of {scale}).")
            pair = [image.expand(-1, 3, -1, -1) for image in (result, original)]
            scores = score_pair(*pair, original.shape[1] == 1, chosen, protocol)
            rows.append({"image": name, "file": file.name} | scores)
        except SrlabError as error:
            notes.append(f"not scored: {file.name}: {error}")
    if not rows:
        raise SrlabError(notes[-1])
    return pd.DataFrame(rows, columns=["image", "file", *chosen]), notes
