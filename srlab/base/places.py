"""Where things lie: the course, its runs, its recipes, its data."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from srlab.base.errors import SrlabError


def home() -> Path:
    """Folder of all runs: ``$SRLAB_HOME``, or ``runs/`` of the course the working directory lies in."""
    return _place("SRLAB_HOME", "runs")


def expanded(path: str | os.PathLike) -> Path:
    """A path as a reader types it: with ``~`` for her home, and from wherever in the course she types it.

    What is not there from the working directory, that of the notebooks in Jupyter, is looked for from the course's own
    folder and from its notebooks. What is nowhere stays as it is.
    """
    path = from_home(path)
    top = course()
    places = [path, *([top / path, top / "notebooks" / path] if top else [])]
    there = (place for place in places if os.path.exists(place))  # noqa: PTH110 - Path.exists fails at odd names
    return next(there, path)


def from_home(path: str | os.PathLike) -> Path:
    """A path with ``~`` for the reader's home; one of a user that there isn't stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
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
    return _place("SRLAB_DATA", "data")


def _place(variable: str, name: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable]).expanduser().absolute()
    return (course() or Path.cwd()) / name


def run_folder(lab: str, name: str) -> Path:
    """Folder of a run, whether it is there or not: ``<home>/<lab>/<name>``.

    Raises
    ------
    SrlabError
        A name has other signs than letters, digits and ``. _ -``, or leads out of the folder.
    """
    for part in (lab, name):
        if not part or part != part.strip(".") or not all(c.isalnum() or c in "._-" for c in part):
            raise SrlabError(
                f"'{part}' is no good name for a run; use letters, digits, dashes, underscores, and dots between them."
            )
    return home() / lab / name


def locate(typed: str | os.PathLike, known: Iterable[str] = ()) -> Path:
    """The file or folder that somebody means by a path, or by ``<lab>/<name>`` for a run in the folder of the runs.

    Parameters
    ----------
    typed
        What was typed. A path that is there wins.
    known
        Other names that could have been meant, for the message.

    Raises
    ------
    SrlabError
        There is nothing of that name; the message says what looks alike.
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
    """Name of the file with a run's last weights, or with its best ones by a score such as ``"psnr"``."""
    return f"generator-best-{best}.safetensors" if best else "generator.safetensors"


def seen_from_here(path: Path) -> str:
    """A path, or the way to it from the working directory where that is shorter."""
    try:
        return min(str(path), os.path.relpath(path), key=len)
    except ValueError:  # on Windows from one drive to another
        return str(path)
