"""Find the course folder and its runs, recipes and data, and resolve typed paths."""

import os
import re
import stat
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from srlab.errors import SrlabError

AROUND = " \"'“”‘’\u202a\u202c"  # around a path that is copied in Windows; the last two are invisible


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
    r"""Return a typed or pasted path: unchanged if it exists, as in a folder called ``~``, or else `expanded`."""
    return Path(path) if exists(path) else expanded(str(path))


def expanded(text: str) -> Path:
    r"""Return a path with ``~`` as your home folder; the ``~`` of an unknown user is unchanged.

    Spaces and quotes around the path are removed, as Windows copies them, and a control character is an error: Python
    reads the ``\t`` of ``"C:\table"`` as a tab.
    """
    text = text.strip(AROUND)
    if re.search(r"[\0-\x1f\x7f-\x9f]", text):
        raise SrlabError(
            f"The path {text!r} contains a control character: in a string, Python reads a backslash and what follows "
            "as one character. Write r'...', or / instead of each \\."
        )
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises an error for an unknown user


def exists(path: str | os.PathLike) -> bool:
    """Return whether a path exists; False also for an invalid name, and in a folder without permission."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises an error for these


def switched_on(variable: str) -> bool:
    """Return whether an environment variable is set to anything except 0."""
    return os.environ.get(variable, "0") not in ("", "0")


def course() -> Path | None:
    """Return the course folder that contains the working directory, or None outside a course.

    A folder for everyone, such as /tmp, does not count: anyone may put recipes and runs there, whose code labs execute.
    """
    here = Path.cwd()
    found = (folder for folder in (here, *here.parents) if (folder / "notebooks" / "recipes").is_dir())
    return next((folder for folder in found if not folder.stat().st_mode & stat.S_ISVTX), None)


def recipes() -> Path:
    """Return the recipes folder: the one in the `course` folder, or else srlab's own."""
    return (course() or Path(__file__).parents[1]) / "notebooks" / "recipes"


def data_home() -> Path:
    """Return the folder of all datasets: ``$SRLAB_DATA``, or ``data/`` in the course folder."""
    return _place("SRLAB_DATA", "data")


def _place(variable: str, name: str) -> Path:
    """Return the folder in an environment variable, or else the one with this name.

    A relative path begins in the course folder, or outside a course in the working directory.
    """
    # cmd keeps the quotes of `set SRLAB_HOME="C:\runs"`, which are removed. A folder here called ~ does not count.
    return (course() or Path.cwd()) / expanded(os.environ.get(variable) or name)


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
    near = [run for run in runs if run.endswith(f"/{path}")] or get_close_matches(str(path), [*runs, *known])
    advice = f"Did you mean {' or '.join(near)}?" if near else "Pass a run folder, <lab>/<name>, or a file."
    raise SrlabError(f"{path} not found, neither as a path nor among the runs in {runs_home()}. {advice}")


def generator_file(best: str = "") -> str:
    """Return the file name of a run's latest weights, or of its best weights by a score such as ``"psnr"``."""
    return f"generator-best-{best}.safetensors" if best else "generator.safetensors"
