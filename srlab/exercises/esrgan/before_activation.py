"""Lab 04: features before the activation."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn

from srlab.exercises import Answer, Exercise, filled, sample
from srlab.exercises.networks import gradient, reaches


def before_activation(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    """Feature map of the last convolution, before its ReLU (Wang et al. 2018, section 3.3).

    Parameters
    ----------
    layers
        Convolutions, ReLUs and pools, as torchvision's ``vgg19().features`` up to a ReLU; left as they are.
    image
        ``(N, 3, H, W)``, normalised for the network.

    Returns
    -------
    torch.Tensor
        ``(N, C, h, w)``, with a graph to the image.
    """
    last = max(place for place, layer in enumerate(layers) if isinstance(layer, nn.Conv2d))
    return layers[: last + 1](image)


def _inputs(inplace: bool, long: bool) -> Callable[[], tuple[nn.Sequential, torch.Tensor]]:
    """A small VGG, cut after a ReLU, with biases that leave values of both signs, and an image with a graph."""

    def make() -> tuple[nn.Sequential, torch.Tensor]:
        layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace)]
        layers += [nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace), nn.MaxPool2d(2)] if long else []
        network = nn.Sequential(*layers, nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace))
        for seed, parameter in enumerate(network.parameters()):
            parameter.data = sample(*parameter.shape, low=-0.6, high=0.6, seed=seed)
        network[1].eval()
        network[0].requires_grad_(False)  # modes and weights of both kinds, so that any change shows
        return network, sample(2, 3, 8, 6, low=-1, seed=1).requires_grad_() * 1

    return make


def _state(layers: nn.Sequential) -> dict[str, Any]:
    return {
        "the layers": list(layers),
        "their settings": str(layers),
        "their modes": [layer.training for layer in layers],
        "their hooks": sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in layers.modules()),
        "what learns": [parameter.requires_grad for parameter in layers.parameters()],
    }


def _observe(answer: Answer, layers: nn.Sequential, image: torch.Tensor) -> dict[str, Any]:
    before = _state(layers)
    result = filled(answer(layers, image))
    if not isinstance(result, torch.Tensor):
        return {"the map": result}
    return {
        "the map": result,
        **{f"{part} as before": state == before[part] for part, state in _state(layers).items()},
        "a graph leads to the image": reaches(result.sum(), [image]),
        "the gradient at the image": gradient(result.square().sum(), [image]),
    }


def _noting(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    """Runs all layers, and keeps the last map of a convolution on the way."""
    for layer in layers:
        image = layer(image)
        if isinstance(layer, nn.Conv2d):
            kept = image
    return kept


def _hooked(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    """Leaves a hook in the last convolution."""
    kept = {}
    layers[-2].register_forward_hook(lambda _, __, output: kept.update(map=output.clone()))
    layers(image)
    return kept["map"]


def _popped(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    layers.pop(-1)
    return layers(image)


def _blanked(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    layers[-1] = nn.Identity()
    return layers(image)


def _without_relus(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        image = image if isinstance(layer, nn.ReLU) else layer(image)
    return image


def _switched(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return layers[:-1](image)


def _without_graph(layers: nn.Sequential, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return layers[:-1](image)


EXERCISE = Exercise(
    before_activation,
    level="medium",
    cases={
        "the map of the last convolution, with a graph to the image, and the network as it was": _inputs(False, True),
        "also of a shorter network": _inputs(False, False),
        "nothing writes over it": _inputs(True, True),
    },
    observe=_observe,
    mistakes={
        "All that is negative has become 0: that is behind the activation, and about half of what the convolution "
        "found is gone. Where should the network end?": lambda layers, image: layers(image),
        "That is the map of the first convolution. Which one is asked for?": lambda layers, image: layers[:1](image),
        "That is what the last convolution gets. What does it make of it?": lambda layers, image: layers[:-2](image),
        "That comes out of a layer before the last convolution. Where does the last one stand in the list?": [
            lambda layers, image, end=end: layers[:end](image) for end in (2, 3, 4)
        ],
        "Of a network with fewer layers this is another map: the activated one, or of another layer. Is a number of "
        "layers fixed in your code?": lambda layers, image: layers[:6](image),
        "The map was right at first, but a layer behind it wrote over it: VGG's ReLUs work in place, and what was kept "
        "is the very tensor that they change. Which layers need to run at all?": _noting,
        "All ReLUs were left out. The network has learned with them: only the last one should not run.": _without_relus,
        "The last convolution was given the image. It wants what the layers before make of the image.": (
            lambda layers, image: layers[-2](image)
        ),
        "Layers were taken out of the network that came in, or put into it, and others use it too.": [
            _popped,
            _blanked,
        ],
        "A setting of the layers was changed, such as `inplace`. They are not yours alone.": _switched,
        "Some layers are in another mode (train or eval) than before. Whoever gave you the network chose it.": [
            lambda layers, image: layers.eval()[:-1](image),
            lambda layers, image: layers.train()[:-1](image),
            lambda layers, image: layers[:-1].eval()(image),
        ],
        "A hook is still in the network, and runs each time that anybody uses it. Does it need one?": _hooked,
        "The parameters take gradients now, or none any more. Whoever gave you the network chose it.": [
            lambda layers, image: layers.requires_grad_()[:-1](image),
            lambda layers, image: layers.requires_grad_(False)[:-1](image),
            lambda layers, image: layers[:-1].requires_grad_(False)(image),
        ],
        "No graph leads from the map back to the image, so G would learn nothing from it. Is there a no_grad "
        "or a detach on the way?": _without_graph,
    },
    also_right=[lambda layers, image: layers[:-1](image)],
    otherwise={"the gradient at the image": "The map is right, but not the gradient at the image."},
    hints=(
        "The layers are a list of modules: which is the last that should run, and what comes after it?",
        "isinstance(layer, nn.Conv2d) tells a convolution, and a slice of an nn.Sequential is a network again. A ReLU "
        "of VGG changes the tensor that it is given.",
    ),
)
