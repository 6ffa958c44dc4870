"""Lab 06: Euler's method, which follows a velocity from noise to an image."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.velocities import expect_times

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def euler(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    """Follow a velocity from t = 0 to t = 1 in equal steps.

    Parameters
    ----------
    velocity
        Function of x and of the time of each sample, ``(N,)``.
    noise
        ``(N, ...)``, the start.

    Returns
    -------
    list of torch.Tensor
        The start, and where the samples are after each step: ``steps + 1`` tensors.
    """
    path = [noise]
    for step in range(steps):
        t = torch.full((len(noise),), step / steps, device=noise.device)
        path.append(path[-1] + velocity(path[-1], t) / steps)
    return path


def _observe(answer: Answer, noise: torch.Tensor, steps: int) -> dict[str, Any]:
    times, places = [], []

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        t = expect_times(x, t, noise)
        times.append(t[0].item())
        places.append(x.detach().clone())
        return (2 * t).view(-1, *[1] * (x.ndim - 1)) - 0.7 * x

    path = filled(answer(velocity, noise, steps))
    if not isinstance(path, list | tuple):
        raise IncorrectAnswer("Return a list: the start, and the samples after each step.")
    return {
        "the times": times,
        "where the velocity is computed": places,
        "the number of tensors": len(path),
        "the samples": list(path),
    }


def _euler(
    times: Answer = lambda step, steps: step / steps,
    move: Answer = lambda x, v, t, steps: x + v / steps,
    at: Answer = lambda path: path[-1],
    start: Answer = lambda noise: [noise],
    end: Answer = lambda path: path,
    count: Answer = lambda steps: steps,
) -> Answer:
    """Return a sampler with some parts replaced."""

    def answer(velocity: Velocity, noise: torch.Tensor, steps: int) -> Any:
        path = start(noise)
        for step in range(count(steps)):
            t = torch.full((len(noise),), float(times(step, steps)))
            path.append(move(path[-1] if path else noise, velocity(at(path or [noise]), t), t, steps))
        return end(path)

    return answer


def _in_place(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    x = noise.clone()
    path = [x]
    for step in range(steps):
        x += velocity(x, torch.full((len(noise),), step / steps)) / steps
        path.append(x)
    return path


def _all_at_once(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    first = velocity(noise, torch.zeros(len(noise)))
    return [noise + step / steps * first for step in range(steps + 1)]


EXERCISE = Exercise(
    euler,
    level="medium",
    points=3,
    cases={
        "four steps in the plane": (sample(3, 2, low=-1), 4),
        "images": (sample(2, 3, 4, 5, low=-1, seed=1), 3),
        "a single step": (sample(3, 2, low=-1, seed=2), 1),
    },
    observe=_observe,
    known_mistakes={
        "Your times run from 1 to 0. In this lab t = 0 is noise, where you start.": [
            _euler(times=lambda step, steps: 1 - step / steps),
            _euler(times=lambda step, steps: 1 - step / steps, move=lambda x, v, t, steps: x - v / steps),
            _euler(times=lambda step, steps: 1 - (step + 1) / steps),
        ],
        "You compute each velocity at the time of the step's end, but the samples are still at its start. At which "
        "time does the first step begin?": _euler(times=lambda step, steps: (step + 1) / steps),
        "Your last time is 1, so there are too few steps from 0 to 1, or they are too long. With 4 steps, the times "
        "are 0, 1/4, 1/2 and 3/4.": [
            _euler(times=lambda step, steps: step / max(steps - 1, 1)),
            _euler(
                times=lambda step, steps: step / max(steps - 1, 1),
                move=lambda x, v, t, steps: x + v / max(steps - 1, 1),
            ),
        ],
        "Your t counts steps. It's a time: from 0 to 1.": _euler(times=lambda step, steps: step),
        "Your t never changes. It should grow from step to step.": [
            _euler(times=lambda step, steps: 0.0),
            _euler(times=lambda step, steps: 1 / steps),
        ],
        "Each of your steps takes a whole unit of time. How long is a step, if `steps` of them take one unit?": (
            _euler(move=lambda x, v, t, steps: x + v)
        ),
        "You go backward: a sample moves by plus velocity times the length of the step.": (
            _euler(move=lambda x, v, t, steps: x - v / steps)
        ),
        "You multiply the velocity by t. The way is velocity times the length of the step.": (
            _euler(move=lambda x, v, t, steps: x + t.view(-1, *[1] * (x.ndim - 1)) * v)
        ),
        "You compute all velocities where the samples started. They move on: use where they are now.": [
            _euler(at=lambda path: path[0]),
        ],
        "You run the velocity only once and follow it to the end. That is a single step. Where do the samples go "
        "after the first part of the way?": _all_at_once,
        "You return the velocities, not the samples.": _euler(move=lambda x, v, t, steps: v),
        "You add new noise in each step. Some diffusion samplers do that. Here only the start is random.": (
            _euler(move=lambda x, v, t, steps: x + v / steps + torch.randn_like(x) / steps)
        ),
        "The start is missing in your list: the film begins with the noise.": [
            _euler(start=lambda noise: []),
            _euler(end=lambda path: path[1:]),
        ],
        "Return the whole way: a list that begins with the noise, not only its end.": _euler(end=lambda path: path[-1]),
        "Your list has only its end. Keep each stop, from the noise on.": _euler(end=lambda path: path[-1:]),
        "You take one step too many.": _euler(count=lambda steps: steps + 1),
        "You take one step too few. How many steps are there from 0 to 1?": _euler(count=lambda steps: steps - 1),
        "All entries of your list are the same tensor, which you change in place with +=. Make a new one in each "
        "step.": _in_place,
    },
    also_accepted=[
        _euler(),
        lambda velocity, noise, steps: tuple(euler(velocity, noise, steps)),
        lambda velocity, noise, steps: euler(velocity, noise.clone(), steps),
    ],
    fallback_messages={
        "the number of tensors": "Your list should have steps + 1 tensors, but has {given}.",
        "the times": "The velocity is computed at the wrong times: {given}.",
        "where the velocity is computed": "The times are right. The velocity is computed at the wrong x.",
        "the samples": "Times and places are right, but the samples aren't.",
    },
    reveal=False,
    hints=(
        "With 4 steps, each takes 1/4 of the time. A sample moves by velocity times time.",
        "In each step: t = torch.full((len(noise),), step / steps), then the last entry of the list plus its velocity "
        "over steps.",
    ),
)
