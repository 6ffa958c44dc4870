"""Recipes: presets of hyperparameters for a lab, in ``notebooks/recipes/<lab>.yaml``.

A file begins with the rules that `course.setup` checks values against:

- ``parameters``: defaults of the parameters in the notebook;
- ``choices``: valid values of a parameter or a setting, as a list or the name of a table in srlab;
- ``minimum``: the smallest valid numbers;
- ``min_image_size``: the smallest side of photos in pixels, for each parameter that names photos;
- ``help``: a description of each setting, with its unit;
- ``answers_follow``: the values of a setting that the lab's answers can follow; with another one, srlab's code trains.

Then each recipe has

- ``description``; and ``source``, the origin of its values except those in ``ours``, which the source does not state;
- ``extends``: an earlier recipe to inherit ``values`` and their sources from. ``requires``, ``strict`` and
  ``without_weights`` are not inherited;
- ``requires``: the conditions for ``recipe="auto"``, which are a ``device`` and the smallest numbers of ``iters``,
  ``memory_gib`` and ``megapixels`` of training photos. The last recipe whose conditions are met is used;
- ``strict``: if true, warnings are errors;
- ``values``; and ``without_weights``, which replaces some values if there are no ImageNet weights.

A user who passes ``iters`` sets the steps of each stage that the recipe has; ``Recipe.laid_out`` has the details.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from srlab.errors import SrlabError
from srlab.text import escaped

LONGEST_AVERAGE = 0.999  # largest decay of the moving average of weights, as in papers
# Stage of training, by the setting with its number of steps -> setting with its milestones.
STAGES = {"iters": "milestones", "pretrain_iters": "pretrain_milestones", "teacher_iters": ""}


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of one recipe, including inherited ones.

    The module docstring describes the fields. `sources` contains the source of each value, and `why` the reason for
    choosing this recipe. `changed` are the settings that differ from the file's. A recipe whose `requires` is None is
    only used by name.
    """

    name: str
    description: str
    values: dict[str, Any]
    sources: dict[str, str]
    help: dict[str, str]
    requires: dict[str, Any] | None = None
    strict: bool = False
    without_weights: dict[str, Any] = field(default_factory=dict)
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
class Book:
    """The content of a recipe file: its rules, and the recipes by name."""

    parameters: dict[str, Any]
    choices: dict[str, list[Any] | str]
    minimum: dict[str, float]
    min_image_size: dict[str, int]
    help: dict[str, str]
    answers_follow: dict[str, list[Any]] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)

    def beyond_answers(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return those settings that have a value which the lab's answers cannot follow."""
        return {name: values[name] for name, can in self.answers_follow.items() if values[name] not in can}


def read_book(file: Path) -> Book:
    """Read the recipes of a lab."""
    if not file.is_file():
        raise SrlabError(f"Recipe file {file} not found. docs/extending.md describes it.")
    name = "its head"
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        written = {"answers_follow": {}} | written
        book = Book(*[written.pop(one.name) for one in fields(Book) if one.name != "recipes"])
        for name, said in written.items():
            book.recipes[name] = _read_recipe(book, name, **said)
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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
        values, sources = above.values | values, above.sources | sources
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


def _plain(value: Any) -> str:
    """Format a number with commas, as in 400,000."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}"
