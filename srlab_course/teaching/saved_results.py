"""Read the results of checks that a notebook saves, without executing it.

`checks.check` saves the exercise and its result as a mark in the output of its cell.
"""

import re
from collections.abc import Mapping

from srlab_course.feedback.all_exercises import exercises
from srlab_course.feedback.quiz import ASKED
from srlab_course.notebook_files.finding import Saved, own_notebook
from srlab_course.notebook_files.marks import Mark, Result, checks_in, marks_in


def with_quiz(right: int | None) -> str:
    """Return ", quiz 4 of 5", or "" for a lab without a quiz."""
    return "" if right is None else f", quiz {right} of {ASKED}"


def read_results(notebook: Saved) -> dict[str, Result]:
    """Return the saved result of each exercise in a notebook's labs, or {} if it has no known exercise.

    If an exercise was checked several times, the last check in the notebook counts.
    """
    calls = {name for cell in notebook.cells if cell.cell_type == "code" for name in checks_in(cell.source)}
    marks = {mark.exercise: mark.result for mark in counted_marks(notebook)}
    labs = {lab_of(name) for name in exercises() if name in calls}
    unmarked = {name: Result.NOT_RUN if name in calls else Result.MISSING for name in exercises()}
    return {name: marks.get(name, without) for name, without in unmarked.items() if lab_of(name) in labs}


def counted_marks(notebook: Saved) -> list[Mark]:
    """Return the marks in the outputs of cells that check their exercise; any cell can display the others."""
    found = []
    for cell in notebook.cells:
        checked = {*checks_in(cell.source)} if cell.cell_type == "code" else set()
        found += [mark for mark in marks_in(cell) if mark.exercise in checked]
    return found


def contradicted(notebook: Saved, results: Mapping[str, Result]) -> list[str]:
    """Return the exercises of which any mark in a notebook has another result than the one that counts."""
    found = {
        mark.exercise for cell in notebook.cells for mark in marks_in(cell) if mark.result != results.get(mark.exercise)
    }
    return [name for name in results if name in found]


def numbered(lab: str) -> dict[str, str]:
    """Return the exercises of a lab in the order of its notebook in the course folder, with numbers: "exercise 1".

    Those that it does not contain are last, without a number.
    """
    notebook, number, found = own_notebook(lab), "", {}
    for cell in notebook.cells if notebook else ():
        if cell.cell_type == "code":
            found |= dict.fromkeys(checks_in(cell.source), number)
        elif heading := re.search(r"\*\*Exercise (\d+)\.", cell.source):
            number = f"exercise {heading[1]}"
    known = [name for name in exercises() if lab_of(name) == lab]
    return {name: found.get(name, "") for name in dict.fromkeys([*found, *known]) if name in known}


def lab_of(exercise: str) -> str:
    """Return the lab of an exercise: ``srgan`` for ``srgan.train_step``."""
    return exercise.partition(".")[0]
