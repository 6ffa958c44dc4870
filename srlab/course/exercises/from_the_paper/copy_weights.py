"""Extra on a network from its description: copy published weights, a list of arrays without names."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from srlab.course.exercise import TODO, Answer, Exercise, NotAttempted, sample


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


def _observe(answer: Answer, network: nn.Module, arrays: list[torch.Tensor], fits: bool) -> dict[str, Any]:
    given = [array.clone() for array in arrays]
    if not fits:
        try:
            answer(network, given)
        except Exception:  # any exception will do
            return {"an error": True}
        return {"an error": False}
    if answer(network, given) is TODO:
        raise NotAttempted
    found = [parameter.detach().clone() for parameter in network.parameters()]
    unchanged = all(map(torch.equal, given, arrays))
    for array in given:
        array.data.zero_()
    return {
        "the parameters": found,
        "the arrays are unchanged": unchanged,
        "independent of the arrays": all(map(torch.equal, found, network.parameters())),
        "trainable": all(parameter.requires_grad for parameter in network.parameters()),
    }


def _case(
    change: Callable[[list[torch.Tensor]], None] = lambda arrays: None,
    build: Callable[[], nn.Module] = _network,
    fits: bool = False,
) -> Callable[[], tuple[nn.Module, list[torch.Tensor], bool]]:
    return lambda: (build(), _arrays(change), fits)


def _variant(
    strict: bool = True,
    check: bool = True,
    write: Callable[[nn.Parameter, torch.Tensor], Any] = lambda parameter, array: parameter.data.copy_(array),
) -> Answer:
    """Return the answer with its parts correct or wrong."""

    def answer(network: nn.Module, arrays: Sequence[torch.Tensor]) -> None:
        for parameter, array in zip(network.parameters(), arrays, strict=strict):
            if check and parameter.shape != array.shape:
                raise ValueError("another shape")
            write(parameter, array)

    return answer


def _by_shape(network: nn.Module, arrays: Sequence[torch.Tensor]) -> None:
    rest = list(arrays)
    for parameter in network.parameters():
        place = next(place for place, array in enumerate(rest) if array.shape == parameter.shape)
        parameter.data.copy_(rest.pop(place))
    if rest:
        raise ValueError("arrays are left")


def _alias(parameter: nn.Parameter, array: torch.Tensor) -> None:
    parameter.data = array


def _view(parameter: nn.Parameter, array: torch.Tensor) -> None:
    parameter.data.copy_(array.reshape(parameter.shape))


def _freeze(parameter: nn.Parameter, array: torch.Tensor) -> None:
    parameter.requires_grad_(False).copy_(array)


def _by_state_dict(network: nn.Module, arrays: Sequence[torch.Tensor]) -> None:
    network.load_state_dict(dict(zip(network.state_dict(), arrays, strict=True)))


def _asserted(network: nn.Module, arrays: Sequence[torch.Tensor]) -> None:
    parameters = list(network.parameters())
    assert [parameter.shape for parameter in parameters] == [array.shape for array in arrays]
    with torch.no_grad():
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter[...] = array


EXERCISE = Exercise(
    copy_weights,
    level="medium",
    points=3,
    observe=_observe,
    cases={
        "arrays that fit": _case(fits=True),
        "an array is missing": _case(lambda arrays: arrays.pop()),
        "an array is left over": _case(lambda arrays: arrays.append(torch.zeros(12))),
        "one slope for four channels": _case(_one_slope),
        "weights with two dimensions exchanged": _case(_transposed),
        "layers that were registered in another order": _case(build=_reordered),
    },
    known_mistakes={
        "zip stops at the end of the shorter list, so a network with too few layers is filled without an error. Which "
        "argument of zip makes it raise one?": [
            _variant(strict=False),
            _variant(strict=False, check=False),
            _variant(strict=False, check=False, write=_view),
        ],
        "copy_ repeats a single slope for all channels, without an error. What can you compare before you copy?": [
            _variant(check=False),
        ],
        "You reshape an array that doesn't fit, which puts the right numbers into the wrong places. Should another "
        "shape with the same count be accepted?": _variant(check=False, write=_view),
        "You look for an array of the right shape. A bias and the slopes of a PReLU have the same shape: how would you "
        "notice that they were exchanged?": _by_shape,
        "Network and arrays now share their memory, so training one changes the other. Copy the values instead.": [
            _variant(write=_alias),
            _variant(check=False, write=_alias),
            _variant(strict=False, check=False, write=_alias),
        ],
        "The parameters have their old values. An assignment to the loop variable only renames an array. Which method "
        "writes into a tensor?": [
            _variant(write=lambda parameter, array: None),
            _variant(strict=False, check=False, write=lambda parameter, array: None),
        ],
        "The parameters are frozen now, so this network can't be trained any more. In which context can you write into "
        "parameters without freezing them?": [
            _variant(write=_freeze),
            _variant(check=False, write=_freeze),
            _variant(strict=False, check=False, write=_freeze),
        ],
        "Autograd doesn't let you overwrite a parameter while it records. How do you switch recording off?": _variant(
            write=lambda parameter, array: parameter.copy_(array)
        ),
    },
    also_accepted=[_by_state_dict, _asserted],
    fallback_messages={
        "an error": "This must raise an error, but your function returned.",
        "the arrays are unchanged": "You changed the arrays. They may be needed again.",
    },
    hints=(
        "Go through network.parameters() and the arrays together. What if one of the lists is longer, or the shapes "
        "differ?",
        "zip(..., strict=True) raises an error for lists of different lengths. Under torch.no_grad(), "
        "parameter.copy_(array) writes the values.",
    ),
)
