"""Lab 05: the gain on the same photos, and its standard error."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled


def paired_gain(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean gain of one method over another on the same photos, and the standard error of that mean.

    The scores are subtracted photo by photo, so that what makes a photo easy or hard for both methods cancels. The
    standard error is the sample standard deviation of these gains (with N - 1) divided by the root of N.

    Parameters
    ----------
    ours, theirs
        ``(N,)`` scores of the two methods, such as PSNR in dB, with the photos in the same order; N >= 2.

    Returns
    -------
    tuple of torch.Tensor
        Mean gain and its standard error, each ``()``, in the unit of the scores.
    """
    gains = ours - theirs
    return gains.mean(), gains.std() / len(gains) ** 0.5


def _scores(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return PSNR (dB) for photos that differ more than the two methods, which rank them differently."""
    theirs = torch.tensor([27.1, 31.4, 22.6, 26.3, 34.9, 29.3])[:count]
    return theirs + torch.tensor([0.4, 0.2, 0.7, 1.6, -0.3, 0.5])[:count], theirs


def _observe(answer: Answer, ours: torch.Tensor, theirs: torch.Tensor) -> dict[str, Any]:
    result = filled(answer(ours, theirs))
    if isinstance(result, torch.Tensor) and result.shape == ours.shape:
        raise IncorrectAnswer("You return the gain of every photo. Return their mean, and how certain it is.")
    if not isinstance(result, tuple | list) and not (isinstance(result, torch.Tensor) and result.shape == (2,)):
        raise IncorrectAnswer("Return two numbers: the mean gain and its standard error.")
    pair = take(list(result), [0.0, 0.0])
    return {"the mean gain over the photos": pair[0], "the standard error": pair[1]}


def _gain(mean: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Answer:
    return lambda ours, theirs: (mean(ours, theirs), paired_gain(ours, theirs)[1])


def _error(spread: Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]) -> Answer:
    return lambda ours, theirs: ((ours - theirs).mean(), spread(ours, theirs, len(ours) ** 0.5))


EXERCISE = Exercise(
    paired_gain,
    level="easy",
    points=2,
    cases={
        "six photos": _scores(6),
        "a different number of photos": _scores(3),
        "zero error if every photo gains the same": (
            torch.tensor([20.5, 24.5, 36.5, 30.5]),
            torch.tensor([20.0, 24.0, 36.0, 30.0]),
        ),
    },
    observe=_observe,
    known_mistakes={
        "You return the gain of every photo. Return their mean, and how certain it is.": (
            lambda ours, theirs: ours - theirs
        ),
        "Return two numbers: the mean gain and its standard error.": [
            lambda ours, theirs: (ours - theirs).mean(),
            lambda ours, theirs: (ours - theirs).std() / len(ours) ** 0.5,
        ],
        "Both numbers are correct, but you swapped them: first the gain, then its error.": (
            lambda ours, theirs: paired_gain(ours, theirs)[::-1]
        ),
        "The sign is flipped: a gain is positive where `ours` is better.": _gain(lambda x, y: (y - x).mean()),
        "You summed the gains, so more photos would mean a larger gain. What does a mean do?": _gain(
            lambda x, y: (x - y).sum()
        ),
        "You count all gains as positive, even on the photo that got worse. Keep the sign.": _gain(
            lambda x, y: (x - y).abs().mean()
        ),
        "That is the median, which ignores the best and the worst photos. Papers report means.": _gain(
            lambda x, y: (x - y).median()
        ),
        "You divided the sum by N - 1. That belongs in the standard deviation. A mean is divided by N.": _gain(
            lambda x, y: (x - y).sum() / (len(x) - 1)
        ),
        "That is a ratio, or its logarithm. Decibels are already logarithms, so subtract them.": [
            _gain(lambda x, y: x.mean() / y.mean()),
            _gain(lambda x, y: (x / y).mean()),
            _gain(lambda x, y: ((x - y) / y).mean()),
        ],
        "That is the mean score of `ours`. A gain is over another method.": _gain(lambda x, y: x.mean()),
        "You treated the methods as if each had its own photos, so your error reflects hard and easy photos. Both saw "
        "the same photos: subtract photo by photo first, then look at how far the gains differ.": [
            _error(lambda x, y, root: (x.var() + y.var()).sqrt() / root),
            _error(lambda x, y, root: (x.var(correction=0) + y.var(correction=0)).sqrt() / root),
            _error(lambda x, y, root: (x.std() + y.std()) / root),
            _error(lambda x, y, root: torch.cat([x, y]).std() / root),
            _error(lambda x, y, root: x.std() / root),
            _error(lambda x, y, root: y.std() / root),
        ],
        "You can't subtract the errors of two means. Subtract the scores first.": [
            _error(lambda x, y, root: (x.std() - y.std()).abs() / root),
            _error(lambda x, y, root: (x.std() - y.std()) / root),
        ],
        "You sorted the scores, which breaks up the pairs.": _error(
            lambda x, y, root: (x.msort() - y.msort()).std() / root
        ),
        "That is the standard deviation of the single gains. A mean of N photos is more certain than one of them. By "
        "which factor of N?": [
            _error(lambda x, y, root: (x - y).std()),
            _error(lambda x, y, root: (x - y).std(correction=0)),
        ],
        "You divided the squares by N. A sample is closer to its own mean than to the true one, so divide by N - 1. "
        "What does `correction` do in torch.std?": _error(lambda x, y, root: (x - y).std(correction=0) / root),
        "You corrected twice: N - 1 belongs in the standard deviation, and N under the root.": _error(
            lambda x, y, root: (x - y).std() / (root**2 - 1) ** 0.5
        ),
        "You divided the standard deviation by N, or by N - 1. The error of a mean falls more slowly, with the root of "
        "N.": [
            _error(lambda x, y, root: (x - y).std() / root**2),
            _error(lambda x, y, root: (x - y).std(correction=0) / root**2),
            _error(lambda x, y, root: (x - y).std() / (root**2 - 1)),
        ],
        "You also take the root of the standard deviation. Take it of N only, unless you start from the "
        "variance.": _error(lambda x, y, root: (x - y).std().sqrt() / root),
        "You multiplied the standard deviation by the root of N. With more photos a mean gets more certain, so its "
        "error gets smaller.": (_error(lambda x, y, root: (x - y).std() * root)),
        "The number of photos is a constant in your code. Take it from the scores: there can be more or fewer.": [
            _error(lambda x, y, root, count=count: (x - y).std() / count**0.5) for count in (4, 5, 6)
        ],
        "You divided the gain by its error. That is the gain in standard errors; you need the error itself.": [
            _error(lambda x, y, root: (x - y).mean() / (x - y).std() * root)
        ],
        "That is a variance, in squared decibels. Is a root missing?": [
            _error(lambda x, y, root: (x - y).var()),
            _error(lambda x, y, root: (x - y).var() / root),
            _error(lambda x, y, root: (x - y).var() / root**2),
        ],
        "That is the half-width of a 95 % interval, or two standard errors. You need one.": [
            _error(lambda x, y, root: 1.96 * (x - y).std() / root),
            _error(lambda x, y, root: 2 * (x - y).std() / root),
        ],
    },
    also_accepted=[lambda ours, theirs: [ours.mean() - theirs.mean(), ((ours - theirs).var() / len(ours)).sqrt()]],
    hints=(
        "Both methods saw the same photos. What do you have to do first, so that it no longer matters which photos "
        "are hard?",
        "The gains are ours - theirs. Their standard deviation is gains.std(), and the error of a mean is smaller than "
        "that.",
    ),
)
