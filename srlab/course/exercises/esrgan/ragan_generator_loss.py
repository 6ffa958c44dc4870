"""Lab 04: G's loss in the relativistic average GAN (RaGAN)."""

from collections.abc import Callable
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
        ``()``; -log(1 - sigmoid(C(x) - mean C(y))) - log sigmoid(C(y) - mean C(x)), each averaged.
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


def _loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return made_of(cross_entropy)(real, fake)


def _of_images(loss: Answer) -> Answer:
    """Return an answer from a function of the logits of HR and SR."""
    return lambda sr, hr, look: loss(look(hr), look(sr))


def _sr_half(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return cross_entropy(fake - real.mean(), 1)


def _hr_half(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return cross_entropy(real - fake.mean(), 0)


def made_of(entropy: Entropy) -> Answer:
    """Return the loss built from a different cross entropy."""
    return lambda real, fake: entropy(real - fake.mean(), 0) + entropy(fake - real.mean(), 1)


def _means_over(*dims: int) -> Answer:
    return lambda real, fake: (
        cross_entropy(real - fake.mean(dims, keepdim=True), 0) + cross_entropy(fake - real.mean(dims, keepdim=True), 1)
    )


# D's loss is G's with HR and SR swapped, so these mistakes apply to both.
OF_BOTH: dict[str, list[Answer]] = {
    "Your loss is half of what it should be: the mean of both halves. Some code (BasicSR) does this, which halves the "
    "weight of the loss. In the paper's equations 1 and 2, the halves add up.": [
        lambda real, fake: _loss(real, fake) / 2
    ],
    # The value is the same for either half, because the two differences have opposite means.
    "One of your halves pushes the wrong way, as the other network would want it. Which target does each half need?": [
        lambda real, fake: _sr_half(real, fake) + cross_entropy(real - fake.mean(), 1)
    ],
    "Your two halves have opposite signs. Both should get smaller as things improve.": [
        lambda real, fake: _sr_half(real, fake) - _hr_half(real, fake),
        lambda real, fake: _hr_half(real, fake) - _sr_half(real, fake),
    ],
    "You compare each kind with its own mean, or with the mean of both. Compare it with the mean of the other kind "
    "only.": [
        lambda real, fake: made_of(cross_entropy)(real - real.mean() / 2, fake - fake.mean() / 2),
        lambda real, fake: cross_entropy(real - real.mean(), 0) + cross_entropy(fake - fake.mean(), 1),
    ],
    "You average both sides of a comparison. Compare one logit with the mean of the other kind.": [
        lambda real, fake: 2 * cross_entropy(fake.mean() - real.mean(), 1)
    ],
    "You subtract sigmoids, but it is the logits that are compared. When does the sigmoid come in?": [
        lambda real, fake: _loss(real.sigmoid(), fake.sigmoid()),
        lambda real, fake: -(fake.sigmoid() - real.sigmoid().mean()).log().mean(),  # NaN
    ],
    "You compare one HR with one SR. RaGAN compares one logit with the mean of the other kind.": [
        lambda real, fake: cross_entropy(fake - real, 1),
        lambda real, fake: 2 * cross_entropy(fake - real, 1),
    ],
    "You compare every HR with every SR, and average the losses. In RaGAN the mean comes first: one logit is compared "
    "with the mean of the other kind's logits.": [
        lambda real, fake, times=times, pairs=pairs: times * cross_entropy(pairs(fake, real), 1)
        for times in (1, 2)
        for pairs in (lambda a, b: a.flatten() - b.flatten()[:, None], lambda a, b: a - b[:, None])
    ],
    "You take the mean over some of the logits. Take it over all logits of the other kind, in the whole batch.": [
        _means_over(0),
        _means_over(1, 2, 3),
    ],
}

_WRONG: dict[str, list[Answer]] = {
    "You judge only SR. Where is the half about HR? Much published code leaves it out, as if G couldn't learn "
    "anything from HR. But what is HR compared with?": [_sr_half],
    "You judge only HR. Where is the half about SR?": [_hr_half],
    "That is D's loss: G would learn to be detected. What does G want D to say in each of the two halves?": [
        lambda real, fake: _loss(fake, real),
        lambda real, fake: _loss(fake, real) / 2,
    ],
    "Your half about HR is log D(x). It falls with D(x), as it should, but it is flat where D is confident about "
    "HR, and there G has most to learn. What is steep there?": [
        lambda real, fake: _sr_half(real, fake) - cross_entropy(real - fake.mean(), 1)
    ],
    "Your loss is D's with a minus sign, which is flat where G has most to learn.": [
        lambda real, fake: -_loss(fake, real)
    ],
    "That is G's standard loss, as in SRGAN, which judges each image on its own. Here D compares. What with what?": [
        lambda real, fake: cross_entropy(fake, 1)
    ],
    "G learns only from the half about SR. HR doesn't change, but it is compared with the mean of SR's logits. "
    "Does a gradient flow through that mean?": [
        lambda real, fake: cross_entropy(real - fake.mean().detach(), 0) + _sr_half(real, fake)
    ],
    "G learns only through the mean of SR's logits. In the half about SR, are its logits cut off?": [
        lambda real, fake: _hr_half(real, fake) + _sr_half(real, fake.detach())
    ],
    **OF_BOTH,
    **as_many_of_each(lambda real, fake: (fake - real.mean(), real - fake.mean())),
    **mistakes_of(made_of),
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
    known_mistakes={
        "You compare the images themselves. D should judge them first: `look` returns its logits.": (
            lambda sr, hr, look: _loss(hr, sr)
        ),
        "No gradient reaches SR, so G would learn nothing from D: you detached SR, or D's logits of it, or D looked "
        "under no_grad. D's half cuts SR off. This is G's half.": [
            lambda sr, hr, look: _loss(look(hr), look(sr.detach())),
            lambda sr, hr, look: _loss(look(hr), look(sr).detach()),
        ],
        **{hint: [_of_images(loss) for loss in losses] for hint, losses in _WRONG.items()},
    },
    also_accepted=[
        _of_images(_loss),
        lambda sr, hr, look: _loss(look(hr).detach(), look(sr)),  # nothing learns from HR's logits here
        lambda sr, hr, look: _loss(*look(torch.cat((hr, sr))).split((len(hr), len(sr)))),
    ],
    fallback_messages={
        "G's loss": "G's loss is wrong.",
        "a graph leads to SR": "The value is correct, but no gradient reaches SR, so G would learn nothing.",
        "the gradient at SR": "The value is correct, but the gradient at SR is not.",
    },
    reveal=False,
    hints=(
        "D looks at both kinds, also in G's half. There are two differences: HR's logits minus the mean of SR's, and "
        "the other way around. What does G want each of them to be?",
        "Both halves are the cross entropy that you know from SRGAN, on a difference instead of a logit. Add them up. "
        "Nothing of SR is detached.",
    ),
)
