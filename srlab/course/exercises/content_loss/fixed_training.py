"""Lab 02: find the bug in a training run whose feature network learns too."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, sample


def fixed_training(
    generator: nn.Module, network: nn.Module, patches: Iterator[tuple[torch.Tensor, torch.Tensor]], steps: int
) -> list[float]:
    """Train a generator with the distance of two images in the feature maps of a network.

    Parameters
    ----------
    generator
        Network from LR to SR.
    network
        Feature network that returns a dict name -> maps. Its weights stay as they are.
    patches
        Iterator over pairs (lr, hr).
    steps
        Number of training steps.

    Returns
    -------
    list
        The loss of each step.
    """
    network.eval().requires_grad_(False)
    model = nn.Sequential(generator, network)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    history = []
    for _ in range(steps):
        lr, hr = next(patches)
        found, wanted = model(lr), network(hr)
        loss = sum(F.mse_loss(found[name], wanted[name]) for name in wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


class _Network(nn.Module):
    """Two maps, without batch norm or dropout, like vgg6."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        _fill(self)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        early = torch.tanh(self.early(image))
        return {"early": early, "late": F.relu(self.late(F.avg_pool2d(early, 2)))}


def _fill(network: nn.Module) -> nn.Module:
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = sample(*parameter.shape, low=-0.5, high=0.5, seed=seed)
    return network


def _case() -> tuple[Any, ...]:
    generator = _fill(nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2)))
    pairs = [(sample(2, 3, 6, 4, seed=10 + i), sample(2, 3, 12, 8, seed=20 + i)) for i in range(3)]
    return generator, _Network(), pairs


def _weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


def _observe(answer: Answer, generator: nn.Module, network: nn.Module, pairs: list[Any]) -> dict[str, Any]:
    before, start = _weights(network), _weights(generator)
    history = take(answer(generator, network, iter(pairs), len(pairs)), [0.0] * len(pairs))
    learned = _weights(generator)
    return {
        "the feature network stays as it is": _weights(network) - before,
        "the generator learns": not torch.equal(learned, start),
        "the loss of each step": history,
        "the weights of the generator": learned,
        "no gradients in the feature network": all(parameter.grad is None for parameter in network.parameters()),
    }


def _freeze(network: nn.Module) -> None:
    network.requires_grad_(False)


def _nothing(network: nn.Module) -> None:
    pass


def _training(
    prepare: Any = _nothing,
    look: Any = lambda network, sr, hr: (network(sr), network(hr)),
    learning: Any = lambda generator, network: [*generator.parameters(), *network.parameters()],
    late: Any = _nothing,
) -> Answer:
    """Return the code of the lab with another way to freeze, to compute the maps, or to choose what learns."""

    def train(generator: Any, network: Any, patches: Any, steps: int) -> list[float]:
        prepare(network)
        parameters = learning(generator, network)
        optimizer = torch.optim.Adam(parameters, lr=1e-3)
        late(network)
        history = []
        for _ in range(steps):
            lr, hr = next(patches)
            found, wanted = look(network, generator(lr), hr)
            loss = sum(F.mse_loss(found[name], wanted[name]) for name in wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append(loss.item())
        return history

    return train


def _attribute(network: nn.Module) -> None:
    network.requires_grad = False


def _attributes(network: nn.Module) -> None:
    for module in network.modules():
        module.requires_grad = False


def _of_data(network: nn.Module) -> None:
    for parameter in network.parameters():
        parameter.data.requires_grad = False


def _each(network: nn.Module) -> None:
    for parameter in network.parameters():
        parameter.requires_grad = False


def _first_layer(network: nn.Module) -> None:
    network.early.requires_grad_(False)


def _hr_without_graph(network: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> tuple[Any, Any]:
    with torch.no_grad():
        wanted = network(hr)
    return network(sr), wanted


def _detached(network: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> tuple[Any, Any]:
    return network(sr.detach()), network(hr)


@torch.no_grad()
def _both_without_graph(network: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> tuple[Any, Any]:
    return network(sr), network(hr)


def _generator_only(generator: nn.Module, network: nn.Module) -> Any:
    return generator.parameters()


def _network_only(generator: nn.Module, network: nn.Module) -> Any:
    return network.parameters()


def _frozen_generator(generator: nn.Module, network: nn.Module) -> Any:
    generator.requires_grad_(False)
    return [*generator.parameters(), *network.parameters()]


def _on_a_copy(generator: nn.Module, network: nn.Module, patches: Any, steps: int) -> list[float]:
    return _training(_freeze)(generator, copy.deepcopy(network), patches, steps)


EXERCISE = Exercise(
    fixed_training,
    level="medium",
    points=4,
    cases={"the feature network stays as it is, and the generator learns": _case},
    observe=_observe,
    known_mistakes={
        "The optimizer still moves the second network. After your line that should freeze it, print "
        "next(network.parameters()).requires_grad. Does the line change it?": [
            _training(nn.Module.eval),
            _training(lambda network: network.train(False)),
            _training(_attribute),
            _training(_attributes),
            _training(_of_data),
            _training(),
        ],
        "HR's maps have no graph now. But the gradient of SR's maps still reaches the weights of the second network, "
        "and the optimizer still moves them. Who gave it these weights?": _training(look=_hr_without_graph),
        "Some layers of the second network are frozen, and others still learn. Which call reaches all of them?": (
            _training(_first_layer)
        ),
        "Now no gradient reaches the generator: it is frozen, or SR lost its graph before the loss. The weights of the "
        "second network should not learn, but what must the gradient pass through on its way back?": [
            _training(_freeze, _both_without_graph),
            _training(_freeze, _detached),
            _training(look=_both_without_graph),
            _training(_freeze, learning=_frozen_generator),
        ],
        "You cut SR off from the generator, and the second network learns instead. Which of the two should learn?": [
            _training(look=_detached),
            _training(learning=_network_only),
            _training(learning=_frozen_generator),
        ],
        "Neither network has weights to train now. Which of the two should learn?": (
            _training(_freeze, learning=_network_only)
        ),
    },
    notes={
        "The second network stays as it is, because the optimizer doesn't have its weights anymore. But each backward "
        "pass still computes and keeps gradients for them; network.requires_grad_(False) saves that.": [
            _training(learning=_generator_only),
            _training(_attribute, learning=_generator_only),
        ],
    },
    also_accepted=[
        _training(_each),
        _training(late=_freeze),
        _training(lambda network: network.eval().requires_grad_(False), _hr_without_graph),
        _training(_freeze, learning=_generator_only),
        _on_a_copy,
    ],
    fallback_messages={
        "the feature network stays as it is": "Some weights of the second network still change.",
        "the generator learns": "The weights of the generator don't change anymore. It should be the one that learns.",
        "the loss of each step": "Nothing but the bug has to change: the losses of the three steps should be those of "
        "the same code with a frozen network.",
        "the weights of the generator": "The generator ends with other weights than the same code with a frozen "
        "network gives it.",
        "no gradients in the feature network": "Weights of the second network collect gradients.",
    },
    reveal=False,
    hints=(
        "Which networks' weights does the optimizer get? Count them: "
        "sum(p.requires_grad for p in network.parameters()).",
        "`eval()` changes how batch norm and dropout compute, not which weights learn. That is what `requires_grad` "
        "decides, an attribute of each weight. A module has a method that sets it in all of its weights.",
    ),
)
