"""Lab 04, find the bug: feature maps that a ReLU overwrites."""

import copy
from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.networks import gradient


def maps_of(
    layers: dict[str, Callable[[torch.Tensor], torch.Tensor]], image: torch.Tensor, wanted: Collection[str]
) -> dict[str, torch.Tensor]:
    """Run an image through all layers in order, and keep the outputs of the wanted ones as they leave their layer.

    Parameters
    ----------
    layers
        Layers by name, in order of computation. Some change their input in place, as torchvision's ReLUs do.
    image
        ``(N, 3, H, W)``.
    wanted
        Names of the layers to keep.

    Returns
    -------
    dict
        Map of each wanted layer by name, with a graph that leads to `image`.
    """
    maps = {}
    for name, layer in layers.items():
        image = layer(image)
        if name in wanted:
            maps[name] = image.clone()  # the next layer may overwrite it
    return maps


def _case(*wanted: str) -> Callable[[], tuple[Any, ...]]:
    def inputs() -> tuple[Any, ...]:
        layers: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, 4, 3, padding=1),
            "norm1": nn.BatchNorm2d(4).eval(),
            "relu1": nn.ReLU(inplace=True),
            "pool1": nn.AvgPool2d(2),
            "conv2": nn.Conv2d(4, 5, 3, padding=1),
            "relu2": nn.ReLU(inplace=True),
        }
        for seed, name in enumerate(("conv1", "conv2")):
            layers[name].requires_grad_(False)
            layers[name].weight.data = sample(*layers[name].weight.shape, low=-1, seed=seed)
            layers[name].bias.data.zero_()
        layers["norm1"].requires_grad_(False)
        layers["norm1"].bias.data.fill_(-0.2)
        return layers, sample(2, 3, 8, 6, seed=3).requires_grad_(), list(wanted)

    return inputs


def _observe(answer: Answer, layers: dict[str, nn.Module], image: torch.Tensor, wanted: list[str]) -> dict[str, Any]:
    before = list(layers.items())
    maps = filled(answer(layers, image, wanted))
    if list(layers.items()) != before:
        raise IncorrectAnswer("You changed `layers`. The next image has to go through the same ones.")
    if not isinstance(maps, dict):
        raise IncorrectAnswer(f"Return a dict, name -> map. This is a {type(maps).__name__}.")
    return {
        "the names": ", ".join(maps),
        **{f"the map of {name}": maps.get(name, torch.zeros(())).detach() for name in wanted},
        "one tensor under two names": len({id(value) for value in maps.values()}) < len(maps),
        "one memory under two names": len({value.data_ptr() for value in maps.values()}) < len(maps),
        "a gradient at the image": gradient(sum(value.square().sum() for value in maps.values()), [image]),
    }


def _maps(
    keep: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
    before: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
    end: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
    named: str = "",
    run: Callable[[nn.Module, torch.Tensor], torch.Tensor] = lambda layer, x: layer(x),
) -> Answer:
    """Return an answer in which maps are copied elsewhere; `named` limits `keep` to names with these letters."""

    def answer(layers: dict[str, nn.Module], image: torch.Tensor, wanted: Collection[str]) -> dict[str, torch.Tensor]:
        maps = {}
        for name, layer in layers.items():
            image = run(layer, before(image))
            if name in wanted:
                maps[name] = keep(image) if named in name else image
        return {name: end(value) for name, value in maps.items()}

    return answer


def _inputs(layers: dict[str, nn.Module], image: torch.Tensor, wanted: Collection[str]) -> dict[str, torch.Tensor]:
    maps = {}
    for name, layer in layers.items():
        if name in wanted:
            maps[name] = image.clone()
        image = layer(image)
    return maps


def _not_in_place(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)


def _switched_off(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    if isinstance(layer, nn.ReLU):
        layer.inplace = False
    return layer(x)


EXERCISE = Exercise(
    maps_of,
    level="medium",
    points=4,
    cases={
        "the map of a convolution before its ReLU, with a graph that leads to the image": _case("conv2"),
        "maps before and after the same ReLU": _case("conv2", "relu2"),
        "the map of a normalization before its ReLU": _case("norm1", "conv2"),
    },
    observe=_observe,
    known_mistakes={
        "That is the code as it was: the map before the ReLU has no negative value. Which line changes a map after "
        "you stored it?": _maps(),
        "A view or a detached tensor has the same memory as the map, so it's still overwritten. What makes a real "
        "copy?": [
            _maps(lambda x: x.detach()),
            _maps(lambda x: x[:]),
            _maps(lambda x: x.view_as(x)),
            _maps(lambda x: x.data),
        ],
        "You copy the maps at the end. What has happened to them by then?": [
            _maps(end=lambda x: x.clone()),
        ],
        "The values are correct, but your copy has no graph: a content loss on it would teach G nothing.": [
            _maps(lambda x: x.detach().clone()),
            _maps(lambda x: x.clone().detach()),
            _maps(lambda x: torch.tensor(x.detach().numpy())),
        ],
        "deepcopy doesn't work for a tensor with a graph. Which method of a tensor makes a copy that keeps it?": (
            _maps(copy.deepcopy)
        ),
        "You copy only the maps of convolutions. A ReLU overwrites whatever comes before it, such as a "
        "normalization.": [
            _maps(lambda x: x.clone(), named="conv"),
        ],
        "You left out the ReLU, so all later maps are those of another network.": [
            _maps(run=lambda layer, x: x if isinstance(layer, nn.ReLU) else layer(x)),
        ],
        "You replaced the ReLU by another activation, so all later maps are those of another network.": [
            _maps(run=lambda layer, x: F.leaky_relu(x, 0.2) if isinstance(layer, nn.ReLU) else layer(x)),
        ],
        "You keep the input of a layer instead of its output.": _inputs,
    },
    also_accepted=[
        _maps(lambda x: x.clone()),
        _maps(lambda x: x * 1),
        _maps(before=lambda x: x.clone()),
        _maps(run=_not_in_place),
        _maps(run=_switched_off),
    ],
    fallback_messages={
        "the names": "Return the wanted maps only, by the names of their layers. You returned: {given}.",
        "a gradient at the image": "The maps are correct, but the gradient that they send to the image is not.",
    },
    hints=(
        "Print the smallest value of the map of conv2_2, right after it was stored and again after the next layer.",
        "nn.ReLU(inplace=True) writes its result into the memory of its input. The dictionary still refers to that "
        "memory.",
    ),
)
