"""Score upscalers on image sets, as tables."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.images import full_range, luma, mod_crop
from srlab.data.resampling import downsample
from srlab.errors import SrlabError
from srlab.evaluation import metrics as fidelity
from srlab.evaluation import perception
from srlab.evaluation.metrics import PAPER, Protocol, TooSmall
from srlab.evaluation.populations import patch_distance
from srlab.files import refuse_existing, write_atomic
from srlab.tiling import Upscaler, upscale

Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (sr, hr) -> (N,)
FIDELITY = {"psnr": fidelity.psnr, "ssim": fidelity.ssim, "ms_ssim": fidelity.ms_ssim}  # under a protocol
IN_COLOR = {  # of the whole image in color
    "gradient_ratio": perception.gradient_ratio,
    "energy_error": perception.energy_error,
    "colour_shift": perception.colour_shift,
    "patch_distance": patch_distance,
}
METRICS = (*FIDELITY, *IN_COLOR, "lr_consistency", "checkerboard", "lpips")


def evaluate(
    model: Upscaler,
    images: ImageSet,
    scale: int = 4,
    degradation: Degradation | None = None,
    protocol: Protocol = PAPER,
    metrics: Sequence[str | Measure] = ("psnr", "ssim"),
    weights: str | Path = "auto",
) -> pd.DataFrame:
    """Score a network, or any function from LR to SR, on every image of a set.

    Parameters
    ----------
    model
        Network or function from LR to SR.
    images
        HR images. LR images of the set are used unless there is a degradation.
    scale
        HR pixels per LR pixel.
    degradation
        Degradation from HR to LR (default: only the resampler of the protocol). A random one draws the same numbers in
        each call; for others, use `images.with_lr` with another seed.
    protocol
        Protocol of PSNR, SSIM and MS-SSIM. The other metrics use the whole image in color.
    metrics
        Names from `METRICS`, or functions from SR and HR ``(1, 3, H, W)`` to ``(1,)``: the columns.
    weights
        AlexNet weights of LPIPS, see `srlab.evaluation.perception.load_lpips`. Without them there is no column
        ``lpips``.

    Returns
    -------
    pandas.DataFrame
        One row per image: ``image``, then the metrics (``psnr`` in dB); NaN if an image is too small for the window of
        a metric (11 pixels for SSIM, 161 for MS-SSIM, 176 for the patch distance).

    Raises
    ------
    SrlabError
        A metric is unknown, or an image cannot be scored (the crop leaves nothing of it, say); the message names it.
    """
    table = evaluate_all({"": model}, images, scale, degradation, protocol, metrics, weights)
    return table.drop(columns=["set", "method"])


def evaluate_all(
    models: Mapping[str, Upscaler],
    sets: Iterable[ImageSet] | ImageSet,
    scale: int = 4,
    degradation: Degradation | None = None,
    protocol: Protocol = PAPER,
    metrics: Sequence[str | Measure] = ("psnr", "ssim"),
    weights: str | Path = "auto",
) -> pd.DataFrame:
    """Score several methods on several image sets; every method gets the same LR images.

    Parameters
    ----------
    models
        Method -> network or function from LR to SR.
    sets
        Image sets with different names, or a single set.
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
    metrics: Sequence[str | Measure], protocol: Protocol, scale: int, weights: str | Path = "auto"
) -> dict[str, Measure]:
    """Return name -> function of (SR, HR) for some metrics, without LPIPS if it has no weights.

    Parameters
    ----------
    metrics, protocol, scale, weights
        As for `evaluate`.

    Raises
    ------
    SrlabError
        A metric is unknown, none is left, or `srlab.evaluation.perception.load_lpips` rejects the weights.
    """
    resampler = protocol.resampler
    known = {name: partial(metric, protocol=protocol) for name, metric in FIDELITY.items()} | IN_COLOR
    # The LR of the resampler, whatever else a degradation does to it.
    known["lr_consistency"] = lambda sr, hr: fidelity.lr_consistency(sr, downsample(hr, scale, resampler), resampler)
    known["checkerboard"] = lambda sr, _: perception.checkerboard(sr, scale)  # it needs no HR
    chosen: dict[str, Measure] = {}
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        if callable(metric):
            chosen[metric.__name__] = metric
        elif metric in known:
            chosen[metric] = known[metric]
        elif metric != "lpips":
            raise SrlabError(f"There is no metric '{metric}'; choose from {', '.join(METRICS)}.")
        elif network := perception.load_lpips(weights):
            chosen[metric] = partial(perception.lpips, network=network)
    if not chosen:
        raise SrlabError(f"No metric is left to score; choose from {', '.join(METRICS)}.")
    return chosen


def score_pair(
    sr: torch.Tensor, hr: torch.Tensor, gray: bool, chosen: Mapping[str, Measure], protocol: Protocol = PAPER
) -> dict[str, float]:
    """Score one pair of images.

    Parameters
    ----------
    sr, hr
        ``(1, 3, H, W)``, float in [0, 1].
    gray
        The HR file is gray: its gray values are scored under a Y protocol, unless `Protocol.grey` is ``"luma"``.
    chosen
        From `measures`.
    protocol
        Protocol that `chosen` was made for.

    Returns
    -------
    dict
        Metric -> number; NaN if the image is too small for the window of the metric.

    Raises
    ------
    SrlabError
        The crop leaves nothing, or as for the metrics.
    """
    values = {}
    gray = gray and protocol.color == "y" and protocol.grey == "values"
    for name, measure in chosen.items():
        pair = [full_range(luma(image)) for image in (sr, hr)] if gray and name in FIDELITY else (sr, hr)
        try:
            values[name] = float(measure(*pair))
        except TooSmall:
            values[name] = math.nan
    return values


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Average over the images, per set and method, in the order of the table.

    PSNR is averaged in decibels, as in the papers. An image that is too small for a metric (NaN) does not count in that
    column.

    Parameters
    ----------
    table
        Table from `evaluate_all`.

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
        Table to write.
    path
        CSV file; missing folders are made.
    force
        Replace an existing file.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    SrlabError
        The file exists, or it cannot be written.
    """
    path = Path(path)
    refuse_existing(path, force)
    write_atomic(path, table.to_csv(index=False).encode())
    return path
