"""Lab 04: D's loss in the relativistic average GAN (RaGAN)."""

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise
from srlab.course.exercises.cross_entropy import (
    as_many_of_each,
    cross_entropy,
    mistakes_of,
    observe_loss,
    sample_logits,
    sure_logits,
)
from srlab.course.exercises.esrgan.ragan_generator_loss import OF_BOTH, made_of


def ragan_discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return D's loss in the relativistic average GAN (Wang et al. 2018, equation 1).

    Parameters
    ----------
    real, fake
        Logits of HR and of SR. D learns from both, and from both means.

    Returns
    -------
    torch.Tensor
        ``()``; -log sigmoid(C(x) - mean C(y)) - log(1 - sigmoid(C(y) - mean C(x))), each averaged.
    """
    hr_more = -F.logsigmoid(real - fake.mean()).mean()
    sr_less = -F.logsigmoid(real.mean() - fake).mean()  # 1 - sigmoid(a) is sigmoid(-a)
    return hr_more + sr_less


def _of_d(loss: Answer) -> Answer:
    """Return D's loss from a loss of G, with HR and SR swapped."""
    return lambda real, fake: loss(fake, real)


def _hr_half(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return cross_entropy(real - fake.mean(), 1)


def _sr_half(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return cross_entropy(fake - real.mean(), 0)


EXERCISE = Exercise(
    ragan_discriminator_loss,
    level="medium",
    points=5,
    cases={
        "both halves, each compared with the mean of the other kind, with a gradient for both": sample_logits,
        "a D that is confident and wrong": sure_logits([0], [200]),
        "different numbers of HR and SR logits": lambda: sample_logits(3),
    },
    observe=observe_loss,
    known_mistakes={
        "You judge only one kind. Where is the half about the other?": [_hr_half, _sr_half],
        "That is G's loss: this D would learn to call SR the more real one. Which target does D set for each half?": [
            lambda real, fake: ragan_discriminator_loss(fake, real),
            lambda real, fake: ragan_discriminator_loss(fake, real) / 2,
        ],
        "That is G's loss with a minus sign, which is flat where D has most to learn.": (
            lambda real, fake: -ragan_discriminator_loss(fake, real)
        ),
        "That is D's standard loss, as in SRGAN, which judges each image on its own. Here D compares. What with "
        "what?": [
            lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 0),
        ],
        "The value is correct, but the gradients aren't: you detached logits or their means. In D's half of the step, "
        "you detach only the image, before D sees it. Nothing here needs a detach.": [
            lambda real, fake: ragan_discriminator_loss(real, fake.detach()),
            lambda real, fake: ragan_discriminator_loss(real.detach(), fake),
            lambda real, fake: ragan_discriminator_loss(real, fake).detach(),
            lambda real, fake: cross_entropy(real - fake.mean().detach(), 1) + _sr_half(real, fake),
            lambda real, fake: _hr_half(real, fake) + cross_entropy(fake - real.mean().detach(), 0),
            lambda real, fake: (
                cross_entropy(real - fake.mean().detach(), 1) + cross_entropy(fake - real.mean().detach(), 0)
            ),
        ],
        **{hint: [_of_d(loss) for loss in answers] for hint, answers in OF_BOTH.items()},
        **as_many_of_each(lambda real, fake: (real - fake.mean(), fake - real.mean())),
        **mistakes_of(lambda entropy: _of_d(made_of(entropy))),
    },
    also_accepted=[_of_d(made_of(cross_entropy))],
    fallback_messages={
        "the loss": "D's loss is wrong.",
        "which logits get a gradient": "The value is correct, but a gradient should reach the logits of HR and SR.",
        "the gradients": "The value is correct, but the gradients at the logits are not.",
    },
    hints=(
        "There are two differences: HR's logits minus the mean of SR's, and SR's logits minus the mean of HR's. What "
        "does D want each of them to be?",
        "Both halves are the cross entropy of lab 03, on a difference instead of a logit: target 1 for the photos, 0 "
        "for SR. Add them up.",
    ),
)
