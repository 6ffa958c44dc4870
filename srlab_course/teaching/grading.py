"""``srlab progress`` and ``srlab grade``: read the results of checks from saved notebooks, without executing them.

`checks.check` saves the exercise and its result as a mark in the output of its cell. Marks can be forged: a note tells
where to look (`grading_notes.py`), and docs/grading.md describes how to re-run submissions.
"""

import argparse
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab.paths import expand_user
from srlab.text import printable
from srlab_course.feedback.quiz import ASKED, count_right
from srlab_course.layout import in_columns, seen_from_here
from srlab_course.notebooks.finding import Saved, find_lab, find_notebooks, own_notebook, read_saved
from srlab_course.notebooks.marks import Result, checks_in, hints_in, marks_in
from srlab_course.teaching.exercise_list import entries
from srlab_course.teaching.grading_notes import answers_in, codes_of, odd_results

# The text after the student's name in "Anna Li_1234_assignsubmission_file_" (Moodle), "lianna_LATE_1234_5678_" (Canvas)
# and "anna_li_03_srgan".
AFTER_NAME = re.compile(r"_(?:LATE_)?\d{3,}(?:_|$)|_assignsubmission_|[-_ ]+(?=\d\d_[a-z])")


def progress(options: argparse.Namespace) -> int:
    """Print a line per lab, or a table for each notebook that is named. Return 2 if one has no readable exercises."""
    lines, unread = [], 0
    for name in options.notebooks or find_notebooks():
        try:
            typed = expand_user(name)
            path = typed if typed.suffix == ".ipynb" else find_lab(str(name))
            notebook = read_saved(path)
            if not (results := read_results(notebook)) and not options.notebooks:
                continue
            if not results:
                raise SrlabError(f"{path} has no exercises of this version of the course. Check the file.")
        except SrlabError as error:
            print(f"srlab: {error}", file=sys.stderr)
            unread += 1
            continue
        quiz = count_right(notebook)
        correct = sum(result == Result.CORRECT for result in results.values())
        counts = f"{correct} of {len(results)} correct{'' if quiz is None else f', quiz {quiz} of {ASKED}'}"
        lines.append(f"{printable(seen_from_here(path)) if options.notebooks else path.stem}: {counts}")
        if options.notebooks:
            order = [pair for lab in dict.fromkeys(map(lab_of, results)) for pair in numbered(lab).items()]
            lines.append(in_columns([(number, name, entries()[name].level, results[name]) for name, number in order]))
    if lines:
        more = "" if options.notebooks else " For the exercises of a lab, add its name: srlab progress 00"
        print(*lines, f"These are saved results. Save a notebook to count its new results.{more}", sep="\n")
    return 2 if unread else 0


def read_results(notebook: Saved) -> dict[str, Result]:
    """Return the saved result of each exercise in a notebook's labs, or {} if it has no known exercise.

    If an exercise was checked several times, the last check in the notebook counts.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    calls = {name for cell in code for name in checks_in(cell.source)}
    marks = {name: result for cell in code for name, result in marks_in(cell).items()}
    labs = {lab_of(name) for name in entries() if name in calls}
    unmarked = {name: Result.NOT_RUN if name in calls else Result.MISSING for name in entries() if lab_of(name) in labs}
    return {name: marks.get(name, without) for name, without in unmarked.items()}


def numbered(lab: str) -> dict[str, str]:
    """Return the exercises of a lab in the order of its notebook in the course folder, with numbers: "exercise 1".

    Those that it does not contain are last, without a number.
    """
    notebook, number, found = own_notebook(lab), "", {}
    known = [name for name in entries() if lab_of(name) == lab]
    for cell in notebook.cells if notebook else ():
        if cell.cell_type == "code":
            found |= dict.fromkeys(checks_in(cell.source), number)
        elif heading := re.search(r"\*\*Exercise (\d+)\.", cell.source):
            number = f"exercise {heading[1]}"
    return {name: found.get(name, "") for name in dict.fromkeys([*found, *known]) if name in known}


def lab_of(exercise: str) -> str:
    """Return the lab of an exercise: ``srgan`` for ``srgan.train_step``."""
    return exercise.partition(".")[0]


def points(results: dict[str, Result], lab: str) -> tuple[int, int]:
    """Return the points for correct answers in a lab, and the maximum."""
    weights = {name: entries()[name].points for name in entries() if lab_of(name) == lab}
    return sum(weights[name] for name in weights if results.get(name) == Result.CORRECT), sum(weights.values())


# --- A class ----------------------------------------------------------------------------------------------------


@dataclass
class Submission:
    """A submitted file with its results and a note about it. Without points it is not counted, and the note says why.

    `path` is relative to the folder of all submissions, and `student` is from the class list, or else from the path.
    `hints` are the names of those that checks have shown. `points` maps a lab to points and maximum points. `quiz` is
    the number of correct answers, None without a quiz. `codes` contains the code of the answers that are compared with
    those of other students.
    """

    path: Path
    student: str
    results: dict[str, Result] = field(default_factory=dict)
    hints: dict[str, list[str]] = field(default_factory=dict)
    points: dict[str, tuple[int, int]] = field(default_factory=dict)
    quiz: int | None = None
    codes: dict[str, str] = field(default_factory=dict)
    note: str = ""


def grade(options: argparse.Namespace) -> int:
    """Print one line per file and write the table. Return 2 if a file is not counted."""
    table = expand_user(options.csv).resolve() if options.csv else None
    if table:
        refuse_existing(table, options.force)
    known = read_class(expand_user(options.names)) if options.names else {}
    submissions = read_submissions(expand_user(options.folder), known, table)
    for one in submissions:
        reached = ", ".join("{} {} of {} points".format(lab, *found) for lab, found in one.points.items())
        quiz = "" if one.quiz is None else f", quiz {one.quiz} of {ASKED}"
        counted = [f"{one.student}: {reached}{quiz}", one.note and f"Note: {one.note}"] if one.points else [one.note]
        print(printable(f"{one.path}: {'. '.join(filter(None, counted))}"))
    students = list(dict.fromkeys([*known.values(), *sorted(one.student for one in submissions)]))
    counted = [(one.student, lab) for one in submissions for lab in one.points]
    for lab in sorted({lab for _, lab in counted}):
        if absent := [name for name in students if (name, lab) not in counted]:
            print(printable(f"No valid {lab} submission: {'; '.join(absent)}"))
    if strangers := [name for name in students if known and name not in known.values()]:
        print(printable(f"Not in the class list: {'; '.join(strangers)}"))
    for name in sorted({name for one in submissions for name in one.hints}):
        count = Counter(hint for one in submissions for hint in one.hints.get(name, ()))
        print(printable(f"Hints of {name}: {', '.join(f'{hint} {times}' for hint, times in count.most_common())}"))
    uncounted = sum(not one.points for one in submissions)
    senders = len({one.student for one in submissions})
    print(f"{len(submissions)} files from {senders} students; not counted: {uncounted}.")
    if table:
        write_atomic(table, table_of(submissions, students))
        print(f"The table is in {printable(options.csv)}.")
    return 2 if uncounted else 0


def read_class(file: Path) -> dict[str, str]:
    """Read a class list into a dict: key for `student_of` -> name of the student.

    Each line has a student's name and, after semicolons or tabs, other names for the same student in file names.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SrlabError(f"Cannot read {file}. Use a UTF-8 text file with one name per line.") from error
    known: dict[str, str] = {}
    for line in lines:
        row = [name for part in re.split("[;\t]", line) if _key(name := part.strip(' "'))]
        if not known and row and _key(row[0]) == "name":  # a heading
            continue
        for name in row:
            if known.setdefault(_key(name), row[0]) != row[0]:
                raise SrlabError(f"{file} lists {name} for two students. Give each student a unique name.")
    if not known:
        raise SrlabError(f"{file} contains no names. Write one name per line.")
    return known


def student_of(path: Path, known: dict[str, str]) -> str:
    """Return which student submitted a file, from its first folder or, without a folder, from the file name.

    `path` is relative to the folder of all submissions, and `known` is from `read_class`. The words of a name can be in
    any order.
    """
    called = path.parts[0] if len(path.parts) > 1 else path.stem
    called = re.sub("#U([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), called)  # unzip writes an umlaut like this
    called = unicodedata.normalize("NFC", AFTER_NAME.split(called)[0]).strip()
    return known.get(_key(called), called)


def _key(name: str) -> str:
    """Return the sorted words of a name, without case and punctuation; Turkish dotted and dotless i are one letter."""
    folded = unicodedata.normalize("NFD", name.casefold()).replace("ı", "i").replace("i\u0307", "i")
    # Keep marks, because vowels of many scripts are marks.
    kept = (sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in unicodedata.normalize("NFC", folded))
    return " ".join(sorted("".join(kept).split()))


def read_submissions(folder: Path, known: dict[str, str], table: Path | None = None) -> list[Submission]:
    """Read all files in a folder and its subfolders, except hidden ones and the table of an earlier call.

    If a student submitted several files for a lab, none of them is counted.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.resolve() != table]
    files = [path.relative_to(folder) for path in files]
    files = [path for path in files if not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)]
    if not files:
        raise SrlabError(f"No files found in {folder}. Check the path.")
    submissions = [_read(folder, Submission(path, student_of(path, known))) for path in files]
    count = Counter((one.student, lab) for one in submissions for lab in one.points)
    for one in submissions:
        if twice := [lab for lab in one.points if count[one.student, lab] > 1]:
            one.results, one.points, one.codes = {}, {}, {}
            one.note = f"is one of several files from {one.student} for {', '.join(twice)}. Keep one."
    note_equal_answers(submissions)
    return submissions


def note_equal_answers(submissions: Sequence[Submission]) -> None:
    """Add a note to each submission with an answer that another student has, too."""
    for one in submissions:
        for name, code in one.codes.items():
            same = sorted({other.student for other in submissions if other.codes.get(name) == code} - {one.student})
            more = f" and {len(same) - 3} more" if len(same) > 3 else ""
            if same:
                one.note = f"{one.note} {name} has the same code as that of {', '.join(same[:3])}{more}.".strip()


def _read(folder: Path, one: Submission) -> Submission:
    try:
        notebook = read_saved(folder / one.path)
        one.results, one.quiz = read_results(notebook), count_right(notebook)
        one.hints = {name: hints for cell in notebook.cells for name, hints in hints_in(cell).items()}
        one.points = {lab: points(one.results, lab) for lab in map(lab_of, one.results)}
        answers = {name: answer for name, answer in answers_in(notebook).items() if name in one.results}
        one.codes, one.note = codes_of(answers), " ".join(odd_results(notebook, one.results, answers))
        one.note = one.note if one.results else "has no exercises of this version of the course."
    except SrlabError:
        one.note = "is not a readable notebook. Ask the student for the .ipynb file."
    except RecursionError:
        one.note = "Its code is nested too deeply to look for an answer."
    return one


def table_of(submissions: Sequence[Submission], students: Sequence[str]) -> bytes:
    """Return the gradebook of a class as CSV, one row per student.

    The encoding is UTF-8 with a byte order mark, which Excel needs. No cell starts a formula.
    """
    columns, exercises, possible, rows = ["student"], {}, {}, []
    for lab in sorted({lab for one in submissions for lab in one.points}):
        columns += [lab, f"{lab} possible", f"{lab} quiz", *numbered(lab)]
        exercises |= {name: f"{name} ({number})" for name, number in numbered(lab).items() if number}
        possible[f"{lab} possible"] = points({}, lab)[1]
    for student in students:
        own = [one for one in submissions if one.student == student]
        notes = [f"{one.path} {one.note}" for one in own if one.note] if own else ["nothing submitted"]
        rows.append(possible | {"student": student, "note": " ".join(notes)})
        for one in own:
            rows[-1] |= one.results
            for lab, (reached, _) in one.points.items():
                rows[-1] |= {lab: reached, f"{lab} quiz": one.quiz}
    table = pd.DataFrame(rows, columns=[*columns, "note"], dtype=object).rename(columns=exercises)
    table = table.replace(r"^(?=[=+\-@\t\r])", "'", regex=True)
    return table.to_csv(index=False).encode("utf-8-sig", errors="replace")  # file names may be invalid Unicode
