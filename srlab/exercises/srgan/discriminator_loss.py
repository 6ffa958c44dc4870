"""Lab 03: the loss of D."""

import torch
import torch.nn.functional as F

from srlab.exercises import Exercise
from srlab.exercises.cross_entropy import cross_entropy, mistakes_of, observe_loss, sample_logits


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Loss of D in a GAN (Goodfellow et al. 2014, equation 1), from logits.

    Parameters
    ----------
    real, fake
        Logits of HR and SR, of any shape.

    Returns
    -------
    torch.Tensor
        ``()``; -log D(x) - log(1 - D(y)), each averaged.
    """
    on_hr = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    on_sr = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return on_hr + on_sr


_SURE = torch.tensor([[200.0]])

EXERCISE = Exercise(
    discriminator_loss,
    level="easy",
    cases={
        "-log D(x) - log(1 - D(y)), each with a mean, and a gradient for both": sample_logits,
        "a D that is very sure of an SR image, and wrong": (0 * _SURE, _SURE),
        "a D that is very sure of an HR image, and wrong": (-_SURE, 0 * _SURE),
    },
    observe=observe_loss,
    mistakes={
        "HR and SR have changed places: this D would learn to call SR real. Which of the two has the target 1?": (
            lambda real, fake: discriminator_loss(fake, real)
        ),
        "Only one of the two kinds is judged. A D that always gives the same answer would be perfect at that.": [
            lambda real, fake: cross_entropy(real, 1),
            lambda real, fake: cross_entropy(fake, 0),
        ],
        "It is half of what it should be, a mean over HR and SR together. Each has its own mean, and they add up.": (
            lambda real, fake: discriminator_loss(real, fake) / 2
        ),
        "HR and SR have the same target. D should find out what is real and what is not.": [
            lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 1),
            lambda real, fake: cross_entropy(real, 0) + cross_entropy(fake, 0),
        ],
        "The two halves have opposite signs. Both should shrink as D gets better, since an optimizer goes down.": [
            lambda real, fake: cross_entropy(real, 1) - cross_entropy(fake, 0),
            lambda real, fake: cross_entropy(fake, 0) - cross_entropy(real, 1),
        ],
        "That is the loss of another kind of GAN, with a hinge or relativistic. Here it is the cross entropy of D(x) = "
        "sigmoid(logit).": [
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
            lambda real, fake: cross_entropy(real - fake, 1),
        ],
        "The value is right, but no gradient reaches the logits of HR, of SR or of both, as after detach, item or "
        "no_grad. D learns from both.": [
            lambda real, fake: discriminator_loss(real, fake).detach(),
            lambda real, fake: discriminator_loss(real, fake.detach()),
            lambda real, fake: discriminator_loss(real.detach(), fake),
        ],
        **mistakes_of(lambda entropy: lambda real, fake: entropy(real, 1) + entropy(fake, 0)),
    },
    also_right=[lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean()],
    hints=(
        "D sorts images into two kinds: the cross entropy with the target 1 for HR and 0 for SR.",
        "torch.nn.functional has a binary cross entropy for probabilities and one for logits. Its targets have the "
        "shape of the logits.",
    ),
)
