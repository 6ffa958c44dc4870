"""Lab 03: D's loss."""

import torch
import torch.nn.functional as F

from srlab.course.exercise import Exercise
from srlab.course.exercises.cross_entropy import (
    as_many_of_each,
    cross_entropy,
    mistakes_of,
    observe_loss,
    sample_logits,
    sure_logits,
)


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return D's loss in a GAN (Goodfellow et al. 2014, equation 1), from logits.

    Parameters
    ----------
    real, fake
        Logits of real images (HR) and of generated ones (SR), of any shape.

    Returns
    -------
    torch.Tensor
        ``()``; -log D(x) - log(1 - D(y)), each averaged.
    """
    on_hr = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    on_sr = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return on_hr + on_sr


EXERCISE = Exercise(
    discriminator_loss,
    level="easy",
    points=4,
    cases={
        "-log D(x) - log(1 - D(y)), each averaged, with a gradient for both": sample_logits,
        "a D that is confident and wrong about generated samples": sure_logits([200], [200]),
        "a D that is confident and wrong about real samples": sure_logits([-200], [-200]),
        "different numbers of real and generated logits": lambda: sample_logits(3),
    },
    observe=observe_loss,
    known_mistakes={
        "You swapped real and fake: this D would learn to call generated samples real. Which of the two has target "
        "1?": (lambda real, fake: discriminator_loss(fake, real)),
        "You judge only one of the two kinds. A D that always gives the same answer would be perfect at that.": [
            lambda real, fake: cross_entropy(real, 1),
            lambda real, fake: cross_entropy(fake, 0),
        ],
        "Your loss is half of what it should be: one mean over real and fake together. Each has its own mean; add them "
        "up.": (lambda real, fake: discriminator_loss(real, fake) / 2),
        "Real and fake have the same target. D should learn what is real and what isn't.": [
            lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 1),
            lambda real, fake: cross_entropy(real, 0) + cross_entropy(fake, 0),
        ],
        "Your two halves have opposite signs. Both should get smaller as D improves, because an optimizer minimizes.": [
            lambda real, fake: cross_entropy(real, 1) - cross_entropy(fake, 0),
            lambda real, fake: cross_entropy(fake, 0) - cross_entropy(real, 1),
        ],
        "That is the loss of another kind of GAN, hinge or relativistic. Here you need the cross entropy of D(x) = "
        "sigmoid(logit).": [
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
            lambda real, fake: cross_entropy(real - fake, 1),
        ],
        "1 - log D isn't log(1 - D), and neither is log D(1 - c). In terms of logits, 1 - sigmoid(c) is sigmoid(-c).": [
            lambda real, fake: cross_entropy(real, 1) - (1 - F.logsigmoid(fake)).mean(),
            lambda real, fake: cross_entropy(real, 1) + cross_entropy(1 - fake, 1),
        ],
        "You smoothed the labels. That is a known trick, but here the targets are 1 and 0.": [
            lambda real, fake: cross_entropy(real, 0.9) + cross_entropy(fake, 0),
            lambda real, fake: cross_entropy(real, 0.9) + cross_entropy(fake, 0.1),
        ],
        "The value is correct, but no gradient reaches the logits of real, of fake or of both, as after detach, item "
        "or no_grad. D learns from both.": [
            lambda real, fake: discriminator_loss(real, fake).detach(),
            lambda real, fake: discriminator_loss(real, fake.detach()),
            lambda real, fake: discriminator_loss(real.detach(), fake),
        ],
        "You averaged the logits before the loss. Each logit has its own loss, and the mean comes last.": (
            lambda real, fake: cross_entropy(real.mean(), 1) + cross_entropy(fake.mean(), 0)
        ),
        **as_many_of_each(lambda real, fake: (real, fake)),
        **mistakes_of(lambda entropy: lambda real, fake: entropy(real, 1) + entropy(fake, 0)),
    },
    also_accepted=[lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean()],
    hints=(
        "D is a classifier with two classes: use the cross entropy with target 1 for real and 0 for fake.",
        "torch.nn.functional has one binary cross entropy for probabilities and one for logits. Its targets have the "
        "shape of the logits.",
    ),
)
