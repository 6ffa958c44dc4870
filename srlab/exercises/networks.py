"""What exercises about networks observe: layers in their order of use, known weights, gradients."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn

from srlab.exercises import Answer, Wrong, filled, sample

WEIGHED = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)


def build(answer: Answer, *sizes: int) -> nn.Module:
    """Make a block of a class that was asked for; anything else raises `Wrong`."""
    if isinstance(answer, nn.Module):
        raise Wrong("check needs the class itself, not a block made from it. Give the name without brackets.")
    block = filled(answer(*sizes))
    if not isinstance(block, nn.Module):
        raise Wrong("The block should be a torch.nn.Module.")
    return block


@contextmanager
def noted(network: nn.Module, *kinds: type[nn.Module]) -> Iterator[list[tuple[nn.Module, torch.Tensor, torch.Tensor]]]:
    """Note layers of some kinds as they are used: (layer, copy of its input, copy of its output), with repetitions."""
    used: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        used.append((layer, inputs[0].detach().clone(), output.detach().clone()))

    hooks = [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, kinds)]
    try:
        yield used
    finally:
        for hook in hooks:
            hook.remove()


def used_layers(network: nn.Module, x: torch.Tensor, *kinds: type[nn.Module]) -> list[nn.Module]:
    """The layers of some kinds in the order in which a network uses them, with repetitions."""
    with noted(network, *kinds) as used:
        network(x)
    return [layer for layer, _, _ in used]


def set_weights(network: nn.Module, x: torch.Tensor) -> None:
    """Give the layers that `x` goes through weights that depend on nothing but their order of use.

    Two networks of the same structure then do the same, however their layers are named and made.
    """
    for place, layer in enumerate(dict.fromkeys(used_layers(network, x, *WEIGHED))):
        for seed, parameter in enumerate(layer.parameters()):
            parameter.data = sample(*parameter.shape, low=-0.5, high=0.5, seed=10 * place + seed).to(parameter)


def gradient(loss: torch.Tensor, wanted: Iterable[torch.Tensor]) -> torch.Tensor:
    """The gradients of a loss at tensors or parameters in one vector, 0 where no graph leads; the graph is kept."""
    wanted = list(wanted)
    if not loss.requires_grad:
        return torch.cat([torch.zeros_like(w).flatten() for w in wanted])
    found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in found])


def reaches(loss: torch.Tensor, wanted: Iterable[torch.Tensor]) -> bool:
    """Whether a graph leads from a loss to one of these tensors or parameters."""
    if not loss.requires_grad:
        return False
    found = torch.autograd.grad(loss, list(wanted), retain_graph=True, allow_unused=True)
    return any(g is not None for g in found)
