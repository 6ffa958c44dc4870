"""Extra: repair the second of four sick projects."""

from types import ModuleType
from typing import Any

import torch
from torch import nn

from srlab_course.exercises.sick_project import gain, load_project, observed, photos_for
from srlab_course.feedback.exercise import Exercise
from srlab_course.material import probes

STEPS, BEATS, GAP = 140, 0.25, 0.02  # of the check; dB over bicubic; distance between the two modes


def repair_b(project: ModuleType) -> ModuleType:
    """Repair Project B: replace what is wrong in it, and return it."""

    class ResidualBlock(nn.Module):
        def __init__(self, features: int, norm: nn.Module, act: nn.Module) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(features, features, 3, padding=1, bias=False),
                nn.BatchNorm2d(features),
                act,
                nn.Conv2d(features, features, 3, padding=1, bias=False),
                nn.BatchNorm2d(features),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.layers(x)

    project.ResidualBlock = ResidualBlock
    return project


def _measure(project: ModuleType) -> dict[str, Any]:
    photos, pairs = photos_for("b")
    generator, _ = project.train(photos, pairs[:1], STEPS, 0)
    lr, _ = project.sample_pairs(photos, 8, 16, torch.Generator().manual_seed(1))
    over = gain(generator, pairs)
    bicubic = sum(project.psnr(nn.functional.interpolate(a, scale_factor=4, mode="bicubic"), b, 4) for a, b in pairs)
    said = project.validate(generator, pairs) - float(bicubic) / len(pairs)
    with torch.no_grad():
        batch, alone = generator.eval()(lr), generator(lr[:1])
    return {
        "validate scores the network in eval mode": abs(said - over) < 0.02,
        "an image's result depends on no other image": (batch[:1] - alone).abs().max().item() < 1e-3,
        "training and eval mode agree": probes.mode_gap(generator, lr) < GAP,
        "it beats bicubic": over > BEATS,
    }


EXERCISE = Exercise(
    repair_b,
    level="medium",
    points=4,
    cases={"the repaired project": lambda: (load_project("b"),)},
    observe=observed(_measure),
    reveal=False,
)
