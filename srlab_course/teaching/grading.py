"""``srlab grade``: read the saved results of a class into a gradebook, without executing anything.

Saved results can be forged. docs/teaching.md describes how to execute submissions again.
"""

import argparse
import csv
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten

import pandas as pd

from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab.paths import expand_user
from srlab.text import printable
from srlab_course.feedback.all_exercises import exercises, find
from srlab_course.feedback.quiz import count_right
from srlab_course.notebook_files.finding import read_saved
from srlab_course.notebook_files.marks import Mark, Result, answers_in
from srlab_course.teaching.saved_results import (
    contradicted,
    counted_marks,
    lab_of,
    numbered,
    read_results,
    with_quiz,
)

NO_EXERCISES = "has no exercises of this version of the course."
LONGEST_PATH = 100  # characters in a note
LONGEST_NOTE = 10_000  # characters in a cell of the table; Excel allows 32,767


@dataclass
class Submission:
    """A submitted file with its results and a note about it. Without results it is not counted; the note tells why.

    `path` is relative to the folder of all submissions. `hints` are the names of those that checks have shown, by
    exercise. `quiz` is the number of correct answers in each lab's quiz.
    """

    path: Path
    results: dict[str, Result] = field(default_factory=dict)
    hints: dict[str, list[str]] = field(default_factory=dict)
    quiz: dict[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def student(self) -> str:
        """The name of the student's folder, or of the file without its ending."""
        name = self.path.parts[0] if len(self.path.parts) > 1 else self.path.stem
        return unicodedata.normalize("NFC", name)  # macOS may write ü as u and two dots

    @property
    def points(self) -> dict[str, tuple[int, int]]:
        """The points for correct answers in each lab, and the maximum."""
        return {lab: points(self.results, lab) for lab in map(lab_of, self.results)}


def points(results: Mapping[str, Result], lab: str) -> tuple[int, int]:
    """Return the points for correct answers in a lab, and the maximum."""
    weights = {name: exercise.points for name, exercise in exercises().items() if lab_of(name) == lab}
    return sum(weights[name] for name in weights if results.get(name) == Result.CORRECT), sum(weights.values())


def grade(options: argparse.Namespace) -> int:
    """Print one line per file and write the table. Return 2 if a file is not counted."""
    table = expand_user(options.csv) if options.csv else None
    known = read_class(expand_user(options.names)) if options.names else {}
    submissions, others = read_submissions(expand_user(options.folder))
    if table:
        refuse_existing(table, options.force)
    strangers = sorted({one.student for one in submissions} - known.keys())  # one may take another's name
    students = known | {name: f"{name} (not in the class list)" if known else name for name in strangers}
    for one in submissions:
        reached = ", ".join(
            "{} {} of {} points".format(lab, *found) + with_quiz(one.quiz.get(lab)) for lab, found in one.points.items()
        )
        counted = f"{students[one.student]}: {reached}" if one.results else ""
        print(printable(f"{one.path}: {'. Note: '.join(filter(None, [counted, one.note]))}"))
    for lab in labs_of(submissions):
        counted = {one.student for one in submissions if lab in one.points}
        if absent := [name for student, name in students.items() if student not in counted]:
            print(printable(f"No valid {lab} submission: {'; '.join(absent)}"))
    if known and strangers:
        print(printable(f"Not in the class list: {'; '.join(strangers)}"))
    if others:
        print(printable(f"Not read: {in_short(others)}."))
    for name in sorted({name for one in submissions for name in one.hints}):
        count = Counter(hint for one in submissions for hint in one.hints.get(name, ()))
        print(printable(f"Hints of {name}: {', '.join(f'{hint} {times}' for hint, times in count.most_common())}"))
    uncounted = sum(not one.results for one in submissions)
    print(
        f"{len(submissions)} files from {len({one.student for one in submissions})} students; not counted: {uncounted}."
    )
    if table:
        write_atomic(table, table_of(submissions, students), replace=options.force)
        print(f"The table is in {printable(options.csv)}.")
    return 2 if uncounted else 0


def read_class(file: Path) -> dict[str, str]:
    """Read a class list into a dict: name of a student's folder or file -> name for the gradebook.

    A line has both, with a semicolon between them, or one name for both.
    """
    try:
        lines = unicodedata.normalize("NFC", file.read_text(encoding="utf-8-sig")).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SrlabError(f"Cannot read {file}. Use a UTF-8 text file with one name per line.") from error
    known: dict[str, str] = {}
    for line in filter(str.strip, lines):
        student, _, name = (part.strip() for part in line.partition(";"))
        if student in known or (name or student) in known.values():
            raise SrlabError(f"{file} has one name for two students, in the line '{line}'. Give each a different name.")
        known[student] = name or student
    if not known:
        raise SrlabError(f"{file} contains no names. Write one name per line.")
    return known


def read_submissions(folder: Path) -> tuple[list[Submission], list[Path]]:
    """Read the notebooks in a folder and its subfolders, except hidden ones; also return the paths of other files.

    Files without exercises are among the others, as in a copy of the whole course, unless their student submitted
    nothing else. If a student submitted several files for a lab, none of them is counted.
    """
    files = files_below(folder)
    if not files:
        raise SrlabError(f"No files found in {folder}. Check the path.")
    by_student = defaultdict(list)
    for path in files:
        by_student[Submission(path).student].append(path)
    submissions = []
    for own in by_student.values():
        read = [read_submission(folder, path) for path in own if path.suffix.lower() == ".ipynb"]
        with_exercises = [one for one in read if one.note != NO_EXERCISES]
        archive_first = min(own, key=lambda path: path.suffix.lower() != ".zip")
        note = "is not a notebook. If it is an archive, unpack it; otherwise, ask the student for the .ipynb file."
        submissions += with_exercises or read or [Submission(archive_first, note=note)]
    count = Counter((one.student, lab) for one in submissions for lab in one.points)
    for one in submissions:
        if twice := [lab for lab in one.points if count[one.student, lab] > 1]:
            one.results, one.note = {}, f"is one of several files from {one.student} for {', '.join(twice)}. Keep one."
    return submissions, sorted({*files} - {one.path for one in submissions})


def files_below(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders, except hidden ones, relative to the folder.

    A link counts as a file, and so does a subfolder that cannot be listed. The depth is not limited, unlike with
    `Path.rglob`, so no submission stops the grading of a class.
    """
    files, folders = [], [Path()]
    while folders:
        here = folders.pop()
        try:
            entries = [entry for entry in os.scandir(folder / here) if not entry.name.startswith(".")]
        except OSError:  # for example a path that is too long
            files += [here] * (here != Path())
            continue
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else files).append(here / entry.name)
    return sorted(files)


def in_short(paths: Sequence[Path]) -> str:
    """Return the names of notebooks, each once, and how many other files there are."""
    notebooks = {path.name for path in paths if path.suffix.lower() == ".ipynb"}
    rest = sum(path.suffix.lower() != ".ipynb" for path in paths)
    parts = [f"notebooks without exercises ({', '.join(sorted(notebooks))})"] if notebooks else []
    return " and ".join(parts + [f"{rest:,} files that are not notebooks"] * bool(rest))


def read_submission(folder: Path, path: Path) -> Submission:
    """Read a file, which never stops the class. A note names correct answers that still contain the stub."""
    try:
        return _read(folder, path)
    except Exception:  # of many kinds, for a file that is damaged or made to do harm
        return Submission(path, note="is not a readable notebook. Ask the student for the .ipynb file.")


def _read(folder: Path, path: Path) -> Submission:
    if (folder / path).is_symlink():
        raise SrlabError(f"{path} is a link, which may lead to a file that its student did not write.")
    notebook = read_saved(folder / path)
    results = read_results(notebook)
    if not results:
        return Submission(path, note=NO_EXERCISES)
    answers = answers_in(notebook)  # under any number of names, so only those of exercises are looked at
    correct = {name: answers.get(name, (None, None))[0] for name in results if results[name] == Result.CORRECT}
    odd = [name for name, cell in correct.items() if cell and "course.TODO" in cell.source]
    notes = [f"{name} is correct, but still contains course.TODO." for name in odd]
    if others := contradicted(notebook, results):
        notes.append(
            f"Look at all cells with results of {', '.join(others)}: another one differs from the one counted."
        )
    hints = {
        mark.exercise: known_hints(mark) for mark in counted_marks(notebook) if mark.hints and mark.exercise in results
    }
    return Submission(path, results, hints, count_right(notebook), " ".join(notes))


def known_hints(mark: Mark) -> list[str]:
    """Return the names of a mark's hints that its exercise has, and "other" for all others, such as forged ones."""
    exercise = find(mark.exercise)
    known = {*(mistake.name for mistake in exercise.known_mistakes), *exercise.fallback_messages}
    return sorted({hint if hint in known else "other" for hint in mark.hints})


def labs_of(submissions: Sequence[Submission]) -> list[str]:
    """Return the labs that someone submitted."""
    return sorted({lab for one in submissions for lab in one.points})


def table_of(submissions: Sequence[Submission], students: Mapping[str, str]) -> bytes:
    """Return the gradebook of a class as CSV, one row per student; `students` maps their folders to their names.

    A student without a valid submission of a lab has 0 points, and the note tells why. Notes about counted files come
    first, so neither a long path nor many other files push them out. The encoding is UTF-8 with a byte order mark,
    which Excel needs. No cell starts a formula.
    """
    columns, without, rows = {"student": "student"}, {}, []
    labs = labs_of(submissions)
    for lab in labs:
        without |= {lab: 0, f"{lab} possible": points({}, lab)[1]}
        columns |= {name: name for name in (lab, f"{lab} possible", f"{lab} quiz")}
        columns |= {name: f"{name} ({number})" if number else name for name, number in numbered(lab).items()}
    for student, name in students.items():
        own = sorted((one for one in submissions if one.student == student), key=lambda one: not one.results)
        missing = [lab for lab in labs if own and not any(lab in one.points for one in own)]
        notes = [f"No valid submission of {', '.join(missing)}."] if missing else []
        notes += [f"{_cut(one.path)} {one.note}" for one in own if one.note] if own else ["Nothing submitted."]
        row = without | {"student": name, "note": shorten(" ".join(notes), LONGEST_NOTE)}
        for one in own:
            row |= one.results | {lab: reached for lab, (reached, _) in one.points.items()}
            row |= {f"{lab} quiz": one.quiz.get(lab) for lab in one.points}
        rows.append({key: _plain(cell) if isinstance(cell, str) else cell for key, cell in row.items()})
    table = pd.DataFrame(rows, columns=[*columns, "note"], dtype=object).rename(columns=columns)
    return table.to_csv(index=False, quoting=csv.QUOTE_ALL).encode("utf-8-sig")


def _cut(path: Path) -> str:
    """Return the beginning and the end of a long path."""
    text, half = str(path), LONGEST_PATH // 2
    return text if len(text) <= LONGEST_PATH else f"{text[:half]}...{text[-half:]}"


def _plain(cell: str) -> str:
    """Return a text that is no formula for a spreadsheet, also where it separates cells at semicolons, as in German."""
    return re.sub(r'(^|;)[\s"]*(?=[=+@\-＝＋＠－])', r"\g<0>'", printable(cell))
