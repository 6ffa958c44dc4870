"""Score upscalers on image sets, and return tables."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch

from srlab.data.degradation import Degradation, Degrade
from srlab.data.image_set import ImageSet
from srlab.data.images import full_range, luma, mod_crop
from srlab.errors import SrlabError
from srlab.evaluation.catalog import METRICS, Measure, Setup, Weights
from srlab.evaluation.metrics import PAPER, Protocol, TooSmall
from srlab.files import refuse_existing, write_atomic
from srlab.paths import expand_user
from srlab.tiling import Upscaler, upscale

BY_PROTOCOL = {name for name, metric in METRICS.items() if metric.by_protocol}


def evaluate(
    model: Upscaler,
    images: ImageSet,
    scale: int = 4,
    degradation: Degrade | None = None,
    protocol: Protocol = PAPER,
    metrics: Sequence[str | Measure] = ("psnr", "ssim"),
    weights: Weights = "auto",
) -> pd.DataFrame:
    """Score a network, or any function from LR to SR, on every image of a set.

    Parameters
    ----------
    images
        HR images. Their LR images, if the set has them, are used unless there is a degradation.
    scale
        HR pixels per LR pixel.
    degradation
        Degradation from HR to LR (default: only the resampler of the protocol). Random degradations draw the same
        numbers in each call; for others, use `images.with_lr` with another seed.
    protocol
        Protocol of PSNR and SSIM. The other metrics use the whole image in color.
    metrics
        Names from `srlab.evaluation.catalog.METRICS`, or functions from SR and HR ``(1, 3, H, W)`` to ``(1,)``. Each
        is a column of the table.
    weights
        ImageNet weights for metrics with a network, such as LPIPS: ``"auto"`` (no download), ``"imagenet"`` or a file;
        or a dict with these by metric, since each network has a file of its own. Without weights, the column is left
        out.

    Returns
    -------
    pandas.DataFrame
        One row per image: ``image``, then the metrics (``psnr`` in dB); NaN if an image is too small for a metric.
    """
    table = evaluate_all({"": model}, images, scale, degradation, protocol, metrics, weights)
    return table.drop(columns=["set", "method"])


def evaluate_all(
    models: Mapping[str, Upscaler],
    sets: Iterable[ImageSet] | ImageSet,
    scale: int = 4,
    degradation: Degrade | None = None,
    protocol: Protocol = PAPER,
    metrics: Sequence[str | Measure] = ("psnr", "ssim"),
    weights: Weights = "auto",
) -> pd.DataFrame:
    """Score several methods on several image sets, all with the same LR images.

    `models` maps method names to networks or functions. `srlab.evaluate` explains the other parameters.

    Returns
    -------
    pandas.DataFrame
        One row per image and method, with the columns ``set``, ``image``, ``method`` and the metrics.
    """
    sets = [sets] if isinstance(sets, ImageSet) else list(sets)
    names = [images.name for images in sets]
    if not models or not sets:
        raise SrlabError("An evaluation needs at least one method and one image set.")
    if len(set(names)) < len(names):
        raise SrlabError(f"Two of the image sets {', '.join(names)} have the same name. Rename one (ImageSet.name).")
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
                    sr = upscale(model, degrade(hr, scale, random) if given is None else given, scale)
                    scores = score_pair(sr, hr, name in images.gray, chosen, protocol)
                except SrlabError as error:
                    raise SrlabError(f"Image '{name}' of {images.name}: {error}") from error
                rows.append({"set": images.name, "image": name, "method": method} | scores)
    return pd.DataFrame(rows, columns=["set", "image", "method", *chosen])


def measures(
    metrics: Sequence[str | Measure], protocol: Protocol, scale: int, weights: Weights = "auto"
) -> dict[str, Measure]:
    """Return name -> function of (SR, HR) for the chosen metrics, without those whose weights are missing."""
    chosen: dict[str, Measure] = {}
    for metric in dict.fromkeys([metrics] if isinstance(metrics, str) else metrics):
        if callable(metric):
            name, measure = getattr(metric, "__name__", type(metric).__name__), metric  # a network has no __name__
        elif metric in METRICS:
            known, network = METRICS[metric], None
            own = weights.get(metric, "auto") if isinstance(weights, Mapping) else weights
            if known.load and (network := known.load(own)) is None:
                continue
            name, measure = metric, known.measure(Setup(protocol, scale, network))
        else:
            raise SrlabError(f"'{metric}' is not a metric. Use one of {', '.join(METRICS)}.")
        if name in chosen:
            raise SrlabError(f"Two metrics are named '{name}'. Give your function another __name__.")
        chosen[name] = measure
    if not chosen:
        raise SrlabError(f"No metric is left to compute. Use one of {', '.join(METRICS)}.")
    return chosen


def score_pair(
    sr: torch.Tensor, hr: torch.Tensor, gray: bool, chosen: Mapping[str, Measure], protocol: Protocol = PAPER
) -> dict[str, float]:
    """Score one pair of images, ``(1, 3, H, W)`` in [0, 1]; the score is NaN for a metric whose window is larger.

    `gray` means that the HR file is gray: its gray values are scored with a Y protocol, unless `Protocol.gray` is
    ``"luma"``. `chosen` is from `measures` with the same protocol.
    """
    values = {}
    gray = gray and protocol.color == "y" and protocol.gray == "values"
    for name, measure in chosen.items():
        pair = [full_range(luma(image)) for image in (sr, hr)] if gray and name in BY_PROTOCOL else (sr, hr)
        try:
            values[name] = float(measure(*pair))
        except TooSmall:
            values[name] = math.nan
    return values


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Average a table of `evaluate_all` over the images: ``set``, ``method``, and the mean of each metric.

    PSNR is averaged in decibels, as in papers. NaN (an image too small for a metric) is ignored.
    """
    return table.drop(columns="image").groupby(["set", "method"], sort=False, as_index=False).mean()


def save_table(table: pd.DataFrame, path: str | Path, force: bool = False) -> Path:
    """Write a table as CSV, atomically, and return the path; `force` overwrites an existing file."""
    path = expand_user(path)
    refuse_existing(path, force)
    write_atomic(path, table.to_csv(index=False).encode(), replace=force)
    return path
