"""Lab 03: find the bug in a step whose D calls everything real."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn

from srlab.course.exercise import Answer, Exercise
from srlab.course.exercises.srgan.train_step import (
    CASES,
    left_frozen,
    make_step,
    observe_steps,
)
from srlab.course.exercises.srgan.train_step import EXERCISE as TRAIN_STEP


def fixed_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    d_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    g_loss: Callable[[torch.Tensor, torch.Tensor, nn.Module], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take one step of D, then one of G, with D frozen in G's half; arguments and result are those of `train_step`."""
    sr = generator(lr)

    # D's half
    discriminator.requires_grad_(True)  # with the underscore: a module has no attribute requires_grad
    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
    loss_of_d.backward()
    d_optimizer.step()
    d_optimizer.zero_grad()

    # G's half, with D frozen
    discriminator.requires_grad_(False)
    loss_of_g = g_loss(sr, hr, discriminator)
    loss_of_g.backward()
    g_optimizer.step()
    g_optimizer.zero_grad()
    return loss_of_d.detach(), loss_of_g.detach()


def _borrowed(
    before: Answer = lambda discriminator: setattr(discriminator, "requires_grad", True),
    between: Answer = lambda discriminator: setattr(discriminator, "requires_grad", False),
    zero_first: Answer = lambda discriminator: None,
) -> Answer:
    """Return the step of the lab, with what it does to D before each half."""

    def step(*scene: Any) -> Any:
        generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss = scene
        sr = generator(lr)
        before(discriminator)
        loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
        zero_first(discriminator)
        loss_of_d.backward()
        d_optimizer.step()
        d_optimizer.zero_grad()
        between(discriminator)
        loss_of_g = g_loss(sr, hr, discriminator)
        loss_of_g.backward()
        g_optimizer.step()
        g_optimizer.zero_grad()
        return loss_of_d, loss_of_g

    return step


def _of_each(learns: bool) -> Answer:
    """Return a function that sets requires_grad of each parameter."""
    return lambda discriminator: [parameter.requires_grad_(learns) for parameter in discriminator.parameters()]


def _nothing(discriminator: nn.Module) -> None:
    pass


_LEFT_OVER = (
    "In the second step, D's gradient also contains one of g_loss: on its way to G, g_loss.backward() fills D's .grad, "
    "and you left it there. So when should you set D's gradients to zero?"
)
_FROZEN = (
    "D's parameters get no gradient when d_loss goes backward. If you freeze them while G learns, unfreeze them before "
    "D's next step."
)
assert {_LEFT_OVER, _FROZEN} <= TRAIN_STEP.known_mistakes.keys()

EXERCISE = Exercise(
    fixed_step,
    level="medium",
    points=4,
    cases=CASES,
    observe=observe_steps,
    known_mistakes={
        "The bug is still there: in the second step, D's gradient isn't the one of d_loss. Print the norm of the "
        "gradients in D just before loss_of_d.backward(). What is it in step 1, and in step 2? Where does it come "
        "from?": [
            _borrowed(),
            _borrowed(_nothing, _nothing),
            _borrowed(between=_nothing),
            make_step(d_zero="last"),
        ],
        "Now D is really frozen, but it stays frozen: an attribute doesn't unfreeze its parameters, so from the second "
        "step on D can't learn. What undoes requires_grad_(False)?": [
            _borrowed(between=_of_each(False)),
            _borrowed(_nothing, _of_each(False)),
            left_frozen,
        ],
        "eval mode doesn't freeze anything: it only changes layers such as batch norm and dropout. D's parameters "
        "still collect gradients.": [
            _borrowed(lambda discriminator: discriminator.train(), lambda discriminator: discriminator.eval()),
            _borrowed(between=lambda discriminator: discriminator.eval()),
        ],
        **{
            hint: answers
            for hint, answers in TRAIN_STEP.known_mistakes.items()
            if hint not in (_LEFT_OVER, _FROZEN) and not hint.startswith("A network was in eval mode")
        },
    },
    also_accepted=[
        TRAIN_STEP.reference,
        make_step(),
        _borrowed(_of_each(True), _of_each(False)),
        _borrowed(zero_first=lambda discriminator: discriminator.zero_grad()),
        _borrowed(_nothing, _nothing, lambda discriminator: discriminator.zero_grad()),
        _borrowed(lambda discriminator: discriminator.zero_grad(), _nothing),
    ],
    notes=dict(TRAIN_STEP.notes),
    fallback_messages=TRAIN_STEP.fallback_messages,
    tolerance=1e-5,
    reveal=False,
    hints=(
        "Two losses go backward through D in each step. Whose gradients are in D's .grad when d_optimizer takes its "
        "step?",
        "Look at the line that is meant to freeze D. Print next(discriminator.parameters()).requires_grad after it.",
        "A D that outputs 2/3 where real and generated points are equally frequent has the best answer to -p log D - "
        "q log(1 - D) - q log D. Where does the last term come from?",
    ),
)
