"""The notebooks of the course, for the commands: which there are, reading one, and finding one."""

import glob
import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.validator import get_validator

from srlab.base.errors import SrlabError
from srlab.base.files import refuse_existing
from srlab.base.places import course, recipes


def find_notebooks() -> list[Path]:
    """The labs of the course that the working directory lies in, in order, and then the extras, by name.

    A notebook is one of them if it has a file of recipes: ``03_srgan-Copy1.ipynb``, as JupyterLab makes one, has none.

    Raises
    ------
    SrlabError
        The working directory is outside of the course.
    """
    return [*_with_recipes("[0-9]*.ipynb"), *_with_recipes("extras/*.ipynb")]


def _with_recipes(pattern: str) -> list[Path]:
    if (folder := course()) is None:
        raise SrlabError("There is no notebooks/ folder here; go to the folder of the course first.")
    found = (folder / "notebooks").glob(pattern)
    return sorted(file for file in found if (recipes() / f"{file.stem}.yaml").is_file())


def find_lab(name: str) -> Path:
    """Find the lab or the extra that a name or its beginning means.

    Raises
    ------
    SrlabError
        There is none, or more than one, or its file of recipes is missing.
    """
    labs, name = find_notebooks(), Path(name).name.removesuffix(".ipynb")
    fitting = [lab for lab in labs if lab.stem.startswith(name)]
    if not fitting and (bare := sorted((course() / "notebooks").glob(f"{glob.escape(name)}*.ipynb"))):
        file = recipes() / f"{bare[0].stem}.yaml"
        raise SrlabError(f"{bare[0].name} has no recipes: {file} is missing; CONTRIBUTING.md says what goes into it.")
    if len(fitting) != 1:
        raise SrlabError(f"There is no single lab '{name}'; choose from {', '.join(lab.stem for lab in labs)}.")
    return fitting[0]


def refuse_as_new(path: Path) -> None:
    """Refuse a path at which no new notebook can be written: of another kind of file, or where something is."""
    if path.suffix != ".ipynb":
        raise SrlabError(f"{path} is no name for a notebook; end it in .ipynb.")
    refuse_existing(path)


def tags_of(cell: NotebookNode) -> list[str]:
    """What a cell of a notebook is marked with."""
    return cell.metadata.get("tags", [])


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook.

    Raises
    ------
    SrlabError
        There is no such file, it cannot be read, or it is not a notebook of format 4.
    """
    if not path.is_file():
        raise SrlabError(f"There is no file {path}; check the path.")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        # Before it is made a notebook, as nbformat trusts what it reads. Its cells may lack ids, as those of 4.4 do,
        # and its minor version may be lower, as Colab's is.
        get_validator(4, 4, relax_add_props=True).validate(_at_least_4(content))
        return nbformat.v4.to_notebook_json(content)
    except OSError as error:
        raise SrlabError(f"Cannot read {path} ({error.strerror}); check its permissions.") from error
    except (ValueError, RecursionError, nbformat.ValidationError) as error:  # the second: nested without end
        raise SrlabError(f"{path} is not a notebook of Jupyter; give a file that was saved there (.ipynb).") from error


def _at_least_4(content: Any) -> Any:
    minor = content.get("nbformat_minor") if isinstance(content, dict) else None
    return content | {"nbformat_minor": 4} if isinstance(minor, int) and 0 <= minor < 4 else content


def outputs_of(notebook: NotebookNode, kind: str) -> list[Any]:
    """Return what the cells of an executed notebook left under a media type, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]
