"""Lab 07: noise and the ends to which a flow takes it, the examples of a student."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Sampler = Callable[[Velocity, torch.Tensor, int], list[torch.Tensor]]


def pairs(follow: Sampler, velocity: Velocity, noise: torch.Tensor, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return noise, and where a flow takes it, both without a graph.

    Parameters
    ----------
    follow
        Sampler such as `heun`: ``follow(velocity, noise, steps)`` returns a list of ``steps + 1`` tensors.
    velocity
        The teacher's velocity.
    noise
        ``(N, ...)``.

    Returns
    -------
    tuple of torch.Tensor
        `noise`, and the end of its path without a graph.
    """
    with torch.no_grad():
        return noise, follow(velocity, noise, steps)[-1]


def _observe(answer: Answer, noise: torch.Tensor, steps: int) -> dict[str, Any]:
    learnable, calls, original = torch.tensor(1.0, requires_grad=True), [], noise.clone()

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return learnable * (0.5 - x)

    def follow(velocity: Velocity, start: torch.Tensor, count: int) -> list[torch.Tensor]:
        if not isinstance(start, torch.Tensor) or start.shape != noise.shape:
            raise IncorrectAnswer("The sampler's second argument is the noise, where its path begins.")
        if not callable(velocity) or not isinstance(count, int):
            raise IncorrectAnswer("Call the sampler as follow(velocity, noise, steps).")
        calls.append((torch.equal(start, original), count, torch.is_grad_enabled()))
        path = [start]
        for step in range(count):
            path.append(path[-1] + velocity(path[-1], torch.full((len(start),), step / count)) / count)
        return path

    result = filled(answer(follow, velocity, noise, steps))
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise IncorrectAnswer("Return two tensors: the noise and its end.")
    return {
        "the number of runs of the sampler": len(calls),
        "the sampler starts from noise": all(call[0] for call in calls),
        "the number of steps": [call[1] for call in calls],
        "the noise": filled(result[0]),
        "the end": filled(result[1]),
        "a graph in the result": any(isinstance(part, torch.Tensor) and part.requires_grad for part in result),
        "an inference tensor in the result": any(getattr(part, "is_inference", bool)() for part in result),
        "a graph while the teacher runs": any(call[2] for call in calls),
    }


def _in_inference_mode(follow: Sampler, velocity: Velocity, noise: torch.Tensor, steps: int) -> Any:
    with torch.inference_mode():
        return noise, follow(velocity, noise, steps)[-1]


def _variant(
    guard: Answer = torch.no_grad,
    start: Answer = lambda noise: noise,
    count: Answer = lambda steps: steps,
    end: Answer = lambda path: path[-1],
    result: Answer = lambda noise, end: (noise, end),
) -> Answer:
    """Return an answer with some parts replaced."""

    def answer(follow: Sampler, velocity: Velocity, noise: torch.Tensor, steps: int) -> Any:
        with guard():
            path = follow(velocity, start(noise), count(steps))
        return result(noise, end(path))

    return answer


EXERCISE = Exercise(
    pairs,
    level="easy",
    points=2,
    cases={
        "points in the plane": (sample(5, 2, low=-1), 4),
        "images": (sample(2, 3, 4, 8, low=-1, seed=1), 3),
    },
    observe=_observe,
    known_mistakes={
        "Your ends have a graph, so training would reach the teacher. It should only draw examples: which block of "
        "code computes without gradients?": _variant(guard=torch.enable_grad),
        "Your end is an inference tensor, which later training can't use. Compute it inside of torch.no_grad().": (
            _in_inference_mode
        ),
        "You return the whole path. Which of its tensors is the end?": _variant(end=lambda path: path),
        "Your end is the path's start, which is the noise itself. Where does the path arrive?": (
            _variant(end=lambda path: path[0])
        ),
        "Your end is where the first step led. Follow the path to its end.": _variant(end=lambda path: path[1]),
        "You return the way from noise to end. Return the end itself.": (
            _variant(result=lambda noise, end: (noise, end - noise))
        ),
        "Your two results are in the other order: first the noise, then its end.": (
            _variant(result=lambda noise, end: (end, noise))
        ),
        "The teacher starts from other noise than you return. Then nothing ties the end to the noise. Draw none here: "
        "use the noise that you get.": [
            _variant(start=torch.randn_like),
            _variant(result=lambda noise, end: (torch.randn_like(noise), end)),
        ],
        "The teacher takes one step, which gives the mean. Give it all its steps.": _variant(count=lambda steps: 1),
        "You take one step too many.": _variant(count=lambda steps: steps + 1),
    },
    also_accepted=[
        _variant(),
        _variant(guard=torch.inference_mode, end=lambda path: path[-1].clone()),
        _variant(result=lambda noise, end: [noise, end]),
        torch.no_grad()(lambda follow, velocity, noise, steps: (noise, follow(velocity, noise, steps)[-1])),
    ],
    notes={
        "This is correct. But the graph of all runs is built and thrown away, which takes memory; with "
        "torch.no_grad() there is none.": _variant(guard=torch.enable_grad, end=lambda path: path[-1].detach()),
    },
    fallback_messages={
        "the number of runs of the sampler": "Run the sampler once, for all noise.",
        "the noise": "Return the noise unchanged.",
        "the end": "The end isn't where the sampler's path arrives.",
    },
    reveal=False,
    hints=(
        "The sampler returns a list that begins with the noise. You need its last tensor, and no gradients.",
        "Inside of `with torch.no_grad():`, call follow(velocity, noise, steps).",
    ),
)
