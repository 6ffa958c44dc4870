"""Execute a notebook headless with papermill, and with its claims if ``SRLAB_CLAIMS`` is set.

``torchrun --nproc-per-node N -m srlab.course.execute LAB OUT -p ...`` takes what ``papermill`` takes, and trains on N
devices: each process executes the notebook, and that of the first is kept.
"""

import sys
import tempfile
from collections.abc import Sequence
from keyword import iskeyword
from pathlib import Path
from typing import Any

import nbformat
import papermill

from srlab.course.claims import insert_claims
from srlab.course.notebooks import outputs_of, read_notebook, tags_of
from srlab.course.saved import HEADLINE
from srlab.devices import from_torchrun
from srlab.errors import SrlabError
from srlab.paths import seen_from_here, switched_on


def execute(notebook: Path, output: Path, parameters: dict[str, Any], without: str | None = None) -> dict[str, Any]:
    """Execute one notebook with papermill.

    Parameters
    ----------
    notebook, output
        Where it is and where its executed copy goes: at its end, also when a cell failed, but not when its kernel died.
    parameters
        Injected after the cell tagged ``parameters``.
    without
        Leave the cells with this tag out, in the copy as well: a study runs labs without those tagged ``explore``.

    Returns
    -------
    dict
        What the lab's last `course.headline` left: ``label``, ``value``, ``unit``, ``peak_memory_mib``.

    Raises
    ------
    SrlabError
        A cell failed; the message is the cell's error. Or there is no cell tagged ``parameters`` to put them after.
    """
    for name in parameters:  # papermill writes it into a cell as it stands; values it quotes
        if not str(name).isidentifier() or iskeyword(str(name)):
            raise SrlabError(f"{name!r} cannot be the name of a parameter; use letters, digits and underscores.")
    content = read_notebook(notebook)
    if parameters and not any("parameters" in tags_of(cell) for cell in content.cells):
        # Papermill would put them at the top, and the lab's own cell would overwrite them.
        raise SrlabError(
            f"{notebook} takes no parameters, as none of its cells has the tag parameters; give it to one."
        )
    content.cells = [cell for cell in content.cells if without not in tags_of(cell)]
    if switched_on("SRLAB_CLAIMS"):
        insert_claims(content, notebook.stem)
    try:
        with tempfile.TemporaryDirectory() as folder:  # papermill would keep a notebook that it is given whole twice
            nbformat.write(content, Path(folder) / notebook.name)
            done = papermill.execute_notebook(
                str(Path(folder) / notebook.name),
                str(output),
                parameters=parameters,
                kernel_name="python3",
                language="python",  # of a notebook that doesn't say, as jupytext makes one
                progress_bar=False,
                request_save_on_cell_execute=False,  # at the end only: twice a cell takes a quarter of a minute a lab
                # A kernel warns of unencrypted traffic, which stays on this machine, and calls its end an error.
                extra_arguments=["--log-level=CRITICAL"],
            )
    except papermill.PapermillExecutionError as error:
        raise SrlabError(
            f"{error.ename}: {error.evalue} (cell {error.exec_count} of {seen_from_here(output)})"
        ) from error
    except RuntimeError as error:  # a dead kernel, and one that cannot start, as after a port clash
        raise SrlabError(
            f"The kernel of {notebook.name} died or did not start ({error}). Close programs that need memory, and run "
            "the command again."
        ) from error
    return read_headline(done)


def read_headline(notebook: Any) -> dict[str, Any]:
    """Return the last headline in the outputs of an executed notebook.

    Raises
    ------
    SrlabError
        There is none.
    """
    found = outputs_of(notebook, HEADLINE)
    if not found:
        raise SrlabError("The lab ran through but left no headline; call course.headline in it.")
    return found[-1]


def main(arguments: Sequence[str]) -> None:
    """Do as ``papermill`` does with the same arguments; under torchrun, leave the notebook of the first process alone.

    Parameters
    ----------
    arguments
        Those of ``papermill``: the notebook, its executed copy, and options.
    """
    from papermill.cli import papermill as command

    context = command.make_context("srlab.course.execute", list(arguments))
    with context, tempfile.TemporaryDirectory() as folder:
        if rank := from_torchrun("RANK"):
            context.params |= {"output_path": str(Path(folder) / f"{rank}.ipynb"), "progress_bar": False}
        command.invoke(context)


if __name__ == "__main__":
    main(sys.argv[1:])
