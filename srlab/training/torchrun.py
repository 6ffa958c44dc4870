"""Give each process that ``torchrun`` starts a runs folder and a GPU of its own, without importing torch.

``torchrun`` tells a process its number (``RANK``), the number of processes (``WORLD_SIZE``), and both on this machine
(``LOCAL_RANK``, ``LOCAL_WORLD_SIZE``). Process 0 works in the usual folder, which has the run. Each other one works on
a copy of all runs in a temporary folder, which is deleted at the end.
"""

import os
import shutil
import tempfile
from pathlib import Path

from srlab.paths import runs_home

PREPARED = "SRLAB_PROCESS_PREPARED"  # environment variable: the launcher has chosen this process's folder and GPU
LINKED = (".safetensors", ".pt")  # large files, which are replaced and never changed
LEFT_OUT = shutil.ignore_patterns("tensorboard", ".*")  # TensorBoard appends to its files; hidden: locks, and parts


def count() -> int:
    """Return the number of processes that train together, which is 1 without torchrun."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """Return the number of this process, counted from 0."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def prepare_folder() -> tempfile.TemporaryDirectory | None:
    """Let this process work on a copy of the runs, which lasts until the returned folder is deleted.

    Process 0 works on the runs themselves, and gets None.
    """
    os.environ[PREPARED] = "1"
    if not rank():
        return None
    folder = tempfile.TemporaryDirectory(prefix=f"srlab-process-{rank()}-", ignore_cleanup_errors=True)
    copy = Path(folder.name) / "runs"
    if runs_home().is_dir():
        shutil.copytree(runs_home(), copy, ignore=LEFT_OUT, copy_function=_link_or_copy)
    os.environ["SRLAB_HOME"] = str(copy)
    return folder


def prepare_gpu() -> None:
    """Let this process see only its own GPU, and none if there are more processes than GPUs.

    To be called before anything uses CUDA.
    """
    visible, here = os.environ.get("CUDA_VISIBLE_DEVICES"), int(os.environ["LOCAL_RANK"])
    gpus = [str(number) for number in range(here + 1)] if visible is None else visible.split(",")
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[here : here + 1])


def _link_or_copy(source: str, target: str) -> None:
    if source.endswith(LINKED):
        try:
            Path(target).symlink_to(source)
            return
        except OSError:  # Windows allows links only to administrators and developers
            pass
    shutil.copy2(source, target)
