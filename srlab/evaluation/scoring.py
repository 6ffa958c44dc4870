"""Upscalers over image sets, scored into tables."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from srlab.base.devices import pick_device
from srlab.base.errors import SrlabError
from srlab.base.files import refuse_existing, write_atomic
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.images import full_range, luma, mod_crop
from srlab.data.resampling import downsample
from srlab.evaluation import metrics as fidelity
from srlab.evaluation import perception
from srlab.evaluation.metrics import PAPER, Protocol, TooSmall
from srlab.evaluation.populations import patch_distance, patch_features
from srlab.inference.tiling import Upscaler, upscale

FIDELITY = {"psnr": fidelity.psnr, "ssim": fidelity.ssim, "ms_ssim": fidelity.ms_ssim}  # under a protocol
PERCEPTION = {
    "gradient_ratio": perception.gradient_ratio,
    "energy_error": perception.energy_error,
    "colour_shift": perception.colour_shift,
    "saturation_ratio": perception.saturation_ratio,
}
METRICS = (*FIDELITY, *PERCEPTION, "patch_distance", "lr_consistency", "checkerboard", "lpips")
Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (sr, hr) -> (N,)


def evaluate(
    model: Upscaler,
    images: ImageSet,
    scale: int = 4,
    degradation: Degradation | None = None,
    protocol: Protocol = PAPER,
    metrics: Sequence[str] = ("psnr", "ssim"),
    weights: str | Path = "auto",
) -> pd.DataFrame:
    """Score a network, or any function from LR to SR, on every image of a set.

    Parameters
    ----------
    model
        A network or a function from LR to SR.
    images
        HR images; LR images that came with the set are used unless a degradation is given.
    scale
        HR pixels per LR pixel.
    degradation
        How LR is made (default: the resampler of the protocol alone). A random one draws the same in each call; for
        other draws, use `images.with_lr` with another seed.
    protocol
        What is measured on. The measures of `srlab.evaluation.perception` always look at the whole image in colour.
    metrics
        Names in `METRICS`: the columns.
    weights
        Of LPIPS, see `srlab.evaluation.perception.load_lpips`. Where there are none, the column ``lpips`` is left out.

    Returns
    -------
    pandas.DataFrame
        One row per image: ``image``, then the metrics (``psnr`` in dB). NaN stands where an image is too small for
        the window of a metric (11 pixels for SSIM, 161 for MS-SSIM, 176 for the patch distance), and for the
        saturation of a grey image.

    Raises
    ------
    SrlabError
        Unknown metric, or an image cannot be scored (the crop leaves nothing of it, say); the message names it.
    """
    table = evaluate_all({"": model}, images, scale, degradation, protocol, metrics, weights)
    return table.drop(columns=["set", "method"])


def evaluate_all(
    models: Mapping[str, Upscaler],
    sets: Iterable[ImageSet] | ImageSet,
    scale: int = 4,
    degradation: Degradation | None = None,
    protocol: Protocol = PAPER,
    metrics: Sequence[str] = ("psnr", "ssim"),
    weights: str | Path = "auto",
) -> pd.DataFrame:
    """Score several methods on several image sets; every method gets the same LR images.

    Parameters
    ----------
    models
        Method -> network or function from LR to SR; see `course.load_upscalers` for those of the runs.
    sets
        Image sets with different names, or a single one.
    scale, degradation, protocol, metrics, weights
        As for `evaluate`.

    Returns
    -------
    pandas.DataFrame
        Tidy: one row per image and method, with the columns ``set``, ``image``, ``method`` and the metrics.

    Raises
    ------
    SrlabError
        Nothing to score, two sets of the same name, or as for `evaluate`.
    """
    sets = [sets] if isinstance(sets, ImageSet) else list(sets)
    names = [images.name for images in sets]
    if not models or not sets:
        raise SrlabError("An evaluation needs at least one method and one image set.")
    if len(set(names)) < len(names):
        raise SrlabError(f"Two of the image sets {', '.join(names)} have the same name; rename one (ImageSet.name).")
    chosen = measures(metrics, protocol, scale, weights)
    degrade = degradation or Degradation(protocol.resampler)
    rows = []
    for images in sets:
        for method, model in models.items():
            random = torch.Generator().manual_seed(0)
            for name, image in images:
                try:
                    hr = mod_crop(image, scale)
                    given = images.lr_of(name) if degradation is None else None
                    sr = upscale(model, degrade(hr, scale, random) if given is None else given)
                    scores = score_pair(sr, hr, name in images.grey, chosen, protocol)
                except SrlabError as error:
                    raise SrlabError(f"Image '{name}' of {images.name}: {error}") from error
                rows.append({"set": images.name, "image": name, "method": method} | scores)
    return pd.DataFrame(rows, columns=["set", "image", "method", *chosen])


def measures(
    metrics: Sequence[str], protocol: Protocol, scale: int, weights: str | Path = "auto"
) -> dict[str, Measure]:
    """Name -> function of (SR, HR) for the metrics asked for; LPIPS only where its weights are.

    Parameters
    ----------
    metrics, protocol, scale, weights
        As for `evaluate`.

    Raises
    ------
    SrlabError
        No metric (left), or an unknown one, or `srlab.evaluation.perception.load_lpips` refuses the weights.
    """
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise SrlabError(f"There is no metric '{', '.join(unknown)}'; choose from {', '.join(METRICS)}.")
    known = {name: partial(metric, protocol=protocol) for name, metric in FIDELITY.items()} | PERCEPTION
    # The LR of the resampler, whatever else a degradation does to it.
    known["lr_consistency"] = lambda sr, hr: fidelity.lr_consistency(
        sr, downsample(hr, scale, protocol.resampler), protocol.resampler
    )
    known["checkerboard"] = lambda sr, _: perception.checkerboard(sr, scale)  # it needs no HR
    if "patch_distance" in names:  # one network for the whole table
        known["patch_distance"] = partial(patch_distance, features=patch_features(pick_device()))
    network = perception.load_lpips(weights) if "lpips" in names else None
    if network is not None:
        known["lpips"] = partial(perception.lpips, network=network)
    found = {name: known[name] for name in names if name in known}
    if not found:
        raise SrlabError("Without LPIPS no metric is left to score; ask for others as well, such as energy_error.")
    return found


def score_pair(
    sr: torch.Tensor, hr: torch.Tensor, grey: bool, chosen: Mapping[str, Measure], protocol: Protocol
) -> dict[str, float]:
    """Score one pair of images.

    Parameters
    ----------
    sr, hr
        ``(1, 3, H, W)``, float in [0, 1].
    grey
        The HR file is grey; what is scored of it then under a Y protocol, `Protocol.grey` says.
    chosen
        From `measures`.
    protocol
        The one that `chosen` was made for.

    Returns
    -------
    dict
        Metric -> number; NaN where the image is too small for the window of the metric.

    Raises
    ------
    SrlabError
        The crop leaves nothing, or as for the metrics.
    """
    on_grey = grey and protocol.color == "y" and protocol.grey == "values"
    values = {}
    for name, measure in chosen.items():
        pair = [full_range(luma(image)) for image in (sr, hr)] if on_grey and name in FIDELITY else (sr, hr)
        try:
            values[name] = float(measure(*pair))
        except TooSmall:
            values[name] = math.nan
    return values


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over the images, per set and method, in the order of the table.

    PSNR is averaged in decibels, as the papers do. An image that is too small for a metric (NaN) does not count in
    that column; it is the same one for all methods.

    Parameters
    ----------
    table
        From `evaluate_all`.

    Returns
    -------
    pandas.DataFrame
        ``set``, ``method``, and the mean of each metric.
    """
    return table.drop(columns="image").groupby(["set", "method"], sort=False, as_index=False).mean()


def save_table(table: pd.DataFrame, path: str | Path, force: bool = False) -> Path:
    """Write a table as CSV; the file appears only when it is complete.

    Parameters
    ----------
    table
        Of numbers and names.
    path
        Missing folders are made.
    force
        Replace a file that is there.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    SrlabError
        A file is there, or it cannot be written.
    """
    path = Path(path)
    refuse_existing(path, force)
    write_atomic(path, table.to_csv(index=False).encode())
    return path
