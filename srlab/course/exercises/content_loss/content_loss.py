"""Lab 02: the content loss, which compares the features of a network."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, sample
from srlab.course.exercises.networks import build, gradient, reaches
from srlab.models.features import MEAN, STD


class ContentLoss(nn.Module):
    """Distance of SR from HR in the feature maps of a frozen network, relative to the size of HR's maps."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        """Return the sum over all maps for images ``(N, 3, H, W)`` in [0, 1]: ``()``, with a graph to `sr` only."""
        mean, std = (sr.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        with torch.no_grad():
            wanted = self.network((hr - mean) / std)
        found = self.network((sr - mean) / std)
        return sum(F.mse_loss(found[name], wanted[name]) / wanted[name].square().mean() for name in wanted)


class _Network(nn.Module):
    """Two maps, with a batch norm that reveals a forgotten `eval`."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.late = nn.Conv2d(4, 5, 3, padding=1)
        for seed, parameter in enumerate(self.parameters()):
            parameter.data = sample(*parameter.shape, low=-0.5, high=0.5, seed=seed)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        early = torch.tanh(self.norm(self.early(image)))
        return {"early": early, "late": F.relu(self.late(F.avg_pool2d(early, 2)))}


def _case() -> tuple[Any, ...]:
    sr, hr = (sample(2, 3, 8, 6, seed=seed).requires_grad_() for seed in (1, 2))
    return _Network(), sr, hr


def _observe(answer: Answer, network: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
    before = [parameter.detach().clone() for parameter in network.parameters()]
    built = build(answer, network)
    loss = torch.as_tensor(take(built(sr, hr), 0.0))
    if not (hr.requires_grad and sr.requires_grad):
        raise IncorrectAnswer(
            "You changed `requires_grad` of an image itself, which affects any code that uses the image later. Leave "
            "the image as it is, and compute the maps of hr without a graph instead."
        )
    # An answer may keep a frozen copy of the network, and leave the network as it is.
    weights = dict(built.named_parameters()) | dict(network.named_parameters())
    learning = [name for name, weight in weights.items() if weight.requires_grad and reaches(loss, [weight])]
    norms = [module for module in built.modules() if isinstance(module, nn.BatchNorm2d)] or [network.norm]
    unread = any("requires_grad" in vars(module) for module in network.modules())
    return {
        "gradients stay on for everything else": torch.is_grad_enabled(),
        "the network's weights are frozen": ", ".join(learning),
        "no attribute that PyTorch ignores": not (learning and unread),
        "batch norm is in eval mode": not any(norm.training for norm in norms),
        "the network's weights are unchanged": all(map(torch.equal, before, network.parameters())),
        "the loss": loss,
        "a graph leads to SR": reaches(loss, [sr]),
        "the gradient at SR": gradient(loss, [sr]),
        "no graph leads to HR": reaches(loss, [hr]),
    }


def _loss(see: Any, compare: Any, prepare: Any = lambda network: network.requires_grad_(False).eval()) -> Answer:
    """Return a class with another way to prepare the network, to run it on an image, or to compare two maps."""

    class Loss(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = prepare(network) or network

        def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                wanted = see(self.network, hr)
            return compare(see(self.network, sr), wanted)

    return Loss


_M, _S = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))


def _see(network: nn.Module, image: torch.Tensor) -> dict[str, torch.Tensor]:
    return network((image - _M) / _S)


def _of_maps(measure: Any) -> Any:
    return lambda found, wanted: sum(measure(found[name], wanted[name]) for name in wanted)


def _relative(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(x, y) / y.square().mean()


def _set(*things: Any) -> None:
    for thing in things:
        thing.requires_grad = False


class _BothWithGraph(ContentLoss):
    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        return _of_maps(_relative)(_see(self.network, sr), _see(self.network, hr))


class _NoneWithGraph(ContentLoss):
    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return super().forward(sr, hr)


class _OfTheWrongPicture(ContentLoss):
    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        return super().forward(hr, sr)


class _Pixels(ContentLoss):
    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(sr, hr)


class _FrozenInForward(ContentLoss):
    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.network = network.requires_grad_(True).train()

    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        self.network.requires_grad_(False).eval()
        return super().forward(sr, hr)


_COMPARED = _of_maps(_relative)

EXERCISE = Exercise(
    ContentLoss,
    level="medium",
    points=5,
    cases={"frozen, with normalized input, relative, with a gradient for SR and none for HR": _case},
    observe=_observe,
    known_mistakes={
        "You turned off gradients for everything that follows, including the generator. Only this network should stop "
        "learning.": (_loss(_see, _COMPARED, lambda network: [torch.set_grad_enabled(False), network.eval()][1])),
        "The network's weights still get a gradient: `requires_grad = False` on a module only creates an attribute "
        "that PyTorch ignores. Published training code has the same line. What requires a gradient, if not a module?": [
            _loss(_see, _COMPARED, lambda network: _set(network) or network.eval()),
            _loss(_see, _COMPARED, lambda network: _set(*network.modules()) or network.eval()),
        ],
        "The network's weights still get a gradient. eval() only switches layers such as batch norm to inference mode. "
        "Which method of a module sets whether its weights learn?": _loss(_see, _COMPARED, nn.Module.eval),
        "The network is still in training mode. Each image changes the running statistics of its batch norm, which "
        "aren't weights, and SR and HR are each normalized with their own mean.": (
            _loss(_see, _COMPARED, lambda network: network.requires_grad_(False))
        ),
        "You passed the network plain images in [0, 1]. It was trained on normalized images: subtract MEAN, then "
        "divide by STD.": _loss(lambda network, image: network(image), _COMPARED),
        "You swapped mean and standard deviation, or you inverted or left out one of the two steps.": [
            _loss(lambda network, image: network((image - _S) / _M), _COMPARED),
            _loss(lambda network, image: network((image - _M) * _S), _COMPARED),
            _loss(lambda network, image: network((image + _M) / _S), _COMPARED),
            _loss(lambda network, image: network(image / _S - _M), _COMPARED),
            _loss(lambda network, image: network(image - _M), _COMPARED),
            _loss(lambda network, image: network(image / _S), _COMPARED),
        ],
        "Your distance isn't relative yet. Divide each layer's distance by the mean square of HR's map.": [
            _loss(_see, _of_maps(F.mse_loss)),
            _loss(_see, lambda found, wanted: _of_maps(F.mse_loss)(found, wanted) / len(wanted)),
        ],
        "You divide each layer by the mean square of SR's map. Use HR's: a generator could make its own maps large, "
        "and so make the loss small.": _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / x.square().mean())),
        "You divide each layer by the mean or the size of HR's map. Use the mean square, which has the units of the "
        "distance.": [
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.mean())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.abs().mean())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.square().mean().sqrt())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.std())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.var())),
        ],
        "You average the layers. Add them up, as most code does.": (
            _loss(_see, lambda found, wanted: _of_maps(_relative)(found, wanted) / len(wanted))
        ),
        "You add up the distances of all layers, and divide by the sum of their sizes. So the layer with the largest "
        "maps dominates. Divide each layer by its own size.": _loss(
            _see,
            lambda found, wanted: (
                _of_maps(F.mse_loss)(found, wanted) / sum(field.square().mean() for field in wanted.values())
            ),
        ),
        "You compare only one layer. The network returns a dict of them.": [
            _loss(_see, lambda found, wanted: _relative(found["late"], wanted["late"])),
            _loss(_see, lambda found, wanted: _relative(found["early"], wanted["early"])),
        ],
        "A loss is one number for the whole batch.": [
            _loss(_see, _of_maps(lambda x, y: (x - y).square().mean((1, 2, 3)) / y.square().mean())),
            _loss(_see, _of_maps(lambda x, y: (x - y).square().mean((1, 2, 3)) / y.square().mean((1, 2, 3)))),
        ],
        "You take the mean of absolute differences, as in ESRGAN. Here they are squared, as in SRGAN.": [
            _loss(_see, _of_maps(lambda x, y: F.l1_loss(x, y) / y.abs().mean())),
            _loss(_see, _of_maps(lambda x, y: F.l1_loss(x, y) / y.square().mean())),
        ],
        "You summed the squared differences, so a larger patch weighs more. Take their mean.": (
            _loss(_see, _of_maps(lambda x, y: (x - y).square().sum() / y.square().mean()))
        ),
        "You compare the images themselves, pixel by pixel. Where does the network come in?": _Pixels,
        "You swapped SR and HR: the maps of SR have no graph, and those of HR have one.": _OfTheWrongPicture,
        "No graph leads from the loss back to SR, so the generator can't learn from it. Which of the two images needs "
        "no graph? Is SR outside every no_grad, detach and item?": _NoneWithGraph,
        "A gradient also flows to HR, where nothing learns. Its maps keep a graph, which costs memory and time. Which "
        "of the two passes through the network needs one?": _BothWithGraph,
    },
    also_accepted=[
        _loss(_see, _of_maps(lambda x, y: (x - y).square().sum() / y.square().sum())),
        _loss(
            _see,
            _COMPARED,
            lambda network: [parameter.requires_grad_(False) for parameter in network.parameters()] and network.eval(),
        ),
        _FrozenInForward,
    ],
    fallback_messages={
        "the network's weights are frozen": "Some weights of the network still get a gradient: {given}.",
        "batch norm is in eval mode": "The network is still in training mode. eval() switches its batch norm.",
        "the network's weights are unchanged": "You changed the weights of the network.",
        "the gradient at SR": "The gradient at SR is wrong.",
    },
    hints=(
        "Four parts. In __init__: keep weights from learning and batch norm from updating. In forward: normalize both "
        "images with MEAN and STD, run the network on HR without a graph, and add up the distances of all layers.",
        "network.requires_grad_(False).eval(); torch.tensor(MEAN).view(3, 1, 1) lines up with the colors; "
        "torch.no_grad() around HR's pass; for each layer, F.mse_loss(...) divided by the mean of the square of HR's "
        "map.",
    ),
)
