"""Observations for exercises about networks: layers in order of use, fixed weights, gradients."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from srlab_course.feedback.exercise import Answer, IncorrectAnswer, filled, sample


def build(answer: Answer, *sizes: int) -> nn.Module:
    """Build a block from the class that an answer defines; raise `IncorrectAnswer` for anything else."""
    if isinstance(answer, nn.Module):
        raise IncorrectAnswer(
            "check needs the class itself, not a block made from it. Pass the name without parentheses."
        )
    block = filled(answer(*sizes))
    if not isinstance(block, nn.Module):
        raise IncorrectAnswer("The block should be a torch.nn.Module.")
    return block


def watch(network: nn.Module, note: Callable[[nn.Module, torch.Tensor, torch.Tensor], Any]) -> Callable[[], None]:
    """Call ``note(network, input, output)`` after each run of a network or of a copy of it; the result ends that.

    A hook would miss ``network.forward(lr)``, so the network gets a class with another method `forward`.
    """
    kind = type(network)

    def forward(self: nn.Module, *inputs: torch.Tensor, **named: torch.Tensor) -> torch.Tensor:
        output = kind.forward(self, *inputs, **named)
        note(self, (*inputs, *named.values())[0], output)
        return output

    network.__class__ = type(kind.__name__, (kind,), {"forward": forward})
    return lambda: setattr(network, "__class__", kind)


def watch_modes(network: nn.Module) -> list[tuple[bool, bool]]:
    """Return a list to which each run of a network, or of a copy of it, appends (training mode, graphs are on)."""
    runs: list[tuple[bool, bool]] = []
    watch(network, lambda run, *_: runs.append((run.training, torch.is_grad_enabled())))
    return runs


@dataclass
class Call:
    """A convolution or batch norm that a network computed, with a layer or with a function."""

    kind: str  # "conv2d" or "batch_norm"
    weights: tuple[torch.Tensor | None, torch.Tensor | None]  # weight and bias
    input: torch.Tensor  # a copy, and so is the output
    output: torch.Tensor


class _Calls(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[Call] = []

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if (kind := getattr(function, "__name__", "")) in ("conv2d", "batch_norm"):
            first = 3 if function is F.batch_norm else 1  # index of the weight; torch.batch_norm is like conv2d
            given = dict(zip(("weight", "bias"), args[first : first + 2], strict=False)) | kwargs
            weights = given.get("weight"), given.get("bias")
            before, output = (args[0] if args else kwargs["input"]).detach().clone(), function(*args, **kwargs)
            self.made.append(Call(kind, weights, before, output.detach().clone()))
            return output
        return function(*args, **kwargs)


def calls(network: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> list[Call]:
    """Return the convolutions and batch norms that a network computes, in order."""
    with _Calls() as watch:
        network(*inputs)
    return watch.made


def set_weights(network: nn.Module, *inputs: torch.Tensor) -> None:
    """Set the weights of convolutions and batch norms, depending only on their order of use.

    Two networks of the same structure then compute the same, however their layers are named and created.
    """
    used = {id(call.weights[0]): call for call in calls(network, *inputs)}
    for place, call in enumerate(used.values()):
        for seed, weights in enumerate(call.weights):
            if weights is not None:
                weights.data = sample(*weights.shape, low=-0.5, high=0.5, seed=10 * place + seed).to(weights)


def strays(network: nn.Module, *inputs: torch.Tensor) -> str:
    """Return how weights escape an optimizer: "in a list", "re-created" in forward, or "" if none do."""
    first, second = (
        [call.weights[0] for call in calls(network, *inputs) if call.weights[0] is not None] for _ in range(2)
    )
    known = {id(parameter) for parameter in network.parameters()}
    if all(id(weight) in known for weight in first):
        return ""
    return "in a list" if [id(weight) for weight in first] == [id(weight) for weight in second] else "re-created"


# Mistakes with any network, which `observe_network` finds: how weights escape an optimizer -> hint.
ESCAPED = {
    "in a list": "Your layers are in a plain Python list (or a dict), where PyTorch doesn't look: parameters() leaves "
    "them out. How else can you store them? nn.ModuleList works.",
    "re-created": "You create layers in forward, so each call starts with new random weights, and nothing learned is "
    "kept. Where should you create them?",
}
CHANGED = (
    "You changed the input in place, for example with +=, a method that ends in _, or inplace=True. Later code needs "
    "it unchanged. Which operation returns a new tensor?"
)
# Messages for observations of `observe_network`.
MESSAGES = {
    "the number of convolutions": "Your code runs {given} convolutions, which isn't the number in the drawing.",
    "the number of batch norms": "Your code runs {given} batch norms, which isn't the number in the drawing.",
    "the kernel sizes": "The convolutions should be 3x3, but are {given}.",
    "separate weights": "The same layer runs twice, so both steps share their weights. Does each have its own?",
    "a bias in each": "Your convolutions have no bias. Leave `bias` at its default.",
}


def observe_network(network: nn.Module, *inputs: torch.Tensor) -> dict[str, Any]:
    """Record what a network of 3x3 convolutions computes, causes before effects, with weights set by order of use.

    Raise `IncorrectAnswer` if the network changes an input in place, or if weights escape an optimizer.
    """
    before = [value.clone() for value in inputs]
    shape = tuple(filled(network(*inputs)).shape)
    if not all(map(torch.equal, before, inputs)):
        raise IncorrectAnswer(CHANGED, "changed in place")
    if escaped := strays(network, *inputs):
        raise IncorrectAnswer(ESCAPED[escaped], escaped)
    made = calls(network, *inputs)
    convs = [call for call in made if call.kind == "conv2d"]
    for weights in (weights for call in convs for weights in call.weights if weights is not None):
        weights.data = torch.zeros_like(weights)
    left = network(*inputs)
    set_weights(network, *inputs)
    own = [id(call.weights[0]) for call in made if call.weights[0] is not None]
    return {
        "the output shape": str(shape),
        "the output with all convolutions at zero": left,
        "the number of convolutions": len(convs),
        "the number of batch norms": len(made) - len(convs),
        "the kernel sizes": " and ".join(sorted({"x".join(map(str, call.weights[0].shape[2:])) for call in convs})),
        "separate weights": len(own) == len(set(own)),
        "a bias in each": all(call.weights[1] is not None for call in convs),
        "the output": network(*inputs),
    }


def gradient(loss: torch.Tensor, wanted: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the gradients of a loss at tensors as one vector, 0 where there is no graph; the graph is kept."""
    wanted = list(wanted)
    if not loss.requires_grad:
        return torch.cat([torch.zeros_like(w).flatten() for w in wanted])
    found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in found])


def gradients_of(network: nn.Module) -> torch.Tensor:
    """Return the stored gradients of a network's parameters as one vector, 0 where there is none."""
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in network.parameters()])


def reaches(loss: torch.Tensor, wanted: Iterable[torch.Tensor]) -> bool:
    """Return whether a graph leads from a loss to one of these tensors or parameters."""
    if not loss.requires_grad:
        return False
    found = torch.autograd.grad(loss, list(wanted), retain_graph=True, allow_unused=True)
    return any(g is not None for g in found)
