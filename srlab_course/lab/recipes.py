"""Recipes: presets of hyperparameters for a lab, in ``notebooks/recipes/<lab>.yaml``.

A file begins with the rules that `course.setup` checks values against:

- ``parameters``: defaults of the parameters in the notebook;
- ``choices``: valid values of a parameter or a setting, as a list or the name of a table in srlab;
- ``minimum``: the smallest valid numbers;
- ``min_image_size``: the smallest side of photos in pixels, for each parameter that names photos;
- ``help``: a description of each setting, with its unit.

Then each recipe has

- ``description``; and ``source``, the origin of its values except those in ``ours``, which the source does not state;
- ``extends``: an earlier recipe to inherit ``values``, their sources and ``scales`` from. ``requires``, ``strict`` and
  ``without_weights`` are not inherited;
- ``requires``: the conditions for ``recipe="auto"``, which are a ``device`` and the smallest numbers of ``iters``,
  ``memory_gib`` and ``megapixels`` of training photos. The last recipe whose conditions are met is used;
- ``scales``: numbers of steps that scale with ``iters``;
- ``strict``: if true, warnings are errors;
- ``values``; and ``without_weights``, which replaces some values if there are no ImageNet weights.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from srlab.errors import SrlabError

LONGEST_AVERAGE = 0.999  # largest decay of the moving average of weights, as in papers


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of one recipe, including inherited ones.

    The module docstring describes the fields. `sources` contains the source of each value, and `why` the reason for
    choosing this recipe. A recipe whose `requires` is None is only used by name.
    """

    name: str
    description: str
    values: dict[str, Any]
    sources: dict[str, str]
    help: dict[str, str]
    scales: Sequence[str] = ()
    requires: dict[str, Any] | None = None
    strict: bool = False
    without_weights: dict[str, Any] = field(default_factory=dict)
    why: str = "you chose it"

    def laid_out(self, iters: int) -> "Recipe":
        """Return the recipe for another number of steps (0: its own); the settings in `scales` change in proportion.

        The moving average covers the same share of the steps, up to the decay used in papers. There are at most fifty
        validations, each of which saves a checkpoint, and they are at least as far apart as in the recipe.
        """
        if not iters or iters == self.values["iters"]:
            return self
        factor, values = iters / self.values["iters"], self.values | {"iters": iters}
        changed = {name: _scaled(values[name], factor) for name in self.scales if name in values}
        if 0 < values.get("ema", 0) < LONGEST_AVERAGE:
            longest = min(LONGEST_AVERAGE, 1 - (1 - values["ema"]) / factor)
            changed["ema"] = round(max(values["ema"], longest), 4)
        if "validate_every" in values:
            changed["validate_every"] = max(values["validate_every"], iters // 50)
        sources = {name: f"{self.sources[name]}, for {iters:,} steps" for name in changed}
        description = f"{self.description} (made for {self.values['iters']:,} steps, here {iters:,})"
        return replace(
            self, description=description, values=values | changed, sources=self.sources | sources | {"iters": "you"}
        )

    def changed_by(self, values: dict[str, Any], source: str = "you") -> "Recipe":
        """Return the recipe with some values changed."""
        return replace(self, values=self.values | values, sources=self.sources | dict.fromkeys(values, source))

    def rows(self) -> list[list[str]]:
        """Return a header row, then name, value, help and source of each setting; those that you changed come first."""
        rows = [[name, _plain(value), self.help[name], self.sources[name]] for name, value in self.values.items()]
        return [["name", "value", "description", "source"], *sorted(rows, key=lambda row: row[-1] != "you")]

    def table(self) -> str:
        """Return all settings as a folded HTML table."""
        rows = ["".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in row) for row in self.rows()]
        table = f"<table><tr>{'</tr><tr>'.join(rows)}</tr></table>"
        return f"<details><summary>The recipe <b>{html.escape(self.name)}</b> as a table</summary>{table}</details>"


@dataclass(frozen=True)
class Book:
    """The content of a recipe file: its rules, and the recipes by name."""

    parameters: dict[str, Any]
    choices: dict[str, list[Any] | str]
    minimum: dict[str, float]
    min_image_size: dict[str, int]
    help: dict[str, str]
    recipes: dict[str, Recipe] = field(default_factory=dict)


def read_book(file: Path) -> Book:
    """Read the recipes of a lab."""
    if not file.is_file():
        raise SrlabError(f"Recipe file {file} not found. docs/extending.md describes it.")
    name = "its head"
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        book = Book(*[written.pop(one.name) for one in fields(Book) if one.name != "recipes"])
        for name, said in written.items():
            book.recipes[name] = _read_recipe(book, name, **said)
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SrlabError(f"The recipes in {file} cannot be read ({name}: {error}). Correct the file.") from error
    return book


def _read_recipe(
    book: Book,
    name: str,
    description: str,
    source: str,
    values: dict[str, Any],
    ours: Sequence[str] = (),
    extends: str = "",
    **others: Any,
) -> Recipe:
    """Build a recipe from its entries in the file, with those inherited from the recipe in ``extends``."""
    sources = dict.fromkeys(values, source) | dict.fromkeys(ours, "this course")
    if extends:
        above = book.recipes[extends]
        values, sources, others = above.values | values, above.sources | sources, {"scales": above.scales} | others
    if strange := set(values) ^ set(book.help):
        raise ValueError(f"missing in the values or in help: {', '.join(sorted(strange))}")
    values = {key: values[key] for key in book.help}  # the order of the table
    return Recipe(name, description, values, sources, book.help, **others)


def pick_recipe(book: Book, name: str, facts: dict[str, Any]) -> Recipe:
    """Return the recipe with a name or, for ``"auto"``, the one that fits the hardware and the photos.

    `facts` are the values to check conditions against: ``device``, ``iters``, ``memory_gib``, ``megapixels``.
    """
    if name == "auto":
        known = book.recipes.values()
        taken = [one for one in known if one.requires is not None and _fits(one.requires, facts)][-1]
        return replace(taken, why=f"it fits {_in_words(facts)}")
    if name not in book.recipes:
        raise SrlabError(f"Recipe '{name}' not found. Choose auto, {', '.join(book.recipes)}.")
    return book.recipes[name]


def _fits(conditions: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Return whether all conditions are met."""
    return all(
        facts[key] == least if isinstance(least, str) else facts[key] >= least for key, least in conditions.items()
    )


def _in_words(facts: dict[str, Any]) -> str:
    steps = f"{facts['iters']:,} steps" if facts["iters"] else "a run of a few minutes"
    gpu = f"a GPU with {facts['memory_gib']:.0f} GiB" if facts["device"] == "cuda" else "a CPU"
    return f"{gpu}, {steps}, and {facts['megapixels']:.1f} megapixels of photos"


def _scaled(steps: Any, factor: float) -> Any:
    if isinstance(steps, list):
        return [_scaled(step, factor) for step in steps]
    return max(1, round(steps * factor)) if steps else steps  # 0 means never


def _plain(value: Any) -> str:
    """Format a number with commas, as in 400,000."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}"
