"""List, find and read the notebooks of the course.

Labs import this module, and nbformat would delay them by seconds. `editable.read_notebook` needs it, and is therefore
in a module of its own.
"""

import glob
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlab.errors import SrlabError
from srlab.paths import course, find_in_course, recipes

if TYPE_CHECKING:
    from srlab_course.notebook_files.editable import NotebookNode

NOT_VALID = "{} is not a valid Jupyter notebook. Pass an .ipynb file saved in Jupyter."


class Saved(dict):
    """A part of a saved notebook, with its keys also as attributes."""

    __getattr__ = dict.__getitem__


def find_notebooks() -> list[Path]:
    """Return the labs in order, then the extras by name, of the course around the working directory.

    Only notebooks with a recipe file count, so copies such as ``03_srgan-Copy1.ipynb`` are left out.
    """
    if (folder := course()) is None:
        installed = f" {recipes().parents[1]}" if recipes().is_dir() else ", which contains notebooks/recipes"
        raise SrlabError(f"{Path.cwd()} is not in a course folder. Change to the course folder{installed} first.")
    labs, extras = (sorted((folder / "notebooks").glob(pattern)) for pattern in ("[0-9]*.ipynb", "extras/*.ipynb"))
    return [file for file in [*labs, *extras] if (recipes() / f"{file.stem}.py").is_file()]


def find_lab(name: str) -> Path:
    """Return the lab or extra with a name, with or without its number, or else a unique beginning or part of a name."""
    labs, name = find_notebooks(), Path(name).name.removesuffix(".ipynb")
    fitting = [lab for lab in labs if name in (lab.stem, without_number(lab))]
    fitting = fitting or [lab for lab in labs if lab.stem.startswith(name)] or [lab for lab in labs if name in lab.stem]
    if not fitting and (bare := sorted((course() / "notebooks").glob(f"{glob.escape(name)}*.ipynb"))):
        file = recipes() / f"{bare[0].stem}.py"
        raise SrlabError(f"{bare[0].name} has no recipes: {file} is missing. docs/extending.md describes it.")
    if len(fitting) != 1:
        raise SrlabError(f"'{name}' does not match exactly one lab. Choose from {', '.join(lab.stem for lab in labs)}.")
    return fitting[0]


def find_notebook(name: str) -> Path:
    """Return any notebook of the course or elsewhere by its path, such as a short copy, or else the lab with a name."""
    file = find_in_course(f"{name.removesuffix('.ipynb')}.ipynb")
    return file if file.is_file() else find_lab(name)


def own_notebook(lab: str) -> Saved | None:
    """Return the notebook in the course folder of a lab without its number, or None if it is missing or damaged."""
    for file in recipes().parent.rglob(f"*{glob.escape(lab)}.ipynb"):
        with suppress(SrlabError):
            if without_number(file) == lab:
                return read_saved(file)
    return None


def without_number(lab: Path) -> str:
    """Return the name of a lab without its number, such as "srgan"."""
    return lab.stem.lstrip("0123456789_")


def tags_of(cell: "NotebookNode") -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def read_saved(path: Path) -> Saved:
    """Read a notebook of format 4 without nbformat, with the source of each cell as one text."""
    if not path.is_file():
        raise SrlabError(f"File {path} not found. Check the path.")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_hook=Saved)
        cells = content["cells"] if content["nbformat"] == 4 else 0
        for cell in cells:
            cell["source"], cell["cell_type"] = _joined(cell["source"]), _joined(cell["cell_type"])
            for output in cell.get("outputs", ()):
                for part in (output, output.get("data", {})):
                    part |= {key: _joined(part[key]) for key in ("text", "text/html") if key in part}
        return content
    except OSError as error:
        raise SrlabError(f"Cannot read {path} ({error.strerror}). Check its permissions.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:  # RecursionError: deep nesting
        raise SrlabError(NOT_VALID.format(path)) from error


def _joined(text: str | list[str]) -> str:
    """Return a text that a notebook may store as a list of lines."""
    return "".join(text if isinstance(text, list) else [text])


def outputs_of(notebook: "NotebookNode", kind: str) -> list[Any]:
    """Return the outputs of a media type in an executed notebook."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]
