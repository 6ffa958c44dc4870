"""Extra on a network from its description: copy published weights, a list of arrays without names."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from srlab_course.feedback.exercise import TODO, Answer, Exercise, NotAttempted, sample


def copy_weights(network: nn.Module, arrays: Sequence[torch.Tensor]) -> None:
    """Copy the values of arrays into the parameters of a network, in the same order.

    A missing array, one too many, or another shape raises an error. The arrays stay independent of the network.
    """
    pairs = list(zip(network.parameters(), arrays, strict=True))
    for parameter, array in pairs:  # before anything is copied
        if parameter.shape != array.shape:
            raise ValueError(f"expected the shape {tuple(parameter.shape)}, but got {tuple(array.shape)}")
    for parameter, array in pairs:
        parameter.data.copy_(array)


def _network(slopes: int = 4) -> nn.Module:
    """Return a small network whose layers are registered in the order in which they run."""
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.PReLU(slopes), nn.Conv2d(4, 4, 3, padding=1), nn.PReLU(4)]
    return nn.Sequential(*layers, nn.Conv2d(4, 12, 3, padding=1), nn.PixelShuffle(2))


def _reordered() -> nn.Module:
    """Return a network that registers both PReLUs after the convolutions."""
    network = _network()
    names = ("conv1", "act1", "conv2", "act2", "conv3")
    named = OrderedDict(zip(names, network, strict=False))
    return nn.Sequential(OrderedDict((name, named[name]) for name in sorted(named, reverse=True)))


def _arrays(change: Callable[[list[torch.Tensor]], None] = lambda arrays: None) -> list[torch.Tensor]:
    """Return arrays that fit `_network`, changed in place."""
    arrays = [sample(*value.shape, low=-1, seed=place) for place, value in enumerate(_network().parameters())]
    change(arrays)
    return arrays


def _one_slope(arrays: list[torch.Tensor]) -> None:
    arrays[2] = arrays[2][:1]


def _transposed(arrays: list[torch.Tensor]) -> None:
    arrays[0] = arrays[0].transpose(0, 1)


def _observe(answer: Answer, network: nn.Module, arrays: list[torch.Tensor], misfit: str) -> dict[str, Any]:
    given = [array.clone() for array in arrays]
    if misfit:
        try:
            answer(network, given)
        except Exception:  # any exception will do
            misfit = ""
        return {"a misfit without an error": misfit}
    if answer(network, given) is TODO:
        raise NotAttempted
    found = [parameter.detach().clone() for parameter in network.parameters()]
    unchanged = len(given) == len(arrays) and all(map(torch.equal, given, arrays))
    for array in given:
        array.data.zero_()
    return {
        "the parameters": found,
        "the arrays are unchanged": unchanged,
        "independent of the arrays": all(map(torch.equal, found, network.parameters())),
        "trainable": all(parameter.requires_grad for parameter in network.parameters()),
    }


def _misfit(
    name: str, change: Callable[[list[torch.Tensor]], None], build: Callable[[], nn.Module] = _network
) -> dict[str, Callable[[], tuple[nn.Module, list[torch.Tensor], str]]]:
    return {name: lambda: (build(), _arrays(change), name)}


EXERCISE = Exercise(
    copy_weights,
    level="medium",
    points=3,
    observe=_observe,
    cases={
        "arrays that fit": lambda: (_network(), _arrays(), ""),
        **_misfit("an array is missing", lambda arrays: arrays.pop()),
        **_misfit("an array is left over", lambda arrays: arrays.append(torch.zeros(12))),
        **_misfit("one slope for four channels", _one_slope),
        **_misfit("weights with two dimensions exchanged", _transposed),
        **_misfit("layers that were registered in another order", lambda arrays: None, _reordered),
    },
)
