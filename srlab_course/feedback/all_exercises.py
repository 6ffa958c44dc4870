"""Find the exercises of all labs.

A lab is a subpackage of `srlab_course.exercises`, and an exercise is a module in it that defines ``EXERCISE``, with a
text next to it: ``srresnet/residual_block.py`` and ``.md`` for ``srresnet.ResidualBlock``. An exercise has the name of
its reference answer. You do not need to register it.
"""

import functools
import importlib
import pkgutil
import sys
from pathlib import Path

from srlab.errors import SrlabError
from srlab_course.feedback.exercise import Exercise
from srlab_course.feedback.exercise_text import with_text

EXERCISES = "srlab_course.exercises"  # imported by name, because its modules import this room


@functools.cache
def find(name: str) -> Exercise:
    """Return the exercise with a full name, ``"<lab>.<exercise>"``."""
    known = exercises()
    if name not in known:
        raise SrlabError(
            f"Exercise '{name}' not found. Correct the name, or download the lab again if it is from another version. "
            f"Known exercises: {', '.join(known)}."
        )
    module = sys.modules[known[name].reference.__module__]
    return with_text(known[name], Path(str(module.__file__)).with_suffix(".md"))


def names() -> list[str]:
    """Return the full names of all exercises, ordered by lab."""
    return list(exercises())


@functools.cache
def exercises() -> dict[str, Exercise]:
    """Return full name -> exercise of all labs, ordered by lab and without their texts."""
    found = {}
    for lab in pkgutil.iter_modules(importlib.import_module(EXERCISES).__path__):
        if lab.ispkg:
            package = importlib.import_module(f"{EXERCISES}.{lab.name}")
            for file in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
                exercise = importlib.import_module(file.name).EXERCISE
                found[f"{lab.name}.{exercise.reference.__name__}"] = exercise
    return found
