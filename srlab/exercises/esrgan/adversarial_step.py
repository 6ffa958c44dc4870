"""Lab 04: both losses of one adversarial step."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.data.images import quantize
from srlab.exercises import Answer, Exercise, sample
from srlab.exercises.cross_entropy import as_loss, cross_entropy, mistakes_of
from srlab.exercises.difference import take
from srlab.exercises.esrgan import ragan_generator_loss as ragan
from srlab.exercises.esrgan.ragan_generator_loss import ragan_generator_loss
from srlab.exercises.networks import gradient, reaches


def adversarial_step(discriminator: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Relativistic average losses of D and of G for one batch (Wang et al. 2018, equations 1 and 2).

    Both graphs lead through D as it is now, so both must go backward before an optimizer changes D.

    Parameters
    ----------
    discriminator
        Image -> logits.
    sr, hr
        ``(N, 3, H, W)``; `sr` with the graph to G.

    Returns
    -------
    tuple of torch.Tensor
        Loss of D, whose graph does not lead to `sr`, and loss of G, whose graph does; both ``()``.
    """
    real, fake = discriminator(hr), discriminator(sr.detach())
    # -log sigmoid(x) is softplus(-x). D wants HR above the mean of SR, and SR below that of HR.
    d_loss = F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()
    real, fake = discriminator(hr).detach(), discriminator(sr)
    # G wants the opposite: the same two lines with HR and SR exchanged.
    g_loss = F.softplus(real.mean() - fake).mean() + F.softplus(real - fake.mean()).mean()
    return d_loss, g_loss


def _inputs() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A small D, a picture with a graph that leaves [0, 1] here and there, as a network's does, and HR."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = sample(*parameter.shape, low=-0.9, high=0.9, seed=seed + 3)
    return network, sample(2, 3, 6, 5, low=-0.2, high=1.2, seed=1).requires_grad_() * 1, sample(2, 3, 6, 5, seed=2)


def _observe(answer: Answer, network: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
    sr.retain_grad()
    weights = list(network.parameters())
    before = [weight.detach().clone() for weight in weights]
    shown: list[torch.Tensor] = []
    with network.register_forward_hook(lambda _, inputs, __: shown.extend(inputs[0])):
        d_loss, g_loss = map(as_loss, take(answer(network, sr, hr), [0.0, 0.0]))
    if any(tensor.grad is not None for tensor in (sr, *weights)):
        return {"nothing goes backward": False}
    return {
        "nothing goes backward": True,
        "D's weights stay": all(map(torch.equal, weights, before)),
        "D's weights may learn": all(weight.requires_grad for weight in weights),
        "D is asked": bool(shown),
        "D is shown sr and hr as they are": all(any(map(image.equal, (*sr, *hr))) for image in shown),
        "D trains": all(layer.training for layer in network.modules()),
        "d_loss": d_loss,
        "g_loss": g_loss,
        "a graph leads from d_loss to D": reaches(d_loss, weights),
        "a gradient of d_loss goes into the picture": bool(gradient(d_loss, [sr]).any()),
        "the gradient of d_loss at D's weights": 10 * gradient(d_loss, weights),
        "a graph leads from g_loss to the picture": reaches(g_loss, [sr]),
        "the gradient of g_loss at the picture": 10 * gradient(g_loss, [sr]),
        "both go backward, one after the other": _go_backward(d_loss, g_loss),
    }


def _go_backward(*losses: torch.Tensor) -> bool:
    try:
        for loss in losses:
            loss.backward()
    except RuntimeError:  # its graph was freed by the one before, or it has none
        return False
    return True


Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Pair = tuple[torch.Tensor, torch.Tensor]


def _d_right(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return ragan_generator_loss(fake, real)


def _step(
    d_loss: Loss = _d_right,
    g_loss: Loss = ragan_generator_loss,
    d_picture: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.detach,
    g_picture: Callable[[torch.Tensor], torch.Tensor] = lambda sr: sr,
    d_says: Callable[[torch.Tensor, torch.Tensor], Pair] = lambda real, fake: (real, fake),
) -> Answer:
    """A step in which something is different."""

    def step(discriminator: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> Pair:
        real, fake = d_says(discriminator(hr), discriminator(d_picture(sr)))
        return d_loss(real, fake), g_loss(discriminator(hr), discriminator(g_picture(sr)))

    return step


def _both(loss: Loss) -> Answer:
    """A step with a mistake in both losses; it is given for that of G."""
    return _step(lambda real, fake: loss(fake, real), loss)


def _and(change: Callable[..., Any]) -> Answer:
    """A right step that then does something to D, or with the losses."""

    def step(discriminator: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> Pair:
        pair = adversarial_step(discriminator, sr, hr)
        change(discriminator, *pair)
        return pair

    return step


def _in_one_batch(discriminator: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> Pair:
    g_loss = ragan_generator_loss(*discriminator(torch.cat([hr, sr])).chunk(2))
    return _d_right(*discriminator(torch.cat([hr, sr.clone().data])).chunk(2)), g_loss


def _with_one_answer_about_hr(discriminator: nn.Module, sr: torch.Tensor, hr: torch.Tensor) -> Pair:
    real = discriminator(hr)
    return _d_right(real, discriminator(sr.detach())), ragan_generator_loss(real, discriminator(sr))


EXERCISE = Exercise(
    adversarial_step,
    level="hard",
    cases={"both losses; that of D teaches D alone, and that of G reaches the picture": _inputs},
    observe=_observe,
    mistakes={
        "Something went backward already. The two losses are asked for, with their graphs, and no more.": (
            _and(lambda _, d_loss, g_loss: (d_loss + g_loss).backward())
        ),
        "D's weights were changed. No optimizer takes part in this exercise.": (
            _and(lambda discriminator, *_: [weight.data.clamp_(-0.01, 0.01) for weight in discriminator.parameters()])
        ),
        "D's parameters were frozen and not set free again: D would not learn in its next step.": (
            _and(lambda discriminator, *_: discriminator.requires_grad_(False))
        ),
        "D is in eval mode now, and nobody asked for that.": _and(lambda discriminator, *_: discriminator.eval()),
        "The two losses come back in the wrong order: d_loss is the first.": (
            lambda discriminator, sr, hr: adversarial_step(discriminator, sr, hr)[::-1]
        ),
        "D was shown something else than sr and hr as they are. Was sr clamped, or rounded? Where it leaves [0, 1], "
        "clamp gives G no gradient to come back by, and rounding gives it none anywhere.": [
            _step(d_picture=lambda sr: sr.detach().clamp(0, 1), g_picture=lambda sr: sr.clamp(0, 1)),
            _step(g_picture=lambda sr: sr.clamp(0, 1)),
            _step(d_picture=lambda sr: quantize(sr.detach()), g_picture=quantize),
        ],
        "HR and SR have changed places: each network would learn what the other should.": (
            _both(lambda real, fake: ragan_generator_loss(fake, real))
        ),
        "d_loss is G's loss here, so both networks want the same. Exchange HR and SR in d_loss only.": (
            _step(d_loss=ragan_generator_loss)
        ),
        "g_loss is D's loss here, so both networks want the same. Exchange HR and SR in g_loss only.": (
            _step(g_loss=_d_right)
        ),
        "Only HR is judged in d_loss. Where is the half about SR?": (
            _step(lambda real, fake: cross_entropy(real - fake.mean(), 1))
        ),
        "Only SR is judged in d_loss. Where is the half about HR?": (
            _step(lambda real, fake: cross_entropy(fake - real.mean(), 0))
        ),
        "g_loss has a weight already. That comes in where G's losses are added up; here it's the loss as it is.": [
            _step(g_loss=lambda real, fake, weight=weight: weight * ragan_generator_loss(real, fake))
            for weight in (5e-3, 1e-3)
        ],
        "D's loss is G's with a minus, which is flat where D has most to learn.": (
            _step(lambda real, fake: -ragan_generator_loss(real, fake))
        ),
        "That is the usual loss of D, as in SRGAN, with each image on its own. Here D compares. What with what?": [
            _step(lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 0)),
            _step(lambda real, fake: (cross_entropy(real, 1) + cross_entropy(fake, 0)) / 2),
        ],
        **{hint: _step(g_loss=answer) for hint, answer in ragan.EXERCISE.mistakes.items() if callable(answer)},
        **{hint: [_both(answer) for answer in answers] for hint, answers in ragan.OF_BOTH.items()},
        **mistakes_of(lambda entropy: _both(ragan.made_of(entropy)), sure=False),
        "d_loss has no graph to D, as under no_grad, or after detach on what D says: D would learn nothing. It is the "
        "picture that should be cut off from G, and not D's answer about it.": (
            _step(lambda real, fake: _d_right(real, fake).detach())
        ),
        "No graph hangs on either loss, so nothing could go backward. item() makes a plain number of a loss, and "
        "detach and no_grad leave the graph out too: return both as tensors, with their graphs.": [
            lambda *given: tuple(loss.item() for loss in adversarial_step(*given)),
            lambda *given: tuple(loss.detach() for loss in adversarial_step(*given)),
        ],
        "The gradient of d_loss runs on through the SR picture into G: that costs a backward pass through G, and "
        "teaches it to be found out. For D the picture is data, as HR is. What cuts it off from where it came?": _step(
            d_picture=lambda sr: sr
        ),
        "Only what D says about HR reaches D's weights. Its answer about SR was made under no_grad, or detached; D "
        "learns from both.": _step(d_says=lambda real, fake: (real, fake.detach())),
        "Only what D says about SR reaches D's weights. Its answer about HR was made under no_grad, or detached; D "
        "learns from both.": _step(d_says=lambda real, fake: (real.detach(), fake)),
        "The means are cut off from their graph. D also learns through what it compares with.": (
            _step(
                lambda real, fake: (
                    cross_entropy(real - fake.mean().detach(), 1) + cross_entropy(fake - real.mean().detach(), 0)
                )
            )
        ),
        "Both losses hang on one answer of D, discriminator(hr). The first backward frees its graph, and the second "
        "then stops: 'Trying to backward through the graph a second time'. For G's loss, ask D again, or detach what "
        "it said of hr.": _with_one_answer_about_hr,
        "No graph leads from g_loss to sr, so G would learn nothing: was the picture detached for this loss too, D's "
        "answer about it taken over from D's loss, or D run under no_grad? In G's loss the way through D to sr is how "
        "G learns.": _step(g_picture=torch.Tensor.detach),
    },
    also_right=[
        _step(),
        _step(g_loss=lambda real, fake: ragan_generator_loss(real.detach(), fake)),
        _in_one_batch,
    ],
    otherwise={
        "D is asked": "D was never asked. The losses want what it says of the pictures, and not the pictures.",
        "d_loss": "d_loss is another one.",
        "g_loss": "g_loss is another one.",
        "the gradient of d_loss at D's weights": "D's gradient is another one.",
        "the gradient of g_loss at the picture": "G's gradient at sr is another one.",
    },
    reveal=False,
    hints=(
        "Each loss compares D's answers about HR and SR. Write down for each of them how far its gradient may run.",
        "D is asked about SR twice: once with the picture as data, like HR, and once with its graph. For G's loss, "
        "what D says about HR is a number to compare with.",
    ),
)
