"""Lab 03: one step of D and one of G."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import losses
from srlab.course.difference import difference
from srlab.course.exercise import Answer, Exercise
from srlab.course.exercises.cross_entropy import cross_entropy
from srlab.course.exercises.gan_observation import gan_scene, observe
from srlab.data.images import quantize


def train_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    lr: torch.Tensor,
    hr: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make one step of D, then one of G, on the adversarial losses alone (Goodfellow et al. 2014, algorithm 1).

    Parameters
    ----------
    generator, discriminator
        LR -> SR; image -> logits.
    g_optimizer, d_optimizer
        Of the parameters of the one and of the other.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, scale * h, scale * w)`` in [0, 1].

    Returns
    -------
    tuple of torch.Tensor
        Loss of D and loss of G, both ``()``.
    """
    sr = generator(lr)
    d_loss = losses.discriminator_loss(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()

    g_loss = losses.generator_loss(discriminator(sr))  # D was changed above, so it's asked again
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss.detach(), g_loss.detach()


def _observe(answer: Answer, steps: int, *scene: Any) -> dict[str, Any]:
    given, plain, smoothed = (
        [observe(one, *where) for _ in range(steps)][-1]
        for one, where in ((answer, scene), (train_step, gan_scene()), (_smoothed, gan_scene()))
    )
    smooth = not difference(given["d_loss"], smoothed["d_loss"], 1e-5)
    if smooth:  # all that follows from the other labels is as good as the value without them
        given = {
            name: plain[name] if not difference(given[name], smoothed[name], 1e-5) else given[name] for name in given
        }
    return given | {"smoothed labels": smooth}


def _half(optimizer: torch.optim.Optimizer, loss: torch.Tensor, zero: str = "first", keep: bool = False) -> None:
    if zero == "first":
        optimizer.zero_grad()
    loss.backward(retain_graph=keep)
    if zero == "between":
        optimizer.zero_grad()
    optimizer.step()
    if zero == "last":
        optimizer.zero_grad()


def _step(
    d_loss: Answer = losses.discriminator_loss,
    g_loss: Answer = losses.generator_loss,
    for_d: Answer = torch.Tensor.detach,
    for_g: Answer = lambda discriminator, sr, fake: discriminator(sr),
    d_zero: str = "first",
    g_zero: str = "first",
    keep: bool = False,
    told: Answer = lambda loss, old: loss,
) -> Answer:
    """A step of D, then one of G, with some parts replaced."""

    def step(generator: Any, discriminator: Any, g_optimizer: Any, d_optimizer: Any, lr: Any, hr: Any) -> Any:
        sr = generator(lr)
        fake = discriminator(for_d(sr))
        loss_of_d = d_loss(discriminator(hr), fake)
        _half(d_optimizer, loss_of_d, d_zero, keep)
        loss_of_g = g_loss(for_g(discriminator, sr, fake))
        _half(g_optimizer, loss_of_g, g_zero)
        return loss_of_d, told(loss_of_g, g_loss(fake))

    return step


def _smooth_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """D's loss with smoothed labels, a known trick."""
    return losses.discriminator_loss(real, fake, labels=(0.9, 0.0))


_smoothed = _step(_smooth_loss)


def _old_opinion(for_d: Answer) -> Answer:
    """Both go backward before D's step."""

    def step(generator: Any, discriminator: Any, g_optimizer: Any, d_optimizer: Any, lr: Any, hr: Any) -> Any:
        sr = generator(lr)
        d_loss = losses.discriminator_loss(discriminator(hr), discriminator(for_d(sr)))
        g_loss = losses.generator_loss(discriminator(sr))
        g_optimizer.zero_grad()
        g_loss.backward(retain_graph=True)
        _half(d_optimizer, d_loss)
        g_optimizer.step()
        return d_loss, g_loss

    return step


def _g_first(generator: Any, discriminator: Any, g_optimizer: Any, d_optimizer: Any, lr: Any, hr: Any) -> Any:
    sr = generator(lr)
    g_loss = losses.generator_loss(discriminator(sr))
    _half(g_optimizer, g_loss)
    d_loss = losses.discriminator_loss(discriminator(hr), discriminator(sr.detach()))
    _half(d_optimizer, d_loss)
    return d_loss, g_loss


def _runs(times: int) -> Answer:
    def step(generator: nn.Module, *others: Any) -> Any:
        for _ in range(times - 1):
            generator(others[-2])  # lr
        return train_step(generator, *others)

    return step


def _swapped(step: Answer) -> Answer:
    return lambda g, d, g_optimizer, d_optimizer, lr, hr: step(g, d, d_optimizer, g_optimizer, lr, hr)


def _unmoved(*places: int) -> Answer:
    """One of the optimizers never makes its step, or neither does."""

    def step(*scene: Any) -> Any:
        still = {place: torch.optim.SGD(scene[place].param_groups[0]["params"], lr=0.0) for place in places}
        return train_step(*(still.get(place, part) for place, part in enumerate(scene)))

    return step


def _losses_of(d_loss: Answer, g_loss: Answer) -> Answer:
    """A step with losses of other things than D's logits."""

    def step(generator: Any, discriminator: Any, g_optimizer: Any, d_optimizer: Any, lr: Any, hr: Any) -> Any:
        sr = generator(lr)
        loss_of_d = d_loss(discriminator, sr, hr)
        _half(d_optimizer, loss_of_d)
        loss_of_g = g_loss(discriminator, sr, hr)
        _half(g_optimizer, loss_of_g)
        return loss_of_d, loss_of_g

    return step


def _usual(discriminator: Any, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    return losses.discriminator_loss(discriminator(hr), discriminator(sr.detach()))


def _left_frozen(generator: Any, discriminator: Any, *others: Any) -> Any:
    result = train_step(generator, discriminator, *others)
    discriminator.requires_grad_(False)
    return result


def _as_it_is(sr: torch.Tensor) -> torch.Tensor:
    return sr


_NOT_LEARNED = (
    "{} is right, but it is not what {} learned from: its gradient is that of another loss, or of several steps."
)

EXERCISE = Exercise(
    train_step,
    level="hard",
    points=5,
    cases={
        "one run of G, one step of D, then one of G, which learns from D as it is by then": lambda: (1, *gan_scene()),
        "nothing is left over for the second step": lambda: (2, *gan_scene()),
    },
    observe=_observe,
    known_mistakes={
        "G's step uses what D said before its update, and no graph leads from there to G, so G never changes. "
        "Published code did this for whole runs, and its D had no effect. Who should be asked again, "
        "and about which picture?": [
            _step(for_g=lambda discriminator, sr, fake: fake.detach()),
            _step(for_g=lambda discriminator, sr, fake: fake.detach() + 0 * sr.mean()),
            _step(for_g=lambda discriminator, sr, fake: fake),
            _step(for_g=lambda discriminator, sr, fake: fake, keep=True),
        ],
        "G learns from what D said before its own update. By now D says something else. Ask it again after "
        "d_optimizer.step(), and make the loss of G from that.": [
            _step(for_d=_as_it_is, for_g=lambda discriminator, sr, fake: fake),
            _step(for_d=_as_it_is, for_g=lambda discriminator, sr, fake: fake, keep=True),
            _old_opinion(for_d=torch.Tensor.detach),
            _old_opinion(for_d=_as_it_is),
            _step(told=lambda loss, old: old),
        ],
        "The gradient of d_loss runs on through sr into G. That costs time, and it teaches G to be found out. For D's "
        "half sr is data, like hr. What cuts it off from where it came from?": [
            _step(for_d=_as_it_is),
            _step(for_d=_as_it_is, g_zero="never", keep=True),
        ],
        "D was asked again after its update, but about an sr without a graph, or its answer was cut off, so no "
        "gradient reaches G. In D's half the way from D to G should be cut. In G's half it's how G learns.": [
            _step(for_g=lambda discriminator, sr, fake: discriminator(sr.detach())),
            _step(for_g=lambda discriminator, sr, fake: discriminator(sr).detach()),
        ],
        "The generator ran more than once. It's the most expensive part of a step, and the same sr serves both halves: "
        "cut off for D, and as it is for G.": [
            _runs(2),
            _runs(3),
        ],
        "sr has no graph: the generator ran under no_grad, was frozen, or got the wrong input. G's half of the step "
        "needs that graph. How can D's half do without it, for the same sr?": (
            lambda generator, *others: train_step(torch.no_grad()(generator), *others)
        ),
        "Only the half about hr reaches D: what D says about sr was made under no_grad, or detached. Cut off sr "
        "itself, and not D's answer about it.": (
            _step(d_loss=lambda real, fake: losses.discriminator_loss(real, fake.detach()))
        ),
        "D never saw sr itself. Was it clamped, or rounded? Where it leaves [0, 1], clamp gives G no gradient to come "
        "back by, and rounding gives it none anywhere.": [
            lambda generator, *others, change=change: train_step(lambda lr: change(generator(lr)), *others)
            for change in (lambda sr: sr.clamp(0, 1), quantize)
        ],
        "A network was in eval mode for a while, or still is. In training, batch norm goes by the batch.": (
            lambda generator, *others: (train_step(generator.eval(), *others), generator.train())[0]
        ),
        "d_optimizer never makes its step, so D stays as it is.": _unmoved(3),
        "g_optimizer never makes its step, so G stays as it is.": _unmoved(2),
        "Neither optimizer makes a step. Are there brackets behind step?": _unmoved(2, 3),
        "The losses get images, and they want what D says of them.": _losses_of(
            lambda discriminator, sr, hr: losses.discriminator_loss(hr, sr.detach()),
            lambda discriminator, sr, hr: losses.generator_loss(sr),
        ),
        "G's loss is about hr, which G didn't make. What should D look at in G's half?": (
            _losses_of(_usual, lambda discriminator, sr, hr: losses.generator_loss(discriminator(hr)))
        ),
        "g_loss has a weight or another loss in it. Here it's the adversarial loss alone, as it is.": [
            _losses_of(
                _usual,
                lambda discriminator, sr, hr: F.mse_loss(sr, hr) + 1e-3 * losses.generator_loss(discriminator(sr)),
            ),
            _step(g_loss=lambda fake: 1e-3 * losses.generator_loss(fake)),
        ],
        "g_optimizer makes its step after D's half, and d_optimizer after G's: they have changed places, so G doesn't "
        "get better, and D learns to be fooled. Whose parameters does each of them hold?": [
            _swapped(train_step),
            _swapped(_step(for_d=_as_it_is, keep=True)),
        ],
        "G makes its step before D here. D goes first, so that G learns from a D that has seen this sr already.": (
            _g_first
        ),
        "A gradient in the second step still has that of the first in it: backward adds to .grad and doesn't replace "
        "it. What sets D's gradients to zero, and what G's?": [
            _step(d_loss, d_zero=d_zero, g_zero=g_zero)
            for d_loss in (losses.discriminator_loss, _smooth_loss)
            for d_zero, g_zero in (("never", "first"), ("first", "never"), ("never", "never"))
        ],
        "D's gradient in the second step is mixed with one of g_loss: on its way to G, g_loss.backward() fills the "
        ".grad of D too. Nobody used it, but it was still there. So when should D's gradients be set to zero?": (
            _step(d_zero="last")
        ),
        "When an optimizer makes its step, its network has no gradient. Did the loss go backward before, is there no "
        "zero_grad between the two, and does a graph lead from the loss to the network?": [
            _step(d_zero="between"),
            _step(g_zero="between"),
            _step(d_zero="between", g_zero="between"),
        ],
        "D's parameters take no gradient when d_loss goes backward. If you freeze them while G learns, set them free "
        "again before D's next step.": _left_frozen,
        "d_loss has no graph, as after item or detach, under no_grad, or with D frozen: D has nothing to learn from.": (
            _step(d_loss=lambda real, fake: losses.discriminator_loss(real, fake).detach())
        ),
        "The two losses come back in the wrong order: d_loss is the first.": lambda *scene: train_step(*scene)[::-1],
        "hr and sr have changed places: this D would learn to call sr real. Which of the two has the target 1?": (
            _step(d_loss=lambda real, fake: losses.discriminator_loss(fake, real))
        ),
        "d_loss is half of what it should be: a mean over both kinds. Each has a mean of its own, and they add up.": (
            _step(d_loss=lambda real, fake: losses.discriminator_loss(real, fake) / 2)
        ),
        _NOT_LEARNED.format("d_loss", "D"): (
            _step(d_loss=lambda real, fake: (loss := losses.discriminator_loss(real, fake)) / 2 + (loss / 2).detach())
        ),
        "D's loss is about one kind only. A D that always gives the same answer would be perfect at that.": [
            _step(d_loss=lambda real, fake: cross_entropy(fake, 0)),
            _step(d_loss=lambda real, fake: cross_entropy(real, 1)),
        ],
        "The target is 0, as for D, so G would learn to be found out. What does G want D to say about sr?": (
            _step(g_loss=lambda fake: cross_entropy(fake, 0))
        ),
        "g_loss is log(1 - D(y)), straight from the game, and flat where D is sure. Which loss doesn't fade?": (
            _step(g_loss=lambda fake: -cross_entropy(fake, 0))
        ),
    },
    also_accepted=[_step(d_loss=lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean())],
    notes={
        "D's target for hr is 0.9, which is called label smoothing. It's a step of a GAN as well, so it is taken; with "
        "a target of 1 it would be the loss of exercise 1.": _smoothed,
        "The gradient of d_loss runs on through sr into G. Your code throws it away before G's own, so the step is "
        "right, but D's half pays for a way back through G. sr.detach() saves that.": _step(for_d=_as_it_is, keep=True),
    },
    fallback_messages={
        "what the generator is given": "The generator was given something else than lr.",
        "an error of torch": "torch stopped: {given}. Which graph is no longer there, or never was?",
        "runs of the generator": "The generator ran {given} times, and should run once.",
        "what D is shown": "D has to see hr and sr, as they are, but was shown {given}.",
        "the steps": "D should make one step, then G, by their optimizers, but yours are: {given}.",
        "d_loss": "d_loss is not that of exercise 1, from what D says of hr and of sr.",
        "D's gradient": _NOT_LEARNED.format("d_loss", "D"),
        "g_loss": "g_loss is not generator_loss of section 2, from what D says of sr after its own step.",
        "G's gradient": _NOT_LEARNED.format("g_loss", "G"),
        "the weights of D": "D's weights changed again after d_optimizer.step(). Only G should move in G's half.",
    },
    tolerance=1e-5,
    reveal=False,
    hints=(
        "There are two halves, each with a loss, zero_grad, backward and the step of one optimizer. Write down for "
        "each what D looks at, and how far the gradient may run.",
        "The generator runs once, before both. In D's half sr is data, cut off from G. In G's half D is asked again "
        "about sr with its graph.",
        "G's backward also runs through D and leaves gradients there. They must be gone when D goes backward next.",
    ),
)
