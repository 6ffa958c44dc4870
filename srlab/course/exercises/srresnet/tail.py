"""Lab 01: the tail of an SR network, with its skip."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward, variant
from srlab.course.exercises.networks import build, calls, set_weights, strays


class Tail(nn.Module):
    """conv 3x3, pixel shuffle, and bilinearly upscaled LR added: the last step of many SR networks."""

    def __init__(self, features: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(features, 3 * scale**2, 3, padding=1)

    def forward(self, features: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` and ``(N, 3, h, w)`` to ``(N, 3, h * scale, w * scale)``."""
        detail = F.pixel_shuffle(self.conv(features), self.scale)
        return detail + F.interpolate(lr, scale_factor=self.scale, mode="bilinear", align_corners=False)


def _observe(answer: Answer, features: torch.Tensor, lr: torch.Tensor, scale: int) -> dict[str, Any]:
    tail = build(answer, features.shape[1], scale)
    shape = str(tuple(filled(tail(features, lr)).shape))
    made = calls(tail, features, lr)
    missed = strays(tail, features, lr)
    for call in made:
        for weights in call.weights:
            if weights is not None:
                weights.data = torch.zeros_like(weights)
    without = tail(features, lr)
    set_weights(tail, features, lr)
    return {
        "the output shape": shape,
        "bilinearly upscaled LR": without,
        "the kernel sizes": ", ".join("x".join(map(str, call.weights[0].shape[2:])) for call in made),
        "where the weights are stored": missed,
        "the detail": tail(features, lr) - without,
    }


def _tail(forward: Callable[..., torch.Tensor], size: int = 3, channels: Callable[..., int] | None = None) -> Answer:
    """Return a tail class with a different forward and, optionally, another convolution."""

    def conv(features: int, scale: int) -> nn.Module:
        out = channels(features, scale) if channels else 3 * scale**2
        return nn.Conv2d(features, out, size, padding=size // 2)

    return variant(Tail, forward, conv=conv)


def _detail(tail: Tail, features: torch.Tensor) -> torch.Tensor:
    return F.pixel_shuffle(tail.conv(features), tail.scale)


def _on(bend: Answer = torch.clone, **options: Any) -> Callable[..., torch.Tensor]:
    """Return a forward that adds the detail, optionally through an activation, to LR upscaled in another way."""
    return lambda tail, features, lr: (
        bend(_detail(tail, features)) + F.interpolate(lr, scale_factor=tail.scale, **({"mode": "bilinear"} | options))
    )


def _fixed(scale: int) -> Answer:
    """Return a tail class with a fixed number as its scale, as a student may leave it in the code."""

    class Fixed(Tail):
        def __init__(self, features: int, _: int) -> None:
            super().__init__(features, scale)

    return Fixed


EXERCISE = Exercise(
    Tail,
    level="medium",
    points=2,
    cases={
        "scale 4": (sample(2, 5, 6, 7, low=-1, seed=1), sample(2, 3, 6, 7), 4),
        "scale 3": (sample(1, 4, 5, 6, low=-1, seed=1), sample(1, 3, 5, 6), 3),
    },
    observe=_observe,
    known_mistakes={
        "With the convolution at zero, nothing comes out. The tail should upscale LR and add detail to it. Where does "
        "`lr` come in?": _tail(lambda tail, features, lr: _detail(tail, features)),
        "You upscaled LR by repeating its pixels, which is the default of F.interpolate. Which mode should you "
        "pass?": _tail(_on(mode="nearest")),
        "You upscaled LR with bicubic interpolation. That would work as well, but use bilinear here.": (
            _tail(_on(mode="bicubic"))
        ),
        "Your upscaled LR is slightly stretched: align_corners=True puts corner pixels onto corners, so the image no "
        "longer lines up with LR. Leave it out.": _tail(_on(align_corners=True)),
        "Your result is clamped or goes through an activation. Detail may be negative, and SR may leave [0, 1] during "
        "training. Use no activation and no clamp at the end.": [
            _tail(lambda tail, features, lr: _on()(tail, features, lr).clamp(0, 1)),
            _tail(lambda tail, features, lr: _on()(tail, features, lr).sigmoid()),
            _tail(lambda tail, features, lr: _on()(tail, features, lr).tanh()),
            _tail(lambda tail, features, lr: _on()(tail, features, lr).relu()),
            _tail(_on(bend=torch.relu)),
            _tail(lambda tail, features, lr: (_on()(tail, features, lr) + 1) / 2),
        ],
        "The shapes don't match. The convolution should give scale x scale values for each of three colors, and keep "
        "all rows and columns. The image to upscale and add is `lr`. Print the shape of each.": [
            _tail(_on(), channels=lambda features, scale: 3),
            _tail(_on(), channels=lambda features, scale: 3 * scale),
            _tail(_on(), channels=lambda features, scale: scale**2),
            _tail(_on(), channels=lambda features, scale: features),
            _tail(_on(), channels=lambda features, scale: features * scale**2),
            _tail(lambda tail, features, lr: _on()(tail, features[..., 1:-1, 1:-1], lr)),
            _tail(lambda tail, features, lr: _on()(tail, features, features)),
            _tail(lambda tail, features, lr: _detail(tail, features) + F.interpolate(lr, tail.scale, mode="bilinear")),
        ],
        "The scale is a fixed number in your code. Use `scale`, which the tail gets when it is created.": [
            _fixed(4),
            _fixed(2),
        ],
        "You upscaled the detail by interpolation, so the convolution gives one value for a whole block of pixels. The "
        "pixel shuffle gives each pixel of the block its own channel.": _tail(
            lambda tail, features, lr: F.interpolate(
                tail.conv(features) + lr, scale_factor=tail.scale, mode="bilinear"
            ),
            channels=lambda features, scale: 3,
        ),
        "You need one 3x3 convolution. Yours has a different size.": [_tail(_on(), size=1), _tail(_on(), size=5)],
        "You shuffled the channels in a different order: three neighboring channels became the colors of one pixel. "
        "Pixel shuffle keeps the scale x scale channels of a color together.": _tail(
            lambda tail, features, lr: (
                F.pixel_shuffle(tail.conv(features).unflatten(1, (-1, 3)).transpose(1, 2).flatten(1, 2), tail.scale)
                + F.interpolate(lr, scale_factor=tail.scale, mode="bilinear")
            )
        ),
        "You keep the layer in a plain Python list (or a dict), where PyTorch doesn't look: parameters() misses it, so "
        "no optimizer would train it. Give it a name, such as self.conv.": in_a_list(Tail),
        "You create the layer in forward, so each call starts with new random weights and loses what was learned. "
        "Create it once, in __init__.": made_in_forward(Tail),
    },
    also_accepted=[
        _tail(
            lambda tail, features, lr: (
                nn.Upsample(scale_factor=tail.scale, mode="bilinear")(lr)
                + nn.PixelShuffle(tail.scale)(tail.conv(features))
            )
        ),
        _tail(_on(size=None, antialias=False)),
    ],
    fallback_messages={
        "bilinearly upscaled LR": "With the convolution at zero, bilinearly upscaled LR should remain.",
        "the kernel sizes": "You need one 3x3 convolution, but the tail uses {given}.",
        "where the weights are stored": "Some weights are not among the tail's parameters().",
        "the detail": "The detail that you add should be the shuffled output of the convolution, unchanged.",
    },
    hints=(
        "Add two things: upscaled LR, which needs no learning, and detail computed from the features.",
        "The detail: a 3x3 convolution from `features` to 3 * scale**2 channels, then F.pixel_shuffle. The upscaling: "
        "F.interpolate with scale_factor=scale and mode='bilinear'.",
    ),
)
