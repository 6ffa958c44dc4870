"""Paths: the course, its runs, recipes and data, and the meaning of a typed path."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from srlab.errors import SrlabError


def home() -> Path:
    """Return the folder of all runs: ``$SRLAB_HOME``, or ``runs/`` of the course around the working directory."""
    return _place("SRLAB_HOME", "runs")


def expanded(path: str | os.PathLike) -> Path:
    """Resolve a typed path: ``~`` is your home, and a relative path may start anywhere in the course.

    A path that is not in the working directory (in Jupyter, that of the notebook) is looked up in the course folder and
    in its notebooks. If it is not there either, it stays as it is.
    """
    path = from_home(path)
    top = course()
    places = [path, *([top / path, top / "notebooks" / path] if top else [])]
    there = (place for place in places if os.path.exists(place))  # noqa: PTH110 - Path.exists fails at odd names
    return next(there, path)


def from_home(path: str | os.PathLike) -> Path:
    """Expand ``~`` to your home; the ``~`` of an unknown user stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def switched_on(variable: str) -> bool:
    """Return whether an environment variable is set to anything except 0."""
    return os.environ.get(variable, "0") not in ("", "0")


def course() -> Path | None:
    """Return the folder of the course around the working directory, or None outside of a course."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "notebooks" / "recipes").is_dir()), None)


def recipes() -> Path:
    """Return the folder of the recipes: that of the course around the working directory, else srlab's own."""
    return (course() or Path(__file__).parents[1]) / "notebooks" / "recipes"


def data_home() -> Path:
    """Return the folder of all data sets: ``$SRLAB_DATA``, or ``data/`` of the course around the working directory."""
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
                f"'{part}' is no good name for a run; use letters, digits, dashes, underscores, and dots between them."
            )
    return home() / lab / name


def locate(typed: str | os.PathLike, known: Iterable[str] = ()) -> Path:
    """Return the file or folder of a typed path, or else of ``<lab>/<name>`` for a run.

    `known` are other valid names, for suggestions in the error message.
    """
    path = from_home(typed)
    for place in (path, home() / path):
        if place.exists():
            return place
    runs = [run.relative_to(home()).as_posix() for run in home().glob("*/*") if run.is_dir()]
    beside = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(str(path), [*runs, *known])
    near += [str(path.with_name(name)) for name in get_close_matches(path.name, beside)]
    advice = (
        f"did you mean {' or '.join(dict.fromkeys(near))}?"
        if near
        else "give the folder of a run, <lab>/<name>, or a file."
    )
    raise SrlabError(f"There is no {path}, neither as a path nor among the runs in {home()}; {advice}")


def generator_file(best: str = "") -> str:
    """Return the name of the file with a run's last weights, or its best ones by a score such as ``"psnr"``."""
    return f"generator-best-{best}.safetensors" if best else "generator.safetensors"


def seen_from_here(path: Path) -> str:
    """Return a path, relative to the working directory if that is shorter."""
    try:
        return min(str(path), os.path.relpath(path), key=len)
    except ValueError:  # on Windows from one drive to another
        return str(path)
