"""Test trained networks on held-out photos, and the samples of a flow."""

from collections.abc import Iterable, Iterator
from math import inf

import torch
import torch.nn.functional as F

from srlab.data.images import mod_crop
from srlab.data.resampling import downsample, upsample
from srlab.errors import SrlabError
from srlab.evaluation.metrics import Protocol, psnr
from srlab.evaluation.perceptual import checkerboard, gradient_ratio
from srlab.tiling import Upscaler, upscale
from srlab_course.feedback.checks import say
from srlab_course.workshops.our_tests import WIDTH

RGB = Protocol(color="rgb", quantize=False)  # PSNR of the workshops
Photos = dict[str, torch.Tensor]  # file name -> (3, H, W)
Line = tuple[bool, str, str]  # whether a result is good enough; what was measured; a hint if it is not
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
    return _show(result(network, held_out))


def result(network: Upscaler, held_out: Photos) -> Iterator[Line]:
    """Yield whether a network beats bicubic on held-out photos."""
    _expect(network, "network")
    gains = _gains(network, held_out)
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
    return _show(sharpness(gan, network, held_out))


def sharpness(gan: Upscaler, network: Upscaler, held_out: Photos) -> Iterator[Line]:
    """Yield whether a GAN is sharper than the network that it began with, and whether noise or a filter did that."""
    _expect(gan, "gan")
    _expect(network, "network")
    if gan is network:
        yield False, "gan is network: it's one object with two names.", "Train a copy: copy.deepcopy(network)."
        return
    measured = [_added(gan, network, photo) for photo in held_out.values()]
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


def check_samples(samples: torch.Tensor, hr: torch.Tensor) -> bool:
    """Check samples of one LR image, ``(N, 3, H, W)``: they differ, and their mean is nearer to HR and follows LR.

    Print what was measured, and return whether it is good enough.
    """
    return _show(_samples(samples, hr))


def _samples(samples: torch.Tensor, hr: torch.Tensor) -> Iterator[Line]:
    samples = samples.clamp(0, 1)
    apart = 255 * samples.std(dim=0).mean().item()
    one, mean = (psnr(x, hr.expand_as(x), RGB).mean().item() for x in (samples, samples.mean(0, keepdim=True)))
    yield (
        mean > one + 0.5,
        f"The {len(samples)} samples differ by {apart:.1f} gray levels, so their mean is nearer to HR than one: "
        f"{mean:.2f} dB instead of {one:.2f} dB.",
        "Does each start with its own noise? Train longer: at first, a flow moves to the mean of all data that fit LR.",
    )
    bicubic = psnr(upsample(downsample(hr, 4), 4).clamp(0, 1), hr, RGB).item()
    yield (
        mean > bicubic,  # after 2000 steps on gravel, four right designs have 0.3 to 1.1 dB more
        f"Their mean beats bicubic, which has {bicubic:.2f} dB.",
        "Look at the loss. If it rises, lower the learning rate, or clip gradients. Otherwise train longer. Do you "
        "return an average that hardly moves from its untrained start?",
    )


def _expect(network: object, name: str) -> None:
    if not isinstance(network, torch.nn.Module):
        raise SrlabError(f"`{name}` must be a trained network, but it is {type(network).__name__}.")


def _show(lines: Iterable[Line]) -> bool:
    """Print a line for each result, with a hint if it is not good enough, and return whether all are."""
    passed = []
    for good, text, hint in lines:
        say("passed" if good else "failed", text, WIDTH)
        if not good:
            say("hint", hint, WIDTH)
        passed.append(good)
    return all(passed)
