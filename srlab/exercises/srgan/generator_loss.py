"""Lab 03: the adversarial loss of G."""

import torch
import torch.nn.functional as F

from srlab.exercises import Exercise
from srlab.exercises.cross_entropy import cross_entropy, mistakes_of, observe_loss, sample_logits, sure_logits


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
        "a D that is very sure": sure_logits([-200]),
    },
    observe=observe_loss,
    mistakes={
        "That's log(1 - D(y)), straight from the game. Where D is sure, as it often is in the beginning, it's flat, "
        "and G learns next to nothing. Which loss doesn't fade there?": (lambda fake: -cross_entropy(fake, 0)),
        "The target is 0, as for D, so G would learn to be found out. What does G want D to say?": (
            lambda fake: cross_entropy(fake, 0)
        ),
        "-log D isn't 1 - log D. Only the sign changes.": lambda fake: 1 + generator_loss(fake),
        "The label is smoothed. That's for D's targets; G asks for 1.": lambda fake: cross_entropy(fake, 0.9),
        "The value is half or twice what it should be. Only what's generated counts here.": [
            lambda fake: generator_loss(fake) / 2,
            lambda fake: generator_loss(fake) * 2,
        ],
        "The value is right, but it's cut off from its logits, as by detach, item or no_grad: G would get no "
        "gradient.": lambda fake: generator_loss(fake).detach(),
        "The logits were averaged before the loss. Each of them has a loss of its own, and the mean comes last.": (
            lambda fake: cross_entropy(fake.mean(), 1)
        ),
        **mistakes_of(lambda entropy: lambda fake: entropy(fake, 1)),
    },
    also_right=[lambda fake: F.softplus(-fake).mean()],
    hints=(
        "G wants D to call its work real. Which target is that?",
        "Ask the same cross entropy as for D, with the target that G would like to see.",
    ),
)
