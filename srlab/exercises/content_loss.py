"""Exercises of lab 02: the loss on features; and those of `_extractor`, `_cut`, `_blocks` and `_balance`."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.exercises import _balance, _blocks, _cut, _extractor
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, sample, tensor

# --- The loss on features ---------------------------------------------------------------------------------------


def content_loss(extract: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of two images' feature maps (Ledig et al. 2017, equation 5).

    Parameters
    ----------
    extract
        Frozen network, image -> maps.
    sr, hr
        ``(N, 3, H, W)``.

    Returns
    -------
    torch.Tensor
        ``()``, with a graph that leads to `sr` only.
    """
    with torch.no_grad():
        wanted = extract(hr)
    return F.mse_loss(extract(sr), wanted)


class _Extract(nn.Module):
    """Fixed features, a nonlinear function of an image: 5 maps of half its size."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(torch.tanh(F.conv2d(image, sample(5, 3, 3, 3, low=-1, seed=3), padding=1)), 2) * 3


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    return sample(2, 3, 8, 6, seed=1), sample(2, 3, 8, 6, seed=2)


def _content_mistakes(sr: torch.Tensor, hr: torch.Tensor) -> Iterable[tuple[str, Any]]:
    extract = _Extract()
    x, y = extract(sr), extract(hr)
    difference = x - y
    mse = difference.square().mean()
    sums = "The squared differences were added up, so a larger patch or network would weigh more. What makes "
    sums += "losses of different sizes comparable?"
    root = "That is a root of squares. Near zero its gradient does not fade, and the paper has none."
    yield (
        "The images themselves are compared, pixel by pixel. Where do the features come in?",
        (sr - hr).square().mean(),
    )
    yield "The images themselves are compared, pixel by pixel.", (sr - hr).abs().mean()
    yield sums, difference.square().sum()
    yield sums, difference.square().sum() / len(sr)
    yield sums, difference.square().sum((1, 2, 3)).mean()
    yield (
        "The sum over the whole batch was divided by the size of one picture's maps. Average over the pictures too.",
        mse * len(sr),
    )
    yield (
        "The squares were added up over the channels and averaged over the pixels. Here the mean is taken over both.",
        difference.square().sum(1).mean(),
    )
    yield root, difference.square().sum().sqrt()
    yield root, mse.sqrt()
    yield root, difference.flatten(1).norm(dim=1).mean()
    yield root, difference.norm(dim=1).mean()
    yield (
        "That is the mean of absolute differences, as in ESRGAN. Here they are squared, as in SRGAN.",
        difference.abs().mean(),
    )
    yield "Differences of both signs cancel here: they are averaged before the square.", difference.mean().square()
    yield "Differences of both signs cancel here: nothing is squared.", difference.mean()
    yield "Differences of both signs cancel here: nothing is squared.", -difference.mean()
    yield (
        "The maps were averaged before they were compared. Where something is counts too.",
        (difference.mean((2, 3)).square().mean()),
    )
    yield (
        "The features of the difference are not the difference of the features: a network bends what it sees.",
        (extract(sr - hr).square().mean()),
    )
    yield "The value is half of what it should be.", mse / 2
    yield "The sign is turned round: a loss is low where SR is like HR.", -mse
    yield (
        "This is a relative distance, divided by the features of HR. The plain one is asked for.",
        (mse / y.square().mean()),
    )


def _content_value(answer: Answer) -> None:
    sr, hr = _pair()
    result = tensor(answer(_Extract(), sr, hr), (), "A loss is one number, for the whole batch.")
    compare(result, content_loss(_Extract(), sr, hr), _content_mistakes(sr, hr), "The loss is another number.")
    same = tensor(answer(_Extract(), hr, hr), ())
    compare(same, 0.0, otherwise="An SR that is HR itself:")


def _content_gradient(answer: Answer) -> None:
    sr, hr = _pair()
    sr.requires_grad_()
    result = answer(_Extract(), sr, hr)
    if not isinstance(result, torch.Tensor) or not result.requires_grad:
        raise Wrong(
            "No graph leads from the loss back to SR, so G could learn nothing from it. Which of the two pictures "
            "may be without one, and is SR outside of every no_grad, detach and item?"
        )
    (gradient,) = torch.autograd.grad(result, sr, allow_unused=True)
    (right,) = torch.autograd.grad(content_loss(_Extract(), sr, hr), sr)
    if gradient is None:
        raise Wrong("The loss has a graph, but it does not lead to SR.")
    compare(gradient, right, otherwise="The gradient at SR is another one.")


def _content_hr(answer: Answer) -> None:
    sr, hr = (image.requires_grad_() for image in _pair())
    at_sr, at_hr = torch.autograd.grad(answer(_Extract(), sr, hr), (sr, hr), allow_unused=True)
    if at_hr is not None:
        turned = " SR has none: have the two changed places?" if at_sr is None else ""
        raise Wrong(
            "A gradient also flows to HR, where nothing learns: its features keep a graph, at the price of memory and "
            f"time. Which of the two calls of `extract` needs one?{turned}"
        )


EXERCISES = {
    **_extractor.EXERCISES,
    "content_loss.content_loss": Exercise(
        content_loss,
        (
            ("the mean squared distance of the maps", _content_value),
            ("a gradient for SR", _content_gradient),
            ("and none for HR", _content_hr),
        ),
        "medium",
        (
            "Both pictures are looked at with `extract`, and what comes out is compared like pixels are in the MSE.",
            "G has to learn from SR, but nothing learns from HR. What does torch.no_grad() change for the maps that "
            "are made in it?",
        ),
    ),
    **_cut.EXERCISES,
    **_blocks.EXERCISES,
    **_balance.EXERCISES,
}
