"""A lab's settings, each declared once: value, meaning, valid values, and whether the learner's answers follow it.

A recipe is a class, and its settings are attributes. The class of a lab declares them with `setting` and `parameter`;
its own values are those of the recipe laptop. Each other recipe is a subclass that gives some of them other values, and
inherits the rest. A misspelled name or an invalid value is rejected where the class is defined.
"""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

from srlab.errors import SrlabError

T = TypeVar("T")
KINDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a dict, such as {'batch': 4}",
}
# Stage of training, by the setting with its number of steps -> setting with its milestones.
STAGES = {"iters": "milestones", "pretrain_iters": "pretrain_milestones", "teacher_iters": ""}
# Attributes of a recipe that are not settings; see `Settings`.
ABOUT = ("description", "source", "strict", "without_weights")


@dataclass(frozen=True)
class Setting:
    """What a lab declares about a setting; `setting` and `parameter` describe the fields."""

    value: Any
    help: str = ""
    least: float = -math.inf
    choices: Collection[Any] = ()
    answers_follow: bool = True
    cell: Any = None  # its value in the notebook's parameter cell, or None if it is not there
    smallest: int = 1


@dataclass(frozen=True)
class Ours:
    """A value that the source of its recipe does not state."""

    value: Any


def setting(
    value: T,
    help: str,
    *,
    least: float = -math.inf,
    choices: Collection[Any] = (),
    answers_follow: bool = True,
    cell: Any = None,
) -> T:
    """Declare a setting of a recipe.

    Parameters
    ----------
    value
        Its value, whose type is the type of all its values.
    help
        Its meaning, with the unit.
    least
        The smallest valid number.
    choices
        The valid values, such as a table of losses by name; () for any.
    answers_follow
        Whether the learner's answers follow it. If not, srlab's code trains with a value that isn't the lab's own.
    cell
        For a setting that is also a variable of the notebook: the value there that means "as in the recipe".
    """
    return cast(T, Setting(value, help, least, choices, answers_follow, cell))


def parameter(value: T, *, choices: Collection[Any] = (), answers_follow: bool = True, smallest: int = 1) -> T:
    """Declare a parameter, a variable of the notebook's parameter cell that no recipe sets.

    For the arguments, see `setting`. `smallest` is the smallest side in pixels of the photos that it names.
    """
    return cast(T, Setting(value, choices=choices, answers_follow=answers_follow, cell=value, smallest=smallest))


def ours(value: T) -> T:
    """Mark a value of a recipe that is from this course, and not from the source of the recipe."""
    return cast(T, Ours(value))


class Settings:
    """Base of all recipes.

    Attributes
    ----------
    description, source
        What the recipe is for, and where its values are from, except those marked with `ours`.
    strict
        Whether warnings are errors.
    without_weights
        The values that replace others if there are no ImageNet weights.
    settings
        Name -> what the lab declares about it: first the lab's own settings, then those that it shares with others.
    """

    recipe: str
    seed: int
    description: ClassVar[str] = ""
    source: ClassVar[str] = ""
    strict: ClassVar[bool] = False
    without_weights: ClassVar[dict[str, Any]] = {}
    settings: ClassVar[dict[str, Setting]] = {
        "recipe": Setting("auto", cell="auto"),
        "seed": Setting(0, cell=0),
        "device": Setting("auto", cell="auto"),
        "overrides": Setting({}, cell={}),
    }
    unsourced: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Collect the declared settings, and reject other names and invalid values."""
        super().__init_subclass__()
        written = {name: value for name, value in vars(cls).items() if isinstance(value, WRITTEN)}
        declared = {name: value for name, value in written.items() if isinstance(value, Setting)}
        cls.settings = {}
        for known in (declared, *(base.settings for base in cls.__bases__ if issubclass(base, Settings))):
            cls.settings |= {name: one for name, one in known.items() if name not in cls.settings}
        cls.unsourced = frozenset(name for name, value in written.items() if isinstance(value, Ours))
        values = {
            name: value.value if isinstance(value, Setting | Ours) else value
            for name, value in written.items()
            if name not in ABOUT and not name.startswith("_")
        }
        try:
            cls.check(values | cls.without_weights)
            if wrong := [name for name in values if name not in declared and not cls.settings[name].help]:
                raise SrlabError(f"No recipe sets {wrong[0]}, which is a parameter of the notebook. Use parameter().")
        except SrlabError as error:
            raise SrlabError(f"In {cls.__name__}: {error}") from error
        for name, value in values.items():
            setattr(cls, name, value)

    @classmethod
    def in_cell(cls) -> dict[str, Any]:
        """Return the variables of the notebook's parameter cell with their defaults."""
        return {name: one.cell for name, one in cls.settings.items() if one.cell is not None}

    @classmethod
    def values(cls) -> dict[str, Any]:
        """Return the values of the recipe, without the parameters."""
        return {name: getattr(cls, name) for name, one in cls.settings.items() if one.help}

    @classmethod
    def sources(cls) -> dict[str, str]:
        """Return the source of each value: that of the nearest recipe that states it, or this course."""
        lab, *others = cls._lineage()
        found = dict.fromkeys(cls.values(), lab.source)
        for recipe in others:
            found |= dict.fromkeys(found.keys() & vars(recipe).keys(), recipe.source)
            found |= dict.fromkeys(recipe.unsourced, "this course")
        return found

    @classmethod
    def not_followed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the given values that the learner's answers cannot follow, as they aren't the lab's own."""
        lab = cls._lineage()[0]
        follow = (name for name, one in cls.settings.items() if not one.answers_follow)
        return {name: values[name] for name in follow if values[name] != getattr(lab, name)}

    @classmethod
    def smallest(cls, name: str) -> int:
        """Return the smallest side in pixels of the photos that a parameter names."""
        return cls.settings[name].smallest if name in cls.settings else 1

    @classmethod
    def check(cls, values: Mapping[Any, Any]) -> None:
        """Reject unknown names, values of another type than the declared one, and invalid values."""
        for name, value in values.items():
            if name not in cls.settings:
                _reject_unknown(name, cls.settings)
            if must := _fault(cls.settings[name], value):
                raise SrlabError(f"The parameter {name}={value!r} must {must}.")

    @classmethod
    def _lineage(cls) -> list[type["Settings"]]:
        """Return the class of the lab, and the recipes from there to this one."""
        return [
            recipe for recipe in reversed(cls.__mro__) if issubclass(recipe, Settings) and vars(recipe).get("source")
        ]


WRITTEN = (Setting, Ours, *KINDS)  # values of attributes, as opposed to methods


def _fault(one: Setting, value: Any) -> str:
    """Return what a valid value must be, or "" if this one is valid."""
    default = one.value if one.cell is None else one.cell
    kind = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, kind) or (isinstance(value, bool) and not isinstance(default, bool)):
        hint = ". In papermill, pass text that looks like a number with -r instead of -p" if kind is str else ""
        return f"be {KINDS[type(default)]}, like its default {default!r}{hint}"
    if isinstance(value, list) and not (
        all(isinstance(number, int | float) and math.isfinite(number) for number in value)
        and len(value) == len(default or value)
    ):
        return f"be a list of {len(default) or ''} numbers, like its default {default}"
    if isinstance(value, float) and not math.isfinite(value):
        return "be a finite number"
    if isinstance(value, int) and value.bit_length() > 63:
        return "be below 2**63 in size"  # torch's seeds, for example
    if isinstance(value, int | float) and value < one.least:
        return f"be at least {one.least}"
    if one.choices and value not in one.choices:
        return f"be one of {', '.join(map(str, one.choices))}"
    return ""


def _reject_unknown(name: Any, known: Iterable[str]) -> None:
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    listed = "" if near else f" This lab has {', '.join(known)}."
    raise SrlabError(f"Unknown parameter '{name}'{hint}. Correct it.{listed}")
