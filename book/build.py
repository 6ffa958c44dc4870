"""The course as a site that needs no network: ``make book``, or ``python book/build.py``.

The pages are the executed copies that ``make labs`` leaves. A lab without one, or changed since, is run first.
"""

import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import nbformat
from sphinx.cmd.build import main as sphinx

from srlab.base.errors import SrlabError
from srlab.base.places import home
from srlab.cli.labs_command import run_labs
from srlab.cli.solutions import open_exercises
from srlab.lab.notebooks import HEADLINE, find_notebooks, tags_of

SOLUTION = "<details><summary>One solution</summary>\n\n```python\n{}\n```\n\n</details>"
LEFT_OUT = {"check", "colab"}  # tags of cells
BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
WIDGET = "application/vnd.jupyter.widget-view+json"
GITHUB = "https://github.com/"  # Colab opens notebooks from there
KAGGLE = "https://kaggle.com/kernels/welcome?src="


def main() -> int:
    """Run the labs that need it and build the site; returns the exit code."""
    os.chdir(ROOT)
    executed = home() / "notebooks"
    old = [lab.stem for lab in find_notebooks() if stale(lab, executed / lab.name)]
    try:
        if old and run_labs(labs=old):
            return 1
    except SrlabError as error:
        print(f"srlab: {error}", file=sys.stderr)
        return 2
    if code := build(executed, ROOT / "build" / "book", repository()):
        return code
    print("open build/book/html/index.html; the folder html can be copied anywhere")
    return 0


def stale(lab: Path, copy: Path) -> bool:
    """Whether an executed copy is missing, older than its lab, or from a run that did not come to its end."""
    if not copy.is_file() or copy.stat().st_mtime < lab.stat().st_mtime:
        return True
    run = nbformat.read(copy, 4).metadata.get("papermill", {})
    return bool(run.get("exception")) or not run.get("end_time")


def repository() -> str:
    """Address of the course's repository, as ``pyproject.toml`` has it; ``""`` where none is set."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").removesuffix("/").removesuffix(".git")


def pages(address: str) -> str:
    """Address under which GitHub Pages publishes a repository; ``""`` for one that lies elsewhere."""
    owner, _, name = address.removeprefix(GITHUB).partition("/")
    return f"https://{owner.lower()}.github.io/{name}/" if address.startswith(GITHUB) else ""


def build(executed: Path, target: Path, address: str = "") -> int:
    """Build the site from executed labs.

    Parameters
    ----------
    executed
        Folder of the notebooks.
    target
        Folder that is replaced; the site is ``html/`` in it.
    address
        Of the repository, if it has one.

    Returns
    -------
    int
        The exit code of Sphinx, which is not 0 after a mere warning either.
    """
    shutil.rmtree(target, ignore_errors=True)
    source = target / "source"
    (source / "notebooks" / "extras").mkdir(parents=True)
    shutil.copy(BOOK / "index.md", source)
    shutil.copy(ROOT / "README.md", source)  # for its opening and its table of the labs
    shutil.copytree(ROOT / "docs" / "images", source / "docs" / "images")  # Sphinx takes those that are shown
    shutil.copytree(ROOT / "notebooks" / "pictures", source / "notebooks" / "pictures")  # with which the labs begin
    for lab in find_notebooks():
        place, copy = lab.relative_to(ROOT / "notebooks"), executed / lab.name
        if copy.is_file():
            nbformat.write(tidy(nbformat.read(copy, 4), links(place, address)), source / "notebooks" / place)
    options = ["-q", "-W", "--keep-going", "-c", str(BOOK), "-d", str(target / "doctrees")]
    options += ["-D", f"html_baseurl={pages(address)}"]
    code = sphinx([*options, str(source), str(target / "html")])
    # Beside each page the lab itself, small and not executed.
    pages_of_labs = target / "html" / "notebooks"
    for page in pages_of_labs.rglob("*.html"):
        shutil.copy(ROOT / "notebooks" / page.relative_to(pages_of_labs).with_suffix(".ipynb"), page.parent)
    return code


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
                data.pop(HEADLINE, None)  # the same is there as text
    return notebook


def _is_progress(output: nbformat.NotebookNode) -> bool:
    """Whether this is a bar of tqdm, as a widget or as text."""
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return re.search(r"\d%\|.*\| *\d+/\d+ \[", text) is not None


if __name__ == "__main__":
    sys.exit(main())
