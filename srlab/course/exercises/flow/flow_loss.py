"""Lab 06: the training target of a flow, and its loss."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

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


# --- What a call reveals: x and t, which the velocity gets, and the loss for its output. ----

# Name of a path -> weights of noise and data at time t.
PATHS: dict[str, Callable[[torch.Tensor], tuple[Any, Any]]] = {
    "from noise at t = 0 to data at t = 1": lambda t: (1 - t, t),
    "from data at t = 0 to noise at t = 1": lambda t: (t, 1 - t),
    "data plus noise that fades": lambda t: (1 - t, 1),
    "noise plus data that grows": lambda t: (1, t),
    "data plus noise": lambda t: (1, 1),
    "on a circle, not on a line": lambda t: ((1 - t**2).clamp(min=0).sqrt(), t),
}
TARGETS: dict[str, Answer] = {
    "data - noise": lambda noise, data, x: data - noise,
    "noise - data": lambda noise, data, x: noise - data,
    "data": lambda noise, data, x: data,
    "noise": lambda noise, data, x: noise,
    "data - x": lambda noise, data, x: data - x,
    "x": lambda noise, data, x: x,
}
EVENLY = "evenly from 0 to 1"
LOSSES: dict[str, Answer] = {
    "the mean of squares": lambda error: error.square().mean(),
    "the sum of squares": lambda error: error.square().sum(),
    "the mean of absolute values": lambda error: error.abs().mean(),
    "a root": lambda error: error.square().mean().sqrt(),
}


def _noise_on(path: str, x: torch.Tensor, t: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    """Return the noise that `x` contains if it is on a path."""
    of_noise, of_data = PATHS[path](t.view(-1, *[1] * (data.ndim - 1)))
    return (x - of_data * data) / of_noise


def _kind_of_noise(noise: torch.Tensor, data: torch.Tensor) -> str:
    """Describe the values that would be the noise on a path; "" if they cannot be."""
    if min(noise.std(0).max(), noise.flatten(1).std(1).max()) < 1e-2:
        return "shared by several values"
    if noise.abs().max() < 1.01:
        return "uniform"
    values, known = noise.flatten(), data.flatten() - data.mean()
    shared = (values * known).mean() / known.std()  # 0 if none of the data is left in it
    normal = values.mean().abs() < 0.1 and (values.std() - 1).abs() < 0.1 and shared.abs() < 0.1
    return "normal" if normal else ""


def _path_of(x: torch.Tensor, t: torch.Tensor, data: torch.Tensor) -> tuple[str, str]:
    """Return the path on which the noise is one both at early and at late times, and its kind."""
    halves = [(t > 0.1) & (t < 0.5), (t > 0.5) & (t < 0.9)]
    for path in PATHS:
        noise = _noise_on(path, x, t, data)
        kinds = {_kind_of_noise(noise[half], data[half]) for half in halves}
        if len(kinds) == 1 and kinds != {""}:
            return path, kinds.pop()
    return "something else", ""


def _kind_of_times(t: torch.Tensor) -> str:
    ranks = torch.linspace(0, 1, len(t))
    if t.unique().numel() < len(t) / 2:
        return "the same for several samples"
    return EVENLY if (t.sort().values - ranks).abs().max() < 0.06 else "not evenly from 0 to 1"


def observe(answer: Answer, data: torch.Tensor) -> dict[str, Any]:
    """Run an answer twice with a velocity that records its inputs."""
    seen, given, data = [], data, data.clone()

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if x.shape != data.shape:
            raise IncorrectAnswer(f"x should have the shape of data, {tuple(data.shape)}, but has {tuple(x.shape)}.")
        output = sample(*data.shape, low=-1, seed=3).requires_grad_()
        seen.append((x.detach().clone(), torch.as_tensor(t).detach().clone(), output))
        return output

    losses = [filled(answer(velocity, given)) for _ in range(2)]
    if len(seen) != 2:
        return {"the number of runs of the velocity": len(seen) / 2}
    (x, t, output), (later_x, later_t, _) = seen
    if tuple(t.shape) != (len(data),):
        return {"the number of runs of the velocity": 1, "the shape of t": str(tuple(t.shape))}
    begun = {"the number of runs of the velocity": 1, "the shape of t": str(tuple(t.shape))}
    begun["the times"] = _kind_of_times(t)
    if begun["the times"] != EVENLY:
        return begun
    loss = torch.as_tensor(take(losses[0], torch.zeros(())))
    (path, kind), inner = _path_of(x, t, data), (t > 0.1) & (t < 0.9)
    noise, later = (
        _noise_on(path if path in PATHS else "data plus noise", *pair, data) for pair in ((x, t), (later_x, later_t))
    )
    error = {name: output.detach() - of(noise, data, x) for name, of in TARGETS.items()}
    named = [
        (name, way)
        for way, of in LOSSES.items()
        for name in error
        if math.isclose(of(error[name]), loss.item(), rel_tol=2e-3)
    ]
    target, way = named[0] if named else ("something else", "something else")
    return begun | {
        "the way of x": path,
        "the noise": kind,
        "new noise and times in each call": not (
            torch.equal(later_t, t) or (later - noise)[inner].abs().median() < 0.01
        ),
        "the loss": way,
        "the target": target,
        "the graph of the loss": loss.requires_grad,
    }


def variant(
    draw: Answer = torch.randn_like,
    times: Answer = lambda data: torch.rand(len(data)),
    path: Answer = lambda noise, data, part: (1 - part) * noise + part * data,
    target: Answer = lambda noise, data, x: data - noise,
    loss: Answer = F.mse_loss,
    told: Answer = lambda t: t,
    spread: Answer = lambda t, data: t.view(-1, *[1] * (data.ndim - 1)),
) -> Answer:
    """Return a loss with some of its parts replaced."""

    def answer(velocity: Velocity, data: torch.Tensor) -> torch.Tensor:
        noise, t = draw(data), times(data)
        x = path(noise, data, spread(t, data))
        return loss(velocity(x, told(t)), target(noise, data, x))

    return answer


def _fixed(draw: Answer) -> Answer:
    """Return a drawing that gives the same numbers in each call."""
    return lambda data: draw(data, torch.Generator().manual_seed(0))


def _reversed_path(noise: torch.Tensor, data: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    return part * noise + (1 - part) * data


CASES = {
    "points in the plane": lambda: (3 * sample(4096, 2, low=-1, high=2, seed=1),),
    "images": lambda: (2 * sample(1024, 3, 4, 5, low=-1, high=1.5, seed=2),),
}
REVERSED = (
    "Your x is data at t = 0 and noise at t = 1. Papers do it either way; in this lab t = 0 is noise. Put t = 0 into "
    "your formula: what is left?"
)

EXERCISE = Exercise(
    flow_loss,
    level="medium",
    points=5,
    cases=CASES,
    observe=observe,
    known_mistakes={
        REVERSED: [
            variant(path=_reversed_path),
            variant(path=_reversed_path, target=lambda noise, data, x: noise - data),
        ],
        "Your target points from data to noise. The flow goes the other way. What is the slope of x when t grows?": (
            variant(target=lambda noise, data, x: noise - data)
        ),
        "Your target is the data. The velocity is a change: how far is it from start to end, per unit of time?": (
            variant(target=lambda noise, data, x: data)
        ),
        "Your target is the noise, as in diffusion models. The velocity is the slope of x when t grows.": (
            variant(target=lambda noise, data, x: noise)
        ),
        "Your target is the way that's left, from x to data. A velocity is the whole way, which takes one unit of "
        "time. Take the derivative of x with respect to t.": variant(target=lambda noise, data, x: data - x),
        "Your target is x, where the sample is. You need how fast it moves.": variant(target=lambda noise, data, x: x),
        "All samples of your batch have the same time. Draw one for each.": [
            variant(times=lambda data: torch.rand(1).expand(len(data))),
            variant(times=lambda data: torch.rand(()).expand(len(data))),
            variant(times=lambda data: torch.full((len(data),), 0.5)),
        ],
        "velocity needs t with the shape (N,), one time per sample. Only for the product with images does it need "
        "more dimensions.": [
            variant(told=lambda t: t[:, None]),
            variant(told=lambda t: t.view(-1, 1, 1, 1)),
            variant(times=lambda data: torch.rand(1)),
            variant(times=lambda data: torch.rand(())),
        ],
        "Your times aren't spread evenly from 0 to 1. A normal distribution leaves this interval.": [
            variant(times=lambda data: torch.randn(len(data))),
            variant(times=lambda data: torch.rand(len(data)) / 2),
            variant(times=lambda data: torch.randn(len(data)).sigmoid()),
            variant(times=lambda data: torch.rand(len(data)).square()),
        ],
        "t doesn't line up with the dimensions of data. What shape must t have, so that each sample, whether a point "
        "or an image, is multiplied by its own time?": [
            variant(spread=lambda t, data: t),
            variant(spread=lambda t, data: t[:, None]),
            variant(spread=lambda t, data: t[:, None, None, None]),
        ],
        "Your x has all of the noise at t = 1. On a straight path the noise fades as the data grow.": (
            variant(path=lambda noise, data, part: noise + part * data)
        ),
        "Your x has all of the data at t = 0. On a straight path the data grow as the noise fades.": [
            variant(path=lambda noise, data, part: (1 - part) * noise + data),
            variant(path=lambda noise, data, part: noise + data),
        ],
        "Your x moves on a circle: the squares of its two weights add up to 1, as in diffusion models. On a straight "
        "line the weights themselves do.": (
            variant(path=lambda noise, data, part: (1 - part**2).sqrt() * noise + part * data)
        ),
        "Your noise is uniform. The sampler starts from normal noise, so training must do the same.": [
            variant(draw=torch.rand_like),
            variant(draw=lambda data: 2 * torch.rand_like(data) - 1),
        ],
        "Several values share their noise. Each value of each sample has its own.": [
            variant(draw=lambda data: torch.randn(data.shape[1:]).expand_as(data)),
            variant(draw=lambda data: torch.randn(len(data), *[1] * (data.ndim - 1)).expand_as(data)),
            variant(draw=lambda data: torch.randn(()).expand_as(data)),
        ],
        "Noise and times are the same in each call, so the network could learn them by heart. Don't set a seed inside "
        "of the loss.": [
            variant(
                draw=_fixed(lambda data, rng: torch.randn(data.shape, generator=rng)),
                times=_fixed(lambda data, rng: torch.rand(len(data), generator=rng)),
            ),
            variant(
                draw=_fixed(lambda data, rng: torch.randn(data.shape, generator=rng)),
            ),
        ],
        "At the time that the network gets, your x isn't on the straight way from noise to data. Do both use the same "
        "t, and do the two weights in x add up to 1?": (
            lambda velocity, data: flow_loss(lambda x, t: velocity(x, torch.rand(len(data))), data)
        ),
        "The noise in x isn't the noise in the target. Draw it once and use it for both.": (
            variant(target=lambda noise, data, x: data - torch.randn_like(data))
        ),
        "Your loss is a sum. Take the mean, or the learning rate would depend on the size of the batch.": [
            variant(loss=lambda a, b: (a - b).square().sum()),
            variant(loss=lambda a, b: F.mse_loss(a, b, reduction="sum")),
        ],
        "Your loss is the absolute error. Its answer would be a median; the flow needs the mean.": [
            variant(loss=F.l1_loss),
        ],
        "Your loss is a root. It would be the same minimum for one sample, but not for a mean over many. Leave the "
        "square.": variant(loss=lambda a, b: F.mse_loss(a, b).sqrt()),
        "Your loss has one number per sample. Take the mean of all.": (
            variant(loss=lambda a, b: (a - b).square().flatten(1).mean(1))
        ),
        "You return a number without a graph, so nothing can learn from it. Don't call item or detach, and don't use "
        "no_grad.": [
            lambda velocity, data: flow_loss(velocity, data).item(),
            lambda velocity, data: flow_loss(velocity, data).detach(),
        ],
    },
    also_accepted=[
        variant(),
        variant(path=torch.lerp),
        variant(path=lambda noise, data, part: noise + part * (data - noise)),
        variant(loss=lambda a, b: (b - a).square().mean()),
        variant(draw=lambda data: torch.randn(data.shape)),
    ],
    fallback_messages={
        "the number of runs of the velocity": "Run velocity once per call, for the whole batch.",
        "the way of x": "Your x isn't a straight way from noise to data. At t = 0 it should be noise, at t = 1 data.",
        "the target": "Your target isn't the slope of x when t grows.",
        "the loss": "Your loss isn't the mean of the squared differences of velocity and target.",
        "the noise": "The noise should be normal and drawn for each value.",
    },
    reveal=False,
    hints=(
        "On paper: which x, linear in t, is the noise at t = 0 and the data at t = 1? Its slope is the velocity.",
        "For data of any shape, t.view(-1, 1, ..., 1) has as many dimensions as data: "
        "t.view(-1, *[1] * (data.ndim - 1)).",
    ),
)
