"""The exercise of lab 05 about a difference of two means: the gain over the same photos, and its standard error."""

import torch

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, tensor

Pair = tuple[torch.Tensor, torch.Tensor]


def paired_gain(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean gain of one method over another on the same photos, and the standard error of that mean.

    The scores are subtracted photo by photo, so that what makes a photo easy or hard for both methods cancels. The
    standard error is the standard deviation of these gains, estimated from a sample (divided by N - 1), over the
    root of N.

    Parameters
    ----------
    ours, theirs
        ``(N,)`` scores of the two methods, such as PSNR in dB, with the same photo at the same place; N >= 2.

    Returns
    -------
    tuple of torch.Tensor
        Mean gain and its standard error, each ``()``, in the unit of the scores.
    """
    gains = ours - theirs
    return gains.mean(), gains.std() / len(gains) ** 0.5


def _scores() -> Pair:
    """Six photos that differ by far more than the two methods do; PSNR in dB. The methods sort them in other orders."""
    theirs = torch.tensor([27.1, 31.4, 22.6, 26.3, 34.9, 29.3])
    return theirs + torch.tensor([0.4, 0.2, 0.7, 1.6, -0.3, 0.5]), theirs


def _numbers(answer: Answer, ours: torch.Tensor, theirs: torch.Tensor) -> Pair:
    """The answer's two numbers, each as a tensor ``()``."""
    given = ours.clone(), theirs.clone()
    result = filled(answer(*given))
    if not (torch.equal(given[0], ours) and torch.equal(given[1], theirs)):
        raise Wrong("Scores that came in were changed in place. The lab goes on using them.")
    if isinstance(result, torch.Tensor) and result.shape == (len(ours),):
        raise Wrong("The gain of every photo came back. What is asked for is their mean, and how sure it is.")
    if isinstance(result, float) or (isinstance(result, torch.Tensor) and result.ndim == 0):
        raise Wrong("One number came back. Return two: the mean gain, and its standard error.")
    if not isinstance(result, tuple | list | torch.Tensor) or len(result) != 2:
        raise Wrong("Return two numbers: the mean gain, and its standard error.")
    gain, error = (tensor(number, (), "It is one number for all photos.") for number in result)
    wanted = paired_gain(ours, theirs)
    if near(gain, wanted[1]) and near(error, wanted[0]):
        raise Wrong("Both numbers are right, but have changed places: first the gain, then its error.")
    return gain, error


def _mean(answer: Answer) -> None:
    ours, theirs = _scores()
    gain, _ = _numbers(answer, ours, theirs)
    gains = ours - theirs
    mistakes = [
        ("The sign is turned round: a gain is positive where `ours` is better.", -gains.mean()),
        ("The gains were added up, so more photos would mean a larger gain. What does a mean do?", gains.sum()),
        ("All gains count as positive here, also on the photo that got worse. Keep the sign.", gains.abs().mean()),
        ("That is the median, which drops the best and the worst photos. Papers report means.", gains.median()),
        ("That is a ratio. Decibels are logarithms already, and are subtracted.", ours.mean() / theirs.mean()),
        ("That is a ratio. Decibels are logarithms already, and are subtracted.", (ours / theirs).mean()),
        ("That is the mean score of `ours`. A gain is over something.", ours.mean()),
    ]
    compare(gain, gains.mean(), mistakes, "The first number should be the mean of ours - theirs.")


def _error_mistakes(ours: torch.Tensor, theirs: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """Hints and the values that they belong to, for one pair of score lists."""
    gains, root = ours - theirs, len(ours) ** 0.5
    error = gains.std() / root
    unpaired = (
        "The two methods were treated as if each had had photos of its own, so the error is that of hard and easy "
        "photos. Both saw the same ones: subtract photo by photo first, then look at how far the gains differ."
    )
    spread = (
        "That is the spread of the single gains. A mean of N photos is surer than one of them: by which factor of N?"
    )
    population = (
        "The squares were divided by N. Around its own mean a sample lies closer than around the true one, so divide "
        "by N - 1 (what does `correction` do in torch.std?)."
    )
    divided = "The spread was divided by N. Errors of a mean shrink more slowly: with the root of N."
    variance = "That is a variance, in squared decibels. Is a root missing?"
    squared = (ours.var() + theirs.var()) / len(ours)
    return [
        (unpaired, squared.sqrt()),
        (unpaired, ((ours.var(correction=0) + theirs.var(correction=0)) / len(ours)).sqrt()),
        (unpaired, (ours.std() + theirs.std()) / root),
        (unpaired, torch.cat([ours, theirs]).std() / root),
        (unpaired, ours.std() / root),
        (unpaired, theirs.std() / root),
        ("Errors of two means do not subtract. Subtract the scores first.", (ours.std() - theirs.std()).abs() / root),
        ("Errors of two means do not subtract. Subtract the scores first.", (ours.std() - theirs.std()) / root),
        ("The scores were sorted. Then the pairs are torn apart.", (ours.msort() - theirs.msort()).std() / root),
        (spread, gains.std()),
        (spread, gains.std(correction=0)),
        (population, gains.std(correction=0) / root),
        (
            "Two corrections were made at once: N - 1 belongs into the spread, and N under the root.",
            gains.std() / (len(ours) - 1) ** 0.5,
        ),
        (divided, gains.std() / len(ours)),
        (divided, gains.std(correction=0) / len(ours)),
        (variance, gains.var()),
        (variance, gains.var() / len(ours)),
        (
            "The sign of the gains was dropped before their spread was taken, so they seem to agree.",
            gains.abs().std() / root,
        ),
        ("That is the half width of a 95 % interval. Here the standard error itself is asked for.", 1.96 * error),
        ("That is two standard errors. Here one is asked for.", 2 * error),
    ]


def _error(answer: Answer) -> None:
    ours, theirs = _scores()
    _, error = _numbers(answer, ours, theirs)
    wanted = paired_gain(ours, theirs)[1]
    compare(error, wanted, _error_mistakes(ours, theirs), "The second number is another one than the standard error.")


def _other_count(answer: Answer) -> None:
    ours, theirs = (scores[:3] for scores in _scores())
    numbers, wanted = (torch.stack([*pair]) for pair in (_numbers(answer, ours, theirs), paired_gain(ours, theirs)))
    compare(numbers, wanted, otherwise="With three photos instead of six:", keys=("the gain", "the error"))


def _equal_gains(answer: Answer) -> None:
    theirs = torch.tensor([20.0, 24.0, 36.0, 30.0])
    numbers = torch.stack([*_numbers(answer, theirs + 0.5, theirs)])
    compare(numbers, [0.5, 0.0], otherwise="With the same gain on every photo:", keys=("the gain", "the error"))


EXERCISES = {
    "evaluation.paired_gain": Exercise(
        paired_gain,
        (
            ("the mean gain over the photos", _mean),
            ("its standard error, from the gains photo by photo", _error),
            ("another number of photos", _other_count),
            ("no error where every photo gains the same", _equal_gains),
        ),
        "easy",
        (
            "Both methods saw the same photos. What do you have to do first, so that it no longer matters which photos "
            "are hard?",
            "The gains are ours - theirs. Their spread is gains.std(), and the error of a mean is smaller than it.",
        ),
    ),
}
