"""Binary cross entropy of D's logits, the building block of GAN losses, and common mistakes with it."""

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
    """Return the mean binary cross entropy of logits that all have the same label, ``()``."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def sample_logits(fakes: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a patch discriminator's logits of HR and SR, ``(2, 1, 3, 4)`` and ``(fakes, 1, 3, 4)``.

    Both have a graph.
    """
    real, fake = sample(2, 1, 3, 4, low=-1.5, high=2.5, seed=1), sample(fakes, 1, 3, 4, low=-2, high=1.5, seed=2)
    return real.requires_grad_() * 1, fake.requires_grad_() * 1


def sure_logits(*logits: list[int]) -> tuple[torch.Tensor, ...]:
    """Return logits of a very confident D: each list as a tensor ``(n, 1)`` that requires a gradient."""
    return tuple(torch.tensor(values, dtype=torch.float32)[:, None].requires_grad_() for values in logits)


def observe_loss(answer: Answer, *logits: torch.Tensor) -> dict[str, Any]:
    """Return the loss of some logits, and its gradients."""
    loss = as_loss(answer(*logits))
    return {
        **slope_where_sure(logits, loss),
        "the loss": loss,
        "which logits get a gradient": [reaches(loss, [logit]) for logit in logits],
        "the gradients": gradient(loss, logits),
    }


def slope_where_sure(logits: Sequence[torch.Tensor], *losses: torch.Tensor) -> dict[str, bool]:
    """Return whether losses keep a gradient where D is confident and wrong; {} for logits of ordinary size."""
    if max(logit.abs().max() for logit in logits) < 100:
        return {}
    slopes = [gradient(loss, logits) for loss in losses]
    return {"a gradient where D is confident and wrong": all(bool(s.isfinite().all() and s.any()) for s in slopes)}


def as_loss(result: Any) -> torch.Tensor:
    """Convert a result to a loss: a tensor with one element, or a number, which has no graph."""
    return torch.as_tensor(take(result, 0.0))


def mistakes_of(loss: Callable[[Entropy], Answer], sure: bool = True) -> dict[str, list[Answer]]:
    """Return the mistakes with a cross entropy, as mistakes of a loss built from it.

    Parameters
    ----------
    loss
        Function that builds the loss from a cross entropy.
    sure
        If True, include the mistakes that show only where D is confident and wrong.
    """
    wrong = _MISTAKES | _MISTAKES_WHERE_SURE if sure else _MISTAKES
    return {hint: [loss(entropy) for entropy in entropies] for hint, entropies in wrong.items()}


def as_many_of_each(
    pair: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
) -> dict[str, list[Answer]]:
    """Return the mistakes that do not show while HR and SR have the same number of logits.

    Parameters
    ----------
    pair
        Function of the logits of HR and SR that returns those with target 1 and those with target 0.
    """
    losses = [
        lambda up, down: F.binary_cross_entropy_with_logits(up, torch.ones_like(down)) + cross_entropy(down, 0),
        lambda up, down: cross_entropy(up, 1) + F.binary_cross_entropy_with_logits(down, torch.zeros_like(up)),
        lambda up, down: (F.softplus(-up) + F.softplus(down)).mean(),
        lambda up, down: 2 * torch.cat([F.softplus(-up), F.softplus(down)]).mean(),
    ]
    hint = (
        "Your loss works only if HR and SR have the same number of logits. Give each kind targets of its own shape, "
        "and take each mean separately."
    )
    return {hint: [lambda real, fake, loss=loss: loss(*pair(real, fake)) for loss in losses]}


def _chance(logits: torch.Tensor, label: float) -> torch.Tensor:
    return logits.sigmoid() if label else 1 - logits.sigmoid()


def _logits_for_settings(logits: torch.Tensor, label: float) -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns that these arguments are deprecated
        return nn.BCEWithLogitsLoss(logits, torch.full_like(logits, label))


_MISTAKES: dict[str, list[Entropy]] = {
    "You apply a sigmoid, and then a loss that already contains one (its name ends in _with_logits). D's output is "
    "squashed twice, so the loss can no longer get near 0.": [lambda x, label: cross_entropy(x.sigmoid(), label)],
    "You summed the terms of the logits. With more patches, the same images would weigh more. Take the mean.": [
        lambda x, label: cross_entropy(x, label) * x.numel(),
        lambda x, label: cross_entropy(x, label) * x.numel() / len(x),
    ],
    "You return one value per logit. Take the mean over all of them: a patch discriminator returns many.": [
        lambda x, label: F.binary_cross_entropy_with_logits(x, torch.full_like(x, label), reduction="none")
    ],
    "Your loss has no logarithm. It uses probabilities, which are flat where D is confident.": [
        lambda x, label: (1 - _chance(x, label)).mean(),
        lambda x, label: -_chance(x, label).mean(),
    ],
    "You take the logarithm of the mean. That is not the mean of the logarithms.": [
        lambda x, label: -_chance(x, label).mean().log(),
        lambda x, label: _chance(x, label).mean().log(),
    ],
    "The sign is flipped: this loss grows as its network improves, but an optimizer minimizes it.": [
        lambda x, label: -cross_entropy(x, label)
    ],
    "Your loss has no sigmoid and no logarithm, as in a Wasserstein GAN. Such a loss never stops pushing.": [
        lambda x, label: x.mean() if label == 0 else -x.mean()
    ],
    "That is the loss of a least-squares GAN. Here you need the cross entropy.": [
        lambda x, label: (x - label).square().mean(),
        lambda x, label: (x - label).square().mean() / 2,
        lambda x, label: (x.sigmoid() - label).square().mean(),
        lambda x, label: (x - 2 * label + 1).square().mean(),
    ],
    "You used the cross entropy for several classes, with a softmax over the channels, but there is only one channel. "
    "Which cross entropy is for yes or no?": [lambda x, label: F.cross_entropy(x, torch.full_like(x, label))],
    "The inputs are logits (any number from minus to plus infinity), not probabilities. What is missing?": [
        lambda x, label: F.binary_cross_entropy(x, torch.full_like(x, label)),  # raises
        lambda x, label: -(x if label else 1 - x).log().mean(),  # NaN
    ],
    "You swapped the logits and their targets. The logits come first.": [
        lambda x, label: F.binary_cross_entropy_with_logits(torch.full_like(x, label), x)
    ],
    "Something asks whether a tensor with many values is true: an `if`, or nn.BCEWithLogitsLoss(logits, targets), a "
    "class whose parentheses take settings. Create the loss first, with empty parentheses, then call it on logits and "
    "targets.": [_logits_for_settings],
    "You passed one number as the target, or one per image. PyTorch needs a tensor with the shape of the logits.": [
        lambda x, label: F.binary_cross_entropy_with_logits(x, label),
        lambda x, label: F.binary_cross_entropy_with_logits(x, torch.tensor(float(label))),
        lambda x, label: F.binary_cross_entropy_with_logits(x, torch.full((len(x),), float(label))),
    ],
}

_MISTAKES_WHERE_SURE: dict[str, list[Entropy]] = {
    "Where D is confident and wrong, your loss is infinite, or capped and without a gradient. In float32, the sigmoid "
    "of such a logit is exactly 0 or 1, so information is lost. Which PyTorch function combines sigmoid and "
    "logarithm?": [
        lambda x, label: -_chance(x, label).log().mean(),
        lambda x, label: -(_chance(x, label) + 1e-8).log().mean(),
        lambda x, label: -_chance(x, label).clamp(1e-6, 1 - 1e-6).log().mean(),
        lambda x, label: F.binary_cross_entropy(x.sigmoid(), torch.full_like(x, label)),
    ],
}
