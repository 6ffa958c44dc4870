"""What the checks of a notebook had found when it was saved; nothing is executed."""

import re
from collections import Counter
from collections.abc import Sequence

from nbformat import NotebookNode

from srlab.course.exercise import find, names
from srlab.course.saved import MARK, Result, checks_in

# What is told of a saved notebook, to a student and to a teacher.
SAVED = {
    Result.RIGHT: "right",
    Result.HINT: "hint given",
    Result.TODO: "still to do",
    Result.NOT_RUN: "not run yet",
    Result.MISSING: "not in the file",
}
BY_CHECK = [one.value for one in (Result.RIGHT, Result.HINT, Result.TODO)]  # the words of `check`


def progress(notebook: NotebookNode) -> tuple[dict[str, Result], list[str]]:
    """Say of each exercise what its check found when the notebook was last saved.

    Returns
    -------
    dict of str to Result
        By exercise, in the notebook's order; empty without an exercise that we know.
    list of str
        Sentences about checks that couldn't be counted as they stand there.
    """
    known = names()
    results: dict[str, Result] = {}
    unknown = []
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        for name in checks_in(cell.source):
            if name not in known:
                unknown.append(name)
                continue
            result = _left(name, cell.outputs)
            if result != Result.NOT_RUN or name not in results:  # of two cells, the later that was run
                results[name] = result
    notes = []
    if unknown:
        notes.append(
            f"This srlab doesn't have the exercises {', '.join(sorted(set(unknown)))}, so they aren't counted: the "
            "notebook is of another edition, or somebody has changed a name."
        )
    labs = {lab_of(name) for name in results}
    return results | {n: Result.MISSING for n in known if lab_of(n) in labs and n not in results}, notes


def lab_of(exercise: str) -> str:
    """``srgan`` of ``srgan.train_step``."""
    return exercise.partition(".")[0]


def points(results: dict[str, Result], lab: str) -> tuple[int, int]:
    """What the right answers of a lab sum up to by importance, and what all of them would."""
    weights = {name: find(name).importance for name in names() if lab_of(name) == lab}
    return sum(weights[name] for name in weights if results.get(name) == Result.RIGHT), sum(weights.values())


def summary(tables: Sequence[dict[str, Result]]) -> str:
    """``3 of 5 right (hint given: 1, not run yet: 1)``."""
    counts = Counter(result for results in tables for result in results.values())
    others = [f"{word}: {counts[one]}" for one, word in SAVED.items() if counts[one] and one != Result.RIGHT]
    return f"{counts[Result.RIGHT]} of {counts.total()} right" + (f" ({', '.join(others)})" if others else "")


def _left(name: str, outputs: list[NotebookNode]) -> Result:
    """What the last run of a check left beside its words; where nothing is, as after clearing, it wasn't run."""
    marks = re.compile(MARK.format(re.escape(name), f"({'|'.join(BY_CHECK)})"))
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    found = marks.findall("".join(pages))
    return Result(found[-1]) if found else Result.NOT_RUN
