"""Lab 01: the tail of MSRResNet, from features to the SR image."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward, variant
from srlab.course.exercises.networks import build, calls, set_weights, strays


class Tail(nn.Module):
    """For each factor conv, pixel shuffle and leaky ReLU; conv, leaky ReLU, conv to RGB; add the bilinear image."""

    def __init__(self, features: int, factors: Sequence[int]) -> None:
        super().__init__()
        self.factors = factors
        self.grow = nn.ModuleList(nn.Conv2d(features, features * factor**2, 3, padding=1) for factor in factors)
        self.conv = nn.Conv2d(features, features, 3, padding=1)
        self.last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, features: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` and ``(N, 3, h, w)`` to ``(N, 3, scale * h, scale * w)``."""
        x = features
        for conv, factor in zip(self.grow, self.factors, strict=True):
            x = F.leaky_relu(F.pixel_shuffle(conv(x), factor), 0.1)
        detail = self.last(F.leaky_relu(self.conv(x), 0.1))
        return detail + F.interpolate(lr, size=detail.shape[-2:], mode="bilinear")


def _observe(answer: Answer, features: torch.Tensor, lr: torch.Tensor, factors: list[int]) -> dict[str, Any]:
    tail = build(answer, features.shape[1], list(factors))
    shape = str(tuple(filled(tail(features, lr)).shape))
    made = calls(tail, features, lr)
    own = [id(call.weights[0]) for call in made]
    missed = strays(tail, features, lr)
    biases = all(call.weights[1] is not None for call in made)
    for call in made:
        for weights in call.weights:
            if weights is not None:
                weights.data = torch.zeros_like(weights)
    without = tail(features, lr)
    set_weights(tail, features, lr)
    return {
        "the shape": shape,
        "the bilinear image": without,
        "the convolutions": len(made),
        "their sizes": " and ".join(sorted({"x".join(map(str, call.weights[0].shape[2:])) for call in made})),
        "separate weights": len(own) == len(set(own)),
        "where the weights are": missed,
        "the biases": biases,
        "the detail": tail(features, lr) - without,
    }


def _forward(
    shuffle: Answer = F.pixel_shuffle,
    act: Answer = lambda x: F.leaky_relu(x, 0.1),
    act2: Answer = lambda x: F.leaky_relu(x, 0.1),
    end: Answer = lambda detail, base: detail + base,
    **mode: Any,
) -> Callable[..., torch.Tensor]:
    """Return a forward method with some parts correct or wrong."""

    def forward(tail: Any, features: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        x = features
        for conv, factor in zip(tail.grow, tail.factors, strict=True):
            x = act(shuffle(conv(x), factor))
        detail = tail.last(act2(tail.conv(x)))
        base = F.interpolate(lr, **({"size": detail.shape[-2:], "mode": "bilinear"} | mode))
        return end(detail, base)

    return forward


def _tail(forward: Answer | None = None, **layers: Answer) -> Answer:
    return variant(Tail, forward or _forward(), **layers)


def _steps(size: int = 3, channels: Answer = lambda features, factor: features * factor**2, **options: Any) -> Answer:
    """Return a function that makes the convolutions before the shuffles."""
    return lambda features, factors: nn.ModuleList(
        nn.Conv2d(features, channels(features, factor), size, **({"padding": size // 2} | options))
        for factor in factors
    )


def _with_factors(change: Callable[[Sequence[int]], list[int]]) -> Answer:
    """Return a class of tails with other factors."""

    class Changed(Tail):
        def __init__(self, features: int, factors: Sequence[int]) -> None:
            super().__init__(features, change(factors))

    return Changed


def _without_conv(tail: Any, features: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
    x = features
    for conv, factor in zip(tail.grow, tail.factors, strict=True):
        x = F.leaky_relu(F.pixel_shuffle(conv(x), factor), 0.1)
    return tail.last(x) + F.interpolate(lr, size=x.shape[-2:], mode="bilinear")


def _one_for_all(tail: Any, features: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
    x = features
    for factor in tail.factors:
        x = F.leaky_relu(F.pixel_shuffle(tail.grow[0](x), factor), 0.1)
    detail = tail.last(F.leaky_relu(tail.conv(x), 0.1))
    return detail + F.interpolate(lr, size=detail.shape[-2:], mode="bilinear")


def _neighbors(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Shuffle with the channels in another order."""
    return F.pixel_shuffle(x.unflatten(1, (factor**2, -1)).transpose(1, 2).flatten(1, 2), factor)


EXERCISE = Exercise(
    Tail,
    level="medium",
    points=3,
    cases={
        "two steps of 2": (sample(2, 5, 5, 6, low=-1, seed=1), sample(2, 3, 5, 6), [2, 2]),
        "one step of 3": (sample(1, 4, 5, 6, low=-1, seed=1), sample(1, 3, 5, 6), [3]),
        "three steps of 2": (sample(1, 2, 3, 4, low=-1, seed=1), sample(1, 3, 3, 4), [2, 2, 2]),
    },
    observe=_observe,
    tolerance=1e-3,
    known_mistakes={
        "With all convolutions at zero, nothing comes out. The tail should upscale LR and add detail to it. Where does "
        "`lr` come in?": _tail(_forward(end=lambda detail, base: detail)),
        "You upscaled LR by repeating its pixels, which is the default of F.interpolate. Which mode should you "
        "pass?": _tail(_forward(mode="nearest")),
        "You upscaled LR with bicubic interpolation. That would work as well, but the drawing has bilinear.": (
            _tail(_forward(mode="bicubic"))
        ),
        "Your upscaled LR is slightly stretched: align_corners=True puts corner pixels onto corners, so the image no "
        "longer lines up with LR. Leave it out.": _tail(_forward(align_corners=True)),
        "Your result is clamped or goes through an activation. Detail may be negative, and SR may leave [0, 1] during "
        "training. Use no activation and no clamp at the end.": [
            _tail(_forward(end=lambda detail, base: (detail + base).clamp(0, 1))),
            _tail(_forward(end=lambda detail, base: (detail + base).sigmoid())),
            _tail(_forward(end=lambda detail, base: F.leaky_relu(detail, 0.1) + base)),
            _tail(_forward(end=lambda detail, base: detail.tanh() + base)),
            _tail(_forward(end=lambda detail, base: detail.relu() + base)),
        ],
        "No activation follows the shuffles. Which one does the drawing have there?": [
            _tail(_forward(act=torch.clone)),
            _tail(_forward(act=torch.clone, act2=torch.clone)),
        ],
        "The activation before the last convolution is missing.": _tail(_forward(act2=torch.clone)),
        "The slope of your leaky ReLU is torch's default, 0.01. Pass 0.1.": [
            _tail(_forward(act=F.leaky_relu, act2=F.leaky_relu)),
            _tail(_forward(act=F.leaky_relu)),
            _tail(_forward(act2=F.leaky_relu)),
        ],
        "The slope of your leaky ReLU is 0.2. Pass 0.1.": (
            _tail(_forward(act=lambda x: F.leaky_relu(x, 0.2), act2=lambda x: F.leaky_relu(x, 0.2)))
        ),
        "You used ReLU, which sets negative values to zero. The drawing has a leaky one.": [
            _tail(_forward(act=F.relu, act2=F.relu)),
            _tail(_forward(act=F.relu)),
            _tail(_forward(act2=F.relu)),
        ],
        "Your tail grows in one step. Each of the `factors` has a convolution and a shuffle, one after the other.": (
            _with_factors(lambda factors: [math.prod(factors)])
        ),
        "Your tail always grows by the same factors. Do you use `factors`?": [
            _with_factors(lambda factors: [2, 2]),
            _with_factors(lambda factors: [2] * len(factors)),
            _with_factors(lambda factors: [4]),
        ],
        "The same convolution serves all steps, so they share their weights. Give each step its own.": (
            _tail(_one_for_all)
        ),
        "The last convolution comes right after the steps. What does the drawing have between them?": (
            _tail(_without_conv)
        ),
        "The shapes don't fit. How many channels does a shuffle by `factor` need for `features` channels afterwards? "
        "Which `padding` keeps the size? By how much must `lr` grow? Print each shape.": [
            _tail(grow=_steps(channels=lambda features, factor: features)),
            _tail(grow=_steps(channels=lambda features, factor: features * factor)),
            _tail(grow=_steps(channels=lambda features, factor: 3 * factor**2)),
            _tail(grow=_steps(padding=0)),
            _tail(conv=lambda features, factors: nn.Conv2d(features, 3, 3, padding=1)),
            _tail(last=lambda features, factors: nn.Conv2d(features, features, 3, padding=1)),
            variant(
                Tail,
                lambda tail, features, lr: (
                    _forward(end=lambda detail, base: detail)(tail, features, lr)
                    + F.interpolate(lr, scale_factor=tail.factors[0], mode="bilinear")
                ),
            ),
            variant(
                Tail,
                lambda tail, features, lr: (
                    _forward(end=lambda detail, base: detail)(tail, features, lr)
                    + F.interpolate(lr, scale_factor=sum(tail.factors), mode="bilinear")
                ),
            ),
        ],
        "You upscaled the features by interpolation. Pixel shuffle gives each pixel of a block its own channel.": (
            _tail(
                _forward(shuffle=lambda x, factor: F.interpolate(x, scale_factor=factor, mode="bilinear")),
                grow=_steps(channels=lambda features, factor: features),
            )
        ),
        "The convolutions should be 3x3.": [_tail(grow=_steps(1)), _tail(grow=_steps(5))],
        "Your shuffle puts the channels in another order. Pixel shuffle keeps the factor x factor channels of a "
        "feature together.": _tail(_forward(shuffle=_neighbors)),
        "Your convolutions have no bias. Leave `bias` at its default.": _tail(grow=_steps(bias=False)),
        "Your layers are in a plain Python list (or a dict), where PyTorch doesn't look: parameters() leaves them out. "
        "How else can you store them? nn.ModuleList works.": [
            in_a_list(Tail),
            in_a_list(Tail, registered="last"),
        ],
        "You create layers in forward, so each call starts with new random weights, and nothing learned is kept. Where "
        "should you create them?": made_in_forward(Tail),
    },
    also_accepted=[
        _tail(_forward(shuffle=lambda x, factor: F.pixel_shuffle(F.leaky_relu(x, 0.1), factor), act=torch.clone)),
        variant(
            Tail,
            lambda tail, features, lr: (
                F.interpolate(lr, scale_factor=math.prod(tail.factors), mode="bilinear", align_corners=False)
                + _forward(end=lambda detail, base: detail)(tail, features, lr)
            ),
        ),
    ],
    fallback_messages={
        "the bilinear image": "With all convolutions at zero, the bilinear upscaling of LR should remain.",
        "the convolutions": "The tail has another number of convolutions: {given}. Follow the drawing.",
        "their sizes": "The convolutions should be 3x3, but are {given}.",
        "separate weights": "Two layers share their weights. Does each have its own?",
        "where the weights are": "Some weights are missing from the tail's parameters().",
        "the detail": "All layers are there, but the detail differs. Check the order of shuffle, activation and "
        "convolution.",
    },
    hints=(
        "Walk along the drawing from the blocks to SR. Per factor: a convolution, a shuffle, an activation. "
        "nn.ModuleList keeps several convolutions.",
        "A shuffle by `factor` turns features * factor**2 channels into `features`. The bilinear image is "
        "F.interpolate(lr, size=detail.shape[-2:], mode='bilinear').",
    ),
)
