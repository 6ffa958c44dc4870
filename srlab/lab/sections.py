"""The sections of a lab: which needs which, the minutes of each, and what goes along when one is left out."""

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError
from srlab.exercises.saved import checks_in

if TYPE_CHECKING:
    from nbformat import NotebookNode

NEEDS = re.compile(r"\bneeds? sections? ([\d, and]+)", re.IGNORECASE)
EXERCISE = re.compile(r"^\*\*Exercise (\d+)\.\*\* \*(\d+) minutes, importance (\d) of 5\.\*", re.MULTILINE)
QUESTION = re.compile(r"(?<![\w*])\*([^a-z*\n][^*\n]*\?[^*\n]*)\*(?!\*)")  # in italics, before the cell that answers it
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
BREAK = re.compile(r"^\*This is [^*]*\bbreak\.\*", re.MULTILINE)
FOR_ANOTHER_DAY = re.compile(r"\*For another day \((\d+) minutes|\*For another day")
IN_CLASS = 4  # the importance from which on an exercise is worth the time of a class
# To read, guess, run and look. An estimate that comes near to the times on the labs' own first pages.
MINUTES_FOR_100_WORDS = 3.0


@dataclass(frozen=True)
class Exercise:
    """What stands above an exercise: its number, minutes, importance from 1 to 5, and name."""

    number: int
    minutes: int
    importance: int
    name: str


@dataclass(frozen=True)
class Section:
    """A numbered section of a lab.

    Attributes
    ----------
    number, title
        As in its heading.
    cells
        Positions of its cells in the notebook.
    needs
        Numbers of the sections that its text says it needs.
    reading
        Minutes without its exercises: as it says of itself, else estimated.
    exercises
        In order.
    questions
        Those in italics, to be guessed before the next cell is run.
    sitting
        1 or 2, before or after the lab's first break; 3 if its text says that it's for another day.
    """

    number: int
    title: str
    cells: list[int]
    needs: frozenset[int]
    reading: float
    exercises: tuple[Exercise, ...]
    questions: tuple[str, ...]
    sitting: int

    @property
    def for_class(self) -> list[Exercise]:
        """The exercises that are worth the time of a class; the others are for home."""
        return [one for one in self.exercises if self.sitting < 3 and one.importance >= IN_CLASS]

    @property
    def minutes(self) -> float:
        """Minutes with its exercises."""
        return self.reading + sum(exercise.minutes for exercise in self.exercises)


def read_sections(cells: Sequence["NotebookNode"]) -> dict[int, Section]:
    """The numbered sections of a notebook, by number; what stands before, between and after them belongs to none."""
    heads = [place for place, cell in enumerate(cells) if prose([cell]).startswith("## ")]
    found, sitting = {}, 1
    for first, end in itertools.pairwise([*heads, len(cells)]):
        if not (heading := re.match(r"## (\d+)\. (.*)", cells[first].source)):
            continue
        text, exercises = prose(cells[first:end]), tuple(_exercises(cells[first:end]))
        later = FOR_ANOTHER_DAY.search(text)
        told = later and later[1] and int(later[1]) - sum(exercise.minutes for exercise in exercises)
        found[int(heading[1])] = Section(
            int(heading[1]),
            heading[2],
            cells=list(range(first, end)),
            needs=frozenset(int(one) for needed in NEEDS.findall(text) for one in re.findall(r"\d+", needed)),
            reading=told or minutes_to_read(text),
            exercises=exercises,
            questions=tuple(QUESTION.findall(FOLDED.sub("", text))),
            sitting=3 if later else sitting,
        )
        if BREAK.search(text):
            sitting = 2
    return found


def _exercises(cells: Iterable["NotebookNode"]) -> Iterator[Exercise]:
    """Each check with what stands above it, below the check before.

    Raises
    ------
    SrlabError
        Nothing that can be read stands there.
    """
    above = []
    for cell in cells:
        if cell.cell_type == "markdown":
            above += EXERCISE.findall(cell.source)
        for name in checks_in(cell.source) if cell.cell_type == "code" else ():
            if not above:
                raise SrlabError(
                    f"Above the check of {name}, in the cell {cell.get('id', '')}, the exercise has no line "
                    "'**Exercise 1.** *10 minutes, importance 3 of 5.*'; write its own there, in just that form."
                )
            yield Exercise(*map(int, above[-1]), name.partition(".")[2])
            above = []


def prose(cells: Iterable["NotebookNode"]) -> str:
    """The text of some cells, without their code."""
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def minutes_to_read(text: str) -> float:
    """Estimated minutes for a text and what is done on the way; a formula counts as one word."""
    return len(re.sub(r"\$[^$]*\$", "x", text).split()) / 100 * MINUTES_FOR_100_WORDS


def with_those_that_need_them(sections: dict[int, Section], left_out: Collection[int]) -> set[int]:
    """Numbers of the sections that go: those given, and each later one that says it needs one that goes."""
    gone = set(left_out)
    for number, section in sections.items():
        if section.needs & gone:
            gone.add(number)
    return gone


def in_words(numbers: Collection[int]) -> str:
    """``"2, 5 and 6"``."""
    *first, last = map(str, sorted(numbers))
    return f"{', '.join(first)} and {last}" if first else last


def leave_out(notebook: "NotebookNode", sections: Iterable[Section]) -> None:
    """Take sections out of a notebook, heading and all; nothing checks that the rest can do without them."""
    gone = {position for section in sections for position in section.cells}
    notebook.cells = [cell for position, cell in enumerate(notebook.cells) if position not in gone]


def how_long(cells: Sequence["NotebookNode"], sections: Collection[Section]) -> str:
    """The minutes of a lab as a sentence: estimated, in steps of five, with what is for another day apart.

    Parameters
    ----------
    cells, sections
        Of the whole lab.
    """
    core = [section for section in sections if section.sitting < 3]
    exercises = sum(exercise.minutes for section in core for exercise in section.exercises)
    reading = minutes_before(cells, sections) + sum(section.reading for section in core)
    extra = sum(section.minutes for section in sections if section.sitting == 3)
    more = f"; {about(extra)} more for another day" if extra else ""
    return f"About {about(reading + exercises)} minutes, {exercises} of them for exercises{more}."


def minutes_before(cells: Sequence["NotebookNode"], sections: Iterable[Section]) -> float:
    """Estimated minutes for what stands before the first of a lab's numbered sections."""
    first = min((section.cells[0] for section in sections), default=0)
    return minutes_to_read(prose(cells[:first]))


def about(minutes: float) -> int:
    """Minutes in steps of five, as estimates are not better than that."""
    return max(5, 5 * round(minutes / 5))
