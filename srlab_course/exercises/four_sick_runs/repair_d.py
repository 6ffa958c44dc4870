"""Extra: repair the last of four sick projects."""

from collections.abc import Callable
from statistics import fmean
from types import ModuleType
from typing import Any

import torch
from torch import nn

from srlab_course.exercises.sick_project import load_project, observed, photos_for
from srlab_course.feedback.exercise import Exercise

STEPS, WARM_UP, LATE, FOOLED = 130, 30, 20, 0.65  # of the check; D's loss when G keeps up with it


def repair_d(project: ModuleType) -> ModuleType:
    """Repair Project D: replace what is wrong in it, and return it."""

    def gan_step(
        generator: nn.Module,
        discriminator: nn.Module,
        g_optimizer: torch.optim.Optimizer,
        d_optimizer: torch.optim.Optimizer,
        lr: torch.Tensor,
        hr: torch.Tensor,
        d_loss: Callable[..., torch.Tensor],
        g_loss: Callable[..., torch.Tensor],
    ) -> tuple[float, float]:
        sr = generator(lr)
        d = d_loss(discriminator(hr), discriminator(sr.detach()))
        d_optimizer.zero_grad()
        d.backward()
        d_optimizer.step()

        g = g_loss(sr, hr, discriminator)
        g_optimizer.zero_grad()
        g.backward()
        g_optimizer.step()
        return d.item(), g.item()

    project.gan_step = gan_step
    return project


def _measure(project: ModuleType) -> dict[str, Any]:
    photos, pairs = photos_for("d")
    project.WARM_UP = WARM_UP
    _, log = project.train(photos, pairs[:1], STEPS, 0)
    late = fmean(float(row["d"]) for row in log[-LATE:])
    return {
        "D's verdict changes G": _moved(project),
        "D can be fooled": late > FOOLED,
        "D learns": late < 1.7,
    }


def _moved(project: ModuleType) -> bool:
    """Return whether G moves if its loss is only D's verdict."""
    generator, discriminator = project.Generator(), project.Discriminator()
    optimizers = [torch.optim.Adam(network.parameters(), lr=1e-3) for network in (generator, discriminator)]
    before = [weight.detach().clone() for weight in generator.parameters()]
    lr, hr = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 64, 64)
    project.gan_step(
        generator,
        discriminator,
        *optimizers,
        lr,
        hr,
        project.d_loss,
        lambda sr, hr, d: project.g_loss(sr, sr.detach(), d),
    )
    return any(not torch.equal(old, new) for old, new in zip(before, generator.parameters(), strict=True))


EXERCISE = Exercise(
    repair_d,
    level="hard",
    points=4,
    cases={"the repaired project": lambda: (load_project("d"),)},
    observe=observed(_measure),
    reveal=False,
)
