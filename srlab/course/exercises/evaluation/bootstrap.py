"""Lab 05: an interval for a mean gain, from photos drawn again."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled


def bootstrap(
    ours: torch.Tensor, theirs: torch.Tensor, draws: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the 95% bootstrap interval of the mean gain of one method over another on the same photos.

    Each draw is a set of N of the N photos, in which a photo may occur several times. The interval contains the middle
    95% of the mean gains of all draws.

    Parameters
    ----------
    ours, theirs
        ``(N,)`` scores of the two methods, such as PSNR in dB, with the photos in the same order.
    draws
        Number of draws.
    generator
        Source of random numbers.

    Returns
    -------
    tuple of torch.Tensor
        Lower and upper end, each ``()``, in the unit of the scores.
    """
    gains = ours - theirs
    picked = torch.randint(len(gains), (draws, len(gains)), generator=generator)
    means = gains[picked].mean(1)
    return torch.quantile(means, 0.025), torch.quantile(means, 0.975)


DRAWS = 40_000  # so that chance changes an end by less than the tolerance

Means = Callable[[torch.Tensor, torch.Tensor, int, torch.Generator], torch.Tensor]


def _scores(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return PSNR (dB) for photos that differ more than the two methods, which rank them differently."""
    theirs = torch.tensor([27.1, 31.4, 22.6, 26.3, 34.9, 29.3, 24.4, 33.0, 25.7, 30.2])[:count]
    return theirs + torch.tensor([0.4, 0.2, 0.7, 1.9, -0.3, 0.5, 1.0, 0.1, 2.3, 0.3])[:count], theirs


def _observe(answer: Answer, ours: torch.Tensor, theirs: torch.Tensor) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    result = filled(answer(ours, theirs, DRAWS, generator))
    if isinstance(result, torch.Tensor) and result.numel() == DRAWS:
        raise IncorrectAnswer("You return the mean gain of every draw. Between which two values are 95% of them?")
    if not isinstance(result, tuple | list) and not (isinstance(result, torch.Tensor) and result.shape == (2,)):
        raise IncorrectAnswer("Return two numbers: the lower and the upper end of the interval.")
    low, high = take(list(result), [0.0, 0.0])
    again, other = (list(answer(ours, theirs, 100, generator)) for _ in range(2))
    torch.rand(1)  # moves the default generator
    generator.manual_seed(0)
    repeated = list(answer(ours, theirs, DRAWS, generator))
    return {
        "the lower end": low,
        "the upper end": high,
        "the generator decides": repeated == list(result),
        "the next call draws anew": again != other,
    }


def _picked(count: int, draws: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(count, (draws, count), generator=generator)


def _means(ours: torch.Tensor, theirs: torch.Tensor, draws: int, generator: torch.Generator) -> torch.Tensor:
    return (ours - theirs)[_picked(len(ours), draws, generator)].mean(1)


def _ends(means: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.quantile(means, 0.025), torch.quantile(means, 0.975)


def _from(means_of: Means, ends: Callable[[torch.Tensor], Any] = _ends) -> Answer:
    """Return an answer from its two parts: the means of all draws, and the ends of the interval."""
    return lambda ours, theirs, draws, generator: ends(means_of(ours, theirs, draws, generator))


def _sized(change: int) -> Means:
    """Return draws of more or fewer than N photos."""
    return lambda x, y, draws, generator: (x - y)[
        torch.randint(len(x), (draws, max(1, len(x) + change)), generator=generator)
    ].mean(1)


def _unpaired(x: torch.Tensor, y: torch.Tensor, draws: int, generator: torch.Generator) -> torch.Tensor:
    return x[_picked(len(x), draws, generator)].mean(1) - y[_picked(len(y), draws, generator)].mean(1)


def _normal(x: torch.Tensor, y: torch.Tensor, draws: int, generator: torch.Generator) -> torch.Tensor:
    gains = x - y
    return gains.mean() + gains.std() / len(x) ** 0.5 * torch.randn(draws, generator=generator)


def _by_sorting(means: torch.Tensor) -> tuple[float, float]:
    ordered = sorted(means.tolist())
    return ordered[int(0.025 * len(ordered))], ordered[int(0.975 * len(ordered))]


def _one_by_one(x: torch.Tensor, y: torch.Tensor, draws: int, generator: torch.Generator) -> torch.Tensor:
    gains = x - y
    share = torch.ones(len(gains)).expand(draws, -1)
    return gains[torch.multinomial(share, len(gains), replacement=True, generator=generator)].mean(1)


EXERCISE = Exercise(
    bootstrap,
    level="medium",
    points=4,
    cases={
        "six photos": _scores(6),
        "ten photos": _scores(10),
        "no width if every photo gains the same": (
            torch.tensor([20.5, 24.5, 36.5, 30.5]),
            torch.tensor([20.0, 24.0, 36.0, 30.0]),
        ),
    },
    observe=_observe,
    known_mistakes={
        "You return the mean gain of every draw. Between which two values are 95% of them?": _from(
            _means, lambda means: means
        ),
        "Return two numbers: the lower and the upper end of the interval.": [
            _from(_means, lambda means: means.mean()),
            _from(_means, lambda means: means.std()),
        ],
        "You drew photos for each method separately, so hard and easy photos are back in the difference. Both methods "
        "had the same photos. What do you subtract, and when?": _from(_unpaired),
        "Your mean goes over the draws, so it belongs to a place in them. Each draw has a mean of its own: over "
        "which axis is it?": _from(lambda x, y, draws, generator: (x - y)[_picked(len(x), draws, generator)].mean(0)),
        "You take the median of each draw. The interval is for the mean gain.": _from(
            lambda x, y, draws, generator: (x - y)[_picked(len(x), draws, generator)].median(1).values
        ),
        "Each of your draws contains every photo once, so all draws have the same mean. Draw with replacement: a photo "
        "may occur twice or not at all.": _from(
            lambda x, y, draws, generator: (
                (x - y).expand(draws, -1).gather(1, torch.rand(draws, len(x), generator=generator).argsort(1)).mean(1)
            )
        ),
        "Those are quantiles of the gains of single photos. How far would their *mean* move?": [
            lambda x, y, draws, generator: _ends(x - y),
            _from(_sized(-1000)),
        ],
        "Your draws have fewer photos than the test had. A mean of fewer photos moves more.": _from(_sized(-1)),
        "Each draw has more photos than the test had, so its mean moves too little.": [
            _from(_sized(1)),
            lambda x, y, draws, generator: _ends(_sized(len(x))(x, y, draws, generator)),
        ],
        "The last photo is in none of your draws. Where does torch.randint end?": _from(
            lambda x, y, draws, generator: (x - y)[
                torch.randint(len(x) - 1, (draws, len(x)), generator=generator)
            ].mean(1)
        ),
        "Your draws don't come from `generator`, so its seed doesn't repeat them. How does torch.randint get "
        "it?": _from(lambda x, y, draws, generator: _means(x, y, draws, torch.default_generator)),
        "You set a seed in your function, so each call draws the same photos. Leave the seed to the caller, and draw "
        "from `generator` as it is.": [
            _from(lambda x, y, draws, generator: _means(x, y, draws, torch.Generator().manual_seed(0))),
            _from(lambda x, y, draws, generator: _means(x, y, draws, generator.manual_seed(0))),
        ],
        "The two ends are swapped: first the lower one.": _from(_means, lambda means: _ends(means)[::-1]),
        "The sign is flipped: a gain is positive where `ours` is better.": _from(
            lambda x, y, draws, generator: _means(y, x, draws, generator)
        ),
        "Your interval contains the middle 90%: 5% are left out on each side. How much is left out in all?": _from(
            _means, lambda means: (torch.quantile(means, 0.05), torch.quantile(means, 0.95))
        ),
        "Your interval contains half of the draws, or all of them. Which quantiles leave out 5% in all?": [
            _from(_means, lambda means: (torch.quantile(means, 0.25), torch.quantile(means, 0.75))),
            _from(_means, lambda means: (means.min(), means.max())),
        ],
        "You return a mean and a standard deviation. Where do the middle 95% of the draws begin and end?": _from(
            _means, lambda means: (means.mean(), means.std())
        ),
        "You go one standard deviation to each side, which is about 68%. Take the quantiles of the draws "
        "instead.": _from(_means, lambda means: (means.mean() - means.std(), means.mean() + means.std())),
        "You assume a bell curve. The draws themselves show where their middle 95% are, and they need not be "
        "symmetric.": [
            _from(_normal),
            _from(_means, lambda means: (means.mean() - 1.96 * means.std(), means.mean() + 1.96 * means.std())),
            _from(_means, lambda means: (means.mean() - 2 * means.std(), means.mean() + 2 * means.std())),
        ],
        "You divided by the root of N once more. The mean of each draw already moves less than a single gain.": _from(
            lambda x, y, draws, generator: (
                (x - y).mean() + (_means(x, y, draws, generator) - (x - y).mean()) / len(x) ** 0.5
            )
        ),
    },
    also_accepted=[
        _from(_means, _by_sorting),
        _from(_one_by_one),
        _from(_means, lambda means: means.quantile(torch.tensor([0.025, 0.975]))),
    ],
    fallback_messages={
        "the generator decides": "The same seed of `generator` should give the same interval.",
        "the next call draws anew": "A second call with the same `generator` should draw other photos.",
    },
    tolerance=0.03,
    hints=(
        "You'd like to repeat the test with other photos, but you have only these. How could these N stand in for "
        "all photos?",
        "torch.randint(N, (draws, N), generator=generator) draws N photos, draws times. Then take means, and "
        "torch.quantile.",
    ),
)
