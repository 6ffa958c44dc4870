"""Presets of a study, the ``.yaml`` files in its folder, and the jobs made from them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from srlab.errors import SrlabError
from srlab_course.lab.recipes import read_book


@dataclass(frozen=True)
class Job:
    """One job of the Snakefile: how to train and score one row of a study.

    Attributes
    ----------
    facts
        For ``score.py``: ``known`` (columns of its table), ``degradations``, ``scored`` and ``benchmarks``, and the
        keys that `studies.score.load` reads.
    lab, parameters
        The lab that trains the row, and its papermill parameters; "" for a row without training.
    before
        Name of the row to train first.
    cells
        Code of the study that the lab runs in additional cells: id of a cell of the lab -> code that runs after it.
    """

    facts: dict[str, Any]
    lab: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    before: str = ""
    cells: dict[str, str] = field(default_factory=dict)


def read_preset(folder: Path, keys: Collection[str], name: str, **given: Any) -> dict[str, Any]:
    """Read ``<name>.yaml`` in the folder of a study, with overrides from the command line.

    Parameters
    ----------
    keys
        Valid entries of the study's presets; one of them is ``parameters``, for the labs.
    name
        ``"smoke"``, ``"laptop"``, ``"paper"``, or the name of another file in the folder.
    **given
        Overrides: one of `keys`, or a parameter of the labs such as ``images``. None keeps the preset's value.
    """
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise SrlabError(f"Preset '{name}' not found. Choose from {known}.")
    preset = yaml.safe_load(file.read_text(encoding="utf-8"))
    if unknown := sorted(set(preset) - set(keys)):
        raise SrlabError(f"{file.name} has unknown entries: {', '.join(unknown)}. Valid entries are {sorted(keys)}.")
    parameters = dict(preset["parameters"])
    for key, value in given.items():
        if value is not None:
            (preset if key in keys else parameters)[key] = value
    for key in preset.get("needs", []):
        if not parameters.get(key):
            raise SrlabError(f"Preset '{name}' requires --{key}, for example --{key} path/to/DIV2K_train_HR.")
    return preset | {"parameters": parameters}


def defaults_of(notebook: Path, recipe: str = "laptop") -> dict[str, Any]:
    """Return the defaults of a lab's parameters, and the entries of one of its recipes."""
    if not notebook.is_file():
        raise SrlabError(f"Lab not found: {notebook}. The study trains by running the labs of the course.")
    book = read_book(notebook.parent / "recipes" / f"{notebook.stem}.py")
    return book.parameters | book.recipe(recipe).values()
