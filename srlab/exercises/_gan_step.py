"""The exercise of lab 03 about one step of D and G."""

from itertools import pairwise

import torch
import torch.nn as nn

from srlab import losses
from srlab.exercises._adversarial import d_mistakes, g_mistakes
from srlab.exercises._gan_scene import ATTACHED, CUT, OLD, Scene, flat_weights
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, near
from srlab.models.discriminators import frozen


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

    with frozen(discriminator):
        g_loss = losses.generator_loss(discriminator(sr))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss.detach(), g_loss.detach()


# --- What happens, in which order -------------------------------------------------------------------------------


def _step_order(answer: Answer) -> None:
    scene = Scene()
    lr, hr = scene.lr.clone(), scene.hr.clone()
    scene.run(answer)
    if not (torch.equal(lr, scene.lr) and torch.equal(hr, scene.hr)):
        raise Wrong("The images that came in were changed in place.")
    if not scene.seen("G runs"):
        raise Wrong("The generator never ran, so there is no SR picture to judge.")
    judged = scene.seen("D judges")
    for what, shown in (("HR", any(e.real for e in judged)), ("G's picture", any(e.fake for e in judged))):
        if not shown:
            raise Wrong(f"D was never shown {what}, as it is. It has to see pictures of both kinds.")
    for kind, name in (("D's step", "d_optimizer"), ("G's step", "g_optimizer")):
        count = len(scene.seen(kind))
        if count != 1:
            raise Wrong(f"{name}.step() was called {count} times, and once was asked for.")
    scene.check_order()
    scene.check_runs_of_g()
    for event, other in pairwise(e for e in scene.events if e.kind in ("D's step", "G's step")):
        if not event.d_grads.any():
            raise Wrong(_no_gradient("d"))
        if not other.g_grads.any():
            again = scene.judged_again()
            if not again:
                raise Wrong(scene.stale())
            if not any(e.graph for e in again):
                raise Wrong(CUT.format("about a picture without a graph"))
            raise Wrong(_no_gradient("g"))


def _no_gradient(which: str) -> str:
    network = which.upper()
    return (
        f"When {which}_optimizer.step() is called, {network} has no gradient. Did {which}_loss go backward before, is "
        f"there no zero_grad between the two, and does a graph lead from {which}_loss to {network}?"
    )


# --- D's half, G's half -----------------------------------------------------------------------------------------


def _logits(scene: Scene) -> tuple[torch.Tensor, torch.Tensor]:
    """What D says about HR and SR as things stand, with graphs."""
    return scene.discriminator(scene.hr), scene.discriminator(scene.generator(scene.lr))


def _flat_grad(loss: torch.Tensor, network: nn.Module) -> torch.Tensor:
    found = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True, allow_unused=True)
    pairs = zip(found, network.parameters(), strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])


_TURNED = "The two losses come back in the wrong order: d_loss is the first."
_OTHER_GRADIENT = "{} is right, but it is not what {} learned from: its gradient is that of another loss. {}"
_ONLY_HR = (
    "Only HR's half of d_loss reaches D: what D says about SR was made under no_grad, or detached. It is the picture "
    "that should be cut off from G, and not D's answer about it."
)


def _step_d(answer: Answer) -> None:
    scene, wanted, fresh = Scene(), Scene(), Scene()
    d_loss, _ = scene.run(answer)
    right_d, right_g = wanted.run(train_step)
    (event,), (right,) = scene.seen("D's step"), wanted.seen("D's step")
    if event.g_grads.any():
        raise Wrong(OLD if not scene.judged_again() else ATTACHED)
    real, fake = _logits(fresh)
    mistakes = d_mistakes(real, fake)
    compare(d_loss, right_d, [*mistakes, (_TURNED, right_g)], "The loss of D:", tolerance=1e-5)
    gradients = [
        (_OTHER_GRADIENT.format("d_loss", "D", hint), _flat_grad(loss, fresh.discriminator))
        for hint, loss in mistakes
        if loss.requires_grad
    ]
    only_hr = _flat_grad(losses.discriminator_loss(real, fake.detach()), fresh.discriminator)
    # Where D was not asked again, its gradient has that of g_loss in it.
    gradients = [(_ONLY_HR, only_hr), *gradients] if scene.judged_again() else [(OLD, event.d_grads)]
    compare(event.d_grads, right.d_grads, gradients, "D's gradient in its step is another one.", 1e-5, reveal=False)


def _step_g(answer: Answer) -> None:
    scene, wanted, updated = Scene(), Scene(), Scene()
    _, stale = _logits(updated)
    _, g_loss = scene.run(answer)
    _, right_g = wanted.run(train_step)
    if not (again := scene.judged_again()):
        raise Wrong(scene.stale())
    if not any(event.graph for event in again):
        raise Wrong(CUT.format("about a picture without a graph"))
    updated.discriminator.load_state_dict(wanted.discriminator.state_dict())
    mistakes = g_mistakes(_logits(updated)[1])
    old = [(OLD, losses.generator_loss(stale))]
    compare(g_loss, right_g, [*old, *mistakes], "The loss of G:", tolerance=1e-5)
    (event,), (right,) = scene.seen("G's step"), wanted.seen("G's step")
    gradients = [
        (_OTHER_GRADIENT.format("g_loss", "G", hint), _flat_grad(loss, updated.generator)) for hint, loss in mistakes
    ]
    compare(event.g_grads, right.g_grads, gradients, "G's gradient in its step is another one.", 1e-5, reveal=False)
    if not near(flat_weights(scene.discriminator), scene.d_after_step, 1e-9):
        raise Wrong("D's weights changed again after d_optimizer.step(). Only G should move in G's half.")
    if not near(flat_weights(scene.generator), flat_weights(wanted.generator), 1e-5):
        raise Wrong("G's gradient was right, but its weights are not: something else than g_optimizer changed them.")


# --- More than one step -----------------------------------------------------------------------------------------


def _step_twice(answer: Answer) -> None:
    scene, wanted = Scene(), Scene()
    for current, step in ((scene, answer), (wanted, train_step)):
        current.run(step)
        current.run(step)
    left_d, left_g = scene.left_over
    (now_d,), (right_d,) = scene.seen("D's step"), wanted.seen("D's step")
    if not near(now_d.d_grads, right_d.d_grads, 1e-5):
        if not near(now_d.d_grads, right_d.d_grads + left_d, 1e-5):
            raise Wrong("D's gradient in the second step is another one than it should be.")
        if _is_from_g(left_d):
            raise Wrong(
                "D's gradient in the second step is mixed with one that would please G: g_loss.backward() also fills "
                "the .grad of D, on its way to G. Nobody used it, but it was still there. When should D's gradients be "
                "set to zero, if that may not spoil D's step?"
            )
        raise Wrong(
            "D's gradient in the second step still has that of the first in it: backward adds to .grad, and does not "
            "replace it. What sets D's gradients to zero?"
        )
    (now_g,), (right_g,) = scene.seen("G's step"), wanted.seen("G's step")
    if not near(now_g.g_grads, right_g.g_grads, 1e-5):
        if near(now_g.g_grads, right_g.g_grads + left_g, 1e-5):
            raise Wrong(
                "G's gradient in the second step still has that of the first in it: backward adds to .grad, and does "
                "not replace it. What sets G's gradients to zero?"
            )
        raise Wrong("G's gradient in the second step is another one than it should be.")


def _is_from_g(left_over: torch.Tensor) -> bool:
    """Whether D's gradient after one step is that of g_loss alone."""
    wanted, between = Scene(), Scene()
    wanted.run(train_step)
    between.discriminator.load_state_dict(wanted.discriminator.state_dict())
    g_loss = losses.generator_loss(_logits(between)[1])
    return near(left_over, _flat_grad(g_loss, between.discriminator), 1e-5)


def _step_adam(answer: Answer) -> None:
    scene, wanted = (Scene(torch.optim.Adam, rate=0.02) for _ in range(2))
    for number in range(1, 4):
        pairs = zip(scene.run(answer), wanted.run(train_step), ("d_loss", "g_loss"), strict=True)
        for loss, right, name in pairs:
            compare(loss, right, otherwise=f"In step {number} with Adam, {name}:", tolerance=1e-5)
    for name in ("generator", "discriminator"):
        ours, theirs = getattr(scene, name), getattr(wanted, name)
        if not ours.training:
            raise Wrong(f"The {name} is in eval mode after the step, and would train on without batch statistics.")
        if not near(flat_weights(ours), flat_weights(theirs), 1e-4):
            raise Wrong(f"After three steps with Adam the weights of the {name} are not what they should be.")


EXERCISES = {
    "srgan.train_step": Exercise(
        train_step,
        (
            ("one run of G, one step of D, then one of G", _step_order),
            ("D learns from HR and SR, and G is left alone", _step_d),
            ("G learns from D as it is after its update", _step_g),
            ("nothing is left over for the second step", _step_twice),
            ("three steps with Adam", _step_adam),
        ),
        "hard",
        (
            "There are two halves, each with a loss, zero_grad, backward and the step of one optimizer. Write down for "
            "each which pictures D is shown, and how far the gradient may run.",
            "The generator runs once, before both. In D's half its picture is data, cut off from G; in G's half D is "
            "asked again about the picture with its graph.",
            "G's backward also runs through D and leaves gradients there. They must be gone when D goes backward next.",
        ),
    ),
}
