"""Extra: repair the last of four sick projects."""

from collections.abc import Callable
from statistics import fmean
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab.course.exercise import Exercise
from srlab.course.exercises.sick_project import load_project, observed, photos_for

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


def _step(judged: Callable[[Any], Any], after: Callable[[nn.Module], Any] = lambda discriminator: None) -> Any:
    """Return a repair with another judge in G's half, or another treatment of D before it."""

    def repair(project: ModuleType) -> ModuleType:
        def gan_step(
            g: Any, d: Any, g_optimizer: Any, d_optimizer: Any, lr: Any, hr: Any, d_loss: Any, g_loss: Any
        ) -> Any:
            sr = g(lr)
            loss_of_d = d_loss(d(hr), d(sr.detach()))
            d_optimizer.zero_grad()
            loss_of_d.backward()
            d_optimizer.step()
            after(d)
            loss_of_g = g_loss(sr, hr, judged(d))
            g_optimizer.zero_grad()
            loss_of_g.backward()
            g_optimizer.step()
            return loss_of_d.item(), loss_of_g.item()

        project.gan_step = gan_step
        return project

    return repair


def _detached(discriminator: nn.Module) -> Any:
    return lambda image: discriminator(image).detach()


def _frozen_meanwhile(discriminator: nn.Module) -> Any:
    def judge(image: torch.Tensor) -> torch.Tensor:
        discriminator.requires_grad_(False)
        logits = discriminator(image)
        discriminator.requires_grad_(True)
        return logits

    return judge


def _heavier(project: ModuleType) -> ModuleType:
    project.WEIGHT = 1.0
    return project


def _weaker(project: ModuleType) -> ModuleType:
    """Make D blind, so that G seems to keep up."""

    class Discriminator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 1, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.layer(F.avg_pool2d(image, 16))

    project.Discriminator = Discriminator
    return project


EXERCISE = Exercise(
    repair_d,
    level="hard",
    points=4,
    cases={"the repaired project": lambda: (load_project("d"),)},
    observe=observed(_measure),
    known_mistakes={
        "D still wins, because G never hears from it: if D's verdict is all of G's loss, G doesn't move. Follow the "
        "verdict's gradient back through `gan_step`. Where does it end?": [
            lambda project: project,
            _heavier,
            _step(_detached),
        ],
        "D is too weak to win now, but G still doesn't hear from it. Compare G's weights with and without D's term.": (
            _weaker
        ),
        "After the first step D doesn't learn any more: you froze it in G's half, and nothing unfreezes it.": (
            _step(lambda d: d, lambda d: d.requires_grad_(False))
        ),
    },
    also_accepted=[_step(_frozen_meanwhile), _step(lambda d: d, lambda d: d.eval())],
    fallback_messages={
        "D's verdict changes G": "G still doesn't move if D's verdict is all of its loss.",
        "D can be fooled": "The verdict reaches G now, but D still wins. Does G try to be taken for real?",
        "D learns": "D's loss is larger than that of a coin. Does it still learn, with the right labels?",
    },
    reveal=False,
    hints=(
        "In a GAN as healthy as lab 03's, D's loss stays nearer to 1.39, that of guessing. Here it falls to a tenth, "
        "and SR stays blurry.",
        "Set the weight of the adversarial loss to 0, and train again with the same seed. Does G end with other "
        "weights? Then follow the gradient from D's logit to G.",
    ),
)
