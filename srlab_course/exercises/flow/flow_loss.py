"""Lab 06: the training target of a flow, and its loss."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab_course.exercises.draws import Draws
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, sample
from srlab_course.feedback.value_comparison import take

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def flow_loss(velocity: Velocity, data: torch.Tensor) -> torch.Tensor:
    """Return the flow-matching loss of a batch (Lipman et al. 2022, equation 23; Liu et al. 2022, equation 1).

    Parameters
    ----------
    velocity
        Function of x, with the shape of `data`, and of the time of each sample, ``(N,)``; returns the shape of `data`.
    data
        ``(N, ...)``: points or images.

    Returns
    -------
    torch.Tensor
        ``()``, with its graph.
    """
    noise = torch.randn_like(data)
    t = torch.rand(len(data), device=data.device)
    part = t.view(-1, *[1] * (data.ndim - 1))  # to multiply each sample by its own time
    x = (1 - part) * noise + part * data
    return F.mse_loss(velocity(x, t), data - noise)


def observe(answer: Answer, data: torch.Tensor) -> dict[str, Any]:
    """Run an answer twice as it is, and twice with known noise and times, with a velocity that records its inputs."""
    seen, output = [], sample(*data.shape, low=-1, seed=3).requires_grad_()

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if x.shape != data.shape:
            raise IncorrectAnswer(f"x should have the shape of data, {tuple(data.shape)}, but has {tuple(x.shape)}.")
        seen.append((x.detach(), torch.as_tensor(t).detach().float()))
        return output

    def call() -> torch.Tensor:
        return take(answer(velocity, data), torch.zeros(()))

    call(), call()
    with Draws():
        loss, _ = call(), call()
    with Draws():
        noise, times = zip(*[(torch.randn(data.shape), torch.rand(len(data))) for _ in range(2)], strict=True)
    found: dict[str, Any] = {"the number of runs of the velocity": len(seen) / 4}
    if len(seen) != 4:
        return found
    first, second, (x, t), (later, later_t) = seen
    found["the shape of t"] = str(tuple(t.shape))
    if tuple(t.shape) != (len(data),):
        return found
    parts = [time.view(-1, *[1] * (data.ndim - 1)) for time in (t, later_t)]
    off = [at - (1 - part) * n - part * data for at, part, n in zip((x, later), parts, noise, strict=True)]
    return found | {
        "new noise and times in each call": not all(map(torch.equal, first, second)),
        "the times": times[0] if torch.allclose(t, 1 - times[0]) else t,  # 1 - torch.rand is as good
        "the way of x": torch.stack(off).abs().max(),
        "the loss": loss,
        "the graph of the loss": isinstance(loss, torch.Tensor) and loss.requires_grad,
    }


CASES = {
    "points in the plane": (3 * sample(6, 2, low=-1, high=2, seed=1),),
    "images": (2 * sample(4, 3, 4, 5, low=-1, high=1.5, seed=2),),
}
MESSAGES = {  # also for `fixed_loss`
    "the number of runs of the velocity": "Run velocity once per call, for the whole batch. Yours runs {given} times.",
    "the shape of t": "velocity needs t with the shape (N,), one time per sample. Only for the product with images "
    "does it need more dimensions.",
    "the times": "Your times ({given}) aren't drawn with torch.rand, one for each sample.",
    "the way of x": "Your x isn't a straight way from noise to data. At t = 0 it should be noise, at t = 1 data. Draw "
    "the noise with torch.randn. Yours is off by up to {given}.",
    "new noise and times in each call": "Noise and times are the same in each call, so the network could learn them by "
    "heart. Don't set a seed inside of the loss.",
    "the loss": "Your x is right, but the loss isn't the mean of the squared differences of velocity and target. Is "
    "the target the slope of x when t grows?",
    "the graph of the loss": "You return a number without a graph, so nothing can learn from it. Don't call item or "
    "detach, and don't use no_grad.",
}

EXERCISE = Exercise(
    flow_loss,
    level="medium",
    points=5,
    cases=CASES,
    observe=observe,
    fallback_messages=MESSAGES,
    reveal=False,
)
