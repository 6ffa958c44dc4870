"""``srlab progress``: which exercises are right, as the saved outputs of notebooks say; nothing is executed."""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError
from srlab.base.text import in_columns, printable

if TYPE_CHECKING:
    from nbformat import NotebookNode

CHECK = re.compile(r"""\bcheck\(\s*["'](\w+\.\w+)["']""")
RESULTS = {"right": "right", "hint": "hint given", "to do": "still to do"}  # by the word that `check` puts before
RAISED = {"Wrong": "hint", "StillToDo": "to do"}  # what it raises instead under SRLAB_STRICT
NOT_RUN, MISSING = "not run yet", "not in the file"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("progress", help="say which exercises are right, as the saved notebooks tell")
    parser.add_argument(
        "paths", nargs="*", metavar="FILE_OR_FOLDER", help="notebooks, and folders of them; default: the labs"
    )
    parser.set_defaults(command=run, when_stopped="nothing was changed.")


def run(options: argparse.Namespace) -> int:
    """Print a table for each notebook; returns 2 where one of them is none, or has no exercises."""
    from srlab.exercises import FORMER, find
    from srlab.lab.notebooks import read_notebook, seen_from_here

    tables: list[dict[str, str]] = []
    refused = 0
    for path in _notebooks(options.paths):
        try:
            notebook = read_notebook(path)
            results = progress(notebook)
            former = sorted({name for name, _ in _checks(notebook)} & FORMER)
            if not results and not former:
                raise SrlabError(f"There are no exercises of this course in {path}; is it one of the labs?")
        except SrlabError as error:  # the others are shown all the same
            print(f"srlab: {error}", file=sys.stderr)
            refused += 1
            continue
        print(f"{printable(seen_from_here(path))}: {_sum([results])}")
        if former:
            print(
                f"This notebook is of an older edition of the lab. Its exercises {', '.join(former)} are gone and not "
                "counted; the others are counted as they were saved."
            )
        rows = [(name, find(name).level, result) for name, result in results.items()]
        print(in_columns([("exercise", "level", "saved result"), *rows]))
        print()
        tables.append(results)
    if len(tables) > 1:
        print(f"In all: {_sum(tables)}")
    if tables:
        print("This is what was saved. Save a notebook first, and what it shows now is counted.")
    return 2 if refused else 0


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
    labs = {name.partition(".")[0] for name in results}
    return results | {n: MISSING for n in known if n.partition(".")[0] in labs and n not in results}


def _checks(notebook: "NotebookNode") -> list[tuple[str, list["NotebookNode"]]]:
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


def _notebooks(paths: Sequence[str]) -> list[Path]:
    """The files to read: as given, all below a folder that is given, or those of the course with exercises."""
    if not paths:
        from srlab.lab.notebooks import find_notebooks

        return [lab for lab in find_notebooks() if "srlab.check(" in lab.read_text(encoding="utf-8")]
    found: list[Path] = []
    for path in map(Path, paths):
        files = [path]
        if path.is_dir():
            inside = [file.relative_to(path) for file in sorted(path.rglob("*.ipynb"))]
            files = [path / file for file in inside if not any(part.startswith(".") for part in file.parts)]
        if not files:
            raise SrlabError(f"There is no notebook (.ipynb) in {path}; check the path.")
        found += files
    return found


def _sum(tables: Sequence[dict[str, str]]) -> str:
    """``3 of 5 right (hint given: 1, not run yet: 1)``."""
    counts = Counter(result for results in tables for result in results.values())
    others = [f"{r}: {counts[r]}" for r in (*RESULTS.values(), NOT_RUN, MISSING) if counts[r] and r != RESULTS["right"]]
    return f"{counts[RESULTS['right']]} of {counts.total()} right" + (f" ({', '.join(others)})" if others else "")
