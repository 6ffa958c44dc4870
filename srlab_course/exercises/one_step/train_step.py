"""Lab 07: one training step of a one-step network on crops of a teacher's images."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


def train_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    lr: torch.Tensor,
    noise: torch.Tensor,
    end: torch.Tensor,
    border: int,
) -> torch.Tensor:
    """Take one step on the squared error of a single evaluation, inside a border, and return the loss.

    Parameters
    ----------
    network
        ``network(lr, x, t)`` returns a velocity with the shape of `x`.
    lr
        ``(N, 3, h, w)``.
    noise, end
        ``(N, 3, 4h, 4w)``.
    border
        HR pixels on each side that the loss leaves out, at least 1.

    Returns
    -------
    torch.Tensor
        ``()``, without a graph.
    """
    answer = noise + network(lr, noise, torch.zeros(len(noise), device=noise.device))
    inside = slice(border, -border)
    loss = F.mse_loss(answer[..., inside, inside], end[..., inside, inside])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


class _Probe(nn.Module):
    """A small velocity that records its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([0.3, -0.5, 0.2]))
        self.seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def forward(self, lr: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if lr.shape[-1] * 4 != x.shape[-1]:
            raise IncorrectAnswer("Call the network as network(lr, noise, t), with whole crops.")
        t = torch.as_tensor(t)
        if tuple(t.shape) != (len(x),):
            raise IncorrectAnswer(
                f"The network needs one time per crop: t should have the shape ({len(x)},), but has {tuple(t.shape)}."
            )
        self.seen.append((lr.detach().clone(), x.detach().clone(), t.detach().clone()))
        mixed = x + x.roll(1, -1)
        a, b, c = self.weights
        return a * mixed + b * F.interpolate(lr, scale_factor=4) + c * t.view(-1, 1, 1, 1) - a**2


def _scene(border: int, batch: int = 2) -> tuple[Any, ...]:
    small, large = (batch, 3, 4, 5), (batch, 3, 16, 20)
    return sample(*small), sample(*large, low=-1, seed=1), sample(*large, low=-2, high=1.5, seed=2), border


def _observe(answer: Answer, lr: torch.Tensor, noise: torch.Tensor, end: torch.Tensor, border: int) -> dict[str, Any]:
    network = _Probe()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    losses = [filled(answer(network, optimizer, lr, noise, end, border)) for _ in range(2)]
    return {
        "the number of runs of the network": len(network.seen) / 2,
        "the times": [t for _, _, t in network.seen],
        "what the network gets as x": [x for _, x, _ in network.seen],
        "what the network gets as lr": [small for small, _, _ in network.seen],
        "the first loss": losses[0],
        "the weights after two steps": network.weights.detach().clone(),
        "the second loss": losses[1],
    }


EXERCISE = Exercise(
    train_step,
    level="hard",
    points=5,
    cases={"two steps on two crops": _scene(2), "a wider border": _scene(5, 3)},
    observe=_observe,
    reveal=False,
)
