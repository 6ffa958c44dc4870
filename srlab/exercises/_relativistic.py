"""The exercises of lab 04 about relativistic losses, on logits; the mistakes with averages are also those of a step."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab import losses
from srlab.exercises._adversarial import (
    SECOND_SIGMOID,
    SUM,
    Mistakes,
    call_loss,
    check_sure,
    cross_entropy,
    gradient_step,
    sample_logits,
)
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled

Pair = tuple[torch.Tensor, torch.Tensor]

_NO_LOG = "No logarithm is taken: these are probabilities, and they are flat where D is sure."
_LOG_OF_MEAN = "The logarithm of the mean is not the mean of the logarithms."
_EARLY_SIGMOID = "The sigmoids are subtracted. It is the logits that are compared; when does the sigmoid come in?"
_SIGN = "The sign is turned round: this loss of {} grows the better {} is, and an optimizer goes down."
_VANILLA = "That is the usual loss of {}, as in SRGAN, with each image on its own. Here D compares. What with what?"


def two_losses(result: Any) -> tuple[Any, Any]:
    """Take a result apart into the losses of D and of G; anything else raises `Wrong`."""
    if isinstance(filled(result), (tuple, list)) and len(result) == 2:
        return tuple(result)
    raise Wrong("The result should be two losses, d_loss and g_loss.")


# --- One image of each ------------------------------------------------------------------------------------------


def relativistic_losses(real: torch.Tensor, fake: torch.Tensor) -> Pair:
    """Losses of D and of G in the relativistic GAN (Jolicoeur-Martineau 2019), which judges pairs of HR and SR.

    D's halves, -log sigmoid(C(x) - C(y)) and -log(1 - sigmoid(C(y) - C(x))), are one and the same here.

    Parameters
    ----------
    real, fake
        Logits of HR and SR, of one shape.

    Returns
    -------
    tuple of torch.Tensor
        Loss of D and loss of G, both ``()``.
    """
    return -F.logsigmoid(real - fake).mean(), -F.logsigmoid(fake - real).mean()


def pair_mistakes(real: torch.Tensor, fake: torch.Tensor, whose: str) -> Mistakes:
    """Hints and the losses of ``"D"`` or ``"G"`` in the relativistic GAN that they belong to."""
    high, low = (real, fake) if whose == "D" else (fake, real)
    difference = high - low
    right, other = F.softplus(-difference).mean(), F.softplus(difference).mean()
    usual = F.softplus(-fake).mean() if whose == "G" else F.softplus(-real).mean() + F.softplus(fake).mean()
    twice = (
        f"{whose}'s loss is twice what it should be. Two halves were added: 'HR is the more real one' and 'SR is the "
        "less real one'. Of one pair, can the first be true without the second? Try both on two numbers."
    )
    average = "Each logit is compared with a mean here, as in the average kind. Now it is one HR with one SR."
    swapped = {
        "D": "D's loss is G's here: D would learn to take SR for the more real one. Have two things changed places?",
        "G": "G's loss is D's here: G would learn to be found out. Which of the two does G want to look more real?",
    }
    negated = {
        "D": "D's loss is G's with a minus. Where G has lost it goes on for ever, and where D is wrong it is flat.",
        "G": (
            "G's loss is D's with a minus. Where D is sure that HR is the more real one, as it often is at the "
            "beginning, that is flat, and G learns next to nothing. What would a loss be that is steep there?"
        ),
    }
    return [
        (twice, 2 * right),
        (swapped[whose], other),
        (swapped[whose], 2 * other),
        (negated[whose], -other),
        (negated[whose], -2 * other),
        (_SIGN.format(whose, whose), -right),
        (_VANILLA.format(whose), usual),
        (_VANILLA.format(whose), usual / 2),
        (average, losses.discriminator_loss(high, low, "relativistic average")),
        (average, losses.discriminator_loss(high, low, "relativistic average") / 2),
        (average, F.softplus(low.mean() - high).mean()),
        (
            "Only the means of HR and SR are compared. Here each HR logit is compared with its SR logit, and the mean "
            "is taken of what comes out.",
            F.softplus(low.mean() - high.mean()),
        ),
        (SECOND_SIGMOID, cross_entropy(difference.sigmoid(), 1)),
        (SECOND_SIGMOID, cross_entropy(difference.sigmoid(), 1) + cross_entropy((-difference).sigmoid(), 0)),
        (_EARLY_SIGMOID, cross_entropy(high.sigmoid() - low.sigmoid(), 1)),
        (SUM, right * real.numel()),
        (SUM, right * real.numel() / len(real)),
        (_NO_LOG, (1 - difference.sigmoid()).mean()),
        (_NO_LOG, -difference.sigmoid().mean()),
        (_LOG_OF_MEAN, -difference.sigmoid().mean().log()),
        (
            "That is the difference itself, without a sigmoid and a logarithm. It never stops pushing.",
            -difference.mean(),
        ),
        (f"{whose}'s loss is half of what it should be. With pairs there is one term, and its weight is 1.", right / 2),
    ]


def _of(answer: Answer, which: int) -> Answer:
    """The loss of D (0) or of G (1) alone."""
    return lambda real, fake: two_losses(answer(real, fake))[which]


def _unchanged(call: Callable[..., Any]) -> Answer:
    """Run an answer, and raise `Wrong` if it wrote over the logits."""

    def run(*logits: torch.Tensor) -> Any:
        before = [logit.detach().clone() for logit in logits]
        result = call(*logits)
        if not all(torch.equal(logit, old) for logit, old in zip(logits, before, strict=True)):
            raise Wrong("The logits were changed in place, and the other loss still needs what D had said.")
        return result

    return run


def _pair_value(answer: Answer) -> None:
    real, fake = sample_logits()
    for which, whose in enumerate("DG"):
        result = call_loss(_of(_unchanged(answer), which), real, fake)
        compare(result, relativistic_losses(real, fake)[which], pair_mistakes(real, fake, whose), f"{whose}'s loss:")


def _pair_sure(answer: Answer) -> None:
    calm, hot = torch.tensor([[0.0]]), torch.tensor([[200.0]])
    check_sure(call_loss(_of(answer, 0), -hot, calm), 200.0, "Where D gives HR the logit -200 and SR 0, for D")
    check_sure(call_loss(_of(answer, 1), hot, calm), 200.0, "Where D gives HR the logit 200 and SR 0, for G")


def _pair_gradient(answer: Answer) -> None:
    gradient_step(_of(relativistic_losses, 0), ("HR", "SR"), "D")(_of(answer, 0))
    real = sample_logits()[0]  # without a graph, as nothing of G is behind it
    wanted = gradient_step(lambda fake: _of(relativistic_losses, 1)(real, fake), ("SR",), "G")
    wanted(lambda fake: _of(answer, 1)(real, fake))


# --- Each with the mean of the other ----------------------------------------------------------------------------


def ragan_generator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Loss of G in the relativistic average GAN (Wang et al. 2018, equation 2), with both of its halves.

    Parameters
    ----------
    real, fake
        Logits of HR, with or without a graph, and of SR.

    Returns
    -------
    torch.Tensor
        ``()``; -log(1 - sigmoid(C(x) - mean C(y))) - log sigmoid(C(y) - mean C(x)), each averaged.
    """
    hr_less = -F.logsigmoid(fake.mean() - real).mean()  # 1 - sigmoid(a) is sigmoid(-a)
    sr_more = -F.logsigmoid(fake - real.mean()).mean()
    return hr_less + sr_more


def average_mistakes(real: torch.Tensor, fake: torch.Tensor, whose: str) -> Mistakes:
    """Hints and the losses of ``"D"`` or ``"G"`` in the relativistic average GAN that they belong to."""
    high, low = (real, fake) if whose == "D" else (fake, real)
    more, less = ("HR", "SR") if whose == "D" else ("SR", "HR")
    foe = "G" if whose == "D" else "D"
    own, others = high - low.mean(), low - high.mean()  # the first should grow, the second shrink
    up, down, up_wrong, down_wrong = (F.softplus(x).mean() for x in (-own, others, own, -others))
    right, turned = up + down, up_wrong + down_wrong
    missing = "Only {} is judged here. Where is the half about {}?"
    usual = F.softplus(-fake).mean() if whose == "G" else F.softplus(-real).mean() + F.softplus(fake).mean()
    only_own = {
        "D": missing.format("HR", "SR"),
        "G": (
            f"{missing.format('SR', 'HR')} Much published code leaves it out, as if HR had nothing to teach G. But "
            "what is HR compared with?"
        ),
    }
    swapped = {
        "D": "HR and SR have changed places: that is G's loss, and this D would learn to take SR for the more real.",
        "G": "That is D's loss: G would learn to be found out. What does G want D to say in each of the two halves?",
    }
    mean_of = "The mean is that over all logits of the other kind, in the whole batch. Yours is over some of them."
    pairs = "One HR is compared with one SR here. In the average kind it is one logit with the mean of the others."
    single = F.softplus(low - high).mean()
    squares = "That is the loss of a relativistic least squares GAN. Here it is a cross entropy."
    found = [
        (only_own[whose], up),
        (missing.format(less, more), down),
        (swapped[whose], turned),
        (swapped[whose], turned / 2),
        (f"{whose}'s loss is {foe}'s with a minus, which is flat where {whose} has most to learn.", -turned),
        (_SIGN.format(whose, whose), -right),
        (
            "It is half of what it should be: a mean of both halves. Some code (BasicSR) has that convention, which "
            "halves the weight of the loss. In equations 1 and 2 of the paper the halves add up.",
            right / 2,
        ),
        # Whichever of them it is, the value is the same, because the two differences have opposite means.
        (
            f"One of the two halves pushes the wrong way, as {foe} would have it. Which target does each need?",
            up + down_wrong,
        ),
        ("The two halves have opposite signs. Both shrink as things go well.", up - down),
        ("The two halves have opposite signs. Both shrink as things go well.", down - up),
        (
            "Each kind is compared with its own mean, which says nothing about which of the two looks more real.",
            F.softplus(high.mean() - high).mean() + F.softplus(low - low.mean()).mean(),
        ),
        (
            "Both sides of a comparison are averaged here. It is one logit against the mean of the others.",
            2 * F.softplus(low.mean() - high.mean()),
        ),
        (_VANILLA.format(whose), usual),
        (_VANILLA.format(whose), usual / 2),
        (SECOND_SIGMOID, cross_entropy(own.sigmoid(), 1) + cross_entropy(others.sigmoid(), 0)),
        (SECOND_SIGMOID, (cross_entropy(own.sigmoid(), 1) + cross_entropy(others.sigmoid(), 0)) / 2),
        (
            _EARLY_SIGMOID,
            cross_entropy(high.sigmoid() - low.sigmoid().mean(), 1)
            + cross_entropy(low.sigmoid() - high.sigmoid().mean(), 0),
        ),
        (SUM, up * high.numel() + down * low.numel()),
        (SUM, up * high.numel() / len(high) + down * low.numel() / len(low)),
        (_NO_LOG, (1 - own.sigmoid()).mean() + others.sigmoid().mean()),
        (_LOG_OF_MEAN, -own.sigmoid().mean().log() - (1 - others.sigmoid()).mean().log()),
        (pairs, single),
        (pairs, 2 * single),
        (squares, (own - 1).square().mean() + (others + 1).square().mean()),
        (squares, ((own - 1).square().mean() + (others + 1).square().mean()) / 2),
    ]
    for dims in ((0,), tuple(range(1, high.ndim))):
        one, two = high - low.mean(dims, keepdim=True), low - high.mean(dims, keepdim=True)
        found.append((mean_of, F.softplus(-one).mean() + F.softplus(two).mean()))
    return found


def average_cuts(real: torch.Tensor, fake: torch.Tensor) -> Mistakes:
    """Hints and losses of G whose value is right, but not their gradient at the logits of SR."""
    return [
        (
            "G learns from the half about SR alone. HR does not change, but it is compared with the mean of SR's "
            "logits: does a gradient flow through that mean?",
            cross_entropy(fake - real.mean(), 1),
        ),
        (
            "G learns only through the mean of SR's logits. In the half about SR, are its logits cut off?",
            cross_entropy(real - fake.mean(), 0),
        ),
    ]


def _average_value(answer: Answer) -> None:
    real, fake = sample_logits()
    result = call_loss(_unchanged(answer), real, fake)
    compare(result, ragan_generator_loss(real, fake), average_mistakes(real, fake, "G"), "G's loss:")


def _average_sure(answer: Answer) -> None:
    calm, hot = torch.tensor([[0.0]]), torch.tensor([[200.0]])
    check_sure(call_loss(answer, hot, calm), 400.0, "Where D gives HR the logit 200 and SR 0, with both halves,")


def _average_gradient(answer: Answer) -> None:
    for graph in (False, True):
        real, fake = (
            logits.requires_grad_(needed) for logits, needed in zip(sample_logits(), (graph, True), strict=True)
        )
        result = answer(real, fake)
        gradient = None
        if isinstance(result, torch.Tensor) and result.requires_grad:
            (gradient,) = torch.autograd.grad(result, fake, allow_unused=True)
        if gradient is None:
            raise Wrong("The value is right, but no gradient reaches the logits of SR, and G would learn nothing.")
        (right,) = torch.autograd.grad(ragan_generator_loss(real, fake), fake)
        mistakes = [(hint, torch.autograd.grad(loss, fake)[0]) for hint, loss in average_cuts(real, fake)]
        # Gradients of single logits are small: each has its share of the mean.
        compare(gradient, right, mistakes, "The gradient at the logits of SR is another one.", 1e-5)


EXERCISES = {
    "esrgan.relativistic_losses": Exercise(
        relativistic_losses,
        (
            ("one term for each pair", _pair_value),
            ("a D that is very sure, and wrong", _pair_sure),
            ("a gradient for D and for G", _pair_gradient),
        ),
        "medium",
        (
            "D says which of two images looks more real: sigmoid(C(x) - C(y)) is how sure it is that it is HR. What "
            "would D like that to be, and what G?",
            "1 - sigmoid(a) is sigmoid(-a): write down both of D's halves with that. For the logarithm of a sigmoid "
            "torch has functions that stay finite.",
        ),
    ),
    "esrgan.ragan_generator_loss": Exercise(
        ragan_generator_loss,
        (
            ("both halves, each against the mean of the other", _average_value),
            ("a D that is very sure", _average_sure),
            ("the gradient at SR, through the mean too", _average_gradient),
        ),
        "medium",
        (
            "There are two differences, HR's logits minus the mean of SR's, and the other way round. What target does "
            "G set for each?",
            "Both halves are the cross entropy that you know from SRGAN, on a difference instead of a logit. They add "
            "up, and nothing needs a detach.",
        ),
    ),
}
