"""Lab 02: a training step on a sum of losses."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Optimizer

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.networks import gradients_of


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
    generator.register_forward_hook(lambda module, inputs, output: runs.append(inputs[0]))
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
        "the generator runs once": len(runs) == 1 and torch.equal(runs[0], lr),
        "each loss is computed once": sorted(computed) == sorted(parts),
        "one step of the optimizer": len(gradients) == 1,
        "the gradient at the optimizer's step": gradients[0] if gradients else torch.zeros(12),
        "the weighted sum": take(given["loss"], 0.0),
        "the losses of the parts": [take(given[name], 0.0) for name in parts],
        "the weights": nn.utils.parameters_to_vector(generator.parameters()),
    }


def _counted(loss: Callable[..., torch.Tensor], name: str, computed: list[str]) -> Callable[..., torch.Tensor]:
    def count(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        computed.append(name)
        return loss(sr, hr)

    return count


def _step(
    order: str = "zbs",
    total: Callable[..., Any] = lambda values, weights: sum(weights[name] * values[name] for name in values),
    see: Callable[..., torch.Tensor] = lambda generator, lr: generator(lr),
    value: Callable[..., Any] = lambda loss, sr, hr: loss(sr, hr),
    told: Callable[..., Any] = lambda value, weight: value.detach(),
) -> Answer:
    """Return a step with its parts in some order: z(ero_grad), b(ackward), s(tep)."""

    def step(generator: Any, optimizer: Any, lr: Any, hr: Any, parts: Any) -> dict[str, Any]:
        sr = see(generator, lr)
        values = {name: value(loss, sr, hr) for name, (_, loss) in parts.items()}
        weights = {name: weight for name, (weight, _) in parts.items()}
        whole = total(values, weights)
        for part in order:
            if part == "z":
                optimizer.zero_grad()
            elif part == "b":
                whole.backward()
            else:
                optimizer.step()
        return {"loss": told(whole, 1.0)} | {name: told(values[name], weights[name]) for name in values}

    return step


def _each_alone(generator: Any, optimizer: Any, lr: Any, hr: Any, parts: Any) -> dict[str, Any]:
    """Take a step for each part."""
    found, whole = {}, 0.0
    for name, (weight, loss) in parts.items():
        found[name] = loss(generator(lr), hr)
        optimizer.zero_grad()
        (weight * found[name]).backward()
        optimizer.step()
        whole = whole + weight * found[name].detach()
    return {"loss": whole} | {name: value.detach() for name, value in found.items()}


def _one_backward_each(generator: Any, optimizer: Any, lr: Any, hr: Any, parts: Any) -> dict[str, Any]:
    """Add up the gradients of the parts, which is right but slower."""
    sr, found = generator(lr), dict.fromkeys(parts)
    optimizer.zero_grad()
    whole = 0.0
    for name, (weight, loss) in parts.items():
        found[name] = loss(sr, hr)
        (weight * found[name]).backward(retain_graph=True)
        whole = whole + weight * found[name].detach()
    optimizer.step()
    return {"loss": whole} | {name: value.detach() for name, value in found.items()}


def _cleared_per_part(generator: Any, optimizer: Any, lr: Any, hr: Any, parts: Any) -> dict[str, Any]:
    """Clear the gradients before each part."""
    sr, found, whole = generator(lr), {}, 0.0
    for name, (weight, loss) in parts.items():
        optimizer.zero_grad()
        found[name] = loss(sr, hr)
        (weight * found[name]).backward(retain_graph=True)
        whole = whole + weight * found[name].detach()
    optimizer.step()
    return {"loss": whole} | {name: value.detach() for name, value in found.items()}


def _twice(generator: Any, optimizer: Any, lr: Any, hr: Any, parts: Any) -> dict[str, Any]:
    """Run the generator and the losses again for the log."""
    whole = sum(weight * loss(generator(lr), hr) for weight, loss in parts.values())
    optimizer.zero_grad()
    whole.backward()
    optimizer.step()
    with torch.no_grad():
        return {"loss": whole.detach()} | {name: loss(generator(lr), hr) for name, (_, loss) in parts.items()}


def _again_per_part(generator: Any, optimizer: Any, lr: Any, hr: Any, parts: Any) -> dict[str, Any]:
    """Run the generator for each part."""
    values = {name: loss(generator(lr), hr) for name, (_, loss) in parts.items()}
    whole = sum(parts[name][0] * value for name, value in values.items())
    optimizer.zero_grad()
    whole.backward()
    optimizer.step()
    return {"loss": whole.detach()} | {name: value.detach() for name, value in values.items()}


def _mean_of(values: Any, weights: Any) -> torch.Tensor:
    return sum(weights[name] * values[name] for name in values) / len(values)


def _normalized(values: Any, weights: Any) -> torch.Tensor:
    return sum(weights[name] * values[name] for name in values) / sum(weights.values())


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
    known_mistakes={
        "The second step still has the gradient of the first one in it. What sets it to zero, and when?": _step("bs"),
        "There is no gradient when the optimizer takes its step: zero_grad comes right before it, or backward after "
        "it.": [_step("bzs"), _step("zsb")],
        "The optimizer never takes its step, so the weights don't change.": _step("zb"),
        "The optimizer takes its step before backward, so it uses the gradient of the batch before.": _step("szb"),
        "The losses are added without their weights. What should a weight of 0.3 do?": _step(
            total=lambda values, weights: sum(values.values())
        ),
        "The sum is divided by the number of parts or by the sum of the weights, which changes every gradient. A plain "
        "weighted sum is enough.": [_step(total=_mean_of), _step(total=_normalized)],
        "Only one of the parts has a gradient when the optimizer takes its step. Does the sum contain all of them, and "
        "do you clear the gradients only once?": [
            _cleared_per_part,
            _step(total=lambda values, weights: [weights[name] * values[name] for name in values][-1]),
            _step(total=lambda values, weights: next(weights[name] * values[name] for name in values)),
        ],
        "You take a step for each part, so the second part already sees changed weights. Add the losses first.": (
            _each_alone
        ),
        "The generator runs more than once. It is the expensive part of a step, and all losses can share one SR.": [
            _twice,
            _again_per_part,
        ],
        "No graph leads from the sum back to the weights: SR was detached, or the losses became plain numbers before "
        "they were added.": [
            _step(see=lambda generator, lr: generator(lr).detach()),
            _step(value=lambda loss, sr, hr: loss(sr, hr).detach()),
        ],
        "The losses get the images in the wrong order: loss(sr, hr). A loss that is relative to HR isn't the same with "
        "both swapped.": _step(value=lambda loss, sr, hr: loss(hr, sr)),
        "The dict has the weighted losses. Each part should be logged as its loss returned it, so that you can compare "
        "runs with different weights.": _step(told=lambda value, weight: (weight * value).detach()),
        "SR is clamped before the losses, so pixels out of range get no gradient that corrects them.": _step(
            see=lambda generator, lr: generator(lr).clamp(0, 1)
        ),
    },
    also_accepted=[
        _step("zbs", told=lambda value, weight: value),
        _step("zbs", told=lambda value, weight: value.item()),
        _step("bsz"),
        _one_backward_each,
        _step(total=lambda values, weights: torch.stack([weights[name] * values[name] for name in values]).sum()),
    ],
    fallback_messages={
        "the generator runs once": "The generator should get `lr`, unchanged, and run once per step.",
        "each loss is computed once": "Each loss should be computed once per step.",
        "one step of the optimizer": "The optimizer should take one step.",
        "the gradient at the optimizer's step": "When the optimizer takes its step, the gradient should be that of the "
        "weighted sum on this batch.",
        "the weighted sum": "The entry 'loss' should be the weighted sum.",
        "the losses of the parts": "Each part's entry should be its loss, without the weight.",
        "the weights": "Everything is correct up to the step, but the weights come out different.",
    },
    hints=(
        "It's lab 01's step with another loss. Only the line with F.mse_loss changes, and it becomes a sum.",
        "One run of the generator serves all losses: compute them into a dict first, and then add weight times loss.",
    ),
)
