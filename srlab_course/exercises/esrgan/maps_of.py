"""Lab 04, find the bug: feature maps that a ReLU overwrites."""

from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn as nn

from srlab_course.exercises.networks import gradient
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


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
)
