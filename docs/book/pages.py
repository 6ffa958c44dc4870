"""Gather the pages of the site: the executed labs, tidied, and the pages of docs/ that labs link to."""

import re
import shutil
from pathlib import Path

import nbformat

from srlab.course.notebooks import find_notebooks, tags_of
from srlab.course.saved import METRIC
from srlab.course.solutions import open_exercises

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parents[1]
DOCS = ("next.md",)  # pages of docs/ that labs link to
SOLUTION = "<details><summary>One solution</summary>\n\n```python\n{}\n```\n\n</details>"
LEFT_OUT = {"check", "colab"}  # tags of cells
WIDGET = "application/vnd.jupyter.widget-view+json"
GITHUB = "https://github.com/"  # Colab opens notebooks from there
KAGGLE = "https://kaggle.com/kernels/welcome?src="


def gather(executed: Path, source: Path, address: str = "") -> None:
    """Copy all that the site consists of into an empty folder.

    Parameters
    ----------
    executed
        Folder of the executed labs; a lab without a copy there is left out.
    source
        Folder to write; its layout is that of the repository.
    address
        Of the repository, if it has one.
    """
    (source / "notebooks" / "extras").mkdir(parents=True)
    shutil.copy(BOOK / "index.md", source)
    shutil.copy(ROOT / "README.md", source)  # for its opening and its table of the labs
    shutil.copytree(ROOT / "docs" / "images", source / "docs" / "images")  # Sphinx takes those that are shown
    shutil.copytree(ROOT / "notebooks" / "pictures", source / "notebooks" / "pictures")  # with which the labs begin
    for name in DOCS:
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        (source / "docs" / name).write_text(relink(text, address), encoding="utf-8")
    for lab in find_notebooks():
        place, copy = lab.relative_to(ROOT / "notebooks"), executed / lab.name
        if copy.is_file():
            nbformat.write(tidy(nbformat.read(copy, 4), links(place, address)), source / "notebooks" / place)


def relink(text: str, address: str) -> str:
    """Point the links of a page of docs/ to the repository, where the site does not have their target.

    Without an address of the repository, only the words of such a link remain.
    """

    def replace(link: re.Match) -> str:
        words, target = link.groups()
        file, _, anchor = target.partition("#")
        if "://" in target or not file or file in DOCS:
            return link[0]
        path = (ROOT / "docs" / file).resolve().relative_to(ROOT).as_posix()
        return f"[{words}]({address}/blob/main/{path}{'#' + anchor if anchor else ''})" if address else words

    return re.sub(r"\[([^][]*)\]\(([^()\s]+)\)", replace, text)


def links(lab: Path, address: str) -> str:
    """Return the line of HTML that stands below the title of a lab: where to get its notebook."""
    line = f'<a href="{lab.name}" download>Download the notebook</a>'
    if address.startswith(GITHUB):
        file = f"{address.removeprefix(GITHUB)}/blob/main/notebooks/{lab.as_posix()}"
        colab, kaggle = f"https://colab.research.google.com/github/{file}", f"{KAGGLE}{GITHUB}{file}"
        line = f'<a href="{colab}">Open in Colab</a><a href="{kaggle}">Open in Kaggle</a>{line}'
    return f'<p class="lab-links">{line}</p>'


def tidy(notebook: nbformat.NotebookNode, below_title: str = "") -> nbformat.NotebookNode:
    """Take out checks, the cell for Colab, and what shows only beside a kernel: progress bars, widgets and their state.

    Nobody can type into a page, so each exercise that is still a stub is followed by a solution, folded.
    """
    notebook.metadata.pop("widgets", None)
    notebook.cells = [cell for cell in notebook.cells if not LEFT_OUT & set(tags_of(cell))]
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{below_title}\n{rest}"
    for _, check, solution in open_exercises(notebook):
        folded = nbformat.v4.new_markdown_cell(SOLUTION.format(solution))
        notebook.cells.insert(notebook.cells.index(check) + 1, folded)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Before each widget of srlab stands what a page shows without it.
            cell.outputs = [out for out in cell.outputs if not (_is_progress(out) or WIDGET in out.get("data", {}))]
            for data in (output.data for output in cell.outputs if "data" in output):
                data.pop(METRIC, None)  # the same is there as text
    return notebook


def _is_progress(output: nbformat.NotebookNode) -> bool:
    """Whether this is a bar of tqdm, as a widget or as text."""
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return re.search(r"\d%\|.*\| *\d+/\d+ \[", text) is not None
