"""Lab 02: the weight that gives a loss its share of the pull."""

from typing import Any

import torch
import torch.nn.functional as F

from srlab_course.exercises.networks import reaches
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, sample
from srlab_course.feedback.value_comparison import take


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


def _stop(_: torch.Tensor) -> None:
    raise IncorrectAnswer(
        "backward() also fills the gradients of the generator's weights, and the training step would add to them. "
        "Which function of torch.autograd returns the gradient at SR and stops there?"
    )


def _observe(
    answer: Answer, pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float, of_generator: Any
) -> dict[str, Any]:
    of_generator.register_post_accumulate_grad_hook(_stop)
    weight = take(answer(pixel, content, sr, share), 0.0)
    reaches(pixel + content, [sr])  # raises if the graph is gone
    return {f"a share of {share}": weight}


EXERCISE = Exercise(
    balance,
    level="medium",
    points=4,
    cases={
        "a share of one half: both pull alike, and the graph is still there": lambda: _case(0.5),
        "another share": lambda: _case(0.2),
    },
    observe=_observe,
    reveal=False,
)
