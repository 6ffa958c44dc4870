"""Lab 02: the weights of a hybrid loss."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.exercises import Answer, Exercise, sample
from srlab.exercises.difference import take
from srlab.exercises.networks import reaches


def balance(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> float:
    """Weigh a content loss so that it has a given share of the pull on SR, beside a pixel loss of weight 1.

    Parameters
    ----------
    pixel, content
        ``()``, the two losses, with a graph that leads to `sr`.
    sr
        ``(N, 3, H, W)``.
    share
        Of the sum of both gradient norms, between 0 and 1.

    Returns
    -------
    float
        The weight ``w`` with ``w |content'| / (|pixel'| + w |content'|) = share``.
    """
    (by_pixel,) = torch.autograd.grad(pixel, sr, retain_graph=True)
    (by_content,) = torch.autograd.grad(content, sr, retain_graph=True)
    return (share / (1 - share) * by_pixel.norm() / by_content.norm()).item()


def _case(share: float) -> tuple[Any, ...]:
    """A pixel loss and a content loss whose sizes say nothing of their gradients, the SR of both, and G's weight."""
    weight, hr = sample(3, 3, 1, 1, low=-1, seed=4).requires_grad_(), sample(2, 3, 8, 6, seed=2)
    sr = F.conv2d(sample(2, 3, 8, 6, seed=1), weight)
    kernels = sample(5, 3, 3, 3, low=-1, seed=3)
    seen, wanted = (torch.tanh(F.conv2d(image, kernels, padding=1)) for image in (sr, hr))
    return F.mse_loss(sr, hr), 4 * F.mse_loss(seen, wanted) + 1, sr, share, weight


def _observe(
    answer: Answer, pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float, of_g: torch.Tensor
) -> dict[str, Any]:
    weight = torch.as_tensor(take(answer(pixel, content, sr, share), 0.0))
    reaches(pixel + content, [sr])  # raises where the graph is gone
    return {
        "G without a gradient": of_g.grad is None,
        f"a share of {share}": weight.detach(),
        "a number without a graph": not weight.requires_grad,
    }


def _of_gradients(
    weigh: Callable[[torch.Tensor, torch.Tensor, float], Any],
    size: Callable[..., torch.Tensor] = torch.norm,
    **options: bool,
) -> Answer:
    """A weight made of the sizes of both gradients and the share."""

    def weight(pixel: torch.Tensor, content: torch.Tensor, sr: torch.Tensor, share: float) -> Any:
        a, b = (size(torch.autograd.grad(loss, sr, retain_graph=True, **options)[0]) for loss in (pixel, content))
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


EXERCISE = Exercise(
    balance,
    level="medium",
    cases={
        "a share of one half: both pull alike, and the graph is still there": lambda: _case(0.5),
        "another share": lambda: _case(0.2),
    },
    observe=_observe,
    mistakes={
        "After your function the graph is gone, and the training step could not go backward through the same losses. "
        "What does torch.autograd.grad keep when it is asked to?": _without_graph,
        "A .grad is filled by backward(), which goes on to the weights of G and fills theirs, too, to which the "
        "training step would then add. Which function of torch.autograd hands over the gradient at SR and stops "
        "there?": [
            _backward,
            _backward_of_no_leaf,
        ],
        "torch.autograd.grad gives a tuple, with one gradient for each tensor that it was asked for. Take the first.": (
            lambda pixel, content, sr, share: torch.autograd.grad(pixel, sr, retain_graph=True).norm()
        ),
        "The weight came back with a graph, that of the gradients, which create_graph makes. It's a second derivative "
        "that nobody wants, and the training step would carry it along. Return a plain number.": (
            _of_gradients(_odds, create_graph=True)
        ),
        "Two values came back. The pixel loss keeps its weight of 1; give that of the content loss alone.": (
            _of_gradients(lambda a, b, share: (1.0, _odds(a, b, share)))
        ),
        "That is a ratio of the losses themselves. A large loss may pull weakly: what moves SR is the gradient.": [
            lambda pixel, content, sr, share: _odds(pixel, content, share),
            lambda pixel, content, sr, share: _odds(content, pixel, share),
        ],
        "The ratio is upside down: the harder a loss pulls by itself, the smaller its weight.": (
            _of_gradients(lambda a, b, share: _odds(b, a, share))
        ),
        "That is a share of the pull and no weight yet: at which weight do both pull alike?": (
            _of_gradients(lambda a, b, share: a / (a + b))
        ),
        "The gradients were measured by another size than their norm, the root of the sum of squares. In a mean, for "
        "example, signs cancel.": [
            _of_gradients(_odds, size)
            for size in (lambda g: g.abs().sum(), lambda g: g.abs().max(), lambda g: g.square().sum(), torch.mean)
        ],
        "Nothing was weighed yet. What do the two gradients make of the share?": [
            lambda pixel, content, sr, share: share,
            lambda pixel, content, sr, share: share / (1 - share),
        ],
        "At another share than one half nothing changes. Where does `share` come in?": (
            _of_gradients(lambda a, b, share: a / b)
        ),
        "The share went in as a factor. A weight of 1 beside 1 is a share of one half, not of one. What is the share "
        "of `w` beside 1, and which `w` gives the share that is wanted?": [
            _of_gradients(lambda a, b, share: share * a / b),
            _of_gradients(lambda a, b, share: 2 * share * a / b),
        ],
        "The two shares have changed places: this gives the pixel loss what the content loss should have.": (
            _of_gradients(lambda a, b, share: _odds(a, b, 1 - share))
        ),
    },
    also_right=[_of_gradients(_odds, lambda g: g.square().sum().sqrt())],
    otherwise={
        "a share of 0.5": "At a share of one half, both should pull alike. Is the norm taken over the whole of SR, and "
        "is your share one of the sum of both pulls?",
        "a share of 0.2": "At a share of 0.2 the weight is another one.",
    },
    reveal=False,
    hints=(
        "How hard a loss pulls at SR is the norm of its gradient there, and a weight multiplies the gradient.",
        "torch.autograd.grad(loss, sr, retain_graph=True) gives the gradient and keeps the graph. Then solve w * b / "
        "(a + w * b) = share for w.",
    ),
)
