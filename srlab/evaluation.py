"""Upscalers over image sets, scored into a table."""

import pandas as pd
import torch

from srlab.datasets import ImageSet
from srlab.degradation import Degradation
from srlab.images import full_range, luma, mod_crop
from srlab.inference import Upscaler, upscale
from srlab.metrics import PAPER, Protocol, psnr, ssim


def score(
    upscaler: Upscaler,
    images: ImageSet,
    scale: int = 4,
    degradation: Degradation | None = None,
    protocol: Protocol = PAPER,
    seed: int = 0,
) -> pd.DataFrame:
    """Score an upscaler on every image of a set.

    Parameters
    ----------
    upscaler
        A network or a function from LR to SR.
    images
        HR images; LR images that came with the set are used unless a degradation is given.
    scale
        HR pixels per LR pixel.
    degradation
        How LR is made (default: MATLAB-compatible bicubic).
    protocol
        What is measured on.
    seed
        Of a random degradation.

    Returns
    -------
    pandas.DataFrame
        One row per image: ``image``, ``psnr`` in dB, ``ssim``.
    """
    random = torch.Generator().manual_seed(seed)
    rows = []
    for name, image in images:
        hr = mod_crop(image, scale)
        given = images.lr_of(name) if degradation is None else None
        lr = (degradation or Degradation())(hr, scale, random) if given is None else given
        sr = upscale(upscaler, lr)
        if name in images.grey and protocol.color == "y":
            sr, hr = full_range(luma(sr)), full_range(luma(hr))  # one channel: scored on its grey values
        rows.append({"image": name, "psnr": float(psnr(sr, hr, protocol)), "ssim": float(ssim(sr, hr, protocol))})
    return pd.DataFrame(rows)
