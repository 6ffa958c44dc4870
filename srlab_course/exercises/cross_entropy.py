"""Observe a GAN loss, which is a function of D's logits."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from srlab_course.exercises.networks import gradient, reaches
from srlab_course.feedback.exercise import Answer, sample
from srlab_course.feedback.value_comparison import take


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
    with warnings.catch_warnings(action="ignore"):  # nn.BCEWithLogitsLoss(logits, targets) has outdated settings
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
