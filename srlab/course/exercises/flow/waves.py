"""Lab 06: a time as 64 sines and cosines."""

import math
from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise, sample


def waves(t: torch.Tensor) -> torch.Tensor:
    """Describe each time by the sines and then the cosines of 32 frequencies, times `t`.

    The frequencies are 100, ..., 0.1, and each is the same factor smaller than the one before.

    Parameters
    ----------
    t
        ``(N,)``, from 0 to 1.

    Returns
    -------
    torch.Tensor
        ``(N, 64)``.
    """
    frequencies = 100 * 1000 ** -torch.linspace(0, 1, 32, device=t.device)
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _variant(
    frequencies: Answer = lambda: 100 * 1000 ** -torch.linspace(0, 1, 32),
    join: Answer = lambda angles: torch.cat([angles.sin(), angles.cos()], dim=1),
    product: Answer = lambda t, frequencies: t[:, None] * frequencies,
) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda t: join(product(t, frequencies()))


EXERCISE = Exercise(
    waves,
    level="medium",
    points=2,
    cases={
        "three times": (torch.tensor([0.1, 0.5, 0.93]),),
        "as many times as frequencies": (sample(32, seed=1),),
        "one time": (torch.tensor([0.0]),),
    },
    known_mistakes={
        "Your cosines come before your sines. The trained weights expect the sines first.": (
            _variant(join=lambda angles: torch.cat([angles.cos(), angles.sin()], dim=1))
        ),
        "Sines and cosines alternate in your result. Put all 32 sines first.": (
            _variant(join=lambda angles: torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1))
        ),
        "Your frequencies grow. The first is 100, the last 0.1.": (
            _variant(frequencies=lambda: 100 * 1000 ** -torch.linspace(1, 0, 32))
        ),
        "Your frequencies are evenly spaced, so nearly all of them are fast. Each should be the same factor smaller "
        "than the one before.": _variant(frequencies=lambda: torch.linspace(100, 0.1, 32)),
        "Your last frequency isn't 0.1. From 100 to 0.1 in 31 steps: what is the factor of each?": [
            _variant(frequencies=lambda: 100 * 1000 ** -(torch.arange(32) / 32)),
            _variant(frequencies=lambda: 100 * 10000 ** -torch.linspace(0, 1, 32)),
            _variant(frequencies=lambda: 100 * 10000 ** -(torch.arange(32) / 32)),
        ],
        "Your frequencies go from 1 down, as in transformers, where positions are whole numbers. Times are between 0 "
        "and 1, so begin at 100.": [
            _variant(frequencies=lambda: 1000 ** -torch.linspace(0, 1, 32)),
            _variant(frequencies=lambda: 10000 ** -torch.linspace(0, 1, 32)),
            _variant(frequencies=lambda: 10000 ** -(torch.arange(32) / 32)),
        ],
        "Your frequencies have a factor of 2π. Here the angle is simply the frequency times t.": (
            _variant(frequencies=lambda: 2 * math.pi * 100 * 1000 ** -torch.linspace(0, 1, 32))
        ),
        "You have 64 frequencies. Use 32, with a sine and a cosine of each.": [
            _variant(frequencies=lambda: 100 * 1000 ** -torch.linspace(0, 1, 64)),
            _variant(
                frequencies=lambda: 100 * 1000 ** -torch.linspace(0, 1, 64),
                join=lambda angles: angles.sin(),
            ),
        ],
        "Only sines: near 0, all of them are 0. Add the cosines.": _variant(join=lambda angles: angles.sin()),
        "You return the angles. Take their sines and cosines.": [
            _variant(join=lambda angles: angles),
            _variant(join=lambda angles: torch.cat([angles, angles], dim=1)),
        ],
        "t and the frequencies don't line up: each of the N times needs a row with all frequencies. Which shape must t "
        "have for that?": [
            _variant(product=lambda t, frequencies: t * frequencies),
            _variant(
                product=lambda t, frequencies: t * frequencies,
                join=lambda angles: torch.cat([angles.sin(), angles.cos()], dim=-1),
            ),
        ],
    },
    also_accepted=[
        _variant(frequencies=lambda: torch.logspace(2, -1, 32)),
        _variant(frequencies=lambda: torch.tensor([100 * 0.001 ** (k / 31) for k in range(32)])),
        _variant(product=torch.outer),
    ],
    tolerance=1e-3,
    reveal=False,
    hints=(
        "torch.logspace(2, -1, 32) has the frequencies. A product of shapes (N, 1) and (32,) has the shape (N, 32).",
        "Compute angles = t[:, None] * frequencies, then join angles.sin() and angles.cos() along dimension 1.",
    ),
)
