"""Check trained networks on held-out photos."""

from collections.abc import Iterator, Mapping

import pandas as pd
import torch

from srlab.course.workshops.promises import Promise
from srlab.data.datasets import ImageSet
from srlab.data.images import to_uint8
from srlab.data.resampling import upsample
from srlab.evaluation.scoring import evaluate
from srlab.tiling import Upscaler

Photos = Mapping[str, torch.Tensor]  # file name -> (3, H, W), float32 in [0, 1]


def check_result(network: Upscaler, held_out: Photos) -> Iterator[Promise]:
    """Check that a network beats bicubic on held-out photos, by PSNR on luma without four border pixels."""
    own, bicubic = (_scores(method, held_out).psnr for method in (network, lambda lr: upsample(lr, 4)))
    gains = own - bicubic
    each = ", ".join(f"{name} {gain:+.2f}" for name, gain in zip(held_out, gains, strict=True))
    yield (
        gains.mean() >= 0.1,
        f"The network beats bicubic on held-out photos: {own.mean():.2f} dB, {gains.mean():+.2f} dB compared with "
        f"bicubic ({each}).",
        "Does the untrained network start near bicubic or bilinear? Does the loss still fall? Then train longer.",
    )


def check_sharpness(gan_network: Upscaler, network: Upscaler, held_out: Photos) -> Iterator[Promise]:
    """Check that adversarial training has made a network sharper, and that it still follows LR."""
    after, before = (_scores(method, held_out) for method in (gan_network, network))
    sharpness = [scores.gradient_ratio.mean() for scores in (before, after)]
    yield (
        sharpness[1] > sharpness[0] + 0.02,
        f"The images are sharper: their mean gradient is {sharpness[0]:.2f} of HR's before, and {sharpness[1]:.2f} "
        "after.",
        "Is D too weak, its weight too small, or training too short? Print the size of each part of g_loss.",
    )
    lost = (before.psnr - after.psnr).mean()
    yield (
        lost < 3,
        f"They still follow LR: PSNR changes by {-lost:+.2f} dB; -3 dB would be too much.",
        "Look at an image. Give the adversary less weight, or D a lower learning rate.",
    )


def _scores(method: Upscaler, photos: Photos) -> pd.DataFrame:
    images = ImageSet.from_images("held out", {name: to_uint8(photo) for name, photo in photos.items()})
    return evaluate(method, images, metrics=("psnr", "gradient_ratio"))
