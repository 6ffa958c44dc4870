"""Lab 06: Heun's method, whose steps move by the mean of the velocities at both ends."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.flow.euler import euler
from srlab.course.exercises.velocities import expect_times

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def heun(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    """Follow a velocity from t = 0 to t = 1 in equal steps of Heun's method; the last step is Euler's.

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
        move = velocity(path[-1], t)
        if step < steps - 1:
            move = (move + velocity(path[-1] + move / steps, t + 1 / steps)) / 2
        path.append(path[-1] + move / steps)
    return path


def _observe(answer: Answer, noise: torch.Tensor, steps: int) -> dict[str, Any]:
    times, places = [], []

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        t = expect_times(x, t, noise)
        times.append(t[0].item())
        places.append(x.detach().clone())
        return (1 + 2 * t).view(-1, *[1] * (x.ndim - 1)) - 0.7 * x

    path = filled(answer(velocity, noise, steps))
    if not isinstance(path, list | tuple):
        raise IncorrectAnswer("Return a list as in euler: the start, and the samples after each step.")
    return {
        "the times": ", ".join(f"{time:.3g}" for time in times),
        "where the velocity is computed": places,
        "the number of tensors": len(path),
        "the samples": list(path),
    }


def _heun(
    ahead: Answer = lambda x, v, h: x + h * v,
    later: Answer = lambda t, h: t + h,
    mean: Answer = lambda first, second: (first + second) / 2,
    last: bool = False,
    move: Answer = lambda x, v, h: x + h * v,
    end: Answer = lambda path: path,
) -> Answer:
    """Return a sampler with some parts replaced; `last` takes also the last step by Heun's method."""

    def answer(velocity: Velocity, noise: torch.Tensor, steps: int) -> Any:
        path = [noise]
        for step in range(steps):
            x, h = path[-1], 1 / steps
            t = torch.full((len(noise),), step / steps)
            v = velocity(x, t)
            if last or step < steps - 1:
                v = mean(v, velocity(ahead(x, v, h), later(t, h)))
            path.append(move(x, v, h))
        return end(path)

    return answer


def _from_the_trial(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    """Continue from the end of the trial step."""
    path = [noise]
    for step in range(steps):
        t = torch.full((len(noise),), step / steps)
        v = velocity(path[-1], t)
        trial = path[-1] + v / steps
        if step < steps - 1:
            v = (v + velocity(trial, t + 1 / steps)) / 2
            path.append(trial + v / steps)
        else:
            path.append(trial)
    return path


def _velocity_kept(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    """Use the velocity at the end of a trial step as the first one of the next step."""
    path, first = [noise], velocity(noise, torch.zeros(len(noise)))
    for step in range(1, steps + 1):
        second = velocity(path[-1] + first / steps, torch.full((len(noise),), step / steps)) if step < steps else first
        path.append(path[-1] + (first + second) / 2 / steps)
        first = second
    return path


def _mean_of_places(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    path = [noise]
    for step in range(steps):
        t = torch.full((len(noise),), step / steps)
        once = path[-1] + velocity(path[-1], t) / steps
        if step < steps - 1:
            twice = once + velocity(once, t + 1 / steps) / steps
            once = (path[-1] + twice) / 2
        path.append(once)
    return path


EXERCISE = Exercise(
    heun,
    level="medium",
    points=3,
    cases={
        "four steps in the plane": (sample(3, 2, low=-1), 4),
        "images": (sample(2, 3, 4, 5, low=-1, seed=1), 3),
        "a single step": (sample(3, 2, low=-1, seed=2), 1),
    },
    observe=_observe,
    known_mistakes={
        "That's Euler's method still: one velocity per step. Where does the trial step end, and what is the velocity "
        "there?": euler,
        "You use the velocity at the end of a trial step again for the next step. But the next step begins at another "
        "x: what is the velocity there?": _velocity_kept,
        "Your last step also computes a velocity at t = 1, where no time is left. Let the last step be Euler's.": (
            _heun(last=True)
        ),
        "Your second velocity is at the end of the trial step, but at the time of its beginning. What time is it "
        "there?": _heun(later=lambda t, h: t),
        "Your second velocity is computed where the step begins. The trial step has moved the samples.": (
            _heun(ahead=lambda x, v, h: x)
        ),
        "Your trial step takes a whole unit of time. It is as long as the step.": _heun(ahead=lambda x, v, h: x + v),
        "You compute the second velocity in the middle of the step. That's the midpoint method, which is as good. "
        "Heun's goes to the end and takes a mean.": [
            _heun(ahead=lambda x, v, h: x + h / 2 * v, later=lambda t, h: t + h / 2, mean=lambda first, second: second),
            _heun(ahead=lambda x, v, h: x + h / 2 * v, later=lambda t, h: t + h / 2),
        ],
        "You move by the sum of both velocities, which is a step twice as long. Take their mean.": (
            _heun(mean=lambda first, second: first + second)
        ),
        "You move by the second velocity only, so the error has its sign reversed and is as large. Take the mean of "
        "both.": _heun(mean=lambda first, second: second),
        "You continue from where the trial step ended. It was only a trial: move from where the step began.": (
            _from_the_trial
        ),
        "Each of your steps takes a whole unit of time. How long is a step, if `steps` of them take one unit?": (
            _heun(move=lambda x, v, h: x + v)
        ),
        "You go backward: a sample moves by plus velocity times the length of the step.": (
            _heun(move=lambda x, v, h: x - h * v)
        ),
        "Return the whole way as euler does: a list that begins with the noise.": _heun(end=lambda path: path[-1]),
        "The start is missing in your list: it begins with the noise.": _heun(end=lambda path: path[1:]),
    },
    also_accepted=[
        _heun(),
        _heun(move=lambda x, v, h: x + v * h, mean=lambda a, b: 0.5 * a + 0.5 * b),
        _mean_of_places,
        lambda velocity, noise, steps: tuple(heun(velocity, noise, steps)),
    ],
    fallback_messages={
        "the number of tensors": "Your list should have steps + 1 tensors, but has {given}.",
        "the times": "The velocity is computed at the wrong times: {given}.",
        "where the velocity is computed": "The times are right. The velocity is computed at the wrong x.",
        "the samples": "Times and places are right, but the samples aren't.",
    },
    reveal=False,
    hints=(
        "Begin with your euler. After the first velocity, take a trial step from x, and compute the velocity at its "
        "end, one step later.",
        "With 4 steps, the velocity is computed at 0, 1/4, 1/4, 1/2, 1/2, 3/4 and 3/4.",
    ),
)
