"""Execute a notebook headlessly with papermill, with the lab's claims if ``SRLAB_CLAIMS`` is set."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from keyword import iskeyword
from pathlib import Path
from typing import Any

import papermill
from traitlets.config import Config

from srlab.errors import SrlabError
from srlab.files import refuse_foreign, write_own
from srlab.paths import switched_on
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.claims import insert_claims
from srlab_course.notebook_files.editable import read_notebook, write_notebook
from srlab_course.notebook_files.finding import outputs_of, tags_of
from srlab_course.notebook_files.marks import METRIC
from srlab_course.notebook_files.stopping import START_TIMEOUT, stopping_the_kernel


def execute(notebook: Path, output: Path, parameters: dict[str, Any], without: str | None = None) -> dict[str, Any]:
    """Execute one notebook with papermill, and return what the lab passed last to `course.report_metric`.

    The metric has ``label``, ``value``, ``unit`` and ``peak_memory_mib``. The executed copy is written even if a cell
    fails, but not if the kernel dies; it replaces only an earlier copy. A signal stops the lab (`stopping_the_kernel`).
    Cells with the tag `without` are left out; studies use ``not-in-studies``.
    """
    for name in parameters:  # papermill quotes values, but inserts names as code
        if not str(name).isidentifier() or iskeyword(str(name)):
            raise SrlabError(f"{name!r} is not a valid parameter name. Use letters, digits and underscores.")
    content = read_notebook(notebook)
    if parameters and not any("parameters" in tags_of(cell) for cell in content.cells):
        # Papermill would insert them at the top, and the lab's own cell would overwrite them.
        raise SrlabError(
            f"{notebook} accepts no parameters, because no cell has the tag 'parameters'. Add the tag to one."
        )
    content.cells = [cell for cell in content.cells if without not in tags_of(cell)]
    if switched_on("SRLAB_CLAIMS"):
        insert_claims(content, notebook.stem)
    refuse_foreign(output)
    try:
        # Papermill keeps two copies of a notebook object, and does not write atomically.
        with (
            tempfile.TemporaryDirectory() as folder,
            stopping_the_kernel(),
            _moved(executed := Path(folder) / f"executed_{notebook.name}", output),
        ):
            write_notebook(content, Path(folder) / notebook.name)
            # Any account could read what a kernel sends over TCP. Linux allows 107 bytes for the path of a socket.
            private = sys.platform == "linux" and len(os.fsencode(folder)) < 90
            sockets = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"} if private else {}
            done = papermill.execute_notebook(
                str(Path(folder) / notebook.name),
                str(executed),
                parameters=parameters,
                kernel_name="python3",
                language="python",  # notebooks from jupytext have no language
                progress_bar=False,
                start_timeout=START_TIMEOUT,
                config=Config(KernelManager=sockets),
                request_save_on_cell_execute=False,  # saving around each cell costs 15 s per lab
            )
    except papermill.PapermillExecutionError as error:
        where = f"cell {error.exec_count} of {seen_from_here(output)}"  # which contains the traceback
        raise SrlabError(f"{error.ename}: {error.evalue} ({where})") from error
    except RuntimeError as error:  # a kernel that died, or could not start because of a port clash
        raise SrlabError(
            f"The kernel of {notebook.name} died or did not start: {str(error).rstrip('.')}. Run the command again; if "
            "the kernel dies in the same cell, it may need more memory."
        ) from error
    return read_metric(done)


@contextmanager
def _moved(executed: Path, output: Path) -> Iterator[None]:
    """Write an executed copy where it belongs after the block, also if a cell fails."""
    try:
        yield
    except papermill.PapermillExecutionError:
        _write_copy(executed, output)
        raise
    _write_copy(executed, output)


def _write_copy(executed: Path, output: Path) -> None:
    """Write an executed copy without papermill's paths, which contain the name of an account."""
    content = json.loads(executed.read_bytes())
    for name in ("input_path", "output_path"):
        content["metadata"].get("papermill", {}).pop(name, None)
    write_own(output, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_metric(notebook: Any) -> dict[str, Any]:
    """Return the last main metric in the outputs of an executed notebook."""
    found = outputs_of(notebook, METRIC)
    if not found:
        raise SrlabError("The lab finished, but did not report a metric. Call course.report_metric in it.")
    return found[-1]
