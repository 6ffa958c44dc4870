"""``srlab plan``: show what a lab would train, and on a GPU how long it would take."""

import argparse
from contextlib import suppress
from typing import Any

from srlab.paths import recipes
from srlab_course.lab.lab import Lab
from srlab_course.lab.recipes import read_book
from srlab_course.lab.rehearsal import rehearse
from srlab_course.lab.timing import milliseconds_per_step, stages
from srlab_course.notebooks.finding import find_lab


def plan(options: argparse.Namespace) -> int:
    """Rehearse a lab's first cell. On a GPU, also measure some steps and print how long the training takes."""
    notebook = find_lab(options.lab)
    given = {name: _typed(value) for name, value in options.p}
    lab = rehearse(notebook, read_book(recipes() / f"{notebook.stem}.yaml").parameters | given, options.all)
    if lab.device.type == "cuda" and lab.parameters.get("iters"):
        print_times(lab)
    return 0


def print_times(lab: Lab) -> None:
    """Print the estimated time of each stage of a lab's training."""
    print("time:    without validation and checkpoints, from 60 steps of each stage on this machine", flush=True)
    for stage, iters in stages(lab).items():
        if iters:
            milliseconds = milliseconds_per_step(lab, stage)
            minutes = iters * milliseconds / 60_000
            total = f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.1f} minutes"
            print(f"         {stage}: {iters:,} steps of {milliseconds:.1f} ms, {total}", flush=True)


def _typed(value: str) -> Any:
    """Return the value that papermill's ``-p`` makes from a text."""
    if value in (constants := {"True": True, "False": False, "None": None}):
        return constants[value]
    for number in (int, float):
        with suppress(ValueError):
            return number(value)
    return value
