"""Extra: repair the first of four sick projects."""

import statistics
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab.course.exercise import Exercise
from srlab.course.exercises.sick_project import gain, load_project, observed, photos_for
from srlab.course.panel import Panel

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
    size = "too large" if typical > -1 else "too small" if typical < -2 else "fine"  # of networks that don't learn
    return {
        "the second step is": "fine" if beats else size,
        f"after {STEPS} steps it beats bicubic": beats,
    }


def _setting(**values: Any) -> Callable[[ModuleType], ModuleType]:
    def repair(project: ModuleType) -> ModuleType:
        for name, value in values.items():
            setattr(project, name, value)
        return project

    return repair


def _step(loss: Callable[..., torch.Tensor], clip: float = 1e9) -> Callable[[ModuleType], ModuleType]:
    def train_step(generator: nn.Module, optimizer: Any, lr: torch.Tensor, hr: torch.Tensor) -> float:
        value = loss(generator(lr), hr)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(generator.parameters(), clip)
        optimizer.step()
        return value.item()

    return _setting(train_step=train_step)


EXERCISE = Exercise(
    repair_a,
    level="medium",
    points=4,
    cases={"the repaired project": lambda: (load_project("a"),)},
    observe=observed(_measure),
    known_mistakes={
        "It still gets stuck. Look at the update ratio in its first steps: is it that of a healthy run now? Neither "
        "another loss nor clipping changes it, because Adam divides by the size of the gradient.": [
            lambda project: project,
            _step(F.mse_loss),
            _step(F.l1_loss, clip=0.1),
            _setting(BATCH=4),
            _setting(RATE=3e-3),
        ],
        f"It's too slow now: it learns, but {STEPS} steps of this size don't bring it past bicubic. Which update ratio "
        "does the healthy run have in its first steps?": [_setting(RATE=1e-4), _setting(RATE=1e-6)],
    },
    also_accepted=[_setting(RATE=5e-4)],
    fallback_messages={
        "the second step is": "The size of an update relative to the weights isn't right yet.",
        f"after {STEPS} steps it beats bicubic": f"The steps have a sensible size now, but after {STEPS} of them the "
        "network is still not better than bicubic. Draw the panel for your repaired project.",
    },
    reveal=False,
    hints=(
        "Draw the panel of the first ten steps. Which of its parts look different from those of the healthy run?",
        "By how much does one step change these weights? The initialization and one number decide that. You can set a "
        "number of the file with project.NAME = value.",
    ),
)
