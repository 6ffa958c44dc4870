"""Check a discriminator, and the losses of a GAN."""

from collections.abc import Callable, Iterator
from types import ModuleType

import torch
import torch.nn as nn

from srlab_course.exercises.networks import gradient
from srlab_course.feedback.exercise import sample
from srlab_course.workshops.promises import Promise, expect, expect_tensor, in_order, trying


class Brightness(nn.Module):
    """A discriminator whose logit is the brightness of an image, with a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, 1, 1, 1)``."""
        return self.factor * image.mean((1, 2, 3), keepdim=True)


def discriminator(mine: ModuleType) -> Iterator[Promise]:
    """Check that a discriminator judges images and can teach, and that both losses reward the right thing."""
    discriminator = expect(mine.Discriminator(), "`Discriminator()`", nn.Module, "a network")
    images, logits = [sample(2, 3, *size) for size in ((64, 64), (96, 128))], []
    for image in images:
        with trying(f"D judges images of any size: {tuple(image.shape)}"):
            logits.append(expect_tensor(discriminator(image), "D's output"))
    yield (
        all(out.shape[:1] == (2,) for out in logits),
        f"D judges images: (2, 3, 64, 64) -> {tuple(logits[0].shape)}, (2, 3, 96, 128) -> {tuple(logits[1].shape)}.",
        "Return one logit per image or per region; the first dimension is the image.",
    )
    lowest, highest = _range(mine.Discriminator, images[0])
    yield (
        lowest < 0 or highest > 1,
        f"D returns logits: with other weights, its output is from {lowest:.3g} to {highest:.3g}.",
        "That is a probability. Does D end in a sigmoid? The loss has it already, and twice it teaches very slowly.",
    )
    yield from _d_loss(mine)

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, factor: float) -> torch.Tensor:
        with trying("g_loss gets another discriminator than yours"):
            return expect_tensor(mine.g_loss(sr, hr, Brightness(factor)), "`g_loss`", ())

    hr = sample(2, 3, 32, 32, low=0.2, high=0.8)
    sr = hr.clone().requires_grad_()  # equal to HR, so that only D has something to teach
    fooled = gradient(g_loss(sr, hr, 1.0), [sr]).mean().item() < 0
    yield (
        fooled,
        f"g_loss {'falls' if fooled else 'does not fall'} when D takes SR more for a photo.",
        "G wants D's logit of SR to be large. Check the sign, and that no detach is on the way.",
    )
    sure = g_loss(sr, hr, -1000.0).item()
    yield (
        bool(torch.tensor(sure).isfinite()),
        f"g_loss survives a D that is very sure: for logits of about -500 it is {sure:.4g}.",
        "The sigmoid of -500 is exactly 0 in float32, and its logarithm isn't finite. Compute it from logits.",
    )
    bright = (hr + (sample(2, 3, 32, 32, seed=1) > 0.5)).requires_grad_()  # half of it is above 1
    with_d, without = (gradient(g_loss(bright, bright.detach(), factor), [bright]) for factor in (-1.0, 0.0))
    above = bool((with_d != without)[bright.flatten() > 1].any())
    yield (
        above,
        f"g_loss gives D the SR as it is: where SR is above 1, D's opinion has {'a' if above else 'no'} gradient.",
        "A clamp has no gradient where it acts, so G never hears that such a pixel is too bright.",
    )
    off, turned, equal = (g_loss(one, hr, 0.0).item() for one in (hr + 0.1, hr.flip(2, 3), hr))
    brighter = (hr + 0.1).requires_grad_()
    yield (
        1e-3 * (off - equal) < turned - equal
        and equal < off
        and bool(gradient(g_loss(brighter, hr, 0.0), [brighter]).any()),
        f"g_loss keeps SR near HR: if D can't tell, it is {equal:.4f} for SR equal to HR, {off:.4f} for SR that is 0.1 "
        f"brighter, and {turned:.4f} for HR turned around.",
        "D only knows what photos look like. What ties SR to this photo, and each place to its place, with a gradient "
        "for SR?",
    )


@in_order
def _d_loss(mine: ModuleType) -> Iterator[Promise]:
    def d_loss(real: float | torch.Tensor, fake: float | torch.Tensor) -> torch.Tensor:
        both = (level if isinstance(level, torch.Tensor) else torch.full((4, 1), level) for level in (real, fake))
        return expect_tensor(mine.d_loss(*both), "`d_loss`", ())

    right, even, wrong = (d_loss(c, -c).item() for c in (0.5, 0.0, -0.5))  # LSGAN's loss rises again beyond 1
    yield (
        right < even < wrong,
        f"d_loss rewards a good D: it is {right:.2f} if D is right, {even:.2f} if it can't tell, {wrong:.2f} if it is "
        "wrong.",
        "Which of the two arguments belongs to HR, and what should D return for it?",
    )
    for_real, for_fake = _slopes(d_loss, 0.2, 0.8)
    yield (
        for_real < 0 < for_fake,
        f"d_loss uses both arguments: its slope is {for_real:.2g} for D's logits of HR and {for_fake:.2g} for those of "
        "SR.",
        "The first should be negative and the second positive. Is a half missing, detached, or of the wrong sign?",
    )
    extreme = d_loss(-200.0, 200.0).item()
    slopes = _slopes(d_loss, -200.0, 200.0)
    yield (
        bool(torch.tensor([extreme, *slopes]).isfinite().all()) and all(slopes),
        f"d_loss survives a D that is very wrong: for logits of -200 and 200 it is {extreme:.0f}, with slopes of "
        f"{slopes[0]:.2g} and {slopes[1]:.2g}.",
        "The sigmoid of 200 is exactly 1 in float32, and the logarithm of 0 isn't finite. Compute it from logits.",
    )


def _range(discriminator: Callable[[], nn.Module], image: torch.Tensor) -> tuple[float, float]:
    """Return the lowest and the highest output of eight discriminators with other parameters than initially."""
    outputs = []
    for seed in range(8):
        changed = discriminator()
        with torch.no_grad():
            for number, parameter in enumerate(changed.parameters()):
                parameter += 3 * sample(*parameter.shape, low=-1.0, seed=100 * seed + number)
            outputs.append(changed(image).flatten())
    return torch.cat(outputs).min().item(), torch.cat(outputs).max().item()


def _slopes(loss: Callable[..., torch.Tensor], *levels: float) -> tuple[float, ...]:
    """Return the slope of a loss for each of its arguments, which are constant."""
    arguments = [torch.full((4, 1), level, requires_grad=True) for level in levels]
    value = loss(*arguments)
    return tuple(gradient(value, [argument]).sum().item() for argument in arguments)
