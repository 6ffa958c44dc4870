"""Recipes: the named sets of numbers in ``notebooks/recipes/<lab>.yaml`` by which a lab trains.

A file begins with what `srlab.setup` checks values by:

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
import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srlab.base.errors import SrlabError
from srlab.base.text import in_columns

KEYS = {"about", "source", "ours", "like", "when", "scales", "strict", "values", "without_weights"}
HEAD = ("parameters", "choices", "least", "sides", "meaning")
LONGEST_AVERAGE = 0.999  # decay of the moving average of weights in published trainings of any length


@dataclass(frozen=True)
class Book:
    """What a file of recipes says.

    Attributes
    ----------
    parameters, choices, least, sides, meaning
        By name, as above.
    recipes
        Name -> what the file says of it, with what ``like`` takes from others filled in.
    """

    parameters: dict[str, Any]
    choices: dict[str, list[Any] | str]
    least: dict[str, float]
    sides: dict[str, int]
    meaning: dict[str, str]
    recipes: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """Numbers to train by.

    Attributes
    ----------
    name, about
        From the file.
    why
        Why it was taken.
    values, sources
        Each entry, and where it comes from.
    meaning
        What each entry is.
    scales
        Names of the entries that grow with ``iters``.
    strict
        Whether warnings are errors.
    """

    name: str
    about: str
    why: str
    values: dict[str, Any]
    sources: dict[str, str]
    meaning: dict[str, str]
    scales: tuple[str, ...] = ()
    strict: bool = False

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

    def changed_by(self, tricks: dict[str, Any]) -> "Recipe":
        """The same recipe with single values changed."""
        return replace(self, values=self.values | tricks, sources=self.sources | dict.fromkeys(tricks, "you"))

    def table(self) -> str:
        """All numbers as an HTML table, folded; where they come from is a column unless it's the same for all."""
        rows, same = self._rows()
        table = ""
        for kind, row in zip(("th", *["td"] * len(rows)), rows, strict=False):
            cells = "".join(f'<{kind} style="text-align:left">{html.escape(cell)}</{kind}>' for cell in row)
            table += f"<tr>{cells}</tr>"
        return (
            f"<details><summary>The recipe <b>{html.escape(self.name)}</b> as a table</summary>"
            f"<table>{table}</table>{f'<p>All from: {html.escape(same)}</p>' if same else ''}</details>"
        )

    def text(self) -> str:
        """The same as plain text."""
        rows, same = self._rows()
        return in_columns(rows) + (f"\nAll from: {same}" if same else "")

    def _rows(self) -> tuple[list[list[str]], str]:
        """Head and rows of the table, and where all numbers come from, if that is the same for all."""
        known = set(self.sources.values())
        same = known.pop() if len(known) == 1 else ""
        rows = [["name", "value", "what it is", "from"]]
        rows += [[name, _plain(value), self.meaning[name], self.sources[name]] for name, value in self.values.items()]
        return [row[:-1] if same else row for row in rows], same


def read_book(file: Path) -> Book:
    """Read the recipes of a lab, and what its values are checked by.

    Raises
    ------
    SrlabError
        The file is missing or damaged, or says something that means nothing.
    """
    import yaml

    if not file.is_file():
        raise SrlabError(
            f"There is no file {file} with the recipes of this lab; CONTRIBUTING.md says what goes into it."
        )
    try:
        recipes = yaml.safe_load(file.read_text(encoding="utf-8"))
        head = {key: recipes.pop(key) for key in HEAD}
        for name, recipe in recipes.items():
            if strange := set(recipe) - KEYS:
                raise ValueError(f"{name} has {', '.join(sorted(strange))}; known are {', '.join(sorted(KEYS))}")
            if lacking := [key for key in ("about", "source", "values") if key not in recipe]:
                raise ValueError(f"{name} has no {lacking[0]}")
            if (above := recipe.get("like")) and above not in itertools.takewhile(name.__ne__, recipes):
                raise ValueError(f"{name} is like {above}, and no recipe of that name stands above it")
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SrlabError(f"The recipes in {file} cannot be read ({error}); put the file right.") from error
    meaning = head["meaning"]
    for recipe in recipes.values():  # a recipe stands below the one it is like
        above = recipes.get(recipe.get("like"), {})
        theirs = dict.fromkeys(recipe["values"], recipe["source"]) | dict.fromkeys(
            recipe.get("ours", ()), "this course"
        )
        recipe["values"] = above.get("values", {}) | recipe["values"]
        recipe["sources"] = above.get("sources", {}) | theirs
        recipe.setdefault("scales", above.get("scales", []))
    for name, recipe in recipes.items():
        if strange := set(recipe["values"]) ^ set(meaning):
            raise SrlabError(f"{file}: {name} or the meanings lack {', '.join(sorted(strange))}; put the file right.")
        # In the order of the meanings, which is that of the table.
        recipe["values"] = {key: recipe["values"][key] for key in meaning}
    return Book(recipes=recipes, **head)


def pick_recipe(book: Book, name: str, facts: dict[str, Any], real_features: bool = True) -> Recipe:
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
    real_features
        Whether trained weights of the features that the recipe names are at hand.

    Raises
    ------
    SrlabError
        There is no such recipe.
    """
    known = book.recipes
    why = "it is the one you asked for"
    if name == "auto":
        name = [key for key, one in known.items() if "when" in one and _fits(one["when"], facts)][-1]
        why = f"it suits {_in_words(facts)}"
        if better := _out_of_reach(known, name, facts):
            why += f"; {better}"
    if name not in known:
        raise SrlabError(f"There is no recipe '{name}'; choose auto, {', '.join(known)}.")
    chosen = known[name]
    recipe = Recipe(
        name,
        chosen["about"],
        why,
        chosen["values"],
        chosen["sources"],
        book.meaning,
        tuple(chosen["scales"]),
        chosen.get("strict", False),
    )
    if not real_features and (instead := chosen.get("without_weights")):
        sources = dict.fromkeys(instead, "this course, as there are no ImageNet weights here")
        recipe = replace(recipe, values=recipe.values | instead, sources=recipe.sources | sources)
    return recipe


def _fits(conditions: dict[str, Any], facts: dict[str, Any]) -> bool:
    return all(
        facts[key] == least if isinstance(least, str) else facts[key] >= least for key, least in conditions.items()
    )


def _out_of_reach(recipes: dict[str, Any], taken: str, facts: dict[str, Any]) -> str:
    """What a larger recipe would need that the reader can give, or nothing where the machine is what it lacks."""
    names = list(recipes)
    for name in names[names.index(taken) + 1 :]:
        conditions = recipes[name].get("when", {})
        lacks = {key: least for key, least in conditions.items() if not _fits({key: least}, facts)}
        if lacks and "device" in conditions and set(lacks) <= {"iters", "megapixels"}:  # others are not larger
            words = {"iters": "-p iters {:,} or more", "megapixels": "{} megapixels of photos, such as -p images div2k"}
            needs = " and ".join(words[key].format(least) for key, least in lacks.items())
            return f"the recipe {name}, {recipes[name]['about']}, needs {needs}"
    return ""


def _in_words(facts: dict[str, Any]) -> str:
    steps = f"{facts['iters']:,} steps" if facts["iters"] else "a run of a few minutes"
    gpu = f"a GPU with {facts['memory_gib']:.0f} GiB" if facts["device"] == "cuda" else "a CPU"
    crowd = f", {facts['processes']} processes" if facts["processes"] > 1 else ""
    return f"{gpu}{crowd}, {steps}, and {facts['megapixels']:.1f} megapixels of photos"


def _scaled(steps: Any, factor: float) -> Any:
    if isinstance(steps, list):
        return [_scaled(step, factor) for step in steps]
    return max(1, round(steps * factor)) if steps else steps  # no steps stay none


def _plain(value: Any) -> str:
    """A value as one would write it: 2e-05 is hard to read, and so is 1000000."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) or not value or abs(math.log10(abs(value))) <= 4 else f"{value:.1e}"
