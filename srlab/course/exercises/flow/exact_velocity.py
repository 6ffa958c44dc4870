"""Lab 06: the mean velocity of all lines from normal noise to two points, in closed form."""

from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise, sample


def exact_velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return the mean velocity at places `x` and times `t` of the lines from N(0, 1) to -1 and +1, equally likely.

    Parameters
    ----------
    x, t
        ``(N,)``, or two shapes that broadcast; times from 0 to below 1.

    Returns
    -------
    torch.Tensor
        The shape of ``x + t``.
    """
    mean_end = torch.tanh(t * x / (1 - t) ** 2)  # P(+1 | x) - P(-1 | x)
    return (mean_end - x) / (1 - t)


def _density(x: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    return torch.exp(-(((x - mean) / deviation) ** 2) / 2)


def _variant(
    mean_end: Answer = lambda x, t: torch.tanh(t * x / (1 - t) ** 2),
    velocity: Answer = lambda end, x, t: (end - x) / (1 - t),
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    return lambda x, t: velocity(mean_end(x, t), x, t)


def _by_bayes(x: torch.Tensor, t: torch.Tensor, deviation: Answer = lambda t: 1 - t) -> torch.Tensor:
    """Return the mean end from two densities, which both round to 0 far from both points."""
    up, down = _density(x, t, deviation(t)), _density(x, -t, deviation(t))
    return (up - down) / (up + down)


def _where_far(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    plus = torch.sigmoid(2 * t * x / (1 - t) ** 2)
    return plus - (1 - plus)


EXERCISE = Exercise(
    exact_velocity,
    level="hard",
    points=4,
    cases={
        "before anything moves": (torch.linspace(-2, 2, 9), torch.zeros(9)),
        "on the way": (sample(64, low=-2, high=2), sample(64, high=0.85, seed=1)),
        "places and times that broadcast": (sample(5, 1, low=-2, high=2, seed=2), sample(3, high=0.85, seed=3)),
        "far out and late": (torch.tensor([-3.0, 3.0, 2.5]), torch.tensor([0.95, 0.97, 0.96])),
    },
    known_mistakes={
        "You return where the lines end on average. The velocity is the way that is left, divided by what?": (
            _variant(velocity=lambda end, x, t: end)
        ),
        "That's the distance still to go. How much time is left for it?": (
            _variant(velocity=lambda end, x, t: end - x)
        ),
        "You divide by t, the time that has passed. How much time is left?": (
            _variant(velocity=lambda end, x, t: (end - x) / t)
        ),
        "Your velocity points backward: away from where the lines end. Check its sign at t = 0.": (
            _variant(velocity=lambda end, x, t: (x - end) / (1 - t))
        ),
        "Both ends count the same in your mean at every place. But a line that passes at x = 1.5 more likely ends at "
        "+1. How likely, by Bayes' rule?": [
            _variant(mean_end=lambda x, t: torch.zeros_like(x + t)),
        ],
        "You take the likelier end as certain. A mean weights both ends by their probabilities, given x.": (
            _variant(mean_end=lambda x, t: torch.sign(t * x))
        ),
        "Your noise keeps its deviation of 1 until the end. At time t, the lines that end at +1 are around t: how wide "
        "is their bell curve?": [
            _variant(mean_end=lambda x, t: torch.tanh(t * x)),
            _variant(mean_end=lambda x, t: _by_bayes(x, t, deviation=lambda t: torch.ones_like(t))),
        ],
        "You divide by the deviation where a bell curve has the variance. Square 1 - t.": [
            _variant(mean_end=lambda x, t: torch.tanh(t * x / (1 - t))),
        ],
        "Your bell curves are around -1 and +1 at all times. At time t, the lines to +1 have only gone part of the "
        "way. Where is their middle?": [
            _variant(mean_end=lambda x, t: torch.tanh(x / (1 - t) ** 2)),
        ],
        "The exponent is off by a factor of 2. With the 1/2 of both bell curves, their quotient is "
        "exp(2 t x / (1 - t)²). Which mean of +1 and -1 follows?": [
            _variant(mean_end=lambda x, t: torch.tanh(2 * t * x / (1 - t) ** 2)),
            _variant(mean_end=lambda x, t: torch.tanh(t * x / (1 - t) ** 2 / 2)),
        ],
        "You return the probability of +1 in place of the mean. The other end is -1, not 0.": [
            _variant(mean_end=lambda x, t: torch.sigmoid(2 * t * x / (1 - t) ** 2)),
        ],
        "Far from both points, both bell curves round to 0, and 0/0 isn't a number. Divide both by the first one: only "
        "their quotient is left. Is the mean a known function of it, such as tanh?": _variant(mean_end=_by_bayes),
        "Your formula divides infinity by infinity far from both points. Which function of torch computes the same "
        "without an exponential of your own: tanh or sigmoid?": (
            _variant(
                mean_end=lambda x, t: (
                    (torch.exp(2 * t * x / (1 - t) ** 2) - 1) / (torch.exp(2 * t * x / (1 - t) ** 2) + 1)
                )
            )
        ),
    },
    also_accepted=[
        _variant(mean_end=_where_far),
        _variant(mean_end=lambda x, t: 2 / (1 + torch.exp(-2 * t * x / (1 - t) ** 2)) - 1),
        lambda x, t: torch.tanh(t * x / (1 - t) ** 2) - (x - t * torch.tanh(t * x / (1 - t) ** 2)) / (1 - t),
    ],
    fallback_messages={
        "before anything moves": "At t = 0 the place contains no information about the end, so the mean end is 0. "
        "How fast, and in which direction, do the lines go on average?",
        "on the way": "At t = 0 your velocity is right. Later, a place makes one end likelier: weigh both by Bayes' "
        "rule.",
    },
    tolerance=1e-3,
    reveal=False,
    hints=(
        "Suppose you knew the mean end of the lines through x. Then the velocity is that end minus x, divided by the "
        "time left.",
        "At time t, the lines to +1 have the bell curve exp(-(x - t)² / (2 (1 - t)²)), and those to -1 have "
        "exp(-(x + t)² / (2 (1 - t)²)). Their quotient is exp(2 t x / (1 - t)²).",
    ),
)
