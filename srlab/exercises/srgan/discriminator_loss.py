"""Lab 03: the loss of D."""

from typing import Any

import torch
import torch.nn.functional as F

from srlab.exercises import Answer, Exercise, sample
from srlab.exercises.difference import take
from srlab.exercises.networks import gradient, reaches


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


# --- For all losses on logits -----------------------------------------------------------------------------------

# As a patch discriminator gives them for HR and for SR.
LOGITS = sample(2, 1, 3, 4, low=-1.5, high=2.5, seed=1), sample(2, 1, 3, 4, low=-2, high=1.5, seed=2)
SURE = torch.tensor([[200.0]])

SECOND_SIGMOID = (
    "A sigmoid comes before a loss that has one inside already (its name ends in _with_logits). The answer of D is "
    "squeezed twice, and its loss can no longer come near 0."
)
SUM = "The terms of the logits were added up. With more patches the same images would weigh more: take the mean."
MEAN_MISSING = "Take the mean over all logits: a patch discriminator gives many."
NO_LOG = "No logarithm is taken: these are probabilities, which are flat where D is sure."
PROBABILITIES = (
    "What comes in are logits, any number from minus to plus infinity, and not probabilities. What is missing?"
)
ONE_TARGET = "A target is one number here; torch wants a tensor of the shape of the logits."
OTHERWISE = {
    "the loss where D is very sure, and wrong": "Where D is very sure, and wrong, your loss comes to {given} (torch's "
    "cross entropy of probabilities stops at 100), and has no gradient there. In float32 the sigmoid of such a logit "
    "is exactly 0 or 1, and what is lost there cannot come back. Sigmoid and logarithm belong into one function, which "
    "torch has."
}


def observe_loss(answer: Answer, *logits: torch.Tensor) -> dict[str, Any]:
    """The loss of logits, and its gradients."""
    for logit in logits:
        logit.requires_grad_()
    loss = torch.as_tensor(take(answer(*logits), 0.0))
    return {
        "the loss" if logits[0].numel() > 1 else "the loss where D is very sure, and wrong": loss,
        "the logits that a graph leads to": [reaches(loss, [logit]) for logit in logits],
        "the gradients": gradient(loss, logits),
    }


def cross_entropy(logits: torch.Tensor, label: float) -> torch.Tensor:
    """Mean cross entropy of logits with one label for all of them, ``()``."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


# ----------------------------------------------------------------------------------------------------------------

EXERCISE = Exercise(
    discriminator_loss,
    level="easy",
    cases={
        "-log D(x) - log(1 - D(y)), each with a mean, and a gradient for both": LOGITS,
        "a D that is very sure of an SR image, and wrong": (0 * SURE, SURE),
        "a D that is very sure of an HR image, and wrong": (-SURE, 0 * SURE),
    },
    observe=observe_loss,
    mistakes={
        "HR and SR have changed places: this D would learn to call SR real. Which of the two has the target 1?": (
            lambda real, fake: discriminator_loss(fake, real)
        ),
        SECOND_SIGMOID: lambda real, fake: discriminator_loss(real.sigmoid(), fake.sigmoid()),
        "Only one of the two kinds is judged. A D that always gives the same answer would be perfect at that.": [
            lambda real, fake: cross_entropy(real, 1),
            lambda real, fake: cross_entropy(fake, 0),
        ],
        "It is half of what it should be, a mean over HR and SR together. Each has its own mean, and they add up.": (
            lambda real, fake: discriminator_loss(real, fake) / 2
        ),
        SUM: lambda real, fake: discriminator_loss(real, fake) * real.numel(),
        MEAN_MISSING: lambda real, fake: F.softplus(-real) + F.softplus(fake),
        "HR and SR have the same target. D should find out what is real and what is not.": [
            lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 1),
            lambda real, fake: cross_entropy(real, 0) + cross_entropy(fake, 0),
        ],
        "A sign is turned round. Both halves should shrink as D gets better, since an optimizer goes down.": [
            lambda real, fake: -discriminator_loss(real, fake),
            lambda real, fake: cross_entropy(real, 1) - cross_entropy(fake, 0),
            lambda real, fake: cross_entropy(fake, 0) - cross_entropy(real, 1),
        ],
        NO_LOG: lambda real, fake: (-real).sigmoid().mean() + fake.sigmoid().mean(),
        "That is the loss of another kind of GAN: least squares, hinge, Wasserstein or relativistic. Here it is the "
        "cross entropy of D(x) = sigmoid(logit).": [
            lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
            lambda real, fake: fake.mean() - real.mean(),
            lambda real, fake: cross_entropy(real - fake, 1),
        ],
        PROBABILITIES: [
            lambda real, fake: F.binary_cross_entropy(real, torch.ones_like(real)),
            lambda real, fake: -real.log().mean() - (1 - fake).log().mean(),
        ],
        ONE_TARGET: lambda real, fake: F.binary_cross_entropy_with_logits(real, 1.0),
        "The value is right, but no gradient reaches the logits of HR, of SR or of both, as after detach, item or "
        "no_grad. D learns from both.": [
            lambda real, fake: discriminator_loss(real, fake).detach(),
            lambda real, fake: discriminator_loss(real, fake.detach()),
            lambda real, fake: discriminator_loss(real.detach(), fake),
        ],
    },
    also_right=[lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean()],
    otherwise=OTHERWISE,
    hints=(
        "D sorts images into two kinds: the cross entropy with the target 1 for HR and 0 for SR.",
        "torch.nn.functional has a binary cross entropy for probabilities and one for logits. Its targets have the "
        "shape of the logits.",
    ),
)
