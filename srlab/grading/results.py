"""What the checks of a notebook had printed when it was saved; nothing is executed."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

CHECK = re.compile(r"""\bcheck\(\s*["'](\w+\.\w+)["']""", re.ASCII)
RESULTS = {"right": "right", "hint": "hint given", "to do": "still to do"}  # by the word that `check` puts before
RAISED = {"Wrong": "hint", "StillToDo": "to do"}  # what it raises instead under SRLAB_STRICT
NOT_RUN, MISSING = "not run yet", "not in the file"


def progress(notebook: "NotebookNode") -> dict[str, str]:
    """Say of each exercise what its check printed when the notebook was last saved.

    Returns
    -------
    dict of str to str
        Exercise -> ``"right"``, ``"hint given"``, ``"still to do"``, ``"not run yet"``, or ``"not in the file"`` (its
        lab has it, and the notebook has not). In the notebook's order; empty without an exercise that we know.
    """
    from srlab.exercises import names

    known = names()
    results: dict[str, str] = {}
    for name, outputs in _checks(notebook):
        result = _result(name, outputs)
        if name in known and (result != NOT_RUN or name not in results):  # of two cells, the later that was run
            results[name] = result
    labs = {lab_of(name) for name in results}
    return results | {n: MISSING for n in known if lab_of(n) in labs and n not in results}


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


def points(results: dict[str, str], lab: str) -> tuple[int, int]:
    """What the right answers of a lab sum up to by importance, and what all of them would."""
    from srlab.exercises import find, names

    weights = {name: find(name).importance for name in names() if lab_of(name) == lab}
    return sum(weights[name] for name in weights if results.get(name) == RESULTS["right"]), sum(weights.values())


def summary(tables: Sequence[dict[str, str]]) -> str:
    """``3 of 5 right (hint given: 1, not run yet: 1)``."""
    counts = Counter(result for results in tables for result in results.values())
    others = [f"{r}: {counts[r]}" for r in (*RESULTS.values(), NOT_RUN, MISSING) if counts[r] and r != RESULTS["right"]]
    return f"{counts[RESULTS['right']]} of {counts.total()} right" + (f" ({', '.join(others)})" if others else "")


def _checks(notebook: "NotebookNode") -> Iterable[tuple[str, list["NotebookNode"]]]:
    """Each exercise that a cell checks, and what the cell showed."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [(name, cell.outputs) for cell in cells for name in CHECK.findall(cell.source)]


def _result(name: str, outputs: list["NotebookNode"]) -> str:
    printed = "".join(output.text for output in outputs if output.get("name") == "stdout")
    _, *checks = re.split(rf"^{re.escape(name)} \(", printed, flags=re.MULTILINE)
    if not checks:
        return NOT_RUN
    words = re.findall(rf"^  ({'|'.join(RESULTS)}) ", checks[-1], re.MULTILINE)
    words += [word for error, word in RAISED.items() if any(output.get("ename") == error for output in outputs)]
    return RESULTS[words[0]] if words else NOT_RUN
