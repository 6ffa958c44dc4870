"""Recipes: the named sets of numbers in ``notebooks/recipes/<lab>.yaml`` by which a lab trains.

A file begins with what `course.setup` checks values by:

- ``parameters``, the defaults in the notebook's cell of parameters;
- ``choices``, what a parameter or a number of the recipe may be: a list, or where in srlab the known names stand;
- ``least``, below which a number makes no sense;
- ``sides``, pixels a side that the figures and scores of the lab need of photos, by where they were given;
- ``meaning``, what each number of a recipe is and in which unit.

Then each recipe has

- ``about``, and ``source``, where its numbers come from; ``ours`` names those that the source leaves open;
- ``like``, the recipe above it from which ``values``, their sources and ``scales`` come that it doesn't name itself;
  ``when``, ``strict`` and ``without_weights`` don't come along;
- ``when``, the conditions under which ``recipe="auto"`` may take it: a ``device``, and at least so many ``iters``,
  ``memory_gib``, ``processes`` and ``megapixels`` of training photos. Of those that may, the last one is taken;
- ``scales``, the numbers of steps that grow and shrink with ``iters``;
- ``strict``: what would only be a warning is refused;
- ``values``, and ``without_weights``, what takes their place where no ImageNet weights are at hand.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from srlab.base.errors import SrlabError
from srlab.base.text import in_columns

LONGEST_AVERAGE = 0.999  # decay of the moving average of weights in published trainings of any length


@dataclass(frozen=True)
class Recipe:
    """Numbers to train by: what a file says of one recipe, with what ``like`` takes from another filled in.

    Attributes
    ----------
    name, about
        From the file.
    values, sources
        Each entry, and where it comes from.
    meaning
        What each entry is.
    scales
        Names of the entries that grow with ``iters``.
    when
        Conditions for ``"auto"``; None where it is only taken by its name.
    strict
        Whether warnings are errors.
    without_weights
        What takes the place of values where no ImageNet weights are at hand.
    why
        Why it was taken.
    """

    name: str
    about: str
    values: dict[str, Any]
    sources: dict[str, str]
    meaning: dict[str, str]
    scales: Sequence[str] = ()
    when: dict[str, Any] | None = None
    strict: bool = False
    without_weights: dict[str, Any] = field(default_factory=dict)
    why: str = "it is the one you asked for"

    def laid_out(self, iters: int) -> "Recipe":
        """The same recipe for another number of steps, 0 for its own: what it scales keeps its share of the whole.

        The moving average looks back over the same share as well, up to the decay of the papers. Validations, each of
        which saves the state, come at most fifty times, and not more often than the recipe has them.
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
        about = f"{self.about} (made for {self.values['iters']:,} steps, here {iters:,})"
        return replace(self, about=about, values=values | changed, sources=self.sources | sources | {"iters": "you"})

    def changed_by(self, values: dict[str, Any], source: str = "you") -> "Recipe":
        """The same recipe with single values changed."""
        return replace(self, values=self.values | values, sources=self.sources | dict.fromkeys(values, source))

    def rows(self) -> list[list[str]]:
        """Return a head, and name, value, meaning and source of each entry."""
        rows = [[name, _plain(value), self.meaning[name], self.sources[name]] for name, value in self.values.items()]
        return [["name", "value", "what it is", "from"], *rows]

    def text(self) -> str:
        """Return all entries as plain text."""
        return in_columns(self.rows())

    def table(self) -> str:
        """Return all entries as a folded HTML table."""
        rows = ["".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in row) for row in self.rows()]
        table = f"<table><tr>{'</tr><tr>'.join(rows)}</tr></table>"
        return f"<details><summary>The recipe <b>{html.escape(self.name)}</b> as a table</summary>{table}</details>"


@dataclass(frozen=True)
class Book:
    """What a file of recipes says.

    Attributes
    ----------
    parameters, choices, least, sides, meaning
        By name, as above.
    recipes
        By name.
    """

    parameters: dict[str, Any]
    choices: dict[str, list[Any] | str]
    least: dict[str, float]
    sides: dict[str, int]
    meaning: dict[str, str]
    recipes: dict[str, Recipe] = field(default_factory=dict)


def read_book(file: Path) -> Book:
    """Read the recipes of a lab, and what its values are checked by.

    Raises
    ------
    SrlabError
        The file is missing or damaged, or says something that means nothing.
    """
    if not file.is_file():
        raise SrlabError(
            f"There is no file {file} with the recipes of this lab; CONTRIBUTING.md says what goes into it."
        )
    name = "its head"
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        book = Book(*[written.pop(one.name) for one in fields(Book) if one.name != "recipes"])
        for name, said in written.items():
            book.recipes[name] = _read_recipe(book, name, **said)
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SrlabError(f"The recipes in {file} cannot be read ({name}: {error}); put the file right.") from error
    return book


def _read_recipe(
    book: Book,
    name: str,
    about: str,
    source: str,
    values: dict[str, Any],
    ours: Sequence[str] = (),
    like: str = "",
    **others: Any,
) -> Recipe:
    """A recipe from its entries in the file, which stands below the one that it is like."""
    sources = dict.fromkeys(values, source) | dict.fromkeys(ours, "this course")
    if like:
        above = book.recipes[like]
        values, sources, others = above.values | values, above.sources | sources, {"scales": above.scales} | others
    if strange := set(values) ^ set(book.meaning):
        raise ValueError(f"it or the meanings lack {', '.join(sorted(strange))}")
    values = {key: values[key] for key in book.meaning}  # in this order the table has them
    return Recipe(name, about, values, sources, book.meaning, **others)


def pick_recipe(book: Book, name: str, facts: dict[str, Any]) -> Recipe:
    """Take a recipe by its name, or by what there is to train on.

    Parameters
    ----------
    book
        From `read_book`.
    name
        Of a recipe, or ``"auto"``.
    facts
        What the conditions of the recipes are held against: ``device``, ``iters``, ``memory_gib``, ``processes``,
        ``megapixels``.

    Raises
    ------
    SrlabError
        There is no such recipe.
    """
    if name == "auto":
        known = list(book.recipes.values())
        taken = [one for one in known if one.when is not None and not _lacks(one.when, facts)][-1]
        better = _out_of_reach(known[known.index(taken) + 1 :], facts)
        return replace(taken, why=f"it suits {_in_words(facts)}{better}")
    if name not in book.recipes:
        raise SrlabError(f"There is no recipe '{name}'; choose auto, {', '.join(book.recipes)}.")
    return book.recipes[name]


def _lacks(conditions: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Return the conditions that are not met."""
    return {
        key: least
        for key, least in conditions.items()
        if not (facts[key] == least if isinstance(least, str) else facts[key] >= least)
    }


def _out_of_reach(larger: Sequence[Recipe], facts: dict[str, Any]) -> str:
    """Name the first larger recipe that needs only more steps or photos; "" if all need another machine."""
    words = {"iters": "-p iters {:,} or more", "megapixels": "{} megapixels of photos, such as -p images div2k"}
    for recipe in larger:
        lacks = _lacks(recipe.when or {}, facts)
        if lacks and "device" in recipe.when and lacks.keys() <= words.keys():  # recipes for a CPU are not larger
            needs = " and ".join(words[key].format(least) for key, least in lacks.items())
            return f"; the recipe {recipe.name}, {recipe.about}, needs {needs}"
    return ""


def _in_words(facts: dict[str, Any]) -> str:
    steps = f"{facts['iters']:,} steps" if facts["iters"] else "a run of a few minutes"
    gpu = f"a GPU with {facts['memory_gib']:.0f} GiB" if facts["device"] == "cuda" else "a CPU"
    processes = f", {facts['processes']} processes" if facts["processes"] > 1 else ""
    return f"{gpu}{processes}, {steps}, and {facts['megapixels']:.1f} megapixels of photos"


def _scaled(steps: Any, factor: float) -> Any:
    if isinstance(steps, list):
        return [_scaled(step, factor) for step in steps]
    return max(1, round(steps * factor)) if steps else steps  # no steps stay none


def _plain(value: Any) -> str:
    """A value as one would write it: 2e-05 is hard to read, and so is 1000000."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) or not value or abs(math.log10(abs(value))) <= 4 else f"{value:.1e}"
