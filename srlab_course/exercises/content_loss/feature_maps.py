"""Lab 02: the feature maps that a network computes for an image."""

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn

from srlab_course.exercises.networks import gradient
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


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


EXERCISE = Exercise(
    feature_maps,
    level="easy",
    points=2,
    cases={
        "one layer at the end": lambda: _case("relu2"),
        "two layers in the middle, with a gradient at the image": lambda: _case("conv1", "pool1"),
    },
    observe=_observe,
)
