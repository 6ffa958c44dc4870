"""Labs executed in a process that has torch and the course imported already, as a kernel needs seconds for that.

One server process imports once and forks for each lab, so no run sees what another left in memory.
"""

import multiprocessing
import os
import traceback
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

IMPORTED = ["IPython.core.interactiveshell", "torch", "torchvision", "pandas", "matplotlib.pyplot", "skimage", "srlab"]
IMPORTED += ["srlab.losses", "srlab.models", "srlab.evaluation.scoring", "srlab.training.trainer", "srlab.view.plots"]


class Executed(NamedTuple):
    """What a lab printed and how it ended."""

    text: str
    error: str  # "SrlabError: ..." of the cell that failed, or ""


def execute_warm(lab: Path, parameters: dict[str, Any], limit: float = 120) -> Executed:
    """Run the cells of a lab as papermill does: the parameters come right after the cell of defaults."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(there, lab, parameters, dict(os.environ)))
    process.start()
    there.close()
    try:
        assert here.poll(limit), f"{lab.name} takes longer than {limit} s"
        return here.recv()
    finally:
        process.kill()
        process.join()


def _run(there: Any, lab: Path, parameters: dict[str, Any], environment: dict[str, str]) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from srlab.course.claims import insert_claims

    os.environ.clear()
    os.environ.update(environment)
    shell = InteractiveShell.instance()
    shell.cache_size = 0
    text, error = [], ""
    notebook = nbformat.read(lab, 4)
    insert_claims(notebook, lab.stem)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        with capture_output() as captured:
            result = shell.run_cell(cell.source)
        shown = [data for output in captured.outputs for kind, data in output.data.items() if kind.startswith("text/")]
        text += [captured.stdout, *map(str, shown)]
        if not result.success:
            failure = result.error_before_exec or result.error_in_exec
            error = "".join(traceback.format_exception_only(failure)).strip()
            break
        if "parameters" in cell.metadata.get("tags", []):
            shell.user_ns.update(parameters)
    there.send(Executed("".join(text), error))
