"""Extra: repair the first of four sick projects."""

import statistics
from collections.abc import Callable
from types import ModuleType
from typing import Any

from torch import nn

from srlab_course.exercises.sick_project import gain, load_project, observed, photos_for
from srlab_course.feedback.exercise import Exercise
from srlab_course.figures.panel import Panel

STEPS, BEATS = 160, 0.0  # of the check; dB over bicubic


def repair_a(project: ModuleType) -> ModuleType:
    """Repair Project A: replace what is wrong in it, and return it."""
    project.RATE = 1e-3
    return project


def _measure(project: ModuleType) -> dict[str, Any]:
    photos, pairs = photos_for("a")
    panels: list[Panel] = []

    def watch(network: nn.Module, log: list[Any], step: Callable[[], Any]) -> Any:
        panels[:] = panels or [Panel(network)]
        return panels[0].measure(step) if len(log) == 1 else step()

    generator, _ = project.train(photos, pairs[:1], STEPS, 0, watch)
    beats = gain(generator, pairs) > BEATS
    typical = statistics.median(layer["ratio"] for layer in panels[0].rows[0].values())
    return {
        "the second step isn't too large": beats or typical <= -1,
        "the second step isn't too small": beats or typical >= -2,
        "it beats bicubic": beats,
    }


EXERCISE = Exercise(
    repair_a,
    level="medium",
    points=4,
    cases={"the repaired project": lambda: (load_project("a"),)},
    observe=observed(_measure),
    reveal=False,
)
