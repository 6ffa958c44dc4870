"""Lab 03: one-sided label smoothing."""

from typing import Any

import torch

from srlab.exercises import Answer, Exercise, filled, sample
from srlab.exercises.srgan.discriminator_loss import discriminator_loss


def smooth_labels(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Make D's targets with one-sided label smoothing (Salimans et al. 2016, section 3.4).

    Parameters
    ----------
    real, fake
        Logits of what is real (HR) and of what is generated (SR).

    Returns
    -------
    tuple of torch.Tensor
        0.9 in the shape and kind of number of `real`, 0 in those of `fake`; without a graph.
    """
    return torch.full_like(real, 0.9), torch.zeros_like(fake)


def _observe(answer: Answer, real: torch.Tensor, fake: torch.Tensor) -> dict[str, Any]:
    result = filled(answer(real, fake))
    targets = (
        [target for target in result if isinstance(target, torch.Tensor)] if isinstance(result, tuple | list) else []
    )
    return {
        "one number for all real, one for all fake": all(len(target.unique()) == 1 for target in targets),
        "the targets of real and of fake": result,
        "their kind of number": " and ".join(str(target.dtype) for target in targets),
        "no graph": not any(target.requires_grad for target in targets),
    }


def _labels(yes: float, no: float) -> Answer:
    return lambda real, fake: (torch.full_like(real, yes), torch.full_like(fake, no))


EXERCISE = Exercise(
    smooth_labels,
    level="easy",
    cases={
        "0.9 for real, 0 for fake": tuple(sample(4, 1, low=-2, high=2, seed=seed) for seed in (1, 2)),
        "one target for each logit, of the same kind": (sample(2, 1, 3, 5).double(), sample(3, 1, 2, 2).double()),
        "no graph": lambda: tuple(sample(4, 1, seed=seed).requires_grad_() for seed in (1, 2)),
    },
    observe=_observe,
    mistakes={
        "The targets differ from logit to logit. Labels drawn at random are another trick. Here all real ones have "
        "the same.": (lambda real, fake: (0.8 + 0.2 * torch.rand_like(real), torch.zeros_like(fake))),
        "These targets depend on the logits. A target says what D ought to answer, and that's the same for all real "
        "ones.": [
            lambda real, fake: (0.9 * real, torch.zeros_like(fake)),
            lambda real, fake: (0.9 * real.sigmoid(), torch.zeros_like(fake)),
        ],
        "Real has 1 and fake 0: these labels aren't smoothed yet. Which of the two should be less sure?": _labels(1, 0),
        "The target of fake is smoothed too. With a target above 0, D would give credit to a place because G is there, "
        "and G would stay. That's why the smoothing is one-sided.": _labels(0.9, 0.1),
        "Real and fake have changed places: the first result is for real.": [_labels(0, 0.9), _labels(0.1, 0.9)],
        "Fake has the target of real. What should D say of something generated?": _labels(0.9, 0.9),
        "The target of real is smoothed by too much: it should be 0.1 away from 1.": _labels(0.1, 0),
        "That's one number. You're asked for the targets, not for the loss.": discriminator_loss,
        "A number is no target yet: the cross entropy wants one for each logit. Which functions of torch make a tensor "
        "like another one?": (lambda real, fake: (0.9, 0.0)),
        "Each logit needs a target, however many there are.": [
            lambda real, fake: (torch.full_like(fake, 0.9), torch.zeros_like(real)),
            lambda real, fake: (torch.full((len(real), 1), 0.9), torch.zeros(len(fake), 1)),
            lambda real, fake: (torch.full_like(real, 0.9), torch.zeros_like(real)),
            lambda real, fake: (torch.tensor([0.9]), torch.tensor([0.0])),
        ],
        "The logits and their targets are of two kinds, float32 and float64. Which functions of torch make a tensor "
        "like another one?": [
            lambda real, fake: (torch.full(real.shape, 0.9), torch.zeros(fake.shape)),
        ],
        "A target takes a gradient, or has a graph behind it. It's a fixed number, and nothing learns through it.": [
            lambda real, fake: (real * 0 + 0.9, fake * 0),
            lambda real, fake: (torch.full_like(real, 0.9, requires_grad=True), torch.zeros_like(fake)),
        ],
    },
    also_right=[lambda real, fake: [real.new_full(real.shape, 0.9), fake.new_zeros(fake.shape)]],
    otherwise={"their kind of number": "The targets should be of the kind of number of the logits, but are {given}."},
    tolerance=1e-5,
    hints=(
        "The cross entropy takes a target for each logit, as a tensor of the same shape.",
        "torch.full_like and torch.zeros_like make tensors like another one.",
    ),
)
