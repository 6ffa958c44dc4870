"""Lab 03: the adversarial loss of G."""

import torch
import torch.nn.functional as F

from srlab.exercises import Exercise
from srlab.exercises.srgan import discriminator_loss as of_d


def generator_loss(fake: torch.Tensor) -> torch.Tensor:
    """Adversarial loss of G in SRGAN (Ledig et al. 2017, equation 6), from logits.

    Parameters
    ----------
    fake
        Logits of SR, of any shape.

    Returns
    -------
    torch.Tensor
        ``()``; -log D(y), averaged.
    """
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


EXERCISE = Exercise(
    generator_loss,
    level="easy",
    cases={"-log D(y), with a mean, and a gradient for G": of_d.LOGITS[1:], "a D that is very sure": (-of_d.SURE,)},
    observe=of_d.observe_loss,
    mistakes={
        "That is log(1 - D(y)), what the first GAN paper starts from. Where D is sure, as it often is at the "
        "beginning, it is flat, and G learns next to nothing. What does SRGAN minimise instead?": [
            lambda fake: -of_d.cross_entropy(fake, 0),
        ],
        "The target is 0, as for D: G would learn to be found out. What does G want D to say about its pictures?": (
            lambda fake: of_d.cross_entropy(fake, 0)
        ),
        "The sign is turned round: log D(y) is largest, at 0, where D is taken in, and an optimizer goes down.": (
            lambda fake: -generator_loss(fake)
        ),
        of_d.SECOND_SIGMOID: lambda fake: generator_loss(fake.sigmoid()),
        "That is minus the mean logit, without sigmoid and logarithm. It never stops pushing.": (
            lambda fake: -fake.mean()
        ),
        of_d.NO_LOG: [lambda fake: (1 - fake.sigmoid()).mean(), lambda fake: -fake.sigmoid().mean()],
        of_d.SUM: lambda fake: generator_loss(fake) * fake.numel(),
        of_d.MEAN_MISSING: lambda fake: F.softplus(-fake),
        "The logarithm of the mean is not the mean of the logarithms.": lambda fake: -fake.sigmoid().mean().log(),
        "That is the loss of a least squares GAN.": [
            lambda fake: (fake - 1).square().mean(),
            lambda fake: (fake - 1).square().mean() / 2,
        ],
        "The value is half or twice what it should be. There is only one kind of picture here, SR.": [
            lambda fake: generator_loss(fake) / 2,
            lambda fake: generator_loss(fake) * 2,
        ],
        of_d.PROBABILITIES: [
            lambda fake: F.binary_cross_entropy(fake, torch.ones_like(fake)),
            lambda fake: -fake.log().mean(),
        ],
        of_d.ONE_TARGET: lambda fake: F.binary_cross_entropy_with_logits(fake, 1.0),
        "The value is right, but it is cut off from its logits, as by detach, item or no_grad: G would get no "
        "gradient.": (lambda fake: generator_loss(fake).detach()),
    },
    also_right=[lambda fake: F.softplus(-fake).mean()],
    otherwise=of_d.OTHERWISE,
    hints=(
        "G wants D to call its pictures real. Which target is that?",
        "Ask the same cross entropy as for D, with the target that G would like to see.",
    ),
)
