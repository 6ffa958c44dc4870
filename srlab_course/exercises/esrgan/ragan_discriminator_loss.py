"""Lab 04: D's loss in the relativistic average GAN (RaGAN)."""

import torch
import torch.nn.functional as F

from srlab_course.exercises.cross_entropy import observe_loss, sample_logits, sure_logits
from srlab_course.feedback.exercise import Exercise


def ragan_discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return D's loss in the relativistic average GAN (Wang et al. 2018, equation 1).

    Parameters
    ----------
    real, fake
        Logits of HR and of SR. D learns from both, and from both means.

    Returns
    -------
    torch.Tensor
        ``()``; -log sigmoid(C(hr) - mean C(sr)) - log(1 - sigmoid(C(sr) - mean C(hr))), each averaged.
    """
    hr_more = -F.logsigmoid(real - fake.mean()).mean()
    sr_less = -F.logsigmoid(real.mean() - fake).mean()  # 1 - sigmoid(a) is sigmoid(-a)
    return hr_more + sr_less


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
)
