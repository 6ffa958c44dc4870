"""Lab 02: the loss that compares what a network sees."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, sample
from srlab.course.exercises.networks import build, gradient, reaches
from srlab.models.features import MEAN, STD


class ContentLoss(nn.Module):
    """How far SR is from HR in the maps of a frozen network, relative to the size of HR's maps."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        """Compare images ``(N, 3, H, W)`` in [0, 1]: ``()``, the sum over all maps, with a graph to `sr` alone."""
        mean, std = (sr.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        with torch.no_grad():
            wanted = self.network((hr - mean) / std)
        found = self.network((sr - mean) / std)
        return sum(F.mse_loss(found[name], wanted[name]) / wanted[name].square().mean() for name in wanted)


class _Network(nn.Module):
    """Two maps, with a batch norm that a forgotten `eval` would give away."""

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
    loss = torch.as_tensor(take(build(answer, network)(sr, hr), 0.0))
    if not (hr.requires_grad and sr.requires_grad):
        raise IncorrectAnswer(
            "`requires_grad` of a picture itself was changed, which whoever uses it afterwards will notice. Leave the "
            "picture as it is, and make the maps of hr without a graph instead."
        )
    learning = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    unread = any("requires_grad" in vars(module) for module in network.modules())
    return {
        "gradients for all others": torch.is_grad_enabled(),
        "no weight of the network learns": ", ".join(learning),
        "no attribute that nobody reads": not (learning and unread),
        "its batch norm stands still": not network.norm.training,
        "its weights stay": all(map(torch.equal, before, network.parameters())),
        "the loss": loss,
        "a graph that leads to SR": reaches(loss, [sr]),
        "the gradient at SR": gradient(loss, [sr]),
        "no graph that leads to HR": reaches(loss, [hr]),
    }


def _loss(see: Any, compare: Any, prepare: Any = lambda network: network.requires_grad_(False).eval()) -> Answer:
    """A class with another way to prepare the network, to look at a picture, or to compare two maps."""

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
    cases={"frozen, with the right input, relative, with a gradient for SR and none for HR": _case},
    observe=_observe,
    known_mistakes={
        "Gradients are now off for all that follows, also for the generator. Only this network should stop learning.": (
            _loss(_see, _COMPARED, lambda network: [torch.set_grad_enabled(False), network.eval()][1])
        ),
        "The weights of the network still take a gradient: `requires_grad = False` was set on a module, where it is a "
        "new attribute that nobody reads. The same line is in published training code. What has a gradient, if not a "
        "module?": [
            _loss(_see, _COMPARED, lambda network: _set(network) or network.eval()),
            _loss(_see, _COMPARED, lambda network: _set(*network.modules()) or network.eval()),
        ],
        "The weights of the network still take a gradient. eval() switches batch norm, and no more. Which method of a "
        "module says whether its weights learn?": _loss(_see, _COMPARED, nn.Module.eval),
        "The network is still in training mode: each picture changes the running averages of its batch norm, which "
        "are no weights, and SR and HR are each brought to their own mean.": (
            _loss(_see, _COMPARED, lambda network: network.requires_grad_(False))
        ),
        "The network got plain pictures in [0, 1]. It was trained on others: MEAN is taken off, and what is left is "
        "divided by STD.": _loss(lambda network, image: network(image), _COMPARED),
        "Mean and standard deviation have changed places, or one of the two steps is turned round or left out.": [
            _loss(lambda network, image: network((image - _S) / _M), _COMPARED),
            _loss(lambda network, image: network((image - _M) * _S), _COMPARED),
            _loss(lambda network, image: network((image + _M) / _S), _COMPARED),
            _loss(lambda network, image: network(image / _S - _M), _COMPARED),
            _loss(lambda network, image: network(image - _M), _COMPARED),
            _loss(lambda network, image: network(image / _S), _COMPARED),
        ],
        "The distance isn't relative yet: divide that of each layer by the mean square of HR's map.": [
            _loss(_see, _of_maps(F.mse_loss)),
            _loss(_see, lambda found, wanted: _of_maps(F.mse_loss)(found, wanted) / len(wanted)),
        ],
        "Each layer is divided by the mean square of SR's map. HR's is asked for: a generator could make the other one "
        "large, and so the loss small.": _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / x.square().mean())),
        "Each layer is divided by the mean or by the size of HR's map. A mean square is asked for, in the units of the "
        "distance itself.": [
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.mean())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.abs().mean())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.square().mean().sqrt())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.std())),
            _loss(_see, _of_maps(lambda x, y: F.mse_loss(x, y) / y.var())),
        ],
        "The layers are averaged. Their sum is asked for, as most code has it.": (
            _loss(_see, lambda found, wanted: _of_maps(_relative)(found, wanted) / len(wanted))
        ),
        "The distances of all layers are added first, and divided by all their sizes together. So the layer with the "
        "largest maps decides; give each a size of its own.": _loss(
            _see,
            lambda found, wanted: (
                _of_maps(F.mse_loss)(found, wanted) / sum(field.square().mean() for field in wanted.values())
            ),
        ),
        "Only one layer is compared. The network gives a dict of them.": [
            _loss(_see, lambda found, wanted: _relative(found["late"], wanted["late"])),
            _loss(_see, lambda found, wanted: _relative(found["early"], wanted["early"])),
        ],
        "A loss is one number, for the whole batch.": [
            _loss(_see, _of_maps(lambda x, y: (x - y).square().mean((1, 2, 3)) / y.square().mean())),
            _loss(_see, _of_maps(lambda x, y: (x - y).square().mean((1, 2, 3)) / y.square().mean((1, 2, 3)))),
        ],
        "That is the mean of absolute differences, as in ESRGAN. Here they are squared, as in SRGAN.": [
            _loss(_see, _of_maps(lambda x, y: F.l1_loss(x, y) / y.abs().mean())),
            _loss(_see, _of_maps(lambda x, y: F.l1_loss(x, y) / y.square().mean())),
        ],
        "The squared differences were added up, so a larger patch would weigh more. Take their mean.": (
            _loss(_see, _of_maps(lambda x, y: (x - y).square().sum() / y.square().mean()))
        ),
        "The pictures themselves are compared, pixel by pixel. Where does the network come in?": _Pixels,
        "SR and HR have changed places: the maps of SR have no graph, and those of HR have one.": _OfTheWrongPicture,
        "No graph leads from the loss back to SR, so the generator could learn nothing from it. Which of the two "
        "pictures may be without one, and is SR outside of every no_grad, detach and item?": _NoneWithGraph,
        "A gradient also flows to HR, where nothing learns: its maps keep a graph, at the price of memory and time. "
        "Which of the two looks through the network needs one?": _BothWithGraph,
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
        "no weight of the network learns": "Some weights of the network still take a gradient: {given}.",
        "its batch norm stands still": "The network is still in training mode; eval() switches its batch norm.",
        "its weights stay": "The weights of the network were changed.",
        "the gradient at SR": "The gradient at SR is another one.",
    },
    hints=(
        "Four parts. In __init__: no weight learns, and batch norm stands still. In forward: both pictures are brought "
        "to MEAN and STD, HR is looked at without a graph, and the distances of all layers are added.",
        "network.requires_grad_(False).eval(); a tuple of three numbers lines up with the colors as "
        "torch.tensor(MEAN).view(3, 1, 1); with torch.no_grad() around HR's look; for each layer F.mse_loss(...) "
        "divided by the mean of the square of HR's map.",
    ),
)
