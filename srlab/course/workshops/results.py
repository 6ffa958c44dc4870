"""Check trained networks on held-out photos."""

from collections.abc import Iterator, Mapping
from math import inf

import pandas as pd
import torch

from srlab.course.workshops.network import RGB
from srlab.course.workshops.promises import Promise, expect, show
from srlab.data.datasets import ImageSet
from srlab.data.images import mod_crop, to_uint8
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import psnr
from srlab.evaluation.scoring import evaluate
from srlab.tiling import Upscaler, upscale

MARGIN = 0.3  # dB; a network that only interpolates with torch's bicubic kernel gains about 0.2
Photos = Mapping[str, torch.Tensor]  # file name -> (3, H, W), float32 in [0, 1]


def check_result(network: Upscaler, held_out: Photos, train: Photos) -> bool:
    """Check that a network beats bicubic on held-out photos; print its gain for each, and return whether it does.

    The measure is the student's own `validate`: PSNR of all three channels, without four border pixels.

    Parameters
    ----------
    network
        Trained network.
    held_out, train
        Photos that it has not learned from, and those that it has.
    """
    return show(result(network, held_out, train))


def result(network: Upscaler, held_out: Photos, train: Photos) -> Iterator[Promise]:
    """Yield whether a network beats bicubic on held-out photos, and what it gains on training photos."""
    expect(network, "`network`", torch.nn.Module, "a trained network")
    gains, known = (
        _gains(network, expect(photos, name, dict, "a dictionary of photos"))
        for name, photos in (("`held_out`", held_out), ("`train`", train))
    )
    gain, on_known = (sum(each.values()) / max(1, len(each)) for each in (gains, known))
    each = ", ".join(f"{name} {value:+.2f}" for name, value in gains.items())
    yield (
        MARGIN < gain < inf,
        f"The network beats bicubic on held-out photos by {gain:+.2f} dB on average ({each}). More than {MARGIN} dB "
        "counts, because bicubic kernels differ by 0.2 dB.",
        "Does the loss still fall? Then train longer. Does the untrained network start near bicubic?"
        if gain < inf
        else "No error at all is impossible. Does it know HR?",
    )
    leak = gain > 1.5 * on_known + 0.3
    yield (
        not leak,
        f"The gain on training photos is {on_known:+.2f} dB.",
        "Photos that a network has never seen are seldom this much easier. Has it learned from held-out photos?",
    )


def _gains(network: Upscaler, photos: Photos) -> dict[str, float]:
    """Return the gain in PSNR compared with bicubic for each photo, in dB."""
    gains = {}
    for name, photo in photos.items():
        hr = mod_crop(photo[None], 4)
        lr = downsample(hr, 4)
        own, bicubic = (psnr(sr, hr, RGB).item() for sr in (upscale(network, lr, 4), upsample(lr, 4).clamp(0, 1)))
        gains[name] = own - bicubic
    return gains


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
