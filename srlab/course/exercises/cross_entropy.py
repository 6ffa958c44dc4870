"""The cross entropy of D's logits, which the losses of a GAN are made of, and what people write in its place."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.difference import take
from srlab.course.exercise import Answer, sample
from srlab.course.exercises.networks import gradient, reaches

Entropy = Callable[[torch.Tensor, float], torch.Tensor]


def cross_entropy(logits: torch.Tensor, label: float) -> torch.Tensor:
    """Mean cross entropy of logits with one label for all of them, ``()``."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def sample_logits(fakes: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of HR and of SR as a patch discriminator gives them, ``(2, 1, 3, 4)`` and ``(fakes, 1, 3, 4)``.

    Both have a graph behind them.
    """
    real, fake = sample(2, 1, 3, 4, low=-1.5, high=2.5, seed=1), sample(fakes, 1, 3, 4, low=-2, high=1.5, seed=2)
    return real.requires_grad_() * 1, fake.requires_grad_() * 1


def sure_logits(*logits: list[int]) -> tuple[torch.Tensor, ...]:
    """Logits of a D that is very sure, each list as a tensor ``(n, 1)`` with a gradient to take."""
    return tuple(torch.tensor(values, dtype=torch.float32)[:, None].requires_grad_() for values in logits)


def observe_loss(answer: Answer, *logits: torch.Tensor) -> dict[str, Any]:
    """The loss of logits, and its gradients."""
    loss = as_loss(answer(*logits))
    return {
        **slope_where_sure(logits, loss),
        "the loss": loss,
        "the logits that a graph leads to": [reaches(loss, [logit]) for logit in logits],
        "the gradients": gradient(loss, logits),
    }


def slope_where_sure(logits: Sequence[torch.Tensor], *losses: torch.Tensor) -> dict[str, bool]:
    """Whether losses keep a slope where D is very sure, and wrong; no observation for logits of ordinary size."""
    if max(logit.abs().max() for logit in logits) < 100:
        return {}
    slopes = [gradient(loss, logits) for loss in losses]
    return {"a slope where D is sure and wrong": all(bool(s.isfinite().all() and s.any()) for s in slopes)}


def as_loss(result: Any) -> torch.Tensor:
    """Take a result for a loss: a tensor with one element, or a number, to which no graph leads."""
    return torch.as_tensor(take(result, 0.0))


def mistakes_of(loss: Callable[[Entropy], Answer], sure: bool = True) -> dict[str, list[Answer]]:
    """The mistakes with a cross entropy, as mistakes of a loss that is made of it.

    Parameters
    ----------
    loss
        Makes the loss of a cross entropy.
    sure
        Also the mistakes that only show where D is sure, and wrong.
    """
    wrong = _MISTAKES | _MISTAKES_WHERE_SURE if sure else _MISTAKES
    return {hint: [loss(entropy) for entropy in entropies] for hint, entropies in wrong.items()}


def as_many_of_each(
    pair: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
) -> dict[str, list[Answer]]:
    """The mistakes that don't show while there are as many logits of HR as of SR.

    Parameters
    ----------
    pair
        Of the logits of HR and of SR, those with the target 1 and those with the target 0.
    """
    losses = [
        lambda up, down: F.binary_cross_entropy_with_logits(up, torch.ones_like(down)) + cross_entropy(down, 0),
        lambda up, down: cross_entropy(up, 1) + F.binary_cross_entropy_with_logits(down, torch.zeros_like(up)),
        lambda up, down: (F.softplus(-up) + F.softplus(down)).mean(),
        lambda up, down: 2 * torch.cat([F.softplus(-up), F.softplus(down)]).mean(),
    ]
    hint = (
        "That works only with as many logits of HR as of SR. Each of the two kinds has targets of its own shape, and a "
        "mean of its own."
    )
    return {hint: [lambda real, fake, loss=loss: loss(*pair(real, fake)) for loss in losses]}


def _chance(logits: torch.Tensor, label: float) -> torch.Tensor:
    return logits.sigmoid() if label else 1 - logits.sigmoid()


def _logits_for_settings(logits: torch.Tensor, label: float) -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # torch says that such settings are out of date
        return nn.BCEWithLogitsLoss(logits, torch.full_like(logits, label))


_MISTAKES: dict[str, list[Entropy]] = {
    "A sigmoid comes before a loss that has one inside already (its name ends in _with_logits). The answer of D is "
    "squeezed twice, and its loss can no longer come near 0.": [lambda x, label: cross_entropy(x.sigmoid(), label)],
    "The terms of the logits were added up. With more patches the same images would weigh more: take the mean.": [
        lambda x, label: cross_entropy(x, label) * x.numel(),
        lambda x, label: cross_entropy(x, label) * x.numel() / len(x),
    ],
    "There is one value for each logit. Take the mean over all of them: a patch discriminator gives many.": [
        lambda x, label: F.binary_cross_entropy_with_logits(x, torch.full_like(x, label), reduction="none")
    ],
    "No logarithm is taken: these are probabilities, and they are flat where D is sure.": [
        lambda x, label: (1 - _chance(x, label)).mean(),
        lambda x, label: -_chance(x, label).mean(),
    ],
    "The logarithm of the mean is not the mean of the logarithms.": [
        lambda x, label: -_chance(x, label).mean().log(),
        lambda x, label: _chance(x, label).mean().log(),
    ],
    "The sign is turned round: this loss grows the better its network is, and an optimizer goes down.": [
        lambda x, label: -cross_entropy(x, label)
    ],
    "There is no sigmoid and no logarithm, as in a Wasserstein GAN: such a loss never stops pushing.": [
        lambda x, label: x.mean() if label == 0 else -x.mean()
    ],
    "That is the loss of a least squares GAN. Here it is a cross entropy.": [
        lambda x, label: (x - label).square().mean(),
        lambda x, label: (x - label).square().mean() / 2,
        lambda x, label: (x.sigmoid() - label).square().mean(),
        lambda x, label: (x - 2 * label + 1).square().mean(),
    ],
    "That's the cross entropy of several classes, with a softmax over the channels, and there is one. Which cross "
    "entropy is for yes and no?": [lambda x, label: F.cross_entropy(x, torch.full_like(x, label))],
    "What comes in are logits, any number from minus to plus infinity, and not probabilities. What is missing?": [
        lambda x, label: F.binary_cross_entropy(x, torch.full_like(x, label)),  # raises
        lambda x, label: -(x if label else 1 - x).log().mean(),  # NaN
    ],
    "The logits and their targets have changed places: the logits come first.": [
        lambda x, label: F.binary_cross_entropy_with_logits(torch.full_like(x, label), x)
    ],
    "Something asks whether a tensor is true, and many values have no one answer. An if does that, and so does "
    "nn.BCEWithLogitsLoss(logits, targets): it's a class whose brackets are for settings. Make a loss of it first, "
    "with empty brackets, and give logits and targets to that.": [_logits_for_settings],
    "A target is one number here, or one for each image; torch wants a tensor of the shape of the logits.": [
        lambda x, label: F.binary_cross_entropy_with_logits(x, label),
        lambda x, label: F.binary_cross_entropy_with_logits(x, torch.tensor(float(label))),
        lambda x, label: F.binary_cross_entropy_with_logits(x, torch.full((len(x),), float(label))),
    ],
}

_MISTAKES_WHERE_SURE: dict[str, list[Entropy]] = {
    "Where D is very sure and wrong, the loss is infinite, or stops somewhere and has no gradient. In float32 the "
    "sigmoid of such a logit is exactly 0 or 1, and what is lost there cannot come back. Sigmoid and logarithm belong "
    "into one function, which torch has.": [
        lambda x, label: -_chance(x, label).log().mean(),
        lambda x, label: -(_chance(x, label) + 1e-8).log().mean(),
        lambda x, label: -_chance(x, label).clamp(1e-6, 1 - 1e-6).log().mean(),
        lambda x, label: F.binary_cross_entropy(x.sigmoid(), torch.full_like(x, label)),
    ],
}
