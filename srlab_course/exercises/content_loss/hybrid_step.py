"""Lab 02: a training step on a sum of losses."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Optimizer

from srlab_course.exercises.networks import gradients_of, watch
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab_course.feedback.value_comparison import take


def hybrid_step(
    generator: nn.Module,
    optimizer: Optimizer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    parts: dict[str, tuple[float, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]],
) -> dict[str, torch.Tensor]:
    """Take one training step on a weighted sum of losses.

    Parameters
    ----------
    generator
        Network that maps LR to SR.
    optimizer
        Optimizer for the generator's parameters.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, scale * h, scale * w)`` in [0, 1].
    parts
        Name of a loss -> its weight and ``loss(sr, hr)``, which returns one number.

    Returns
    -------
    dict
        ``"loss"``, the weighted sum, and each part's loss under its name without its weight, all without graphs.
    """
    sr = generator(lr)
    values = {name: loss(sr, hr) for name, (_, loss) in parts.items()}
    total = sum(weight * values[name] for name, (weight, _) in parts.items())
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return {"loss": total.detach()} | {name: value.detach() for name, value in values.items()}


def _stripes(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Return a difference relative to HR, so that swapped images give another loss."""
    return (sr.diff(dim=-1) - hr.diff(dim=-1)).abs().mean() / hr.diff(dim=-1).abs().mean()


def _scene(names: str) -> Callable[[], tuple[Any, ...]]:
    """Return a function that makes a tiny generator, its optimizer, two batches and the parts with these initials."""
    losses = {"p": ("pixel", (1.0, F.mse_loss)), "o": ("own", (0.3, _stripes)), "l": ("l1", (2.0, F.l1_loss))}

    def build() -> tuple[Any, ...]:
        generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=4))
        for seed, parameter in enumerate(generator.parameters()):
            parameter.data = sample(*parameter.shape, low=-1.5, high=2.0, seed=seed)
        batches = [(sample(2, 3, 3, 4, seed=seed), sample(2, 3, 12, 16, seed=seed + 1)) for seed in (2, 4)]
        return generator, SGD(generator.parameters(), lr=0.1), batches, dict(losses[name] for name in names)

    return build


def _observe(answer: Answer, generator: Any, optimizer: Any, batches: Any, parts: dict[str, Any]) -> dict[str, Any]:
    gradients: list[torch.Tensor] = []
    runs: list[torch.Tensor] = []
    computed: list[str] = []
    watch(generator, lambda _, image, sr: runs.append(image))
    optimizer.register_step_post_hook(lambda *_: gradients.append(gradients_of(generator)))
    watched = {name: (weight, _counted(loss, name, computed)) for name, (weight, loss) in parts.items()}
    for lr, hr in batches:
        for noted in (gradients, runs, computed):
            noted.clear()
        given = filled(answer(generator, optimizer, lr, hr, dict(watched)))
        if not isinstance(given, dict):
            raise IncorrectAnswer("The result should be a dict of losses: the sum as 'loss', and one for each part.")
        if missing := [name for name in ("loss", *parts) if name not in given]:
            raise IncorrectAnswer(f"The dict has no entry {missing[0]!r}. Its names: {', '.join(map(str, given))}.")
    return {
        "steps of the optimizer": len(gradients),
        "runs of the generator": len(runs),
        "the input of the generator": all(torch.equal(run, lr) for run in runs),
        "each loss is computed once": sorted(computed) == sorted(parts),
        "the gradient at the optimizer's step": gradients[0] if gradients else "none",
        "the weighted sum": take(given["loss"], 0.0),
        "the losses of the parts": [take(given[name], 0.0) for name in parts],
        "the weights": nn.utils.parameters_to_vector(generator.parameters()),
    }


def _counted(loss: Callable[..., torch.Tensor], name: str, computed: list[str]) -> Callable[..., torch.Tensor]:
    def count(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        computed.append(name)
        return loss(sr, hr)

    return count


EXERCISE = Exercise(
    hybrid_step,
    level="medium",
    points=4,
    cases={
        "one loss": _scene("p"),
        "two losses": _scene("po"),
        "three losses, in another order": _scene("olp"),
    },
    observe=_observe,
)
