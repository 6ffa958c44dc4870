"""Lab 03: the best D for a given G."""

import torch

from srlab.course.exercise import Exercise


def best_answer(p_data: torch.Tensor, p_g: torch.Tensor) -> torch.Tensor:
    """Compute the output of the best D for a fixed G (Goodfellow et al. 2014, section 4.1).

    Parameters
    ----------
    p_data, p_g
        Share of the real and of the generated points in each cell, ``(n,)`` each, with sum 1. No cell has neither.

    Returns
    -------
    torch.Tensor
        D's best output in each cell, ``(n,)``.
    """
    return p_data / (p_data + p_g)


_CASES = {
    "both kinds of points in each cell": (torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])),
    "a perfect G: both kinds equally frequent everywhere": (torch.full((4,), 0.25), torch.full((4,), 0.25)),
    "cells with only one kind": (torch.tensor([0.0, 0.25, 0.75, 0.0]), torch.tensor([0.5, 0.25, 0.0, 0.25])),
}


EXERCISE = Exercise(
    best_answer,
    level="medium",
    points=4,
    cases=_CASES,
    known_mistakes={
        "Your D decides for the more frequent kind. Each point of the other kind then costs infinitely much. Set the "
        "derivative of the cell's loss with respect to D to zero.": [
            lambda p_data, p_g: (p_data > p_g).float(),
            lambda p_data, p_g: (p_data >= p_g).float(),
        ],
        "You return the ratio of the two shares. That is D / (1 - D). Solve it for D.": (
            lambda p_data, p_g: p_data / p_g
        ),
        "You return D's best logit, the logarithm of D / (1 - D). D's output is the sigmoid of it.": (
            lambda p_data, p_g: (p_data / p_g).log()
        ),
        "Your D gives the share of the generated points. D's output is 1 for real.": (
            lambda p_data, p_g: p_g / (p_data + p_g)
        ),
        "Your D depends only on the real points. A cell with few real points is still real if nothing generated is "
        "in it.": [lambda p_data, p_g: p_data, lambda p_data, p_g: p_data / p_data.max()],
        "Your D is the same in all cells, one half. That is its best answer only once G is perfect. Look at one cell "
        "at a time.": [
            lambda p_data, p_g: torch.full_like(p_data, 0.5),
            lambda p_data, p_g: (p_data.sum() / (p_data + p_g).sum()).expand(len(p_data)),
        ],
        "Your D is a share of squares, as if the loss were another one. Take the derivative of -p log D - q log(1 - D) "
        "again.": lambda p_data, p_g: p_data**2 / (p_data**2 + p_g**2),
        "Your D is NaN where a cell has only real points: there the ratio of the two shares is infinite. Write D "
        "without this ratio.": lambda p_data, p_g: (p_data / p_g) / (1 + p_data / p_g),
    },
    also_accepted=[
        lambda p_data, p_g: 1 / (1 + p_g / p_data),
        lambda p_data, p_g: torch.sigmoid(p_data.log() - p_g.log()),
    ],
    fallback_messages=dict.fromkeys(
        _CASES,
        "D's output is not the one with the lowest loss. In one cell, -p_data log D - p_g log(1 - D) is lowest where "
        "its derivative is zero.",
    ),
    reveal=False,
    hints=(
        "Look at one cell. What does it add to D's loss, if D answers with a number D there? Set the derivative with "
        "respect to D to zero.",
        "The mean of -log D over all real points is a sum over the cells of share times -log D. So one cell adds "
        "-p_data log D - p_g log(1 - D).",
    ),
)
