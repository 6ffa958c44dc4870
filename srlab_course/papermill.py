"""Papermill's command, with a kernel that saves its training run when you stop it.

``python -m srlab_course.papermill NOTEBOOK OUT -p NAME VALUE ...`` accepts all options of papermill.
"""

from papermill.cli import papermill

from srlab_course.notebook_files.stopping import START_TIMEOUT, stopping_the_kernel


def main() -> None:
    """Execute a notebook; a signal stops it after the current training step, which is saved."""
    with stopping_the_kernel():
        papermill(default_map={"start_timeout": START_TIMEOUT})


if __name__ == "__main__":
    main()
