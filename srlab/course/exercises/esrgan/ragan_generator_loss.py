"""Lab 04: the loss of G in the relativistic average GAN."""

from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise
from srlab.course.exercises.cross_entropy import (
    Entropy,
    as_loss,
    as_many_of_each,
    cross_entropy,
    mistakes_of,
    sample_logits,
    slope_where_sure,
    sure_logits,
)
from srlab.course.exercises.networks import gradient, reaches


def ragan_generator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Loss of G in the relativistic average GAN (Wang et al. 2018, equation 2), with both of its halves.

    Parameters
    ----------
    real, fake
        Logits of HR and of SR. HR's need no graph, because G doesn't change them.

    Returns
    -------
    torch.Tensor
        ``()``; -log(1 - sigmoid(C(x) - mean C(y))) - log sigmoid(C(y) - mean C(x)), each averaged.
    """
    hr_less = -F.logsigmoid(fake.mean() - real).mean()  # 1 - sigmoid(a) is sigmoid(-a)
    sr_more = -F.logsigmoid(fake - real.mean()).mean()
    return hr_less + sr_more


def _observe(answer: Answer, real: torch.Tensor, fake: torch.Tensor) -> dict[str, Any]:
    loss = as_loss(answer(real, fake))
    return {
        **slope_where_sure([real, fake], loss),
        "G's loss": loss,
        "a graph leads to SR's logits": reaches(loss, [fake]),
        "the gradient at SR's logits": 100 * gradient(loss, [fake]),  # each logit has a small share of the mean
    }


def _sr_half(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return cross_entropy(fake - real.mean(), 1)


def _hr_half(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return cross_entropy(real - fake.mean(), 0)


def made_of(entropy: Entropy) -> Answer:
    """The loss with another cross entropy."""
    return lambda real, fake: entropy(real - fake.mean(), 0) + entropy(fake - real.mean(), 1)


def _means_over(*dims: int) -> Answer:
    return lambda real, fake: (
        cross_entropy(real - fake.mean(dims, keepdim=True), 0) + cross_entropy(fake - real.mean(dims, keepdim=True), 1)
    )


# D's loss is that of G with HR and SR in each other's place, so these are mistakes of both.
OF_BOTH: dict[str, list[Answer]] = {
    "It is half of what it should be: a mean of both halves. Some code (BasicSR) has that convention, which halves the "
    "weight of the loss. In equations 1 and 2 of the paper the halves add up.": [
        lambda real, fake: ragan_generator_loss(real, fake) / 2
    ],
    # Whichever of them it is, the value is the same, because the two differences have opposite means.
    "One of the two halves pushes the wrong way, as the other network would have it. Which target does each need?": [
        lambda real, fake: _sr_half(real, fake) + cross_entropy(real - fake.mean(), 1)
    ],
    "The two halves have opposite signs. Both shrink as things go well.": [
        lambda real, fake: _sr_half(real, fake) - _hr_half(real, fake),
        lambda real, fake: _hr_half(real, fake) - _sr_half(real, fake),
    ],
    "Each kind is compared with its own mean, or with that of both, and not with that of the other kind alone.": [
        lambda real, fake: made_of(cross_entropy)(real - real.mean() / 2, fake - fake.mean() / 2),
        lambda real, fake: cross_entropy(real - real.mean(), 0) + cross_entropy(fake - fake.mean(), 1),
    ],
    "Both sides of a comparison are averaged here. It is one logit against the mean of the others.": [
        lambda real, fake: 2 * cross_entropy(fake.mean() - real.mean(), 1)
    ],
    "The sigmoids are subtracted. It is the logits that are compared; when does the sigmoid come in?": [
        lambda real, fake: ragan_generator_loss(real.sigmoid(), fake.sigmoid()),
        lambda real, fake: -(fake.sigmoid() - real.sigmoid().mean()).log().mean(),  # NaN
    ],
    "One HR is compared with one SR here. In the average kind it is one logit with the mean of the others.": [
        lambda real, fake: cross_entropy(fake - real, 1),
        lambda real, fake: 2 * cross_entropy(fake - real, 1),
    ],
    "Every HR is compared with every SR here, and the mean is taken of the losses. In the average kind it comes first: "
    "the mean of the logits is what one logit is compared with.": [
        lambda real, fake, times=times, pairs=pairs: times * cross_entropy(pairs(fake, real), 1)
        for times in (1, 2)
        for pairs in (lambda a, b: a.flatten() - b.flatten()[:, None], lambda a, b: a - b[:, None])
    ],
    "The mean is that over all logits of the other kind, in the whole batch. Yours is over some of them.": [
        _means_over(0),
        _means_over(1, 2, 3),
    ],
}

EXERCISE = Exercise(
    ragan_generator_loss,
    level="medium",
    points=3,
    cases={
        "both halves, each against the mean of the other, and a gradient through the mean too": sample_logits,
        "a D that is very sure": sure_logits([200], [0]),
        "more logits of one kind than of the other": lambda: sample_logits(3),
    },
    observe=_observe,
    known_mistakes={
        "Only SR is judged here. Where is the half about HR? Much published code leaves it out, as if HR had nothing "
        "to teach G. But what is HR compared with?": _sr_half,
        "Only HR is judged here. Where is the half about SR?": _hr_half,
        "That is D's loss: G would learn to be found out. What does G want D to say in each of the two halves?": [
            lambda real, fake: ragan_generator_loss(fake, real),
            lambda real, fake: ragan_generator_loss(fake, real) / 2,
        ],
        "The half about HR is log D(x) here. It falls with D(x), as it should, but it is flat where D is sure of HR, "
        "and there G has most to learn. What is steep there?": (
            lambda real, fake: _sr_half(real, fake) - cross_entropy(real - fake.mean(), 1)
        ),
        "G's loss is D's with a minus, which is flat where G has most to learn.": (
            lambda real, fake: -ragan_generator_loss(fake, real)
        ),
        "That is the usual loss of G, as in SRGAN, with each image on its own. Here D compares. What with what?": (
            lambda real, fake: cross_entropy(fake, 1)
        ),
        "G learns from the half about SR alone. HR does not change, but it is compared with the mean of SR's logits: "
        "does a gradient flow through that mean?": (
            lambda real, fake: cross_entropy(real - fake.mean().detach(), 0) + _sr_half(real, fake)
        ),
        "G learns only through the mean of SR's logits. In the half about SR, are its logits cut off?": (
            lambda real, fake: _hr_half(real, fake) + _sr_half(real, fake.detach())
        ),
        **OF_BOTH,
        **as_many_of_each(lambda real, fake: (fake - real.mean(), real - fake.mean())),
        **mistakes_of(made_of),
    },
    also_accepted=[
        made_of(cross_entropy),
        lambda real, fake: ragan_generator_loss(real.detach(), fake),  # nobody learns from HR's logits here
    ],
    fallback_messages={
        "G's loss": "G's loss is another one.",
        "a graph leads to SR's logits": "The value is right, but no gradient reaches the logits of SR, and G would "
        "learn nothing.",
        "the gradient at SR's logits": "The value is right, but not the gradient at the logits of SR.",
    },
    hints=(
        "There are two differences, HR's logits minus the mean of SR's, and the other way round. What target does G "
        "set for each?",
        "Both halves are the cross entropy that you know from SRGAN, on a difference instead of a logit. They add up, "
        "and nothing needs a detach.",
    ),
)
