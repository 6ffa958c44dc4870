"""Lab 03: D's loss."""

import torch
import torch.nn.functional as F

from srlab_course.exercises.cross_entropy import observe_loss, sample_logits, sure_logits
from srlab_course.feedback.exercise import Exercise


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return D's loss in a GAN (Goodfellow et al. 2014, equation 1), from logits.

    Parameters
    ----------
    real, fake
        Logits of real images (HR) and of generated ones (SR), of any shape.

    Returns
    -------
    torch.Tensor
        ``()``; -log D(real) - log(1 - D(fake)), each averaged.
    """
    on_hr = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    on_sr = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return on_hr + on_sr


EXERCISE = Exercise(
    discriminator_loss,
    level="easy",
    points=4,
    cases={
        "-log D(real) - log(1 - D(fake)), each averaged, with a gradient for both": sample_logits,
        "a D that is confident and wrong about generated samples": sure_logits([200], [200]),
        "a D that is confident and wrong about real samples": sure_logits([-200], [-200]),
        "different numbers of real and generated logits": lambda: sample_logits(3),
    },
    observe=observe_loss,
)
