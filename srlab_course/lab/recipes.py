"""Recipes: presets of hyperparameters for a lab, in ``notebooks/recipes/<lab>.py``.

Such a file has

- the class of the lab, which declares its settings; its values are the recipe laptop;
- a subclass for each other recipe, with the values in which it differs; `srlab_course.lab.settings` has the rules;
- ``RECIPES``: name -> class of each recipe;
- if ``-p recipe auto`` is not always laptop, the function ``auto(machine)``, which returns the name of a recipe.

A file is code, as a notebook is. A user who passes ``iters`` sets the steps of each stage that the recipe has;
`Recipe.laid_out` has the details.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from srlab.errors import SrlabError
from srlab.text import escaped
from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import STAGES

LONGEST_AVERAGE = 0.999  # largest decay of the moving average of weights, as in papers


@dataclass(frozen=True)
class Recipe:
    """The values of a recipe on their way to a `Lab`.

    `sources` contains the source of each value, and `why` the reason for choosing this recipe. `changed` are the
    settings that differ from the file's.
    """

    name: str
    description: str
    values: dict[str, Any]
    sources: dict[str, str]
    help: dict[str, str]
    changed: frozenset[str] = frozenset()
    why: str = "you chose it"

    def laid_out(self, iters: int, named: dict[str, Any]) -> "Recipe":
        """Return the recipe for other numbers of steps.

        Each stage that the recipe has gets the steps in `named`, such as ``{"pretrain_iters": 9000}``, or else `iters`
        (0: the recipe's own). Its milestones move in proportion. With other steps of the last stage, the moving average
        covers the same share of them, up to the decay used in papers. There are at most fifty validations, each of
        which saves a checkpoint, and they are at least as far apart as in the recipe.
        """
        typed, derived = {}, {}
        for stage, milestones in STAGES.items():
            own = self.values.get(stage)
            steps = named.get(stage, iters or own)
            if not own or steps == own:
                continue
            typed[stage] = steps
            if self.values.get(milestones):
                derived[milestones] = [max(1, round(step * steps / own)) for step in self.values[milestones]]
        if not typed:
            return self
        recipe, own = self.changed_by(typed), self.values["iters"]
        if steps := typed.get("iters"):
            recipe = replace(recipe, description=f"{self.description} (made for {own:,} steps, here {steps:,})")
            if 0 < (decay := self.values.get("ema", 0)) < LONGEST_AVERAGE:
                longest = min(LONGEST_AVERAGE, 1 - (1 - decay) * own / steps)
                derived["ema"] = round(max(decay, longest), 4)
            if "validate_every" in self.values:
                derived["validate_every"] = max(self.values["validate_every"], steps // 50)
        for name, value in derived.items():
            if value != self.values[name]:
                recipe = recipe.changed_by({name: value}, f"{self.sources[name]}, for the new number of steps")
        return recipe

    def changed_by(self, values: dict[str, Any], source: str = "you") -> "Recipe":
        """Return the recipe with some values changed."""
        sources = self.sources | dict.fromkeys(values, source)
        return replace(self, values=self.values | values, sources=sources, changed=self.changed | values.keys())

    def rows(self, whole: bool = True) -> list[list[str]]:
        """Return a header row, then name, value, help and source of each setting.

        Settings that differ from the recipe come first, and of these the ones that you set. If `whole`, all others
        follow.
        """

        def rank(name: str) -> int:
            return 2 if name not in self.changed else int(self.sources[name] != "you")

        names = [name for name in sorted(self.values, key=rank) if whole or rank(name) < 2]
        rows = [[name, _plain(self.values[name]), self.help[name], self.sources[name]] for name in names]
        return [["name", "value", "description", "source"], *rows]

    def table(self) -> str:
        """Return all settings as a folded HTML table."""
        rows = ["".join(f'<td style="text-align:left">{escaped(cell)}</td>' for cell in row) for row in self.rows()]
        table = f"<table><tr>{'</tr><tr>'.join(rows)}</tr></table>"
        return f"<details><summary>The recipe <b>{escaped(self.name)}</b> as a table</summary>{table}</details>"


@dataclass(frozen=True)
class Machine:
    """What ``auto`` chooses a recipe by.

    Attributes
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    memory_gib
        Memory of the GPU in GiB; 0 without one.
    iters
        Training steps that the user passed; 0 for those of the recipe.
    megapixels
        Size of all training photos.
    """

    device: str
    memory_gib: float
    iters: int
    megapixels: float

    @property
    def trains_long(self) -> bool:
        """Whether a GPU trains for many steps on many photos, so that a large network pays."""
        return self.device == "cuda" and self.iters >= 5000 and self.megapixels >= 30

    def __str__(self) -> str:
        """Describe the machine, the steps and the photos."""
        steps = f"{self.iters:,} steps" if self.iters else "a run of a few minutes"
        gpu = f"a GPU with {self.memory_gib:.0f} GiB" if self.device == "cuda" else "a CPU"
        return f"{gpu}, {steps}, and {self.megapixels:.1f} megapixels of photos"


@dataclass(frozen=True)
class Book:
    """The content of a recipe file: the recipes by name, and the function that chooses one."""

    recipes: dict[str, type[Lab]]
    auto: Callable[[Machine], str]

    @property
    def lab(self) -> type[Lab]:
        """The class of the lab."""
        return self.recipes["laptop"]

    @property
    def parameters(self) -> dict[str, Any]:
        """The variables of the notebook's parameter cell with their defaults."""
        return self.lab.in_cell()

    def recipe(self, name: str) -> type[Lab]:
        """Return the recipe with a name."""
        if name not in self.recipes:
            raise SrlabError(f"Recipe '{name}' not found. Choose auto, {', '.join(self.recipes)}.")
        return self.recipes[name]


def read_book(file: Path) -> Book:
    """Execute the recipe file of a lab."""
    if not file.is_file():
        raise SrlabError(f"Recipe file {file} not found. docs/extending.md describes it.")
    module = ModuleType(f"recipes_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # for inspect, which shows the source of a class
    try:
        exec(compile(file.read_text(encoding="utf-8"), file, "exec"), vars(module))  # noqa: S102 - as a notebook is
    except SrlabError as error:
        raise SrlabError(f"The recipes in {file} are not valid. {error}") from error
    return Book(vars(module)["RECIPES"], getattr(module, "auto", lambda machine: "laptop"))


def pick_recipe(book: Book, name: str, machine: Machine) -> Recipe:
    """Return the recipe with a name or, for ``"auto"``, the one that fits the machine, the steps and the photos."""
    chosen = book.auto(machine) if name == "auto" else name
    recipe = book.recipe(chosen)
    described = {name: one.help for name, one in recipe.settings.items() if one.help}
    found = Recipe(chosen, recipe.description, recipe.values(), recipe.sources(), described)
    return replace(found, why=f"it fits {machine}") if name == "auto" else found


def _plain(value: Any) -> str:
    """Format a number with commas, as in 400,000."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}"
