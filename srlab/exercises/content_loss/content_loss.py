"""Lab 02: the loss on features."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.exercises import Answer, Exercise, Wrong, sample
from srlab.exercises.difference import take
from srlab.exercises.networks import gradient, reaches


def content_loss(features: Callable[[torch.Tensor], torch.Tensor], sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of two images' feature maps (Ledig et al. 2017, equation 5).

    Parameters
    ----------
    features
        Image -> maps: a frozen network, or any other function.
    sr, hr
        ``(N, 3, H, W)``.

    Returns
    -------
    torch.Tensor
        ``()``, with a graph that leads to `sr` only.
    """
    with torch.no_grad():
        wanted = features(hr)
    return F.mse_loss(features(sr), wanted)


def _features(image: torch.Tensor) -> torch.Tensor:
    """Fixed features, a nonlinear function of an image: 5 maps of half its size."""
    return F.avg_pool2d(torch.tanh(F.conv2d(image, sample(5, 3, 3, 3, low=-1, seed=3), padding=1)), 2) * 3


def _images() -> tuple[Answer, torch.Tensor, torch.Tensor]:
    sr, hr = (sample(2, 3, 8, 6, seed=seed).requires_grad_() for seed in (1, 2))
    return _features, sr, hr


def _observe(answer: Answer, features: Answer, sr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
    loss = torch.as_tensor(take(answer(features, sr, hr), 0.0))
    if not (hr.requires_grad and sr.requires_grad):
        raise Wrong(
            "`requires_grad` of a picture itself was changed, which whoever uses it afterwards will notice. Leave the "
            "picture as it is, and make the maps of hr without a graph instead."
        )
    return {
        "the loss": loss,
        "a graph that leads to SR": reaches(loss, [sr]),
        "the gradient at SR": gradient(loss, [sr]),
        "no graph that leads to HR": reaches(loss, [hr]),
    }


def _of_maps(measure: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Answer:
    return lambda features, sr, hr: measure(features(sr), features(hr).detach())


def _of_difference(measure: Callable[[torch.Tensor], torch.Tensor]) -> Answer:
    return _of_maps(lambda x, y: measure(x - y))


EXERCISE = Exercise(
    content_loss,
    level="medium",
    cases={"the mean squared distance of the maps, with a gradient for SR and none for HR": _images},
    observe=_observe,
    mistakes={
        "A loss is one number, for the whole batch.": [
            _of_difference(torch.square),
            _of_difference(lambda d: d.square().mean((1, 2, 3))),
        ],
        "The images themselves are compared, pixel by pixel. Where do the features come in?": [
            lambda features, sr, hr: F.mse_loss(sr, hr),
            lambda features, sr, hr: F.l1_loss(sr, hr),
        ],
        "The squared differences were added up, over the pixels, the channels or the pictures, so a larger patch or "
        "network would weigh more. What makes losses of different sizes comparable?": [
            _of_difference(lambda d: d.square().sum()),
            _of_difference(lambda d: d.square().sum((1, 2, 3)).mean()),
            _of_difference(lambda d: d.square().mean((1, 2, 3)).sum()),
            _of_difference(lambda d: d.square().sum(1).mean()),
            _of_difference(lambda d: d.square().sum() / d[0, 0].numel()),
        ],
        "That is a root of squares. Near zero its gradient does not fade, and the paper has none.": [
            _of_difference(torch.norm),
            _of_difference(lambda d: d.square().mean().sqrt()),
            _of_difference(lambda d: d.norm(dim=1).mean()),
        ],
        "That is the mean of absolute differences, as in ESRGAN. Here they are squared, as in SRGAN.": _of_maps(
            F.l1_loss
        ),
        "Differences of both signs cancel here: they are averaged before the square, or nothing is squared.": [
            _of_difference(lambda d: d.mean().square()),
            _of_difference(torch.mean),
        ],
        "The maps were averaged before they were compared. Where something is counts too.": (
            _of_difference(lambda d: d.mean((2, 3)).square().mean())
        ),
        "The features of the difference are not the difference of the features: a network bends what it sees.": (
            lambda features, sr, hr: features(sr - hr).square().mean()
        ),
        "The value is half of what it should be.": _of_difference(lambda d: d.square().mean() / 2),
        "The sign is turned round: a loss is low where SR is like HR.": _of_difference(lambda d: -d.square().mean()),
        "This is a relative distance, divided by the features of HR. The plain one is asked for.": (
            _of_maps(lambda x, y: F.mse_loss(x, y) / y.square().mean())
        ),
        "No graph leads from the loss back to SR, so G could learn nothing from it. Which of the two pictures may be "
        "without one, and is SR outside of every no_grad, detach and item?": [
            _of_maps(lambda x, y: F.mse_loss(x, y).detach()),
            lambda features, sr, hr: F.mse_loss(features(sr).detach(), features(hr)),
        ],
        "`features` is any function here, as in the lab, where it normalizes the image first. A function has no mode, "
        "no parameters and no forward: call it, and leave it as it is.": [
            lambda features, sr, hr: content_loss(features.eval(), sr, hr),
            lambda features, sr, hr: content_loss(features.requires_grad_(False), sr, hr),
            lambda features, sr, hr: [p.requires_grad_(False) for p in features.parameters()],
            lambda features, sr, hr: content_loss(features.forward, sr, hr),
        ],
        "A gradient also flows to HR, where nothing learns: its features keep a graph, at the price of memory and "
        "time. Which of the two calls of `features` needs one?": (
            lambda features, sr, hr: F.mse_loss(features(sr), features(hr))
        ),
    },
    also_right=[lambda features, sr, hr: F.mse_loss(*features(torch.cat([sr, hr.detach()])).chunk(2))],
    otherwise={"the gradient at SR": "The gradient at SR is another one."},
    hints=(
        "Both pictures are looked at with `features`, and what comes out is compared like pixels are in the MSE.",
        "G has to learn from SR, but nothing learns from HR. What does torch.no_grad() change for the maps that are "
        "made in it?",
    ),
)
