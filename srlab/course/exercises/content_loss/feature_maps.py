"""Lab 02: the maps that a network makes on its way through an image."""

import functools
from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.networks import gradient


def feature_maps(
    layers: dict[str, Callable[[torch.Tensor], torch.Tensor]], image: torch.Tensor, wanted: Collection[str]
) -> dict[str, torch.Tensor]:
    """Send an image through layer after layer, and keep what comes out of the wanted ones.

    Parameters
    ----------
    layers
        Name -> layer, in the order of computation.
    image
        ``(N, 3, H, W)``.
    wanted
        Names of layers.

    Returns
    -------
    dict
        Name -> map ``(N, C, h, w)`` of each wanted layer, with a graph that leads to `image`.
    """
    maps = {}
    for name, layer in layers.items():
        image = layer(image)
        if name in wanted:
            maps[name] = image
    return maps


def _case(*wanted: str) -> tuple[Any, ...]:
    kernels = sample(4, 3, 3, 3, low=-1, seed=3), sample(5, 4, 3, 3, low=-1, seed=4)
    layers = {
        "conv1": lambda x: F.conv2d(x, kernels[0], padding=1),
        "relu1": F.relu,
        "pool1": lambda x: F.avg_pool2d(x, 2),
        "conv2": lambda x: F.conv2d(x, kernels[1], padding=1),
        "relu2": F.relu,
    }
    return layers, sample(2, 3, 8, 6, seed=1).requires_grad_(), list(wanted)


def _observe(answer: Answer, layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, Any]:
    before = list(layers)
    maps = filled(answer(layers, image, wanted))
    if list(layers) != before:
        raise IncorrectAnswer("`layers` was changed. The next image has to go through the same ones.")
    if not isinstance(maps, dict):
        raise IncorrectAnswer(f"A dict is asked for, name -> map, but this is a {type(maps).__name__}.")
    return {
        "which maps": " ".join(sorted(maps)),
        "the maps": {name: maps[name] for name in sorted(maps)},
        "the gradient at the image": gradient(sum(found.sum() for found in maps.values()), [image]),
    }


def _sliced(layers: dict[str, Answer], image: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
    """Each map from the beginning, which costs more and is right."""
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
        "two layers on the way, and the gradient comes through": lambda: _case("conv1", "pool1"),
    },
    observe=_observe,
    known_mistakes={
        "All the maps came back. Keep those whose name is wanted; the others are only passed through.": _all,
        "That's what goes into each wanted layer. What comes out of it is asked for.": _before,
        "Each wanted layer got the image itself. It should get what the layer before it made.": _each_from_the_image,
        "Only the wanted layers were used. The image has to go through the others as well, or a wanted layer sees "
        "something else than it did in training.": _only_the_wanted,
        "The maps have no graph, so no gradient would come back to the picture of the generator. Is there a no_grad, a "
        "detach or an item?": [_detached, torch.no_grad()(feature_maps)],
        "Every name has the map of the last wanted layer. Put each map into the dict while the image is on its way.": (
            _last
        ),
    },
    also_accepted=[_sliced],
    fallback_messages={
        "which maps": "The maps of other layers came back: {given}.",
        "the gradient at the image": "The gradient at the image is another one.",
    },
    hints=(
        "Walk through layers.items(). What a layer gives is what the next one gets.",
        "In the loop: image = layer(image). If the name is wanted, put what you have now under it into a dict.",
    ),
)
