"""Lab 07: the outputs with the smallest squared error that a function of its input can have."""

import torch

from srlab.course.exercise import Answer, Exercise, sample


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


def by_sums(inputs: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return the same by adding up the rows of each input."""
    _, place, count = inputs.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(count), answers.shape[1]).index_add(0, place, answers)
    return (sums / count[:, None])[place]


def by_comparing(inputs: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return the same with a matrix of all pairs of rows."""
    same = (inputs[:, None] == inputs).to(answers.dtype)
    return same @ answers / same.sum(1, keepdim=True)


def _per_input(choose: Answer) -> Answer:
    """Return an answer that replaces the mean."""

    def answer(inputs: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        return torch.stack([choose(answers[inputs == value]) for value in inputs])

    return answer


def _nearest_to_the_mean(rows: torch.Tensor) -> torch.Tensor:
    return rows[(rows - rows.mean(0)).square().sum(1).argmin()]


def _one_row_per_input(inputs: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    return torch.stack([answers[inputs == value].mean(0) for value in inputs.unique()])


def _counted_from_zero(inputs: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    means = torch.stack([answers[inputs == value].mean(0) for value in range(int(inputs.max()) + 1)])
    return means[inputs]


A_REAL_ONE = (
    "You return one of the real answers. It's as sharp as they are, but is its squared error the smallest? Compare it "
    "with lab 01's best answer."
)

EXERCISE = Exercise(
    best_answers,
    level="medium",
    points=4,
    cases={
        "three inputs": lambda: (torch.tensor([0, 1, 2, 1, 0, 0, 2]), sample(7, 2, low=-1)),
        "inputs that aren't counted from zero, and one that occurs once": lambda: (
            torch.tensor([7, 3, 3, 9, 7, 3]),
            sample(6, 3, low=-1, seed=1),
        ),
        "a single input": lambda: (torch.zeros(4, dtype=torch.long), sample(4, 2, seed=2)),
    },
    known_mistakes={
        "All rows have the same output, the mean of all answers. The function knows its input: which rows share it?": (
            lambda inputs, answers: answers.mean(0).expand_as(answers)
        ),
        "You return each row's own answer, so rows with the same input have different outputs. Can a function do "
        "that?": lambda inputs, answers: answers.clone(),
        A_REAL_ONE: [_per_input(_nearest_to_the_mean), _per_input(lambda rows: rows[0])],
        "You return a median, which is best for the absolute error. Which number is best for the squared error?": (
            _per_input(lambda rows: rows.median(0).values)
        ),
        "You add the answers up. How do you get their mean?": _per_input(lambda rows: rows.sum(0)),
        "Your mean is over the coordinates, too. Each coordinate has its own.": (
            _per_input(lambda rows: rows.mean().expand(rows.shape[1]))
        ),
        "You return one row per input. Return one per example, so that it lines up with answers.": _one_row_per_input,
    },
    also_accepted=[by_sums, by_comparing, _counted_from_zero, _per_input(lambda rows: rows.mean(0))],
    hints=(
        "Which rows can't the function tell apart? For them it has only one output. Lab 01 showed which one is best.",
        "For each value of inputs.unique(), the mask inputs == value picks its rows. Give all of them the mean of "
        "their answers.",
    ),
)
