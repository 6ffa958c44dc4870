"""Lab 02: a network that judges and does not learn."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn

from srlab.exercises import Answer, Exercise, Wrong, filled, sample
from srlab.exercises.networks import gradient, reaches


def freeze(network: nn.Module) -> nn.Module:
    """Make a network fit to judge images: its weights learn nothing, and batch norm and dropout stand still.

    Parameters
    ----------
    network
        Changed in place.

    Returns
    -------
    torch.nn.Module
        The same network. Gradients still flow through it, to the image.
    """
    return network.requires_grad_(False).eval()


def _network() -> tuple[nn.Module]:
    """Two convolutions at the top, one of them below another module, with batch norm and dropout."""
    inner = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    return (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), inner),)


def _observe(answer: Answer, network: nn.Module) -> dict[str, Any]:
    image = sample(2, 3, 5, 5).requires_grad_()
    result = filled(answer(network))
    if not isinstance(result, nn.Module):
        raise Wrong(f"The result should be the network, but is a {type(result).__name__}.")
    learning = [name for name, parameter in result.named_parameters() if parameter.requires_grad]
    # The mode of other modules changes nothing, so an answer may leave it.
    still = (nn.BatchNorm2d, nn.Dropout)
    moving = [name for name, module in result.named_modules() if module.training and isinstance(module, still)]
    attributes = {name for thing in (*result.modules(), *result.parameters()) for name in vars(thing)}
    unread = sorted(attributes & {"requires_grad", "requires_grad_"})
    seen = result.eval()(image)
    return {
        "gradients for all others": torch.is_grad_enabled(),
        "no parameter takes a gradient": ", ".join(learning),
        "no attribute that nobody reads": unread if learning else [],
        "batch norm and dropout stand still": ", ".join(moving),
        "what it says of an image": seen,
        "a gradient reaches the image": reaches(seen.sum(), [image]),
        "the gradient at the image": gradient(seen.square().sum(), [image]),
    }


def _frozen_by(how: Callable[[nn.Module], Any]) -> Answer:
    def answer(network: nn.Module) -> nn.Module:
        how(network)
        return network.eval()

    return answer


def _set(*things: Any, name: str = "requires_grad") -> None:
    for thing in things:
        setattr(thing, name, False)


def _still_layers_alone(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.Dropout):
            module.eval()
    return network.requires_grad_(False)


def _without_graph(network: nn.Module) -> nn.Module:
    network.forward = torch.no_grad()(network.forward)
    return freeze(network)


EXERCISE = Exercise(
    freeze,
    level="easy",
    cases={"no parameter learns, batch norm and dropout stand still, and the image gets its gradient": _network},
    observe=_observe,
    mistakes={
        "Gradients are now off for all that follows, also for G. Only this network should stop learning.": (
            _frozen_by(lambda network: torch.set_grad_enabled(False))
        ),
        "The parameters still take a gradient: `requires_grad = False` was set on a module, where it is a new "
        "attribute that nobody reads. The same line is in published training code. What has a gradient, if not a "
        "module?": [
            _frozen_by(lambda network: _set(*network.modules())),
            _frozen_by(lambda network: _set(network)),
        ],
        "requires_grad_ with an underscore at its end is a method. It is called, and not assigned to.": [
            _frozen_by(lambda network: _set(network, name="requires_grad_")),
            _frozen_by(lambda network: _set(*network.parameters(), name="requires_grad_")),
        ],
        "All parameters still take a gradient. Which attribute of a parameter says whether it does? eval() switches "
        "batch norm and dropout, and no more.": [nn.Module.eval, lambda network: network],
        "The network is still in training mode: each image would change the running statistics of batch norm, which "
        "are no parameters, and dropout would blot out other features each time.": (
            lambda network: network.requires_grad_(False)
        ),
        "The network now says something else about an image. Its weights should stay as they are.": (
            _frozen_by(lambda network: [nn.init.zeros_(p.requires_grad_(False)) for p in network.parameters()])
        ),
        "No gradient comes back to the image any more: the computation itself was cut off, as by no_grad or detach. G "
        "learns from the loss only if a gradient flows through the network to its picture. It is the weights alone "
        "that should take none.": _without_graph,
    },
    also_right=[_frozen_by(lambda network: _set(*network.parameters())), _still_layers_alone],
    otherwise={
        "no parameter takes a gradient": "Some parameters still take a gradient: {given}. A bias is a parameter too, "
        "and there are modules within modules.",
        "batch norm and dropout stand still": "Still in training mode: {given}. One call on the whole network reaches "
        "all layers, at any depth.",
        "the gradient at the image": "The gradient at the image is another one than before freezing.",
    },
    hints=(
        "Two things move while a network trains: its parameters, by gradients, and running statistics, by what it "
        "sees.",
        "A parameter has requires_grad, and a network has a mode. Which of the two does each of the things above "
        "depend on?",
    ),
)
