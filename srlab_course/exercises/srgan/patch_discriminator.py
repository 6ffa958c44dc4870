"""Lab 03: a discriminator with one logit per neighborhood."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm

from srlab.models.discriminators import with_fine_structure
from srlab_course.exercises.networks import ESCAPED, Call, build, calls, reaches
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


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


ROUNDS = 12  # of power iteration, after which the gain of a layer with spectral norm is at most GAIN
GAIN = 1.3


def _observe(answer: Answer, image: torch.Tensor) -> dict[str, Any]:
    network, corner = build(answer, 8), image[..., :16, :16]
    logits = filled(network(image))
    shape = list(getattr(logits, "shape", ()))
    if shape != [len(image), 1, image.shape[2] // 4, image.shape[3] // 4]:
        return {"the shape": shape}
    if not logits.requires_grad:
        raise IncorrectAnswer(
            "The gradient doesn't get through your D, as with detach or no_grad. G learns from this gradient."
        )
    steady = _steady(network, corner)
    neighborhood = _neighborhood(network, image[:1])
    network.eval()  # so that spectral norm doesn't change
    logits, used = network(1000 * corner), _convolutions(network, 1000 * corner)
    if not all(reaches(call.weights[0].sum(), network.parameters()) for call in used):
        raise IncorrectAnswer(ESCAPED["in a list" if steady else "re-created"])
    inputs, outputs = [call.input for call in used], [call.output for call in used]
    end = "as they are" if torch.equal(logits, outputs[-1]) else "limited" if logits.abs().max() <= 1 else "changed"
    return {
        "the shape": shape,
        "the same logits each time": steady,
        "the logits of the last convolution": end,
        "convolutions without an activation before them": sum(map(torch.equal, inputs[1:], outputs)),
        "the neighborhood": neighborhood,
        "the activation": _activation(inputs[1:], outputs),
        "spectral norm": _normed(network, corner),
        "channels before the last convolution": inputs[-1].shape[1],
    }


def _convolutions(network: nn.Module, image: torch.Tensor) -> list[Call]:
    return [call for call in calls(network, image) if call.kind == "conv2d"]


def _activation(inputs: list[torch.Tensor], outputs: list[torch.Tensor]) -> str:
    """Return the slopes below zero of the activations between outputs and the inputs that they become."""
    slopes = set()
    for before, after in zip(outputs, inputs, strict=False):
        padding = (after.shape[-1] - before.shape[-1]) // 2  # reflected by a layer, before it convolves
        after = F.pad(after, [-padding] * 4)
        fits = before.shape == after.shape
        slope = (after / before)[before < 0].median() if fits else 0.0
        leaky = fits and torch.allclose(after, torch.where(before < 0, slope * before, before))
        slopes.add(f"{slope + 0:.3g}" if leaky else "none, since it isn't a leaky ReLU")
    return " and ".join(sorted(slopes))


def _steady(network: nn.Module, image: torch.Tensor) -> bool:
    """Return whether two runs give the same logits, after some rounds of power iteration."""
    with torch.no_grad():
        for _ in range(ROUNDS):
            network(image)
        return torch.allclose(network(image), network(image), atol=1e-2)


def _neighborhood(network: nn.Module, image: torch.Tensor) -> list[int]:
    """Return height and width of the part of an image that the logit in the middle depends on."""
    probe = image.clone().requires_grad_()
    logits = network(probe)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = probe.grad.abs().sum(dim=(0, 1)) > 0
    return [int(seen.any(1).sum()), int(seen.any(0).sum())]


def _normed(network: nn.Module, image: torch.Tensor) -> str:
    """Return how many layers keep their gain near 1 if their parameters become ten times as large."""
    for parameter in network.parameters():
        parameter.data *= 10
    _steady(network.train(), image)
    weights = [call.weights[0].flatten(1) for call in _convolutions(network.eval(), image)]
    normed = [bool(torch.linalg.matrix_norm(weight, 2) < GAIN) for weight in weights]
    return "all" if all(normed) else "some" if any(normed) else "none"


EXERCISE = Exercise(
    PatchDiscriminator,
    level="hard",
    points=5,
    cases={
        "two patches of 32 x 32: 8 x 8 logits each": lambda: (sample(2, 3, 32, 32, seed=1),),
        "an image of 96 x 64: each logit depends on 28 x 28 pixels": lambda: (sample(1, 3, 96, 64, seed=2),),
    },
    observe=_observe,
    reveal=False,
)
