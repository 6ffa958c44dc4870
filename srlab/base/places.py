"""Where things lie: the course, its runs, its recipes, its data."""

import os
from pathlib import Path

from srlab.base.errors import SrlabError


def home() -> Path:
    """Folder of all runs: ``$SRLAB_HOME``, or ``runs/`` of the course the working directory lies in."""
    if os.environ.get("SRLAB_HOME"):
        return Path(os.environ["SRLAB_HOME"]).expanduser().absolute()
    return (course() or Path.cwd()) / "runs"


def course() -> Path | None:
    """Folder of the course that the working directory lies in, or None outside of one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "notebooks" / "recipes").is_dir()), None)


def recipes() -> Path:
    """Folder of the recipes: of the course that the working directory lies in, else of the one srlab came with."""
    return (course() or Path(__file__).parents[2]) / "notebooks" / "recipes"


def data_home() -> Path:
    """Folder of all data sets: ``$SRLAB_DATA``, or ``data/`` of the course the working directory lies in."""
    if os.environ.get("SRLAB_DATA"):
        return Path(os.environ["SRLAB_DATA"]).expanduser().absolute()
    return (course() or Path.cwd()) / "data"


def run_folder(lab: str, name: str) -> Path:
    """Folder of a run, whether it is there or not: ``<home>/<lab>/<name>``.

    Raises
    ------
    SrlabError
        A name has other signs than letters, digits and ``. _ -``, or leads out of the folder.
    """
    for part in (lab, name):
        if not part or part.startswith(".") or not all(c.isalnum() or c in "._-" for c in part):
            raise SrlabError(f"'{part}' is no good name for a run; use letters, digits, dots, dashes and underscores.")
    return home() / lab / name


def generator_file(best: str = "") -> str:
    """Name of the file with a run's last weights, or with its best ones by a score such as ``"psnr"``."""
    return f"generator-best-{best}.safetensors" if best else "generator.safetensors"
