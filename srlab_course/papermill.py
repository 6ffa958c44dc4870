"""Papermill's command, with a kernel that saves its training run when you stop it, and for several GPUs.

``python -m srlab_course.papermill NOTEBOOK OUT -p NAME VALUE ...`` accepts all options of papermill.
``torchrun --nproc-per-node 4 -m srlab_course.papermill NOTEBOOK OUT ...`` trains on four GPUs. Then each process
executes the notebook, and only the first one keeps and prints what it makes (`srlab.training.torchrun`).
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from papermill.cli import papermill
from papermill.exceptions import PapermillExecutionError

from srlab.training import torchrun
from srlab_course.notebook_files.stopping import START_TIMEOUT, stopping_the_kernel

DEFAULTS = {"start_timeout": START_TIMEOUT}


def main() -> None:
    """Execute a notebook; a signal stops it after the current training step, which is saved."""
    if torchrun.count() > 1:
        torchrun.prepare_gpu()
    if folder := torchrun.prepare_folder():
        with folder, _quiet(Path(folder.name)), stopping_the_kernel():
            execute_unkept(Path(folder.name))
    else:
        with stopping_the_kernel():
            papermill(default_map=DEFAULTS)


def execute_unkept(folder: Path) -> None:
    """Execute the notebook of the command line, and write all its output into a folder."""
    with papermill.make_context("papermill", sys.argv[1:], default_map=DEFAULTS) as context:
        context.params |= {"output_path": str(folder / "out.ipynb"), "stdout_file": None, "stderr_file": None}
        papermill.invoke(context)


@contextmanager
def _quiet(folder: Path) -> Iterator[None]:
    """Let this process and its kernel print into a file; of an error, print only the message, in the terminal."""
    terminal = os.dup(2)
    with (folder / "printed.txt").open("wb") as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
    try:
        yield
    except Exception as error:
        message = f"{error.ename}: {error.evalue}" if isinstance(error, PapermillExecutionError) else str(error)
        os.write(terminal, f"Process {torchrun.rank()}: {message}\n".encode(errors="replace"))
        sys.exit(1)


if __name__ == "__main__":
    main()
