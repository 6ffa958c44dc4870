"""Lab 06: a time as 64 sines and cosines."""

from typing import Any

import torch

from srlab_course.feedback.difference import take
from srlab_course.feedback.exercise import Answer, Exercise, sample


def waves(t: torch.Tensor) -> torch.Tensor:
    """Describe each time by the sines and then the cosines of 32 frequencies, times `t`.

    The frequencies are 100, ..., 0.1, and each is the same factor smaller than the one before.

    Parameters
    ----------
    t
        ``(N,)``, from 0 to 1.

    Returns
    -------
    torch.Tensor
        ``(N, 64)``.
    """
    frequencies = 100 * 1000 ** -torch.linspace(0, 1, 32, device=t.device)
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _observe(answer: Answer, t: torch.Tensor) -> dict[str, Any]:
    result = take(answer(t), waves(t))
    first, second, *_, last = (answer(torch.tensor([1e-4]))[0, :32] / 1e-4).tolist()  # sin(x) is x, if x is small
    return {"the frequencies": f"{first:.3g}, {second:.3g}, ..., {last:.3g}", "the result": result}


EXERCISE = Exercise(
    waves,
    level="medium",
    points=2,
    cases={
        "three times": (torch.tensor([0.1, 0.5, 0.93]),),
        "as many times as frequencies": (sample(32, seed=1),),
        "one time": (torch.tensor([0.0]),),
    },
    observe=_observe,
    tolerance=1e-3,
    reveal=False,
)
