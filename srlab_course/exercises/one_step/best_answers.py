"""Lab 07: the outputs with the smallest squared error that a function of its input can have."""

import torch

from srlab_course.feedback.exercise import Exercise, sample


def best_answers(inputs: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return the output for each row that has the smallest squared error, if equal inputs have equal outputs.

    Parameters
    ----------
    inputs
        Integers, ``(N,)``: all that the function is told about a row.
    answers
        ``(N, D)``, the right answer of each row.

    Returns
    -------
    torch.Tensor
        ``(N, D)``; the mean answer of all rows with the same input.
    """
    best = torch.empty_like(answers)
    for value in inputs.unique():
        best[inputs == value] = answers[inputs == value].mean(0)
    return best


EXERCISE = Exercise(
    best_answers,
    level="medium",
    points=4,
    cases={
        "three inputs": (torch.tensor([0, 1, 2, 1, 0, 0, 2]), sample(7, 2, low=-1)),
        "inputs that aren't counted from zero, and one that occurs once": (
            torch.tensor([7, 3, 3, 9, 7, 3]),
            sample(6, 3, low=-1, seed=1),
        ),
        "a single input": (torch.zeros(4, dtype=torch.long), sample(4, 2, seed=2)),
    },
)
