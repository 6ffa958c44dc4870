"""Read the results of checks that a notebook saves, without executing it.

`checks.check` saves the exercise and its result as a mark in the output of its cell.
"""

import re

from srlab_course.feedback.all_exercises import exercises
from srlab_course.feedback.quiz import ASKED
from srlab_course.notebook_files.finding import Saved, own_notebook
from srlab_course.notebook_files.marks import Result, checks_in, marks_in


def with_quiz(right: int | None) -> str:
    """Return ", quiz 4 of 5", or "" for a lab without a quiz."""
    return "" if right is None else f", quiz {right} of {ASKED}"


def read_results(notebook: Saved) -> dict[str, Result]:
    """Return the saved result of each exercise in a notebook's labs, or {} if it has no known exercise.

    If an exercise was checked several times, the last check in the notebook counts.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    calls = {name for cell in code for name in checks_in(cell.source)}
    marks = {name: result for cell in code for name, result in marks_in(cell).items()}
    labs = {lab_of(name) for name in exercises() if name in calls}
    unmarked = {name: Result.NOT_RUN if name in calls else Result.MISSING for name in exercises()}
    return {name: marks.get(name, without) for name, without in unmarked.items() if lab_of(name) in labs}


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
