"""What the checks of a notebook had found when it was saved; nothing is executed."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from srlab.exercises.saved import CHECKED, Result, checks_in

if TYPE_CHECKING:
    from nbformat import NotebookNode

# What a student is told of a saved notebook.
SAVED = {
    Result.RIGHT: "right",
    Result.HINT: "hint given",
    Result.TODO: "still to do",
    Result.NOT_RUN: "not run yet",
    Result.MISSING: "not in the file",
}
BY_CHECK = [one.value for one in (Result.RIGHT, Result.HINT, Result.TODO)]  # the words of `check`
RAISED = {"Wrong": Result.HINT, "StillToDo": Result.TODO}  # what `check` raises under SRLAB_STRICT


def progress(notebook: "NotebookNode") -> dict[str, Result]:
    """Say of each exercise what its check found when the notebook was last saved.

    Returns
    -------
    dict of str to Result
        By exercise, in the notebook's order; empty without an exercise that we know.
    """
    from srlab.exercises import names

    known = names()
    results: dict[str, Result] = {}
    for name, outputs in _checks(notebook):
        result = _result(name, outputs)
        if name in known and (result != Result.NOT_RUN or name not in results):  # of two cells, the later that was run
            results[name] = result
    labs = {lab_of(name) for name in results}
    return results | {n: Result.MISSING for n in known if lab_of(n) in labs and n not in results}


def other_edition(notebook: "NotebookNode") -> list[str]:
    """A sentence for exercises of an older edition, and one for those that this srlab doesn't have; none are counted.

    One that nobody knows counts where the notebook has one that we know, or its lab is ours: others have checks too.
    """
    from srlab.exercises import FORMER, names

    known = set(names())
    found = {name for name, _ in _checks(notebook)}
    ours = {lab_of(name) for name in known | FORMER}
    former = sorted(found & FORMER)
    unknown = sorted(name for name in found - known - FORMER if found & known or lab_of(name) in ours)
    sentences = []
    if former:
        sentences.append(
            f"This notebook is of an older edition of the lab. Its exercises {', '.join(former)} are gone and not "
            "counted; the others are counted as they were saved."
        )
    if unknown:
        sentences.append(
            f"This srlab doesn't have the exercises {', '.join(unknown)}, so they aren't counted. Is the notebook of a "
            "newer edition, or did somebody change a name?"
        )
    return sentences


def lab_of(exercise: str) -> str:
    """``srgan`` of ``srgan.train_step``."""
    return exercise.partition(".")[0]


def points(results: dict[str, Result], lab: str) -> tuple[int, int]:
    """What the right answers of a lab sum up to by importance, and what all of them would."""
    from srlab.exercises import find, names

    weights = {name: find(name).importance for name in names() if lab_of(name) == lab}
    return sum(weights[name] for name in weights if results.get(name) == Result.RIGHT), sum(weights.values())


def summary(tables: Sequence[dict[str, Result]]) -> str:
    """``3 of 5 right (hint given: 1, not run yet: 1)``."""
    counts = Counter(result for results in tables for result in results.values())
    others = [f"{word}: {counts[one]}" for one, word in SAVED.items() if counts[one] and one != Result.RIGHT]
    return f"{counts[Result.RIGHT]} of {counts.total()} right" + (f" ({', '.join(others)})" if others else "")


def _checks(notebook: "NotebookNode") -> Iterable[tuple[str, list["NotebookNode"]]]:
    """Each exercise that a cell checks, and what the cell showed."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [(name, cell.outputs) for cell in cells for name in checks_in(cell.source)]


def _result(name: str, outputs: list["NotebookNode"]) -> Result:
    """What a check left, or what it printed where it left nothing: long ago, or in an editor that drops such types."""
    shown = [output.get("data", {}) for output in outputs]
    for left in (data.get(CHECKED) for data in reversed(shown)):
        if isinstance(left, dict) and left.get("exercise") == name and left.get("result") in BY_CHECK:
            return Result(left["result"])
    printed = "".join(
        output.text if output.get("name") == "stdout" else data.get("text/plain", "")
        for output, data in zip(outputs, shown, strict=True)
    )
    _, *checks = re.split(rf"^{re.escape(name)} \(", printed, flags=re.MULTILINE)
    if not checks:
        return Result.NOT_RUN
    own, *others = re.split(r"^\w+\.\w+ \(", checks[-1], flags=re.MULTILINE)
    found = [Result(word) for word in re.findall(rf"^  ({'|'.join(BY_CHECK)}) ", own, re.MULTILINE)]
    found += [RAISED[one.ename] for one in outputs if one.get("ename") in RAISED and not others]
    if not found:
        return Result.NOT_RUN
    # What the answer itself prints comes before what its check says, and hints to start from come after a "to do".
    return Result.TODO if Result.TODO in found and found[-1] == Result.HINT else found[-1]
