"""Lab 04: ESRGAN's whole generator."""

import functools
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.exercises.esrgan.rrdb import RRDB
from srlab_course.exercises.networks import MESSAGES, build, calls, observe_network, reaches
from srlab_course.feedback.exercise import Answer, Exercise, sample


class RRDBNet(nn.Module):
    """ESRGAN's generator (Wang et al. 2018, section 3.1), with the names of the published weights.

    Parameters
    ----------
    num_blocks, num_features, growth
        Number of RRDBs, and the sizes of their dense blocks.
    """

    def __init__(self, num_blocks: int = 23, num_features: int = 64, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, num_features, 3, padding=1)
        self.body = nn.Sequential(*[RRDB(num_features, growth) for _ in range(num_blocks)])
        self.conv_body = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_up1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_up2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_hr = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_last = nn.Conv2d(num_features, 3, 3, padding=1)

    def trunk(self, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, h, w)`` to features ``(N, num_features, h, w)``."""
        shallow = self.conv_first(lr)
        return shallow + self.conv_body(self.body(shallow))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, h, w)`` to ``(N, 3, 4 * h, 4 * w)``."""
        x = self.trunk(lr)
        for conv in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))


def _observe(answer: Answer, lr: torch.Tensor, *sizes: int) -> dict[str, Any]:
    network = build(answer, *sizes)
    if not callable(getattr(network, "trunk", None)):
        return {"a method trunk": False}
    observed = observe_network(network, lr)
    result = observed.pop("the output")
    weights = [call.weights[0] for call in calls(network, lr)]
    names = {id(parameter): name for name, parameter in network.named_parameters(remove_duplicate=False)}
    order = [names[id(weight)].partition(".rdb")[0].removesuffix(".weight") for weight in weights]
    return {
        "a method trunk": True,
        "the layers in order of use": ", ".join(dict.fromkeys(order)),
        **observed,
        "the sizes of the convolutions": ", ".join(f"{weight.shape[1]} to {weight.shape[0]}" for weight in weights),
        "the trunk's features": network.trunk(lr),
        "the output": result,
        "a gradient": reaches(network(lr).sum(), [weights[0]]),
        "the output in eval mode": network.eval()(lr),
        "the number of names": len(network.state_dict()),
        "the number of parameters with the defaults": _default_size(answer),
    }


@functools.cache  # the same in all cases
def _default_size(answer: Answer) -> int:
    with torch.device("meta"):  # computes nothing
        return sum(parameter.numel() for parameter in answer().parameters())


EXERCISE = Exercise(
    RRDBNet,
    level="medium",
    points=5,
    cases={
        "two RRDBs": (sample(1, 3, 5, 6), 2, 6, 4),
        "one RRDB of other sizes": (sample(2, 3, 4, 5, seed=1), 1, 4, 3),
    },
    observe=_observe,
    fallback_messages=MESSAGES
    | {"the number of convolutions": "Each RRDB has 15 convolutions, and there are 6 others. Here {given} run."},
    reveal=False,
)
