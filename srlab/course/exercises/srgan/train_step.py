"""Lab 03: one step of D and one of G."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import losses
from srlab.course.exercise import Answer, Exercise
from srlab.course.exercises.gan_observation import gan_scene, observe
from srlab.data.images import quantize


def train_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    d_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    g_loss: Callable[[torch.Tensor, torch.Tensor, nn.Module], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take one step of D, then one of G (Goodfellow et al. 2014, algorithm 1).

    Parameters
    ----------
    generator, discriminator
        Networks that map LR to SR, and an image to logits.
    g_optimizer, d_optimizer
        Optimizers for the two networks' parameters.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, scale * h, scale * w)`` in [0, 1].
    d_loss
        ``d_loss(real, fake)``, the loss of D from its logits for HR and for SR.
    g_loss
        ``g_loss(sr, hr, discriminator)``, the whole loss of G.

    Returns
    -------
    tuple of torch.Tensor
        Loss of D and loss of G, both ``()``.
    """
    sr = generator(lr)
    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    loss_of_d.backward()
    d_optimizer.step()

    loss_of_g = g_loss(sr, hr, discriminator)  # runs the updated D, and through it the gradient reaches G
    g_optimizer.zero_grad()
    loss_of_g.backward()
    g_optimizer.step()
    return loss_of_d.detach(), loss_of_g.detach()


# --- Scenes: the losses differ from those of the lab, so that an answer has to use the ones it gets. -------------


def d_loss_of_scene(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return the loss of exercise 1 with a weight."""
    return 1.5 * losses.discriminator_loss(real, fake)


def adversary_of_scene(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
    """Return the adversarial loss of G with a weight."""
    return 0.7 * F.softplus(-discriminator(sr)).mean()


def whole_loss_of_scene(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
    """Return a pixel loss plus the adversarial loss, as on photos."""
    return 0.3 * F.l1_loss(sr, hr) + adversary_of_scene(sr, hr, discriminator)


CASES = {
    "one run of G, one step of D, then one step of G with the updated D": lambda: (
        1,
        *gan_scene(),
        d_loss_of_scene,
        adversary_of_scene,
    ),
    "a second step with nothing left over from the first, and a G whose loss has pixels, too": lambda: (
        2,
        *gan_scene(),
        d_loss_of_scene,
        whole_loss_of_scene,
    ),
}


def observe_steps(answer: Answer, steps: int, *scene: Any) -> dict[str, Any]:
    """Run an answer for some steps, and record the last one."""
    return [observe(answer, *scene) for _ in range(steps)][-1]


def _half(optimizer: torch.optim.Optimizer, loss: torch.Tensor, zero: str = "first", keep: bool = False) -> None:
    if zero == "first":
        optimizer.zero_grad()
    loss.backward(retain_graph=keep)
    if zero == "between":
        optimizer.zero_grad()
    optimizer.step()
    if zero == "last":
        optimizer.zero_grad()


def make_step(
    loss_of_d: Answer = lambda d_loss, real, fake: d_loss(real, fake),
    for_d: Answer = torch.Tensor.detach,
    for_g: Answer = lambda g_loss, sr, hr, discriminator, fake: g_loss(sr, hr, discriminator),
    d_zero: str = "first",
    g_zero: str = "first",
    keep: bool = False,
    told: Answer = lambda loss, old: loss,
) -> Answer:
    """Return a step of D, then one of G, with some parts replaced."""

    def step(
        generator: Any,
        discriminator: Any,
        g_optimizer: Any,
        d_optimizer: Any,
        lr: Any,
        hr: Any,
        d_loss: Any,
        g_loss: Any,
    ) -> Any:
        sr = generator(lr)
        fake = discriminator(for_d(sr))
        first = loss_of_d(d_loss, discriminator(hr), fake)
        _half(d_optimizer, first, d_zero, keep)
        second = for_g(g_loss, sr, hr, discriminator, fake)
        _half(g_optimizer, second, g_zero)
        return first, told(second, g_loss(sr, hr, lambda image: fake))

    return step


def _other_g(output: Answer) -> Answer:
    """Return a step in which G's loss gets another output of D: output(discriminator, image, old output)."""
    return lambda g_loss, sr, hr, discriminator, fake: g_loss(sr, hr, lambda image: output(discriminator, image, fake))


def _old_opinion(for_d: Answer) -> Answer:
    """Return a step in which both losses go backward before D's step."""

    def step(
        generator: Any,
        discriminator: Any,
        g_optimizer: Any,
        d_optimizer: Any,
        lr: Any,
        hr: Any,
        d_loss: Any,
        g_loss: Any,
    ) -> Any:
        sr = generator(lr)
        first = d_loss(discriminator(hr), discriminator(for_d(sr)))
        second = g_loss(sr, hr, discriminator)
        g_optimizer.zero_grad()
        second.backward(retain_graph=True)
        _half(d_optimizer, first)
        g_optimizer.step()
        return first, second

    return step


def _g_first(*scene: Any) -> Any:
    generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss = scene
    sr = generator(lr)
    second = g_loss(sr, hr, discriminator)
    _half(g_optimizer, second)
    first = d_loss(discriminator(hr), discriminator(sr.detach()))
    _half(d_optimizer, first)
    return first, second


def _runs(times: int) -> Answer:
    def step(generator: nn.Module, *others: Any) -> Any:
        for _ in range(times - 1):
            generator(others[3])  # lr
        return train_step(generator, *others)

    return step


def _swapped(step: Answer) -> Answer:
    return lambda g, d, g_optimizer, d_optimizer, *others: step(g, d, d_optimizer, g_optimizer, *others)


def _unmoved(*places: int) -> Answer:
    """Return a step in which one or both of the optimizers never take their step."""

    def step(*scene: Any) -> Any:
        still = {place: torch.optim.SGD(scene[place].param_groups[0]["params"], lr=0.0) for place in places}
        return train_step(*(still.get(place, part) for place, part in enumerate(scene)))

    return step


def left_frozen(generator: Any, discriminator: Any, *others: Any) -> Any:
    """Take a correct step, and leave D frozen."""
    result = train_step(generator, discriminator, *others)
    discriminator.requires_grad_(False)
    return result


def _with_losses(d_loss: Answer | None = None, g_loss: Answer | None = None) -> Answer:
    """Return a step that uses other losses than it got."""
    return lambda *scene: train_step(*scene[:6], d_loss or scene[6], g_loss or scene[7])


def _thawed(generator: Any, discriminator: Any, *others: Any) -> Any:
    """Take a correct step in which D is frozen while G learns."""

    def frozen_loss(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
        discriminator.requires_grad_(False)
        loss = others[-1](sr, hr, discriminator)
        discriminator.requires_grad_(True)
        return loss

    return train_step(generator, discriminator, *others[:-1], frozen_loss)


def as_it_is(sr: torch.Tensor) -> torch.Tensor:
    """Return SR without a detach."""
    return sr


_NOT_LEARNED = "{} is correct, but {} didn't learn from it: its gradient is that of another loss, or of several steps."

EXERCISE = Exercise(
    train_step,
    level="hard",
    points=5,
    cases=CASES,
    observe=observe_steps,
    known_mistakes={
        "G's step uses D's output from before its update, and no graph leads from it to G, so G never changes. "
        "Published code did this for whole training runs. Which network should run again, and on which image?": [
            make_step(for_g=_other_g(lambda discriminator, image, fake: fake.detach())),
            make_step(for_g=_other_g(lambda discriminator, image, fake: fake.detach() + 0 * image.mean())),
            make_step(for_g=_other_g(lambda discriminator, image, fake: fake)),
            make_step(for_g=_other_g(lambda discriminator, image, fake: fake), keep=True),
        ],
        "You compute G's loss from D's output before D's own update. D's answer has changed since. Run D again after "
        "d_optimizer.step(), and compute G's loss from that.": [
            make_step(for_d=as_it_is, for_g=_other_g(lambda discriminator, image, fake: fake)),
            make_step(for_d=as_it_is, for_g=_other_g(lambda discriminator, image, fake: fake), keep=True),
            _old_opinion(for_d=torch.Tensor.detach),
            _old_opinion(for_d=as_it_is),
            make_step(told=lambda loss, old: old),
        ],
        "The gradient of d_loss flows on through sr into G. That costs time, and it trains G to be detected. For D's "
        "half, sr is data, like hr. How do you cut it off from G?": [
            make_step(for_d=as_it_is),
            make_step(for_d=as_it_is, g_zero="never", keep=True),
        ],
        "You ran D again after its update, but on an sr without a graph, or you detached D's output, so no gradient "
        "reaches G. Cut that path in D's half; in G's half, G learns through it.": [
            make_step(for_g=_other_g(lambda discriminator, image, fake: discriminator(image.detach()))),
            make_step(for_g=_other_g(lambda discriminator, image, fake: discriminator(image).detach())),
            make_step(for_g=lambda g_loss, sr, hr, discriminator, fake: g_loss(sr.detach(), hr, discriminator)),
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
        "itself, not D's output.": (make_step(loss_of_d=lambda d_loss, real, fake: d_loss(real, fake.detach()))),
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
        "You pass images to d_loss, but it needs D's logits for these images.": (
            lambda *scene: train_step(*scene[:6], lambda real, fake: scene[6](scene[5], scene[0](scene[4])), scene[7])
        ),
        "G's loss is about hr, which G didn't make. What should D look at in G's half?": (
            make_step(for_g=lambda g_loss, sr, hr, discriminator, fake: g_loss(hr, hr, discriminator))
        ),
        "You swapped sr and hr in g_loss: sr is its first argument.": (
            make_step(for_g=lambda g_loss, sr, hr, discriminator, fake: g_loss(hr, sr, discriminator))
        ),
        "Your step doesn't use the d_loss that it gets, but another loss of D. On photos, the lab passes one that also "
        "logs D's output.": [
            _with_losses(d_loss=losses.discriminator_loss),
            _with_losses(d_loss=lambda real, fake: losses.discriminator_loss(real, fake, labels=(0.9, 0.0))),
        ],
        "Your step doesn't use the g_loss that it gets, but generator_loss. On photos, G's loss has more parts.": (
            _with_losses(g_loss=lambda sr, hr, discriminator: F.softplus(-discriminator(sr)).mean())
        ),
        "You swapped the optimizers: g_optimizer takes its step after D's half, and d_optimizer after G's. So G "
        "doesn't improve, and D learns to be fooled. Whose parameters does each of them have?": [
            _swapped(train_step),
            _swapped(make_step(for_d=as_it_is, keep=True)),
        ],
        "You take G's step before D's. D goes first, so that G learns from a D that has already seen this sr.": (
            _g_first
        ),
        "In the second step, a gradient still contains the first step's: backward adds to .grad instead of replacing "
        "it. What sets D's gradients to zero, and what sets G's?": [
            make_step(d_zero=d_zero, g_zero=g_zero)
            for d_zero, g_zero in (("never", "first"), ("first", "never"), ("never", "never"))
        ],
        "In the second step, D's gradient also contains one of g_loss: on its way to G, g_loss.backward() fills D's "
        ".grad, and you left it there. So when should you set D's gradients to zero?": (make_step(d_zero="last")),
        "When an optimizer takes its step, its network has no gradient. Did you call backward before? Is there a "
        "zero_grad in between? Does a graph lead from the loss to the network?": [
            make_step(d_zero="between"),
            make_step(g_zero="between"),
            make_step(d_zero="between", g_zero="between"),
        ],
        "D's parameters get no gradient when d_loss goes backward. If you freeze them while G learns, unfreeze them "
        "before D's next step.": left_frozen,
        "d_loss has no graph, as after item or detach, under no_grad, or with D frozen, so D can't learn from it.": (
            make_step(loss_of_d=lambda d_loss, real, fake: d_loss(real, fake).detach())
        ),
        "You return the two losses in the wrong order: d_loss comes first.": lambda *scene: train_step(*scene)[::-1],
        "You swapped hr and sr: this D would learn to call sr real. Which of the two has target 1?": (
            make_step(loss_of_d=lambda d_loss, real, fake: d_loss(fake, real))
        ),
        _NOT_LEARNED.format("d_loss", "D"): (
            make_step(loss_of_d=lambda d_loss, real, fake: (loss := d_loss(real, fake)) / 2 + (loss / 2).detach())
        ),
        "D's loss is about one kind only: both of its arguments are logits of the same images.": [
            make_step(loss_of_d=lambda d_loss, real, fake: d_loss(fake, fake)),
            make_step(loss_of_d=lambda d_loss, real, fake: d_loss(real, real)),
        ],
    },
    also_accepted=[make_step(), _thawed],
    notes={
        "The gradient of d_loss flows on through sr into G. You clear it before G's own, so the step is correct, but "
        "D's half pays for a backward pass through G. sr.detach() saves that.": make_step(for_d=as_it_is, keep=True),
    },
    fallback_messages={
        "the generator's input": "Pass lr to the generator, not something else.",
        "a PyTorch error": "PyTorch stopped: {given}. Which graph is gone, or never existed?",
        "the number of generator runs": "Your generator runs {given} times. It should run once.",
        "the images that D gets": "D should get hr and sr, unchanged, but it got {given}.",
        "the order of the optimizer steps": "Take one step of D, then one of G, each with its optimizer. Yours are: "
        "{given}.",
        "d_loss": "The first result is not d_loss, computed from D's logits for hr and for sr.",
        "D's gradient": _NOT_LEARNED.format("d_loss", "D"),
        "g_loss": "The second result is not g_loss(sr, hr, discriminator) after D's own step.",
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
