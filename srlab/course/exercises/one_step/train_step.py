"""Lab 07: one training step of a one-step network on crops of a teacher's images."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


def train_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    backward: Callable[[torch.Tensor], None],
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
    backward
        Called with the loss, in place of ``loss.backward()``.
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
    backward(loss)
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
    network, calls = _Probe(), []
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network.weights.grad = torch.tensor([5.0, -3.0, 4.0])  # left by an earlier step

    def backward(loss: torch.Tensor) -> None:
        calls.append(loss.requires_grad)
        loss.backward()

    losses = [filled(answer(network, optimizer, backward, lr, noise, end, border)) for _ in range(2)]
    return {
        "the number of runs of the network": len(network.seen) / 2,
        "the times": [t for _, _, t in network.seen],
        "what the network gets as x": [x for _, x, _ in network.seen],
        "what the network gets as lr": [small for small, _, _ in network.seen],
        "the first loss": losses[0],
        "the number of calls of backward": len(calls) / 2,
        "the weights after two steps": network.weights.detach().clone(),
        "the second loss": losses[1],
    }


def _inside(image: torch.Tensor, border: int) -> torch.Tensor:
    return image[..., border:-border, border:-border]


def _variant(
    time: Answer = lambda noise: torch.zeros(len(noise)),
    start: Answer = lambda noise: noise,
    arrive: Answer = lambda noise, move: noise + move,
    target: Answer = lambda noise, end: end,
    cut: Answer = _inside,
    cut_target: Answer | None = None,
    loss: Answer = F.mse_loss,
    zero: str = "before",
    back: Answer = lambda backward, loss: backward(loss),
    step: bool = True,
) -> Answer:
    """Return a step with some parts replaced."""

    def answer(network: Any, optimizer: Any, backward: Any, lr: Any, noise: Any, end: Any, border: int) -> torch.Tensor:
        x = start(noise)
        found = arrive(x, network(lr, x, time(noise)))
        value = loss(cut(found, border), (cut_target or cut)(target(noise, end), border))
        if zero == "before":
            optimizer.zero_grad()
        back(backward, value)
        if zero == "between":
            optimizer.zero_grad()
        if step:
            optimizer.step()
        if zero == "after":
            optimizer.zero_grad()
        return value.detach()

    return answer


def _stepping_first(
    network: Any, optimizer: Any, backward: Any, lr: Any, noise: Any, end: Any, border: int
) -> torch.Tensor:
    answer = noise + network(lr, noise, torch.zeros(len(noise)))
    loss = F.mse_loss(_inside(answer, border), _inside(end, border))
    optimizer.step()
    optimizer.zero_grad()
    backward(loss)
    return loss.detach()


EXERCISE = Exercise(
    train_step,
    level="hard",
    points=5,
    cases={"two steps on two crops": _scene(2), "a wider border": _scene(5, 3)},
    observe=_observe,
    known_mistakes={
        "Your time is 1. The step starts at the noise, at t = 0.": _variant(time=lambda noise: torch.ones(len(noise))),
        "Your times are random. A single step starts from noise: at which time?": (
            _variant(time=lambda noise: torch.rand(len(noise)))
        ),
        "The network gets new noise, which the teacher never saw. Which noise belongs to these ends?": (
            _variant(start=torch.randn_like)
        ),
        "The network gets noise times a factor. It should get the noise as it is.": (
            _variant(start=lambda noise: 0 * noise)
        ),
        "You compare a velocity with an end. Where does a step of length 1 from the noise arrive?": (
            _variant(arrive=lambda noise, move: move)
        ),
        "You compare where the step arrives with the way to the end. Compare two places, or two ways.": (
            _variant(target=lambda noise, end: end - noise)
        ),
        "Your loss includes the border, where the teacher saw surroundings that the crop doesn't have.": (
            _variant(cut=lambda image, border: image)
        ),
        "Your loss includes only one of the two ends of each axis. The border is on all four sides.": [
            _variant(cut=lambda image, border: image[..., border:, border:]),
            _variant(cut=lambda image, border: image[..., :-border, :-border]),
        ],
        "You cut the border only from rows or only from columns. It is on all four sides.": [
            _variant(cut=lambda image, border: image[..., border:-border, :]),
            _variant(cut=lambda image, border: image[..., border:-border]),
        ],
        "You cut twice the border. `border` is what is left out on each side.": (
            _variant(cut=lambda image, border: _inside(image, 2 * border))
        ),
        "Your loss is a sum. Take the mean, or the learning rate would depend on the size of the batch.": (
            _variant(loss=lambda a, b: (a - b).square().sum())
        ),
        "Your loss is the absolute error. This lab is about the squared error.": _variant(loss=F.l1_loss),
        "Gradients of the last step are still there, and backward adds to them. When do you clear them?": (
            _variant(zero="never")
        ),
        "You clear the gradients after the step, so the first step still has older ones. Clear them before backward.": (
            _variant(zero="after")
        ),
        "The weights don't change. Does the optimizer take a step, and are there gradients by then, or have you "
        "cleared them after backward?": [_variant(step=False), _variant(zero="between")],
        "The optimizer steps before backward, so it uses the gradients of the last batch.": _stepping_first,
        "You call loss.backward(). Call backward(loss), because on some GPUs the trainer has to scale the loss.": (
            _variant(back=lambda backward, loss: loss.backward())
        ),
    },
    also_accepted=[
        _variant(),
        _variant(arrive=lambda noise, move: move, target=lambda noise, end: end - noise),
        _variant(loss=lambda a, b: (b - a).square().mean()),
        _variant(cut=lambda image, border: F.pad(image, 4 * [-border])),
    ],
    fallback_messages={
        "the number of runs of the network": "Run the network once per step.",
        "the times": "The network gets another time than that of the noise.",
        "what the network gets as x": "The network should get the whole noise as x.",
        "the first loss": "The network gets the right inputs, but the loss isn't the squared error inside the border.",
        "the number of calls of backward": "Call backward once per step, with the loss.",
        "the weights after two steps": "The loss is right, but the weights after two steps aren't.",
    },
    reveal=False,
    hints=(
        "Your distill_loss with a border: one run of the network on the noise at t = 0, then the loss, zero_grad, "
        "backward, step.",
        "Cut both images with [..., border:-border, border:-border], after the network has run.",
    ),
)
