"""Lab 02: the weight that gives a loss its share of the pull."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, sample
from srlab.course.exercises.networks import reaches


def balance(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> float:
    """Return the weight that gives a loss a share of the pull on SR, next to a pixel loss with weight 1.

    Parameters
    ----------
    pixel, content
        ``()``, two losses with a graph that leads to `sr`. Graph and gradients stay as they are.
    sr
        ``(N, 3, H, W)``.
    share
        Share of `content` in the sum of both pulls, between 0 and 1.

    Returns
    -------
    float
        The weight of `content`.
    """
    (by_pixel,) = torch.autograd.grad(pixel, sr, retain_graph=True)
    (by_content,) = torch.autograd.grad(content, sr, retain_graph=True)
    # share = w * |content'| / (|pixel'| + w * |content'|), solved for w
    return (share / (1 - share) * by_pixel.norm() / by_content.norm()).item()


def _case(share: float) -> tuple[Any, ...]:
    """Return losses whose values don't predict their gradients, the SR of both, and a weight of the generator."""
    weight, hr = sample(3, 3, 1, 1, low=-1, seed=4).requires_grad_(), sample(2, 3, 8, 6, seed=2)
    sr = F.conv2d(sample(2, 3, 8, 6, seed=1), weight)
    kernels = sample(5, 3, 3, 3, low=-1, seed=3)
    found, wanted = (torch.tanh(F.conv2d(image, kernels, padding=1)) for image in (sr, hr))
    return F.mse_loss(sr, hr), 4 * F.mse_loss(found, wanted) + 1, sr, share, weight


def _observe(
    answer: Answer, pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float, of_generator: Any
) -> dict[str, Any]:
    weight = take(answer(pixel, content, sr, share), 0.0)
    reaches(pixel + content, [sr])  # raises if the graph is gone
    return {"no gradient in the generator": of_generator.grad is None, f"a share of {share}": weight}


def _of_gradients(
    weigh: Callable[[torch.Tensor, torch.Tensor, float], Any], size: Callable[..., torch.Tensor] = torch.norm
) -> Answer:
    """Return an answer that computes the weight from the sizes of both gradients and the share."""

    def weight(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> Any:
        a, b = (size(torch.autograd.grad(loss, sr, retain_graph=True)[0]) for loss in (pixel, content))
        return weigh(a, b, share)

    return weight


def _odds(a: torch.Tensor, b: torch.Tensor, share: float) -> torch.Tensor:
    return share / (1 - share) * a / b


def _backward(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> torch.Tensor:
    sr.retain_grad()
    pixel.backward(retain_graph=True)
    by_pixel, sr.grad = sr.grad.norm(), None
    content.backward(retain_graph=True)
    return _odds(by_pixel, sr.grad.norm(), share)


def _backward_of_no_leaf(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> torch.Tensor:
    pixel.backward(retain_graph=True)
    none_yet = None if sr.is_leaf is False else sr.grad  # sr.grad, but without torch's warning
    return none_yet.norm()


def _without_graph(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> torch.Tensor:
    return _odds(*(torch.autograd.grad(loss, sr)[0].norm() for loss in (pixel, content)), share)


def _stepwise(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> float:
    """Search for the weight instead of solving for it."""
    a, b = (torch.autograd.grad(loss, sr, retain_graph=True)[0].norm().item() for loss in (pixel, content))
    low, high = 0.0, 1e6
    for _ in range(200):
        weight = (low + high) / 2
        low, high = (weight, high) if weight * b < share * (a + weight * b) else (low, weight)
    return low


EXERCISE = Exercise(
    balance,
    level="medium",
    points=4,
    cases={
        "a share of one half: both pull alike, and the graph is still there": lambda: _case(0.5),
        "another share": lambda: _case(0.2),
    },
    observe=_observe,
    known_mistakes={
        "After your function the graph is gone, so the training step can't run backward through the same losses. What "
        "can torch.autograd.grad retain?": _without_graph,
        "backward() also fills the gradients of the generator's weights, and the training step would add to them. "
        "Which function of torch.autograd returns the gradient at SR and stops there?": [
            _backward,
            _backward_of_no_leaf,
        ],
        "You returned two values. The pixel loss keeps its weight of 1. What is the weight of the other loss?": (
            _of_gradients(lambda a, b, share: (1.0, _odds(a, b, share)))
        ),
        "You compared the values of the losses. A large loss can pull weakly. What moves SR?": [
            lambda pixel, content, sr, share: _odds(pixel, content, share),
            lambda pixel, content, sr, share: _odds(content, pixel, share),
        ],
        "Your ratio is upside down: a loss that pulls harder gets a larger weight. Should it?": (
            _of_gradients(lambda a, b, share: _odds(b, a, share))
        ),
        "You returned the share that the pixel loss would have at a weight of 1. At which weight do both pull alike?": (
            _of_gradients(lambda a, b, share: a / (a + b))
        ),
        "You measured the gradients with something other than their norm, the root of the sum of squares. In a mean, "
        "for example, signs cancel.": [
            _of_gradients(_odds, size)
            for size in (lambda g: g.abs().sum(), lambda g: g.abs().max(), lambda g: g.square().sum(), torch.mean)
        ],
        "Your result depends on the share only. Where do the two gradients enter?": [
            lambda pixel, content, sr, share: share,
            lambda pixel, content, sr, share: share / (1 - share),
        ],
        "Your result is the same for every share. Where does `share` enter?": (
            _of_gradients(lambda a, b, share: a / b)
        ),
        "You used the share as a factor. If both pull alike, each has a share of one half. Which share does a pull `w` "
        "have next to a pull of 1?": [
            _of_gradients(lambda a, b, share: share * a / b),
            _of_gradients(lambda a, b, share: 2 * share * a / b),
        ],
        "The two shares are swapped: the pixel loss gets what the other loss should have.": (
            _of_gradients(lambda a, b, share: _odds(a, b, 1 - share))
        ),
    },
    also_accepted=[_of_gradients(_odds, lambda g: g.square().sum().sqrt()), _stepwise],
    fallback_messages={
        "no gradient in the generator": "A weight of the generator has a gradient now. Leave all as they are.",
        "a share of 0.5": "With a share of one half, both should pull alike. Is your share one of the sum of both "
        "pulls, or one of the pixels' pull?",
        "a share of 0.2": "With a share of 0.2, the weight is different. Insert yours into the definition.",
    },
    reveal=False,
    hints=(
        "A loss pulls at SR as hard as the norm of its gradient there, and its weight multiplies the gradient.",
        "torch.autograd.grad(loss, sr, retain_graph=True) returns the gradient and keeps the graph. Write the share of "
        "a pull `w * b` next to a pull `a`, and solve for `w`.",
    ),
)
