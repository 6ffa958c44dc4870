"""Lab 02: the content loss, which compares the features of a network."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab.models.features import MEAN, STD
from srlab_course.exercises.networks import build, gradient, reaches
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, sample
from srlab_course.feedback.value_comparison import take


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


EXERCISE = Exercise(
    ContentLoss,
    level="medium",
    points=5,
    cases={"frozen, with normalized input, relative, with a gradient for SR and none for HR": _case},
    observe=_observe,
)
