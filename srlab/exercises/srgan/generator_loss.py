"""Lab 03: the adversarial loss of G."""

import torch
import torch.nn.functional as F

from srlab.exercises import Exercise
from srlab.exercises.cross_entropy import cross_entropy, mistakes_of, observe_loss, sample_logits


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
    cases={
        "-log D(y), with a mean, and a gradient for G": lambda: sample_logits()[1:],
        "a D that is very sure": (torch.tensor([[-200.0]]),),
    },
    observe=observe_loss,
    mistakes={
        "That is log(1 - D(y)), what the first GAN paper starts from. Where D is sure, as it often is at the "
        "beginning, it is flat, and G learns next to nothing. What does SRGAN minimise instead?": (
            lambda fake: -cross_entropy(fake, 0)
        ),
        "The target is 0, as for D: G would learn to be found out. What does G want D to say about its pictures?": (
            lambda fake: cross_entropy(fake, 0)
        ),
        "The value is half or twice what it should be. There is only one kind of picture here, SR.": [
            lambda fake: generator_loss(fake) / 2,
            lambda fake: generator_loss(fake) * 2,
        ],
        "The value is right, but it is cut off from its logits, as by detach, item or no_grad: G would get no "
        "gradient.": lambda fake: generator_loss(fake).detach(),
        **mistakes_of(lambda entropy: lambda fake: entropy(fake, 1)),
    },
    also_right=[lambda fake: F.softplus(-fake).mean()],
    hints=(
        "G wants D to call its pictures real. Which target is that?",
        "Ask the same cross entropy as for D, with the target that G would like to see.",
    ),
)
