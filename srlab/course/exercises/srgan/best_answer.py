"""Lab 03: the best D for a given G, and its loss."""

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise


def best_answer(p_data: torch.Tensor, p_g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the best D for a fixed G, and its loss (Goodfellow et al. 2014, section 4.1).

    Parameters
    ----------
    p_data, p_g
        Share of the real and of the generated points in each cell, ``(n,)`` each, with sum 1. No cell has neither.

    Returns
    -------
    tuple of torch.Tensor
        D's best output in each cell, ``(n,)``, and the loss of this D, ``()``.
    """
    best = p_data / (p_data + p_g)
    loss = -torch.xlogy(p_data, best).sum() - torch.xlogy(p_g, 1 - best).sum()  # xlogy: 0 log 0 is 0
    return best, loss


def _observe(answer: Answer, p_data: torch.Tensor, p_g: torch.Tensor) -> dict[str, torch.Tensor]:
    best, loss = take(answer(p_data, p_g), (p_data, torch.zeros(())))
    return {"D's best output": best, "its loss": torch.as_tensor(loss)}


def _loss(best: torch.Tensor, p_data: torch.Tensor, p_g: torch.Tensor) -> torch.Tensor:
    return -torch.xlogy(p_data, best).sum() - torch.xlogy(p_g, 1 - best).sum()


def _with(best: Answer) -> Answer:
    """Return an answer with another D, and the loss of that D."""
    return lambda p_data, p_g: ((d := best(p_data, p_g)), _loss(d, p_data, p_g))


def _with_loss(loss: Answer) -> Answer:
    """Return an answer with the best D and another loss."""
    return lambda p_data, p_g: ((d := p_data / (p_data + p_g)), loss(d, p_data, p_g))


def _terms(d: torch.Tensor, p_data: torch.Tensor, p_g: torch.Tensor) -> torch.Tensor:
    return -torch.xlogy(p_data, d) - torch.xlogy(p_g, 1 - d)


EXERCISE = Exercise(
    best_answer,
    level="medium",
    points=4,
    cases={
        "both kinds of points in each cell": (torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])),
        "a perfect G: both kinds equally frequent everywhere": (torch.full((4,), 0.25), torch.full((4,), 0.25)),
        "cells with only one kind": (torch.tensor([0.0, 0.25, 0.75, 0.0]), torch.tensor([0.5, 0.25, 0.0, 0.25])),
    },
    observe=_observe,
    known_mistakes={
        "Your loss is NaN where a cell has only one kind of points: there 0 times the logarithm of 0 comes up. Such a "
        "cell adds nothing for the missing kind. How do you compute 0 log 0 as 0?": [
            _with_loss(lambda d, p_data, p_g: -(p_data * d.log()).sum() - (p_g * (1 - d).log()).sum()),
            _with_loss(lambda d, p_data, p_g: -(p_data * d.log() + p_g * (1 - d).log()).sum()),
        ],
        "Your D decides for the more frequent kind. Each point of the other kind then costs infinitely much. Set the "
        "derivative of the cell's loss with respect to D to zero.": [
            lambda p_data, p_g: _with(lambda a, b: (a > b).float())(p_data, p_g),
            lambda p_data, p_g: _with(lambda a, b: (a >= b).float())(p_data, p_g),
        ],
        "You return the ratio of the two shares. That is D / (1 - D). Solve it for D.": _with(lambda a, b: a / b),
        "Your D gives the share of the generated points. D's output is 1 for real.": _with(lambda a, b: b / (a + b)),
        "Your D depends only on the real points. A cell with few real points is still real if nothing generated is "
        "in it.": [_with(lambda a, b: a), _with(lambda a, b: a / a.max())],
        "Your D is a share of squares, as if the loss were another one. Take the derivative of -p log D - q log(1 - D) "
        "again.": _with(lambda a, b: a**2 / (a**2 + b**2)),
        "D is correct. You average its loss over the cells. The shares already weight the cells, so add them up.": [
            _with_loss(lambda d, a, b: _terms(d, a, b).mean()),
            _with_loss(lambda d, a, b: -torch.xlogy(a, d).mean() - torch.xlogy(b, 1 - d).mean()),
        ],
        "D is correct. Your loss is half of what it should be. Each kind has its mean; add the two.": (
            _with_loss(lambda d, a, b: _terms(d, a, b).sum() / 2)
        ),
        "D is correct. Your loss ignores how often each cell occurs. Weight each logarithm with the share of its "
        "points.": [
            _with_loss(lambda d, a, b: (-d.log() - (1 - d).log()).mean()),
            _with_loss(lambda d, a, b: (-d.log() - (1 - d).log()).sum()),
        ],
        "D is correct. You return the value that D maximizes. D's loss is its negative.": (
            _with_loss(lambda d, a, b: -_terms(d, a, b).sum())
        ),
        "D is correct. Your loss has only one of the two terms.": [
            _with_loss(lambda d, a, b: -torch.xlogy(a, d).sum()),
            _with_loss(lambda d, a, b: -torch.xlogy(b, 1 - d).sum()),
        ],
        "D is correct. Your second term has log D instead of log(1 - D).": (
            _with_loss(lambda d, a, b: -torch.xlogy(a, d).sum() - torch.xlogy(b, d).sum())
        ),
        "D is correct. Your loss is in bits. Use the natural logarithm, as in exercise 1.": (
            _with_loss(lambda d, a, b: _terms(d, a, b).sum() / torch.tensor(2.0).log())
        ),
        "D is correct. You return one loss per cell. Add them up.": _with_loss(_terms),
    },
    also_accepted=[
        lambda p_data, p_g: (
            1 / (1 + p_g / p_data),
            -torch.special.xlogy(p_data, p_data / (p_data + p_g)).sum()
            - torch.special.xlogy(p_g, p_g / (p_data + p_g)).sum(),
        ),
        _with_loss(lambda d, a, b: -(a * d.clamp(min=1e-12).log() + b * (1 - d).clamp(min=1e-12).log()).sum()),
    ],
    fallback_messages={
        "D's best output": "D's output is not the one with the lowest loss. In one cell, -p_data log D - "
        "p_g log(1 - D) is lowest where its derivative is zero.",
        "its loss": "D is correct, but its loss isn't.",
    },
    reveal=False,
    hints=(
        "Look at one cell. What does it add to D's loss, if D answers with a number D there? Set the derivative with "
        "respect to D to zero.",
        "The mean of -log D over all real points is a sum over the cells of share times -log D. Where a share is 0, "
        "torch.xlogy helps.",
    ),
)
