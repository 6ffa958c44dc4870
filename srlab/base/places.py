"""Where things lie: the course, its runs, its recipes, its data."""

import os
from pathlib import Path

from srlab.base.errors import SrlabError

LONGEST = 200  # bytes of a run's name; a file's may have 255, on some disks 143
# Windows keeps these names for devices, and runs may lie on a disk that it reads.
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10))}


def home() -> Path:
    """Folder of all runs: ``$SRLAB_HOME``, or ``runs/`` of the course the working directory lies in."""
    if os.environ.get("SRLAB_HOME"):
        return Path(os.environ["SRLAB_HOME"]).expanduser().absolute()
    return (course() or Path.cwd()) / "runs"


def expanded(path: str | os.PathLike) -> Path:
    """A path as a reader types it, with ``~`` for her home; one that only looks like that stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user
        return Path(path)


def switched_on(variable: str) -> bool:
    """Whether an environment variable is set, to something else than 0."""
    return os.environ.get(variable, "0") not in ("", "0")


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
        A name has other signs than letters, digits and ``. _ -``, leads out of the folder, or is none on some disk.
    """
    for part in (lab, name):
        if not part or part != part.strip(".") or not all(c.isalnum() or c in "._-" for c in part):
            advice = "use letters, digits, dashes, underscores, and dots between them"
        elif len(part.encode()) > LONGEST:
            advice = "use one of at most 100 letters"
        elif part.partition(".")[0].upper() in DEVICES:
            advice = "Windows keeps it for a device, so use another one"
        else:
            continue
        raise SrlabError(f"'{part}' is no good name for a run; {advice}.")
    return home() / lab / name


def generator_file(best: str = "") -> str:
    """Name of the file with a run's last weights, or with its best ones by a score such as ``"psnr"``."""
    return f"generator-best-{best}.safetensors" if best else "generator.safetensors"
