"""Lab 03: the best D for a given G."""

import torch

from srlab_course.feedback.exercise import Exercise


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
    fallback_messages=dict.fromkeys(
        _CASES,
        "D's output is not the one with the lowest loss. In one cell, -p_data log D - p_g log(1 - D) is lowest where "
        "its derivative is zero.",
    ),
    reveal=False,
)
