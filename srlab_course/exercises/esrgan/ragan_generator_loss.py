"""Lab 04: G's loss in the relativistic average GAN (RaGAN)."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab_course.exercises.cross_entropy import as_loss, sample_logits, slope_where_sure, sure_logits
from srlab_course.exercises.networks import gradient, reaches
from srlab_course.feedback.exercise import Answer, Exercise


def ragan_generator_loss(
    sr: torch.Tensor, hr: torch.Tensor, look: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Return G's loss in the relativistic average GAN (Wang et al. 2018, equation 2), with both of its halves.

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)``: G's output with its graph, and the photos.
    look
        Function that returns D's logits of images.

    Returns
    -------
    torch.Tensor
        ``()``; -log(1 - sigmoid(C(hr) - mean C(sr))) - log sigmoid(C(sr) - mean C(hr)), each averaged.
    """
    real, fake = look(hr), look(sr)
    hr_less = -F.logsigmoid(fake.mean() - real).mean()  # 1 - sigmoid(a) is sigmoid(-a)
    sr_more = -F.logsigmoid(fake - real.mean()).mean()
    return hr_less + sr_more


def _look(image: torch.Tensor) -> torch.Tensor:
    return 2 * image - 0.5


def _case(logits: Callable[[], tuple[torch.Tensor, ...]]) -> Callable[[], tuple[Any, ...]]:
    """Return a case in which D's logits of HR and SR are these."""

    def inputs() -> tuple[Any, ...]:
        real, fake = logits()
        return (fake + 0.5) / 2, (real + 0.5) / 2, _look

    return inputs


def _observe(answer: Answer, sr: torch.Tensor, hr: torch.Tensor, look: Answer) -> dict[str, Any]:
    loss = as_loss(answer(sr, hr, look))
    return {
        **slope_where_sure([hr, sr], loss),
        "G's loss": loss,
        "a graph leads to SR": reaches(loss, [sr]),
        "the gradient at SR": 100 * gradient(loss, [sr]),  # scaled up, as each logit has a small share of the mean
    }


EXERCISE = Exercise(
    ragan_generator_loss,
    level="medium",
    points=4,
    cases={
        "both halves, each compared with the mean of the other kind, with a gradient through the mean": _case(
            sample_logits
        ),
        "a D that is very confident": _case(lambda: sure_logits([200], [0])),
        "different numbers of HR and SR logits": _case(lambda: sample_logits(3)),
    },
    observe=_observe,
    reveal=False,
)
