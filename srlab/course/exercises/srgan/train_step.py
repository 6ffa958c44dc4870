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
    """Take one step of D, then one of G, on the adversarial losses only (Goodfellow et al. 2014, algorithm 1).

    Parameters
    ----------
    generator, discriminator
        Networks that map LR to SR, and an image to logits.
    g_optimizer, d_optimizer
        Optimizers for the two networks' parameters.
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

    g_loss = losses.generator_loss(discriminator(sr))  # D changed above, so run it again
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
    if smooth:  # whatever follows from smoothed labels counts as correct
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
    """Return a step of D, then one of G, with some parts replaced."""

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
    """Return D's loss with smoothed labels, a known trick."""
    return losses.discriminator_loss(real, fake, labels=(0.9, 0.0))


_smoothed = _step(_smooth_loss)


def _old_opinion(for_d: Answer) -> Answer:
    """Return a step in which both losses go backward before D's step."""

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
    """Return a step in which one or both of the optimizers never take their step."""

    def step(*scene: Any) -> Any:
        still = {place: torch.optim.SGD(scene[place].param_groups[0]["params"], lr=0.0) for place in places}
        return train_step(*(still.get(place, part) for place, part in enumerate(scene)))

    return step


def _losses_of(d_loss: Answer, g_loss: Answer) -> Answer:
    """Return a step whose losses get something other than D's logits."""

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


_NOT_LEARNED = "{} is correct, but {} didn't learn from it: its gradient is that of another loss, or of several steps."

EXERCISE = Exercise(
    train_step,
    level="hard",
    points=5,
    cases={
        "one run of G, one step of D, then one step of G with the updated D": lambda: (1, *gan_scene()),
        "a second step with nothing left over from the first": lambda: (2, *gan_scene()),
    },
    observe=_observe,
    known_mistakes={
        "G's step uses D's output from before its update, and no graph leads from it to G, so G never changes. "
        "Published code did this for whole training runs. Which network should run again, and on which image?": [
            _step(for_g=lambda discriminator, sr, fake: fake.detach()),
            _step(for_g=lambda discriminator, sr, fake: fake.detach() + 0 * sr.mean()),
            _step(for_g=lambda discriminator, sr, fake: fake),
            _step(for_g=lambda discriminator, sr, fake: fake, keep=True),
        ],
        "You compute G's loss from D's output before D's own update. D's answer has changed since. Run D again after "
        "d_optimizer.step(), and compute G's loss from that.": [
            _step(for_d=_as_it_is, for_g=lambda discriminator, sr, fake: fake),
            _step(for_d=_as_it_is, for_g=lambda discriminator, sr, fake: fake, keep=True),
            _old_opinion(for_d=torch.Tensor.detach),
            _old_opinion(for_d=_as_it_is),
            _step(told=lambda loss, old: old),
        ],
        "The gradient of d_loss flows on through sr into G. That costs time, and it trains G to be detected. For D's "
        "half, sr is data, like hr. How do you cut it off from G?": [
            _step(for_d=_as_it_is),
            _step(for_d=_as_it_is, g_zero="never", keep=True),
        ],
        "You ran D again after its update, but on an sr without a graph, or you detached D's output, so no gradient "
        "reaches G. Cut that path in D's half; in G's half, G learns through it.": [
            _step(for_g=lambda discriminator, sr, fake: discriminator(sr.detach())),
            _step(for_g=lambda discriminator, sr, fake: discriminator(sr).detach()),
        ],
        "You run the generator more than once. It's the most expensive part of a step, and the same sr serves both "
        "halves: cut off for D, and as it is for G.": [
            _runs(2),
            _runs(3),
        ],
        "sr has no graph: the generator ran under no_grad, was frozen, or got the wrong input. G's half of the step "
        "needs that graph. How can D's half do without it, for the same sr?": (
            lambda generator, *others: train_step(torch.no_grad()(generator), *others)
        ),
        "Only the half about hr reaches D: you computed D's output for sr under no_grad, or detached it. Cut off sr "
        "itself, not D's output.": (_step(d_loss=lambda real, fake: losses.discriminator_loss(real, fake.detach()))),
        "D never saw sr itself. Did you clamp or round it? Where sr leaves [0, 1], clamp passes no gradient back to G, "
        "and rounding passes none anywhere.": [
            lambda generator, *others, change=change: train_step(lambda lr: change(generator(lr)), *others)
            for change in (lambda sr: sr.clamp(0, 1), quantize)
        ],
        "A network was in eval mode for a while, or still is. In training, batch norm uses the statistics of the "
        "batch.": (lambda generator, *others: (train_step(generator.eval(), *others), generator.train())[0]),
        "d_optimizer never takes its step, so D doesn't change.": _unmoved(3),
        "g_optimizer never takes its step, so G doesn't change.": _unmoved(2),
        "Neither optimizer takes a step. Did you forget the parentheses in step()?": _unmoved(2, 3),
        "You pass images to the losses, but they need D's output for these images.": _losses_of(
            lambda discriminator, sr, hr: losses.discriminator_loss(hr, sr.detach()),
            lambda discriminator, sr, hr: losses.generator_loss(sr),
        ),
        "Your g_loss is about hr, which G didn't make. What should D look at in G's half?": (
            _losses_of(_usual, lambda discriminator, sr, hr: losses.generator_loss(discriminator(hr)))
        ),
        "Your g_loss has a weight or another loss in it. Here it's only the adversarial loss, unweighted.": [
            _losses_of(
                _usual,
                lambda discriminator, sr, hr: F.mse_loss(sr, hr) + 1e-3 * losses.generator_loss(discriminator(sr)),
            ),
            _step(g_loss=lambda fake: 1e-3 * losses.generator_loss(fake)),
        ],
        "You swapped the optimizers: g_optimizer takes its step after D's half, and d_optimizer after G's. So G "
        "doesn't improve, and D learns to be fooled. Whose parameters does each of them have?": [
            _swapped(train_step),
            _swapped(_step(for_d=_as_it_is, keep=True)),
        ],
        "You take G's step before D's. D goes first, so that G learns from a D that has already seen this sr.": (
            _g_first
        ),
        "In the second step, a gradient still contains the first step's: backward adds to .grad instead of replacing "
        "it. What sets D's gradients to zero, and what sets G's?": [
            _step(d_loss, d_zero=d_zero, g_zero=g_zero)
            for d_loss in (losses.discriminator_loss, _smooth_loss)
            for d_zero, g_zero in (("never", "first"), ("first", "never"), ("never", "never"))
        ],
        "In the second step, D's gradient also contains one of g_loss: on its way to G, g_loss.backward() fills D's "
        ".grad, and you left it there. So when should you set D's gradients to zero?": (_step(d_zero="last")),
        "When an optimizer takes its step, its network has no gradient. Did you call backward before? Is there a "
        "zero_grad in between? Does a graph lead from the loss to the network?": [
            _step(d_zero="between"),
            _step(g_zero="between"),
            _step(d_zero="between", g_zero="between"),
        ],
        "D's parameters get no gradient when d_loss goes backward. If you freeze them while G learns, unfreeze them "
        "before D's next step.": _left_frozen,
        "d_loss has no graph, as after item or detach, under no_grad, or with D frozen, so D can't learn from it.": (
            _step(d_loss=lambda real, fake: losses.discriminator_loss(real, fake).detach())
        ),
        "You return the two losses in the wrong order: d_loss comes first.": lambda *scene: train_step(*scene)[::-1],
        "You swapped hr and sr: this D would learn to call sr real. Which of the two has target 1?": (
            _step(d_loss=lambda real, fake: losses.discriminator_loss(fake, real))
        ),
        "d_loss is half of what it should be: one mean over both kinds. Each kind has its own mean; add them up.": (
            _step(d_loss=lambda real, fake: losses.discriminator_loss(real, fake) / 2)
        ),
        _NOT_LEARNED.format("d_loss", "D"): (
            _step(d_loss=lambda real, fake: (loss := losses.discriminator_loss(real, fake)) / 2 + (loss / 2).detach())
        ),
        "D's loss is about one kind only. A D that always gives the same answer would be perfect at that.": [
            _step(d_loss=lambda real, fake: cross_entropy(fake, 0)),
            _step(d_loss=lambda real, fake: cross_entropy(real, 1)),
        ],
        "G's target is 0, like D's, so G would learn to be detected. What does G want D to say about sr?": (
            _step(g_loss=lambda fake: cross_entropy(fake, 0))
        ),
        "g_loss is log(1 - D(y)), from the original GAN objective, which is flat where D is confident. Which loss "
        "doesn't saturate?": (_step(g_loss=lambda fake: -cross_entropy(fake, 0))),
    },
    also_accepted=[_step(d_loss=lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean())],
    notes={
        "D's target for hr is 0.9, which is called label smoothing. That is a valid GAN step too, so it passes. With a "
        "target of 1, it would be the loss of exercise 1.": _smoothed,
        "The gradient of d_loss flows on through sr into G. You clear it before G's own, so the step is correct, but "
        "D's half pays for a backward pass through G. sr.detach() saves that.": _step(for_d=_as_it_is, keep=True),
    },
    fallback_messages={
        "the generator's input": "Pass lr to the generator, not something else.",
        "a PyTorch error": "PyTorch stopped: {given}. Which graph is gone, or never existed?",
        "the number of generator runs": "Your generator runs {given} times. It should run once.",
        "the images that D gets": "D should get hr and sr, unchanged, but it got {given}.",
        "the order of the optimizer steps": "Take one step of D, then one of G, each with its optimizer. Yours are: "
        "{given}.",
        "d_loss": "d_loss is not the loss of exercise 1, computed from D's output for hr and for sr.",
        "D's gradient": _NOT_LEARNED.format("d_loss", "D"),
        "g_loss": "g_loss is not generator_loss of section 2, computed from D's output for sr after D's own step.",
        "G's gradient": _NOT_LEARNED.format("g_loss", "G"),
        "D's weights": "D's weights changed again after d_optimizer.step(). In G's half, only G should change.",
    },
    tolerance=1e-5,
    reveal=False,
    hints=(
        "There are two halves, each with a loss, zero_grad, backward and the step of one optimizer. Write down for "
        "each what D looks at, and how far the gradient may flow.",
        "The generator runs once, before both halves. In D's half, sr is data, cut off from G. In G's half, D runs "
        "again on sr with its graph.",
        "G's backward also runs through D and leaves gradients there. They must be gone before D goes backward again.",
    ),
)
