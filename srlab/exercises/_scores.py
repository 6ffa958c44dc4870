"""The exercises of lab 00 about scoring images: PSNR and luma."""

import math

import torch

from srlab.data import images
from srlab.exercises import Answer, Exercise, Wrong, _written_out, compare, near, sample, tensor

# --- PSNR ---------------------------------------------------------------------------------------------------


def psnr(sr: torch.Tensor, hr: torch.Tensor, crop: int) -> torch.Tensor:
    """PSNR per image, ``10 log10(1 / MSE)``, after removing `crop` border pixels on each side.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` in [0, 1].
    crop
        Pixels.

    Returns
    -------
    torch.Tensor
        ``(N,)``, decibels.
    """
    height, width = sr.shape[-2:]
    error = (sr - hr)[..., crop : height - crop, crop : width - crop]
    return -10 * error.square().mean((1, 2, 3)).log10()


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    """SR and HR, ``(3, 3, 16, 20)``: HR below 0.9; noise by image and channel, twice as much at the border."""
    hr = sample(3, 3, 16, 20, low=0.1, high=0.9)
    strength = torch.tensor([0.02, 0.05, 0.1]).view(3, 1, 1, 1) * torch.tensor([1.0, 0.4, 0.7]).view(1, 3, 1, 1)
    strength = strength.repeat(1, 1, 16, 20)
    strength[..., 4:-4, 4:-4] /= 2
    return hr + strength * sample(3, 3, 16, 20, low=-1, seed=1), hr


def _rounded(image: torch.Tensor) -> torch.Tensor:
    return (image * 255).round() / 255


def _rounded_luma(image: torch.Tensor) -> torch.Tensor:
    return _rounded(images.luma(_rounded(image)))


def _psnr_per_image(answer: Answer) -> None:
    sr, hr = _pair()
    result = answer(sr.clone(), hr.clone(), 0)
    if isinstance(result, float) or (isinstance(result, torch.Tensor) and result.ndim == 0):
        if near(result, -10 * (sr - hr).square().mean().log10(), 0.01):
            raise Wrong(
                "One number came for a batch of three: the squared errors of all images went into one pool, where "
                "the worst image drowns the others. Which dimensions belong to one image?"
            )
        raise Wrong("One number came for a batch of three. Keep the images apart; averaging is left to the caller.")
    tensor(result, (3,), "A batch of N images has N values; look at the dimensions that your mean runs over.")


def _psnr_value(answer: Answer) -> None:
    sr, hr = _pair()
    result = tensor(answer(sr.clone(), hr.clone(), 0), (3,))
    if result.isnan().any():
        raise Wrong("With crop=0 the value is NaN. What does the slice 0:-0 leave of an image?")
    wanted, error = psnr(sr, hr, 0), sr - hr
    per_image = (1, 2, 3)
    added = (
        "The value is far too low, and a larger image would lower it further. Look at what becomes of the squared "
        "errors: a mean does not depend on the number of pixels, a sum does."
    )
    peak = (
        "The value depends on how bright the image is. The peak is the largest value that an image can take, "
        "not the largest that this one has."
    )
    factor = (
        "The value is twice or half what it should be. A factor of 10 belongs to squared quantities and 20 to "
        "those that are not squared; which one goes into your logarithm?"
    )
    natural = "The value is 2.3 times too large. Decibels count powers of ten; which logarithm does your code take?"
    levels = (
        "The value is off by 48.13 dB, which is 20 log10(255). These images are in [0, 1]; look for the place where "
        "levels from 0 to 255 come in."
    )
    sign = "The size is right but the sign is not: a smaller error should give a larger value."
    unsquared = "The error goes in without being squared. What does the S in MSE ask for?"
    mae = error.abs().mean(per_image).log10()
    as_papers = "Luma or values rounded to 8 bits were scored, as papers do. Here all channels count, as they come."
    by_channel = (
        "Each channel has a PSNR of its own here, and then these are averaged. The mean of the logarithms is not the "
        "logarithm of the mean: average all squared errors of an image first."
    )
    mistakes = [
        *((as_papers, psnr(change(sr), change(hr), 0)) for change in (images.luma, _rounded, _rounded_luma)),
        (by_channel, -10 * error.square().mean((2, 3)).log10().mean(1)),
        (added, -10 * error.square().sum(per_image).log10()),
        (peak, wanted + 20 * hr.max().log10()),
        (peak, wanted + 20 * hr.amax(per_image).log10()),
        (factor, 2 * wanted),
        (factor, wanted / 2),
        (natural, math.log(10) * wanted),
        (levels, wanted + 20 * math.log10(255)),
        (sign, -wanted),
        (unsquared, -10 * mae),
        (unsquared, -20 * mae),
    ]
    compare(result, wanted, mistakes, "The values are not 10 log10(1 / MSE) of each image.", tolerance=0.01)


def _psnr_crop(answer: Answer) -> None:
    sr, hr = _pair()
    result = tensor(answer(sr.clone(), hr.clone(), 4), (3,))
    uncropped = (
        "With crop=4 the value is the same as with crop=0, so the border still counts. What is `crop` used for in your "
        "code?"
    )
    partly = "Some of the border still counts. An image has four sides, and `crop` pixels go from each of them."
    corner, rows = (..., slice(4, None), slice(4, None)), (..., slice(4, -4), slice(None))
    mistakes = [
        (uncropped, psnr(sr, hr, 0)),
        (partly, psnr(sr[corner], hr[corner], 0)),
        (partly, psnr(sr[rows], hr[rows], 0)),
        (partly, psnr(sr, hr, 2)),
    ]
    compare(result, psnr(sr, hr, 4), mistakes, "With crop=4 other pixels seem to count.", tolerance=0.01)


def _psnr_cap(answer: Answer) -> None:
    hr = torch.zeros(1, 3, 16, 16)
    result = tensor(answer(hr + 1e-6, hr.clone(), 0), (1,))
    if float(result) < 119.9:
        raise Wrong(
            f"For an error of one millionth the PSNR is 120 dB, but yours stops at {float(result):.1f}. Is something "
            "small added to the MSE, or is it held above a floor? With 1e-8 there, no image gets past 80 dB."
        )
    compare(result, psnr(hr + 1e-6, hr, 0), otherwise="An error of one millionth is misjudged.", tolerance=0.1)


# --- Luma ---------------------------------------------------------------------------------------------------


def _luma_shape(answer: Answer) -> None:
    tensor(answer(sample(2, 3, 4, 5)), (2, 1, 4, 5), "Luma is one channel, and the channel dimension stays.")


def _luma_weights(answer: Answer) -> None:
    red, green, blue = torch.eye(3)
    patches = torch.stack([torch.zeros(3), red, green, blue]).view(4, 3, 1, 1).expand(4, 3, 2, 2).clone()
    result = tensor(answer(patches), (4, 1, 2, 2))[:, 0, 0, 0]
    wanted = torch.tensor(images.LUMA_WEIGHTS)
    full = torch.tensor([0.299, 0.587, 0.114])
    order = "Red and blue have changed places: the channels here are R, G, B, while OpenCV has B, G, R."
    mistakes = [
        (
            "Your weights add up to 1, which is the full-range luma. The studio range leaves room below black and "
            "above white; what must its weights add up to?",
            full,
        ),
        (order, wanted.flip(0)),
        (order, full.flip(0)),
        ("All three colours weigh the same, but the eye sees green as much brighter than blue.", torch.ones(3) / 3),
        (
            "These are the weights of HDTV (BT.709). Super-resolution papers use those of BT.601.",
            [0.2126, 0.7152, 0.0722],
        ),
        ("The values are 255 times too large: images here are in [0, 1], and so is their luma.", 255 * wanted),
    ]
    otherwise = "From black to red, to green and to blue the luma should rise by the weights of BT.601, studio range."
    compare(result[1:] - result[0], wanted, mistakes, otherwise, reveal=False)


def _luma_offset(answer: Answer) -> None:
    rgb = sample(2, 3, 4, 5)
    wanted = images.luma(rgb)
    mistakes = [
        (
            "Black comes out as 0. In the studio range black is a little above zero; which part of the formula "
            "is missing?",
            wanted - images.LUMA_OFFSET,
        ),
        (
            "Black comes out as 16, far above white. The offset of 16 counts 8-bit levels; what is it in [0, 1]?",
            wanted - images.LUMA_OFFSET + 16,
        ),
    ]
    compare(tensor(answer(rgb.clone()), (2, 1, 4, 5)), wanted, mistakes, "Black should be 16/255 and white 235/255.")


EXERCISES = {
    "degradation.psnr": Exercise(
        psnr,
        (
            ("one value per image", _psnr_per_image),
            ("10 log10(1 / MSE), with the MSE of each image", _psnr_value),
            ("the border is left out", _psnr_crop),
            ("no ceiling for an almost perfect image", _psnr_cap),
        ),
        "medium",
        (
            "PSNR compares the mean squared error of one image with the largest value a pixel can have.",
            "Cut the border off both images first, then average the squared difference over every dimension but the "
            "first, then take 10 log10 of 1 over it.",
        ),
    ),
    "degradation.luma": Exercise(
        _written_out.luma,
        (
            ("one channel, same size", _luma_shape),
            ("red, green and blue weigh as in BT.601", _luma_weights),
            ("black is 16/255", _luma_offset),
        ),
        "easy",
        (
            "Luma is a weighted sum of red, green and blue, plus a constant; 8-bit black becomes 16 and white 235.",
            "In 8-bit levels: 65.481, 128.553 and 24.966 for R, G and B in [0, 1], plus 16. What is that in [0, 1]?",
        ),
    ),
}
