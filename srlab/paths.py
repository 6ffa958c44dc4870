"""Find the course folder and its runs, recipes and data, and resolve typed paths."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from srlab.errors import SrlabError


def runs_home() -> Path:
    """Return the folder of all runs: ``$SRLAB_HOME``, or ``runs/`` in the course folder."""
    return _place("SRLAB_HOME", "runs")


def find_in_course(path: str | os.PathLike) -> Path:
    """Resolve a typed path: ``~`` is your home folder, and a relative path may start in several folders of the course.

    A path that does not exist in the working directory (in Jupyter, the notebook's folder) is looked up in the course
    folder and in its ``notebooks/``. If it is not there either, only ``~`` is expanded.
    """
    path = expand_user(path)
    top = course()
    places = [path, *([top / path, top / "notebooks" / path] if top else [])]
    return next(filter(exists, places), path)


def expand_user(path: str | os.PathLike) -> Path:
    """Expand ``~`` to your home folder; the ``~`` of an unknown user is unchanged."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def exists(path: Path) -> bool:
    """Return whether a path exists; False also for an invalid name, and in a folder without permission."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises an error for these


def switched_on(variable: str) -> bool:
    """Return whether an environment variable is set to anything except 0."""
    return os.environ.get(variable, "0") not in ("", "0")


def course() -> Path | None:
    """Return the course folder that contains the working directory, or None outside a course."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "notebooks" / "recipes").is_dir()), None)


def recipes() -> Path:
    """Return the recipes folder: the one in the `course` folder, or else srlab's own."""
    return (course() or Path(__file__).parents[1]) / "notebooks" / "recipes"


def data_home() -> Path:
    """Return the folder of all datasets: ``$SRLAB_DATA``, or ``data/`` in the course folder."""
    return _place("SRLAB_DATA", "data")


def _place(variable: str, name: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable]).expanduser().absolute()
    return (course() or Path.cwd()) / name


def run_folder(lab: str, name: str) -> Path:
    """Return the folder of a run, ``<home>/<lab>/<name>``, which need not exist.

    Names that lead out of the folder are rejected.
    """
    for part in (lab, name):
        if not part or part != part.strip(".") or not all(c.isalnum() or c in "._-" for c in part):
            raise SrlabError(
                f"'{part}' is not a valid run name. Use letters, digits, '-' and '_', with '.' only between them."
            )
    return runs_home() / lab / name


def locate(typed: str | os.PathLike, known: Iterable[str] = ()) -> Path:
    """Return the existing file or folder for a typed path, or else the run folder for ``<lab>/<name>``.

    `known` contains other valid names, for suggestions in the error message.
    """
    path = expand_user(typed)
    for place in (path, runs_home() / path):
        if exists(place):
            return place
    runs = [run.relative_to(runs_home()).as_posix() for run in runs_home().glob("*/*") if run.is_dir()]
    readable = exists(path.parent) and path.parent.is_dir() and os.access(path.parent, os.R_OK)
    beside = [file.name for file in path.parent.iterdir()] if readable else []
    near = get_close_matches(str(path), [*runs, *known])
    near += [str(path.with_name(name)) for name in get_close_matches(path.name, beside)]
    advice = (
        f"Did you mean {' or '.join(dict.fromkeys(near))}?" if near else "Pass a run folder, <lab>/<name>, or a file."
    )
    raise SrlabError(f"{path} not found, neither as a path nor among the runs in {runs_home()}. {advice}")


def generator_file(best: str = "") -> str:
    """Return the file name of a run's latest weights, or of its best weights by a score such as ``"psnr"``."""
    return f"generator-best-{best}.safetensors" if best else "generator.safetensors"
