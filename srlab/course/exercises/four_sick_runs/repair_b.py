"""Extra: repair the second of four sick projects."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from srlab.course import probes
from srlab.course.exercise import Exercise
from srlab.course.exercises.sick_project import gain, load_project, observed, photos_for

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
        f"after {STEPS} steps it beats bicubic by {BEATS} dB": over > BEATS,
    }


def _blocks(norms: Callable[[int, nn.Module], tuple[nn.Module, nn.Module]]) -> Callable[[ModuleType], ModuleType]:
    """Return a repair with other normalization layers in each block, made from the features and the given norm."""

    class ResidualBlock(nn.Module):
        def __init__(self, features: int, norm: nn.Module, act: nn.Module) -> None:
            super().__init__()
            first, second = norms(features, norm)
            convs = [nn.Conv2d(features, features, 3, padding=1) for _ in range(2)]
            self.layers = nn.Sequential(convs[0], first, act, convs[1], second)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.layers(x)

    def repair(project: ModuleType) -> ModuleType:
        project.ResidualBlock = ResidualBlock
        return project

    return repair


def _batch_statistics(features: int, norm: nn.Module) -> tuple[nn.Module, nn.Module]:
    return tuple(nn.BatchNorm2d(features, track_running_stats=False) for _ in range(2))


def _validate_in_training(project: ModuleType) -> ModuleType:
    def validate(generator: nn.Module, pairs: Any) -> float:
        with torch.no_grad():
            return sum(project.psnr(generator.train()(lr), hr, 4).item() for lr, hr in pairs) / len(pairs)

    project.validate = validate
    return project


def _slower(project: ModuleType) -> ModuleType:
    project.CONFIG["rate"] = 3e-4
    return project


EXERCISE = Exercise(
    repair_b,
    level="medium",
    points=4,
    cases={"the repaired project": lambda: (load_project("b"),)},
    observe=observed(_measure),
    known_mistakes={
        "Now `validate` measures something else, and the network is as sick as before. A user upscales one "
        "photo at a time, in eval mode. Why is it worse there?": _validate_in_training,
        "Without running statistics, an image's result depends on the others in its batch, and a crop looks different "
        "from the whole photo. They weren't wrong to keep; what did they average?": _blocks(_batch_statistics),
        "Training and eval mode still compute different functions. Whose mean and variance do the running statistics "
        "average? Count the batch norms in the network, and the places that use them.": [
            lambda project: project,
            _slower,
            _blocks(lambda features, norm: (nn.BatchNorm2d(features), norm)),
        ],
    },
    also_accepted=[
        _blocks(lambda features, norm: (nn.Identity(), nn.Identity())),
    ],
    fallback_messages={
        f"after {STEPS} steps it beats bicubic by {BEATS} dB": "The two modes agree now, but the network is hardly "
        f"better than bicubic after {STEPS} steps. What else did you change?",
    },
    reveal=False,
    hints=(
        "The training loss falls below bicubic's. So what does `validate` do that a training step doesn't?",
        "Give the trained network the same patches in both modes: probes.mode_gap(generator, lr). A healthy one has "
        "1 or 2%. Which layers make a difference between the modes?",
    ),
)
