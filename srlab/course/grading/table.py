"""Grades as a table: a row a student, the points of each lab, and each exercise in a word."""

import csv
import io
from collections.abc import Iterable, Sequence

from srlab.course.exercise import names as exercises
from srlab.course.grading.hand_ins import HandIn
from srlab.course.grading.results import SAVED, lab_of, points


def describe(one: HandIn) -> list[str]:
    """What is said of a file: one line, and one more for each further note."""
    counted = [f"{lab} {'{} of {}'.format(*points(one.results, lab))} points" for lab in one.labs]
    first, *rest = ([f"{one.student}: {', '.join(counted)}"] if counted else []) + one.notes
    return [f"{one.path}: {first}", *(f"    {note}" for note in rest)]


def missing(hand_ins: Sequence[HandIn], students: Sequence[str]) -> list[str]:
    """A line for each lab that somebody has handed in, with the students of whom no file of it counts."""
    lines = []
    for lab in _labs(hand_ins):
        absent = [name for name in students if not any(one.student == name and lab in one.labs for one in hand_ins)]
        lines += [f"No {lab} that counts: {'; '.join(absent)}"] if absent else []
    return lines


def students_of(hand_ins: Sequence[HandIn], names: Iterable[str]) -> list[str]:
    """Those of the class, in its order, then whoever else has handed something in."""
    return list(dict.fromkeys([*names, *sorted({one.student for one in hand_ins if one.student})]))


def grades(hand_ins: Sequence[HandIn], names: Sequence[str]) -> bytes:
    """The table as CSV, for a spreadsheet: UTF-8 that Excel knows as such, and no cell that it takes for a formula.

    Parameters
    ----------
    hand_ins
        All files of the folder.
    names
        Of the class; who isn't among them gets a row too, and a note.
    """
    columns = ["student"]
    possible = {}
    for lab in _labs(hand_ins):
        columns += [lab, f"{lab} possible", f"{lab} quiz", *(name for name in exercises() if lab_of(name) == lab)]
        possible[f"{lab} possible"] = points({}, lab)[1]
    text = io.StringIO()
    table = csv.DictWriter(text, [*columns, "note"])
    table.writeheader()
    for student in students_of(hand_ins, names):
        own = [one for one in hand_ins if one.student == student]
        notes = ["not in the class list"] if names and student not in names else []
        notes += [f"{one.path} {note}" for one in own for note in one.notes] if own else ["nothing handed in"]
        row = possible | {"student": student, "note": " ".join(notes)}
        for one in own:
            row |= {lab: points(one.results, lab)[0] for lab in one.labs}
            row |= {f"{lab} quiz": one.quiz for lab in one.labs}
            row |= {name: SAVED[result] for name, result in one.results.items()}
        table.writerow({column: _no_formula(cell) for column, cell in row.items()})
    return text.getvalue().encode("utf-8-sig", errors="replace")  # a file's name may be no text


def _labs(hand_ins: Sequence[HandIn]) -> list[str]:
    return sorted({lab for one in hand_ins for lab in one.labs})


def _no_formula(cell: str | int | None) -> str | int | None:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
