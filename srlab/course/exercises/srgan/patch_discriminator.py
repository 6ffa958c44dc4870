"""Lab 03: a discriminator with one logit per neighborhood."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward
from srlab.course.exercises.networks import build, calls, strays
from srlab.models.discriminators import with_fine_structure

GAIN = 1.3  # of a layer with spectral norm, after a few rounds of power iteration


class PatchDiscriminator(nn.Module):
    """A discriminator with spectral norm that gives one logit per neighborhood (Isola et al. 2017, Miyato et al. 2018).

    Parameters
    ----------
    num_features
        Channels of the first convolution; they double each time the image is halved.
    """

    def __init__(self, num_features: int = 32) -> None:
        super().__init__()
        self.config = {"num_features": num_features}
        wide, wider = 2 * num_features, 4 * num_features
        self.convolutions = nn.Sequential(
            *(spectral_norm(nn.Conv2d(6, num_features, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(num_features, wide, 4, 2, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(wide, wide, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(wide, wider, 4, 2, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
        )
        self.logit = spectral_norm(nn.Conv2d(wider, 1, 3, padding=1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image ``(N, 3, H, W)`` to logits ``(N, 1, H / 4, W / 4)``."""
        return self.logit(self.convolutions(with_fine_structure(image)))


def _observe(answer: Answer, image: torch.Tensor) -> dict[str, Any]:
    network, wanted = build(answer, 8), [len(image), 1, image.shape[2] // 4, image.shape[3] // 4]
    logits = filled(network(image))
    if not isinstance(logits, torch.Tensor):
        raise IncorrectAnswer("forward should return a tensor of logits.")
    if list(logits.shape) != wanted:
        return {"the shape": list(logits.shape)} | dict.fromkeys(_OBSERVED[1:], "")
    used, corner = calls(network, image), image[..., :16, :16]
    count, less = (sum(parameter.numel() for parameter in build(answer, n).parameters()) for n in (32, 16))
    values = (
        wanted,
        strays(network, image),
        not _settled(network, corner),
        any(call.kind == "batch_norm" for call in used),
        bool(network(1000 * image).abs().max() <= 1.001),
        _ends_in_activation(network, corner),
        _is_affine(network, corner),
        logits.requires_grad,
        _neighborhood(network, image[:1]) if logits.requires_grad else [0, 0],
        _kept(network, corner),
        "small" if count < 20_000 else "large" if count > 1_500_000 else "suitable",
        count > less,
    )
    return dict(zip(_OBSERVED, values, strict=True))


_OBSERVED = (
    "the shape",
    "layers that are not registered",
    "random logits",
    "batch norm",
    "a probability",
    "an activation after the last convolution",
    "no activations",
    "a gradient",
    "the neighborhood",
    "spectral norm",
    "its size",
    "num_features sets its size",
)
ROUNDS = 12  # of power iteration


def _neighborhood(network: nn.Module, image: torch.Tensor) -> list[int]:
    """Return height and width of the part of an image that the logit in the middle depends on."""
    probe = image.clone().requires_grad_()
    logits = network(probe)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = probe.grad.abs().sum(dim=(0, 1)) > 0
    return [int(seen.any(1).sum()), int(seen.any(0).sum())]


def _is_affine(network: nn.Module, image: torch.Tensor) -> bool:
    """Return whether the logits of the image halfway to black are halfway, too."""
    network.eval()  # so that spectral norm doesn't change
    with torch.no_grad():
        bright, half, black = (network(factor * image) for factor in (1.0, 0.5, 0.0))
    network.train()
    return bool(torch.allclose(half, (bright + black) / 2, atol=1e-5))


def _ends_in_activation(network: nn.Module, image: torch.Tensor) -> bool:
    """Return whether the logits differ from the output of the last convolution."""
    network.eval()  # so that spectral norm doesn't change
    with torch.no_grad():
        last, logits = calls(network, image)[-1].output, network(image)
    network.train()
    return not torch.allclose(last, logits, atol=1e-6)


def _settled(network: nn.Module, image: torch.Tensor) -> bool:
    """Return whether two calls give the same logits once power iteration has converged."""
    with torch.no_grad():
        for _ in range(ROUNDS):
            network(image)
        return bool(torch.allclose(network(image), network(image), atol=1e-2))


def _kept(network: nn.Module, image: torch.Tensor) -> str:
    """Return which convolutions keep their gain at 1 if their parameters become ten times as large."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.mul_(10)
        for _ in range(ROUNDS):
            network(image)
        weights = [call.weights[0] for call in calls(network, image) if call.kind == "conv2d"]
    kept = [bool(torch.linalg.matrix_norm(weight.flatten(1), 2) < GAIN) for weight in weights if weight is not None]
    return "all convolutions" if all(kept) else "some convolutions" if any(kept) else "no convolution"


def _network(
    *kernels: tuple[int, int],
    norm: Callable[[nn.Module], nn.Module] = spectral_norm,
    last_norm: Callable[[nn.Module], nn.Module] | None = None,
    activation: Callable[[], nn.Module] = lambda: nn.LeakyReLU(0.2),
    between: Callable[[int], list[nn.Module]] = lambda width: [],
    end: Callable[[torch.Tensor], Any] = lambda logits: logits,
    see: Callable[[torch.Tensor], torch.Tensor] = with_fine_structure,
    inputs: int = 6,
    outputs: int = 1,
    widen: int = 2,
    pad: bool = True,
) -> type[nn.Module]:
    """Return a class of discriminators with these (kernel, stride) pairs, and with some parts replaced."""
    kernels = kernels or ((3, 1), (4, 2), (3, 1), (4, 2), (3, 1))

    class Other(nn.Module):
        def __init__(self, num_features: int = 32) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            incoming, width = inputs, num_features
            for place, (kernel, stride) in enumerate(kernels):
                last = place == len(kernels) - 1
                width = outputs if last else width * widen if stride > 1 else width
                padding = (kernel - stride + 1) // 2 if pad else 0
                convolution = nn.Conv2d(incoming, width, kernel, stride, padding=padding)
                layers.append((last_norm or norm)(convolution) if last else norm(convolution))
                if not last:
                    layers += [*between(width), activation()]
                incoming = width
            self.layers = nn.Sequential(*layers)

        def forward(self, image: torch.Tensor) -> Any:
            return end(self.layers(see(image)))

    return Other


def _plain(layer: nn.Module) -> nn.Module:
    return layer


def _old_norm(layer: nn.Module) -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # PyTorch calls it outdated
        return nn.utils.spectral_norm(layer)


class _OneByOne(nn.Module):
    """Layers as attributes, and activations as functions."""

    def __init__(self, num_features: int = 32) -> None:
        super().__init__()
        wide = 2 * num_features
        self.one = spectral_norm(nn.Conv2d(6, num_features, 3, 1, 1))
        self.two = spectral_norm(nn.Conv2d(num_features, wide, 4, 2, 1))
        self.three = spectral_norm(nn.Conv2d(wide, wide, 3, 1, 1))
        self.four = spectral_norm(nn.Conv2d(wide, 2 * wide, 4, 2, 1))
        self.five = spectral_norm(nn.Conv2d(2 * wide, 1, 3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        image = with_fine_structure(image)
        for layer in (self.one, self.two, self.three, self.four):
            image = F.leaky_relu(layer(image), 0.2)
        return self.five(image)


EXERCISE = Exercise(
    PatchDiscriminator,
    level="hard",
    points=5,
    cases={
        "two patches of 32 x 32: 8 x 8 logits each": lambda: (sample(2, 3, 32, 32, seed=1),),
        "an image of 96 x 64: each logit depends on 28 x 28 pixels": lambda: (sample(1, 3, 96, 64, seed=2),),
    },
    observe=_observe,
    known_mistakes={
        "Your D ends in a sigmoid or another function that limits it. discriminator_loss needs logits: any number from "
        "minus to plus infinity.": [_network(end=torch.sigmoid), _network(end=torch.tanh)],
        "Your D has an activation after its last convolution, so it changes the negative logits. Where should the last "
        "activation be?": [_network(end=F.relu), _network(end=lambda logits: F.leaky_relu(logits, 0.2))],
        "No convolution of your D has spectral norm. If I make its weights ten times as large, its logits grow with "
        "them.": _network(norm=_plain),
        "Only some of your convolutions have spectral norm. One layer without it is enough for D's output to become "
        "ever steeper.": [_network(last_norm=_plain), _network(norm=_plain, last_norm=spectral_norm)],
        "There is no activation between your convolutions. Without it they are all together one linear map, however "
        "many there are.": _network(activation=nn.Identity),
        "Your D has batch norm or instance norm, so a logit depends on more than its neighborhood. Spectral norm makes "
        "both unnecessary.": [
            _network(between=lambda width: [nn.BatchNorm2d(width)]),
            _network(norm=_plain, between=lambda width: [nn.BatchNorm2d(width)]),
            _network(between=lambda width: [nn.InstanceNorm2d(width)]),
        ],
        "Your D sees only the image itself. with_fine_structure(image) adds what D would otherwise have to find.": (
            _network(see=_plain, inputs=3)
        ),
        "A convolution gets another number of channels than it expects. with_fine_structure returns six, and each "
        "convolution expects what the one before it returns.": [_network(inputs=3), _network(see=_plain)],
        "Your D gives one logit for the whole image. G should get one for each neighborhood.": [
            _network(end=lambda logits: logits.mean((1, 2, 3))),
            _network(end=lambda logits: logits.mean((2, 3))),
            _network(end=lambda logits: logits.mean((2, 3), keepdim=True)),
        ],
        "The logits are twice as dense as they should be. One logit per 4 x 4 pixels needs two steps of 2.": [
            _network((3, 1), (4, 2), (3, 1), (3, 1), (3, 1)),
            _network((3, 1), (3, 1), (3, 1), (4, 2), (3, 1)),
            _network((3, 1), (4, 2), (3, 1)),
        ],
        "The logits are half as dense as they should be. One logit per 4 x 4 pixels needs two steps of 2, not three.": [
            _network((3, 1), (4, 2), (4, 2), (4, 2), (3, 1)),
            _network((4, 2), (4, 2), (4, 2), (3, 1)),
        ],
        "Your D never halves the image. One logit per 4 x 4 pixels needs two convolutions with a stride.": (
            _network((3, 1), (3, 1), (3, 1), (3, 1), (3, 1))
        ),
        "Some convolutions lose the border, so there are too few logits. How much padding keeps (or exactly halves) "
        "the size?": _network(pad=False),
        "There should be one channel of logits.": _network(outputs=3),
        "The convolutions are in a plain list, where PyTorch doesn't find their parameters. Use nn.Sequential, "
        "nn.ModuleList or attributes.": [
            in_a_list(PatchDiscriminator),
            in_a_list(PatchDiscriminator, "logit"),
        ],
        "You build the convolutions in forward, with new weights at each call. Build them in __init__.": (
            made_in_forward(PatchDiscriminator)
        ),
        "Your D has far too many parameters for a laptop. Begin with num_features channels, and double them where the "
        "image is halved.": _network(widen=8),
        "Your D has the same number of channels for any num_features. The first convolution should have that many.": (
            lambda num_features=32: PatchDiscriminator()
        ),
        "Your D gives another answer each time, as with dropout. D should be the same function for HR and SR.": (
            _network(between=lambda width: [nn.Dropout(0.5)])
        ),
        "The gradient doesn't get through your D, as with detach or no_grad. G learns from this gradient.": (
            _network(end=lambda logits: logits.detach())
        ),
    },
    also_accepted=[
        _network(),
        _network(norm=_old_norm),
        _network(activation=nn.ReLU),
        _network(activation=lambda: nn.PReLU()),
        _network((6, 2), (3, 1), (4, 2), (3, 1)),  # four convolutions that see 24 pixels as well
        _OneByOne,
    ],
    fallback_messages={
        "the shape": "The logits have shape {given}. Each image needs one channel, with one logit per 4 x 4 pixels.",
        "the neighborhood": "A logit of your D depends on {given} pixels (height, width), and should on 28 x 28. Are "
        "the kernels 3, 4, 3, 4 and 3 wide, in this order, and the strides 1, 2, 1, 2 and 1?",
        "its size": "Your D is too {given}. Begin with num_features channels, and double them at each stride of 2.",
        "spectral norm": "Spectral norm is on {given}. It should be on all.",
    },
    reveal=False,
    hints=(
        "How much padding keeps the size with kernel 3 and stride 1? Which halves it with kernel 4 and stride 2?",
        "torch.nn.utils.parametrizations.spectral_norm(layer) returns the layer with its norm. The last convolution "
        "has one channel, and no activation after it.",
        "The first convolution gets 6 channels, and the second num_features. The third and fourth get twice as many as "
        "the second, and the last four times as many.",
    ),
)
