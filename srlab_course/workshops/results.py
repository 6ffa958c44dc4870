"""Check trained networks on held-out photos."""

from collections.abc import Iterator
from math import inf

import torch
import torch.nn.functional as F

from srlab.data.images import mod_crop
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import psnr
from srlab.evaluation.perceptual import checkerboard, gradient_ratio
from srlab.tiling import Upscaler, upscale
from srlab_course.workshops.network import RGB
from srlab_course.workshops.photos_and_pairs import Photos
from srlab_course.workshops.promises import Promise, expect, show

MARGIN = 0.3  # dB; a network that only interpolates with torch's bicubic kernel gains about 0.2


def check_result(network: Upscaler, held_out: Photos) -> bool:
    """Check that a network beats bicubic on held-out photos; print its gain for each, and return whether it does.

    The measure is the student's own `validate`: PSNR of all three channels, without four border pixels.

    Parameters
    ----------
    network
        Trained network.
    held_out
        Photos that it has not learned from.
    """
    return show(result(network, held_out))


def result(network: Upscaler, held_out: Photos) -> Iterator[Promise]:
    """Yield whether a network beats bicubic on held-out photos."""
    expect(network, "`network`", torch.nn.Module, "a trained network")
    gains = _gains(network, expect(held_out, "`held_out`", dict, "a dictionary of photos"))
    gain = sum(gains.values()) / max(1, len(gains))
    each = ", ".join(f"{name} {value:+.2f}" for name, value in gains.items())
    yield (
        MARGIN < gain < inf,
        f"The network beats bicubic on held-out photos by {gain:+.2f} dB on average ({each}). More than {MARGIN} dB "
        "counts, because bicubic kernels differ by 0.2 dB.",
        "Does the loss still fall? Then train longer. Does the untrained network start near bicubic?",
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


def check_sharpness(gan: Upscaler, network: Upscaler, held_out: Photos) -> bool:
    """Check that adversarial training adds detail where HR has it; print what it adds, and return whether it does.

    Parameters
    ----------
    gan, network
        Network after adversarial training, and before.
    held_out
        Photos that the GAN's steps haven't learned from.
    """
    return show(sharpness(gan, network, held_out))


def sharpness(gan: Upscaler, network: Upscaler, held_out: Photos) -> Iterator[Promise]:
    """Yield whether a GAN is sharper than the network that it began with, and whether noise or a filter did that."""
    for name, given in (("`gan`", gan), ("`network`", network)):
        expect(given, name, torch.nn.Module, "a trained network")
    if gan is network:
        yield False, "gan is network: it's one object with two names.", "Train a copy: copy.deepcopy(network)."
        return
    measured = [_added(gan, network, photo) for photo in expect(held_out, "`held_out`", dict, "photos").values()]
    before, after, moves, filtered, pattern, lost = (sum(each) / len(each) for each in zip(*measured, strict=True))
    yield (
        before + 0.05 <= after <= 1.2,
        f"The images are sharper: the mean gradient is {before:.2f} of HR's for `network`, and {after:.2f} for `gan`. "
        "It should rise by 0.05, and at most to 1.2.",
        "Is D too weak, its weight too small, or training too short? Print the gradient of each part of g_loss at SR."
        if after < before + 0.05
        else "More gradient than HR has is noise or a pattern. Look at an image at four times its size.",
    )
    if after < before + 0.05:
        return
    yield (
        moves > 0.5,
        f"The added detail comes from the image: if LR moves by 8 pixels, {100 * moves:.0f} % of it moves along.",
        "Noise doesn't move with the image. Does `gan` add random numbers, or is it in training mode?",
    )
    yield (
        filtered < 0.7,
        f"It is more than sharpening: a filter of 7 x 7 pixels can explain {100 * filtered:.0f} % of it; 70 % "
        "would be too much.",
        "A filter sharpens the edges that are there, and invents no texture. Does G get a gradient through D?",
    )
    yield (
        pattern < 1.5,
        f"No pattern repeats from LR pixel to LR pixel: its strength is {pattern:.2f} gray levels of 255; 1.5 would be "
        "too much. (The course's SRGAN has 0.2 to 0.4 on photos.)",
        "That's a checkerboard. Average the weights over many steps, or add noise to D's images. A G that upsamples by "
        "nearest and a convolution has less of it; train it again in Workshop 1 first.",
    )
    yield (
        lost < 3,
        f"They still follow LR: PSNR changes by {-lost:+.2f} dB; -3 dB would be too much.",
        "Look at an image. Give the adversary less weight, or D a lower learning rate.",
    )


def _added(gan: Upscaler, network: Upscaler, photo: torch.Tensor) -> tuple[float, ...]:
    """Measure what a GAN adds: gradient before and after, what moves with LR or is a filter, pattern, lost PSNR."""
    hr = mod_crop(photo[None], 4)
    lr = downsample(hr, 4)
    before, after = (upscale(method, lr, 4) for method in (network, gan))
    moved = lr[..., 8:, 8:]  # by more than one pixel, because a U-Net with stride 2 or 4 works on a grid
    added, again = after - before, upscale(gan, moved, 4) - upscale(network, moved, 4)
    moves = torch.stack([added[..., 64:-32, 64:-32].flatten(), again[..., 32:-32, 32:-32].flatten()]).corrcoef()[0, 1]
    wanted, known = (image.mean(1, keepdim=True)[..., -256:, -256:].double() for image in (added, before))
    columns = F.unfold(known, 7)[0]
    columns = columns - columns.mean(1, keepdim=True)
    wanted = wanted[..., 3:-3, 3:-3].flatten() - wanted[..., 3:-3, 3:-3].mean()
    weights = torch.linalg.lstsq(columns @ columns.T, columns @ wanted, driver="gelsd").solution
    left = (wanted - weights @ columns).square().sum() / wanted.square().sum().clamp(min=1e-12)
    ratios = (gradient_ratio(before, hr), gradient_ratio(after, hr))
    lost = psnr(before, hr, RGB) - psnr(after, hr, RGB)
    return tuple(value.item() for value in (*ratios, moves.nan_to_num(), 1 - left, checkerboard(after), lost))
