"""Score a folder of SR files against a folder of HR files."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from srlab.data.datasets import find_images, image_files
from srlab.data.images import EXTENSIONS, Lost, mod_crop, print_lost, read_pixels, to_float
from srlab.errors import SrlabError
from srlab.evaluation.catalog import Weights
from srlab.evaluation.metrics import PAPER, Protocol
from srlab.evaluation.scoring import measures, score_pair
from srlab.paths import expand_user


def pair_names(sr: Collection[str], hr: Collection[str], suffix: str = "") -> tuple[dict[str, str], list[str]]:
    """Pair names of SR files, which end in `suffix`, with names of HR files, both without extension.

    Return HR name -> SR name, in the order of `hr`, and a message for each name without a partner.
    """
    pairs = {name: name + suffix for name in hr if name + suffix in sr}
    taken = {*pairs.values()}
    alone = [f"{name} (an SR file without an HR image)" for name in sr if name not in taken]
    alone += [f"{name} (an HR image without an SR file {name}{suffix})" for name in hr if name not in pairs]
    return pairs, alone


def evaluate_folders(
    sr: str | Path,
    hr: str | Path,
    scale: int = 4,
    protocol: Protocol = PAPER,
    metrics: Sequence[str] = ("psnr", "ssim"),
    weights: Weights = "auto",
    suffix: str = "",
) -> tuple[pd.DataFrame, list[str]]:
    """Score a folder of SR files against the folder of HR files.

    An SR file has the name of its HR image, with `suffix` at the end, as ``baby_x4.webp`` and ``baby.png``. An HR image
    of another size is first cropped at the bottom and right to a multiple of the scale. A gray HR file makes the
    pair gray, see `srlab.evaluation.scoring.score_pair`. `srlab.evaluate` explains the other parameters.

    Return a table with one row per pair (``image``, ``file``, then the metrics), and a note for each file without a
    partner and each pair that cannot be scored.
    """
    chosen = measures(metrics, protocol, scale, weights)
    files, _ = image_files(expand_user(sr))
    originals, _ = find_images(expand_user(hr), scale)
    if not files:
        raise SrlabError(f"No images found in {sr}. Their names must end in {', '.join(EXTENSIONS)}.")
    pairs, alone = pair_names(files, originals, suffix)
    if not pairs:
        raise SrlabError(
            f"No image in {sr} has a name from {hr}: {next(iter(files))} is not {next(iter(originals))}{suffix}. "
            "If the names of all SR files have an additional ending, pass it, such as --suffix _x4."
        )
    lost: Lost = {}
    rows, notes = [], [f"not paired: {line}" for line in alone]
    for name, sr_name in pairs.items():
        file = files[sr_name]
        try:
            both = [to_float(read_pixels(path, lost)) for path in (file, originals[name])]
            result, original = (pixels.permute(2, 0, 1)[None] for pixels in both)
            if original.shape[-2:] != result.shape[-2:]:
                original = mod_crop(original, scale)
            if original.shape[-2:] != result.shape[-2:]:
                sizes = [f"{image.shape[-1]}x{image.shape[-2]}" for image in (result, original)]
                raise SrlabError(f"It has {sizes[0]} pixels, but its HR image {sizes[1]} (a multiple of {scale}).")
            sr_image, hr_image = (image.expand(-1, 3, -1, -1) for image in (result, original))
            scores = score_pair(sr_image, hr_image, original.shape[1] == 1, chosen, protocol)
            rows.append({"image": name, "file": file.name} | scores)
        except SrlabError as error:
            notes.append(f"not scored: {file.name}: {error}")
    print_lost(lost)
    if not rows:
        raise SrlabError(notes[-1])
    return pd.DataFrame(rows, columns=["image", "file", *chosen]), notes
