"""Lab 04: the relativistic losses of D and G, which judge pairs."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.exercises import Answer, Exercise
from srlab.exercises.cross_entropy import (
    as_loss,
    cross_entropy,
    mistakes_of,
    sample_logits,
    slope_where_sure,
    sure_logits,
)
from srlab.exercises.difference import take
from srlab.exercises.esrgan.ragan_generator_loss import ragan_generator_loss
from srlab.exercises.networks import gradient


def relativistic_losses(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses of D and of G in the relativistic GAN (Jolicoeur-Martineau 2019), which judges pairs of HR and SR.

    D's halves, -log sigmoid(C(x) - C(y)) and -log(1 - sigmoid(C(y) - C(x))), are one and the same here.

    Parameters
    ----------
    real, fake
        Logits of HR and SR, of one shape.

    Returns
    -------
    tuple of torch.Tensor
        Loss of D and loss of G, both ``()``.
    """
    return -F.logsigmoid(real - fake).mean(), -F.logsigmoid(fake - real).mean()


def _observe(answer: Answer, real: torch.Tensor, fake: torch.Tensor) -> dict[str, Any]:
    d_loss, g_loss = map(as_loss, take(answer(real, fake), [0.0, 0.0]))
    return {
        **slope_where_sure([real, fake], d_loss, g_loss),
        "D's loss": d_loss,
        "G's loss": g_loss,
        "the gradient of D's loss": gradient(d_loss, [real, fake]),
        "the gradient of G's loss": gradient(g_loss, [fake]),
    }


def _pair(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Answer:
    """Both losses by one function: of the logits that should become larger, and of the others."""
    return lambda real, fake: (loss(real, fake), loss(fake, real))


def _one(high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    return -F.logsigmoid(high - low).mean()


def _usual(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return cross_entropy(real, 1) + cross_entropy(fake, 0)


EXERCISE = Exercise(
    relativistic_losses,
    level="medium",
    cases={
        "one term for each pair, and a gradient for D and for G": sample_logits,
        "a D that is very sure, and wrong": sure_logits([200, -200], [0, 0]),
    },
    observe=_observe,
    mistakes={
        "The loss is twice what it should be. Two halves were added: 'HR is the more real one' and 'SR is the less "
        "real one'. Of one pair, can the first be true without the second? Try both on two numbers.": (
            _pair(lambda high, low: 2 * _one(high, low))
        ),
        "The loss is half of what it should be. With pairs there is one term, and its weight is 1.": (
            _pair(lambda high, low: _one(high, low) / 2)
        ),
        "D's loss is G's here: D would learn to take SR for the more real one. Have two things changed places?": [
            lambda real, fake: (_one(fake, real), _one(real, fake)),
            lambda real, fake: (2 * _one(fake, real), _one(fake, real)),
        ],
        "G's loss is D's here: G would learn to be found out. Which of the two does G want to look more real?": (
            lambda real, fake: (_one(real, fake), _one(real, fake))
        ),
        "D's loss is G's with a minus. Where G has lost it goes on for ever, and where D is wrong it is flat.": (
            lambda real, fake: (-_one(fake, real), _one(fake, real))
        ),
        "G's loss is D's with a minus. Where D is sure that HR is the more real one, as it often is at the beginning, "
        "that is flat, and G learns next to nothing. What would a loss be that is steep there?": (
            lambda real, fake: (_one(real, fake), -_one(real, fake))
        ),
        "That is the usual loss, as in SRGAN, with each image on its own. Here D compares. What with what?": [
            lambda real, fake: (_usual(real, fake), cross_entropy(fake, 1)),
            lambda real, fake: (_usual(real, fake) / 2, cross_entropy(fake, 1)),
        ],
        "Each logit is compared with a mean here, as in the average kind. Now it is one HR with one SR.": [
            _pair(lambda high, low: ragan_generator_loss(low, high)),
            _pair(lambda high, low: ragan_generator_loss(low, high) / 2),
            _pair(lambda high, low: _one(high, low.mean())),
        ],
        "Every HR is compared with every SR here. A pair is one HR and the SR at the same place, so there are as many "
        "differences as logits.": [
            _pair(lambda high, low: _one(high.flatten()[:, None], low.flatten())),
            _pair(lambda high, low: 2 * _one(high.flatten()[:, None], low.flatten())),
            _pair(lambda high, low: _one(high[:, None], low)),  # every image with every image, place by place
        ],
        "Only the means of HR and SR are compared. Here each HR logit is compared with its SR logit, and the mean is "
        "taken of what comes out.": _pair(lambda high, low: _one(high.mean(), low.mean())),
        "The sigmoids are subtracted. It is the logits that are compared; when does the sigmoid come in?": (
            _pair(lambda high, low: cross_entropy(high.sigmoid() - low.sigmoid(), 1))
        ),
        "The value is right, but it is cut off from its logits, as by detach, item or no_grad: nothing is learnt.": (
            _pair(lambda high, low: _one(high, low).item())
        ),
        **mistakes_of(lambda entropy: _pair(lambda high, low: entropy(high - low, 1))),
    },
    also_right=[
        _pair(lambda high, low: cross_entropy(high - low, 1)),
        lambda real, fake: [F.softplus(fake - real).mean(), F.softplus(real - fake).mean()],
    ],
    otherwise={
        "D's loss": "D's loss is another one.",
        "G's loss": "G's loss is another one.",
        "the gradient of D's loss": "D's loss is right, but not its gradient at the logits. Were some detached?",
        "the gradient of G's loss": "G's loss is right, but not its gradient at SR's logits. Were they detached?",
    },
    hints=(
        "D says which of two images looks more real: sigmoid(C(x) - C(y)) is how sure it is that it is HR. What would "
        "D like that to be, and what G?",
        "1 - sigmoid(a) is sigmoid(-a): write down both of D's halves with that. For the logarithm of a sigmoid torch "
        "has functions that stay finite.",
    ),
)
