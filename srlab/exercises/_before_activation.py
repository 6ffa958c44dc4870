"""The exercise of lab 04 about features before the activation."""

from typing import Any

import torch
import torch.nn as nn

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, sample, tensor


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


def _network(inplace: bool, short: bool = False) -> nn.Sequential:
    """A small VGG, cut after a ReLU, with biases that leave values of both signs; some layers in eval mode."""
    convs = [nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)]
    first, *rest = [[conv, nn.ReLU(inplace=inplace)] for conv in convs]
    layers = nn.Sequential(*first, *([] if short else [*rest.pop(0), nn.MaxPool2d(2)]), *rest.pop())
    for seed, parameter in enumerate(layers.parameters()):
        parameter.data = sample(*parameter.shape, low=-0.6, high=0.6, seed=seed)
    layers[1].eval()
    return layers.requires_grad_(False)


_ACTIVATED = (
    "All that is negative has become 0: that is behind the activation, and half of what the features have to say is "
    "gone. Where should the network end?"
)
_SHORTER = (
    "Of a network with fewer layers this is another map: the activated one, or of another layer. Is a number of layers "
    "fixed in your code?"
)
_IN_PLACE = (
    "The map was right at first, but a layer behind it wrote over it: VGG's ReLUs work in place, and what was kept is "
    "the very tensor that they change. Which layers need to run at all?"
)


def _image() -> torch.Tensor:
    return sample(2, 3, 8, 6, low=-1, seed=1)


def _map_value(inplace: bool, short: bool) -> Answer:
    def step(answer: Answer) -> None:
        layers, image = _network(inplace, short), _image()
        wanted = before_activation(layers, image)
        mistakes = [(_IN_PLACE if inplace else _ACTIVATED, wanted.relu())]
        last = len(layers) - 2
        for place in range(last):
            hint = f"That is what comes out of layer {place}. The last convolution is layer {last}."
            hint = "That is the map of the first convolution. Which one is asked for?" if place == 0 else hint
            hint = "That is what the last convolution gets. What does it make of it?" if place == last - 1 else hint
            mistakes.append((hint, layers[: place + 1](image.clone())))
        given = image.clone()
        result = filled(answer(layers, given))
        for hint, found in [(_SHORTER, found) for _, found in mistakes] if short else mistakes:
            if isinstance(result, torch.Tensor) and near(result, found):  # maps of any size, which `compare` is not for
                raise Wrong(hint)
        result = tensor(result, tuple(wanted.shape), "The map of the last convolution has that size.")
        compare(result, wanted, otherwise="That is another map.")
        if not torch.equal(given, image):
            raise Wrong("The image was changed in place.")

    return step


_CHANGES = (
    "Layers were taken out of the network that came in, or put into it, and others use it too.",
    "Some layers are in another mode (train or eval) than before. Whoever gave you the network chose it.",
    "A setting of the layers was changed, such as `inplace`. They are not yours alone.",
    "A hook is still in the network, and runs each time that anybody uses it. Does it need one?",
    "The parameters take gradients now, or none any more. Whoever gave you the network chose it.",
)


def _state(layers: nn.Sequential) -> tuple[Any, ...]:
    """What may not change in a network, in the order of `_CHANGES`."""
    hooks = sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in layers.modules())
    learning = [parameter.requires_grad for parameter in layers.parameters()]
    return list(layers), [layer.training for layer in layers.modules()], str(layers), hooks, learning


def _map_again(answer: Answer) -> None:
    layers = _network(True)
    before = _state(layers)
    first = filled(answer(layers, _image()))
    kept = first.clone()
    for hint, old, new in zip(_CHANGES, before, _state(layers), strict=True):
        if old != new:
            raise Wrong(hint)
    if not near(answer(layers, _image()), kept):
        raise Wrong("Asked a second time about the same image, it gives another map.")
    layers(_image())
    if not near(first, kept):
        raise Wrong("When the network runs again, it writes over the map that it gave before.")


def _map_gradient(answer: Answer) -> None:
    layers, image = _network(True), _image().requires_grad_()
    result = filled(answer(layers, image))
    gradient = None
    if result.requires_grad:
        (gradient,) = torch.autograd.grad(result.square().sum(), image, allow_unused=True)
    if gradient is None:
        raise Wrong(
            "No graph leads from the map back to the image, so G would learn nothing from it. The weights are frozen "
            "already; is there a no_grad or a detach on the way?"
        )
    (right,) = torch.autograd.grad(before_activation(layers, image).square().sum(), image)
    compare(gradient, right, otherwise="The gradient at the image is another one.")


EXERCISES = {
    "esrgan.before_activation": Exercise(
        before_activation,
        (
            ("the map of the last convolution, with values of both signs", _map_value(False, False)),
            ("also of a shorter network", _map_value(False, True)),
            ("nothing writes over it", _map_value(True, False)),
            ("the network stays as it is", _map_again),
            ("the gradient reaches the image", _map_gradient),
        ),
        "medium",
        (
            "The layers are a list of modules: which is the last that should run, and what comes after it?",
            "isinstance(layer, nn.Conv2d) tells a convolution, and a slice of an nn.Sequential is a network again. A "
            "ReLU of VGG changes the tensor that it is given.",
        ),
    ),
}
