"""Lab 02: the feature maps that a network computes for an image."""

import functools
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.networks import gradient


def feature_maps(
    layers: dict[str, Callable[[torch.Tensor], torch.Tensor]], image: torch.Tensor, wanted: Collection[str]
) -> dict[str, torch.Tensor]:
    """Run an image through all layers in order, and keep the outputs of the wanted ones.

    Parameters
    ----------
    layers
        Layers by name, in order of computation.
    image
        ``(N, 3, H, W)``.
    wanted
        Names of the layers to keep.

    Returns
    -------
    dict
        Map of each wanted layer by name, ``(N, C, h, w)``, with a graph that leads to `image`.
    """
    maps = {}
    for name, layer in layers.items():
        image = layer(image)
        if name in wanted:
            maps[name] = image
    return maps


def _case(*wanted: str) -> tuple[Any, ...]:
    convs = [nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Conv2d(4, 5, 3, padding=1, bias=False)]
    for seed, conv in enumerate(convs, start=3):
        conv.weight.data = sample(*conv.weight.shape, low=-1, seed=seed)
        conv.requires_grad_(False)
    layers = {"conv1": convs[0], "relu1": nn.ReLU(), "pool1": nn.AvgPool2d(2), "conv2": convs[1], "relu2": nn.ReLU()}
    return layers, sample(2, 3, 8, 6, seed=1).requires_grad_(), list(wanted)


def _observe(answer: Answer, layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, Any]:
    before = list(layers)
    maps = filled(answer(layers, image, wanted))
    if list(layers) != before:
        raise IncorrectAnswer("You changed `layers`. The next image has to go through the same ones.")
    if not isinstance(maps, dict):
        raise IncorrectAnswer(f"Return a dict, name -> map. This is a {type(maps).__name__}.")
    return {
        "the names of the maps": " ".join(sorted(maps)),
        "the maps": {name: maps[name] for name in sorted(maps)},
        "the gradient at the image": gradient(sum(found.sum() for found in maps.values()), [image]),
    }


def _sliced(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    """Compute each map from the image on: slower, but correct."""
    names = list(layers)
    return {
        name: functools.reduce(lambda x, one: layers[one](x), names[: names.index(name) + 1], image) for name in wanted
    }


def _all(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    return feature_maps(layers, image, list(layers))


def _before(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    maps = {}
    for name, layer in layers.items():
        if name in wanted:
            maps[name] = image
        image = layer(image)
    return maps


def _each_from_the_image(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    return {name: layers[name](image) for name in wanted}


def _only_the_wanted(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    return feature_maps({name: layers[name] for name in wanted}, image, wanted)


def _detached(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    return {name: found.detach() for name, found in feature_maps(layers, image, wanted).items()}


def _last(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    last = list(feature_maps(layers, image, wanted).values())[-1]
    return dict.fromkeys(wanted, last)


EXERCISE = Exercise(
    feature_maps,
    level="easy",
    points=2,
    cases={
        "one layer at the end": lambda: _case("relu2"),
        "two layers in the middle, with a gradient at the image": lambda: _case("conv1", "pool1"),
    },
    observe=_observe,
    known_mistakes={
        "You return all the maps. Keep those whose name is in `wanted`. The image only passes through the "
        "others.": _all,
        "You keep the input of each wanted layer. You need its output.": _before,
        "Each wanted layer got the image itself. It should get the output of the layer before "
        "it.": _each_from_the_image,
        "You used only the wanted layers. The image has to go through the others too, or a wanted layer gets a "
        "different input than in training.": _only_the_wanted,
        "Your maps have no graph, so no gradient could flow back to the generator's image. Is there a no_grad, a "
        "detach or an item?": [_detached, torch.no_grad()(feature_maps)],
        "Every name has the map of the last wanted layer. Store each map in the dict while the image passes through "
        "the layers.": (_last),
    },
    also_accepted=[_sliced],
    fallback_messages={
        "the names of the maps": "You returned the maps of other layers: {given}.",
        "the gradient at the image": "The gradient at the image is wrong.",
    },
    hints=(
        "Walk through layers.items(). The output of a layer is the input of the next.",
        "In the loop: image = layer(image). If the name is wanted, store the current image under it in a dict.",
    ),
)
