"""Sizes of a study, the ``.yaml`` files in its folder, and the jobs that they become."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from srlab.course.recipes import read_book
from srlab.errors import SrlabError


@dataclass(frozen=True)
class Job:
    """What the Snakefile does for one row of a study.

    Attributes
    ----------
    facts
        For ``score.py``: ``known`` (columns of its table), ``degradations``, ``scored`` and ``benchmarks``, and what
        `studies.score.load` reads.
    lab, parameters
        The lab that trains the row, and what papermill passes to it; an empty lab for what isn't trained.
    before
        Name of the row that is trained first.
    """

    facts: dict[str, Any]
    lab: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    before: str = ""


def read_preset(folder: Path, keys: Collection[str], name: str, **given: Any) -> dict[str, Any]:
    """Read ``<name>.yaml`` of a study.

    Parameters
    ----------
    folder
        Of the study.
    keys
        What a preset of this study may say; ``parameters``, those of its labs, is among them.
    name
        ``"smoke"``, ``"laptop"``, ``"paper"``, or another file put beside them.
    **given
        What the command line sets instead: one of `keys`, or a parameter of the labs such as ``images``. None leaves
        the preset's.

    Raises
    ------
    SrlabError
        No such preset, an entry that means nothing, or one that the preset needs and nobody gave.
    """
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise SrlabError(f"There is no preset '{name}' of the study; choose one of {known}.")
    preset = yaml.safe_load(file.read_text(encoding="utf-8"))
    if unknown := sorted(set(preset) - set(keys)):
        raise SrlabError(f"{file.name} has {', '.join(unknown)}, which means nothing; it knows {sorted(keys)}.")
    parameters = dict(preset["parameters"])
    for key, value in given.items():
        if value is not None:
            (preset if key in keys else parameters)[key] = value
    for key in preset.get("needs", []):
        if not parameters.get(key):
            raise SrlabError(f"The preset '{name}' needs --{key}, such as --{key} path/to/DIV2K_train_HR.")
    return preset | {"parameters": parameters}


def defaults_of(notebook: Path, recipe: str = "laptop") -> dict[str, Any]:
    """Name and default of each parameter of a lab, and each number of one of its recipes.

    Raises
    ------
    SrlabError
        There is no such lab.
    """
    if not notebook.is_file():
        raise SrlabError(f"There is no lab {notebook}; the study trains by running the labs of the course.")
    book = read_book(notebook.parent / "recipes" / f"{notebook.stem}.yaml")
    return book.parameters | book.recipes[recipe].values
