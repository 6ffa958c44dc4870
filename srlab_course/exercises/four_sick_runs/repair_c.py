"""Extra: repair the third of four sick projects."""

from types import ModuleType
from typing import Any

import torch

from srlab_course.exercises.sick_project import gain, load_project, observed, photos_for, shrink
from srlab_course.feedback.exercise import Exercise

STEPS, BEATS = 200, 0.0  # of the check; dB over bicubic


def repair_c(project: ModuleType) -> ModuleType:
    """Repair Project C: replace what is wrong in it, and return it."""

    def sample_pairs(photos: Any, count: int, side: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        hr = torch.stack([project.augment(project.crop(photos, side, random)[1], random) for _ in range(count)])
        return project.low_resolution(hr), hr

    project.sample_pairs = sample_pairs
    return project


def _measure(project: ModuleType) -> dict[str, Any]:
    photos, pairs = photos_for("c")
    random = torch.Generator().manual_seed(1)
    (lr, hr), (_, other) = (project.sample_pairs(photos, 64, 12, random) for _ in range(2))
    # Compare inside, because a patch and its photo are downscaled differently at the border.
    match = ((shrink(hr) - lr)[..., 2:-2, 2:-2].abs().amax((1, 2, 3)) < 0.02).float().mean().item()
    generator, _ = project.train(photos, pairs[:1], STEPS, 0)
    return {
        "many pairs belong together": match > 0.4,
        "all pairs belong together": match == 1,
        "each call draws other pairs": not torch.equal(hr, other),
        "it beats bicubic": gain(generator, pairs) > BEATS,
    }


EXERCISE = Exercise(
    repair_c,
    level="medium",
    points=4,
    cases={"the repaired project": lambda: (load_project("c"),)},
    observe=observed(_measure),
    reveal=False,
)
