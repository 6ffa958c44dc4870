"""Grades as a table: a row a student, the points of each lab, and each exercise in a word."""

import csv
import io
from collections.abc import Iterable, Sequence

from srlab.exercises.saved import Result
from srlab.grading.hand_ins import HandIn
from srlab.grading.results import lab_of, points

# What a teacher is told.
WORDS = {
    Result.RIGHT: "right",
    Result.HINT: "wrong",
    Result.TODO: "open",
    Result.NOT_RUN: "not run",
    Result.MISSING: "not in the file",
}


def describe(one: HandIn) -> list[str]:
    """What is said of a file: one line, and one more for each further note."""
    counted = [f"{lab} {'{} of {}'.format(*points(one.results, lab))} points" for lab in one.labs]
    first, *rest = ([f"{one.student}: {', '.join(counted)}"] if counted else []) + one.notes
    return [f"{one.path}: {first}", *(f"    {note}" for note in rest)]


def missing(hand_ins: Sequence[HandIn], students: Iterable[str]) -> list[str]:
    """A line for each lab that somebody has handed in, with the students of whom no file of it counts."""
    students = list(students)
    lines = []
    for lab in _labs(hand_ins):
        absent = [name for name in students if not any(one.student == name and lab in one.labs for one in hand_ins)]
        lines += [f"No {lab} that counts: {'; '.join(absent)}"] if absent else []
    return lines


def students_of(hand_ins: Sequence[HandIn], names: Iterable[str] = ()) -> list[str]:
    """Those of the class, in its order, then whoever else has handed something in."""
    return list(dict.fromkeys([*names, *sorted({one.student for one in hand_ins if one.student})]))


def grades(hand_ins: Sequence[HandIn], names: Sequence[str] = ()) -> bytes:
    """The table as CSV, for a spreadsheet: UTF-8 that Excel knows as such, and no cell that it takes for a formula.

    Parameters
    ----------
    hand_ins
        All files of the folder.
    names
        Of the class; who isn't among them gets a row too, and a note.
    """
    from srlab.exercises import names as exercises

    labs = _labs(hand_ins)
    columns = {lab: [name for name in exercises() if lab_of(name) == lab] for lab in labs}
    table = io.StringIO()
    writer = csv.writer(table)
    heads = [head for lab in labs for head in (lab, f"{lab} possible", f"{lab} quiz", *columns[lab])]
    writer.writerow(["student", *heads, "note"])
    for student in students_of(hand_ins, names):
        own = [one for one in hand_ins if one.student == student]
        row: list[str | int] = [student]
        for lab in labs:
            counted = next((one for one in own if lab in one.labs), None)
            if counted is None:
                row += ["", points({}, lab)[1], *[""] * (1 + len(columns[lab]))]
                continue
            quiz = "" if counted.quiz is None else counted.quiz
            row += [*points(counted.results, lab), quiz, *(WORDS[counted.results[name]] for name in columns[lab])]
        notes = ["not in the class list"] if names and student not in names else []
        notes += [] if own else ["nothing handed in"]
        notes += [f"{one.path} {note}" for one in own for note in one.notes]
        writer.writerow([_no_formula(cell) for cell in (*row, " ".join(notes))])
    return table.getvalue().encode("utf-8-sig", errors="replace")  # a file's name may be no text


def _labs(hand_ins: Sequence[HandIn]) -> list[str]:
    return sorted({lab for one in hand_ins for lab in one.labs})


def _no_formula(cell: str | int) -> str | int:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
