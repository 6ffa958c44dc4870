"""Gather the pages of the site: the executed labs, cleaned up, the workshops, and the pages that labs link to."""

import re
import shutil
from pathlib import Path

import poster
from set_address import GITHUB, in_colab, in_kaggle

from srlab_course.notebook_files.editable import NotebookNode, markdown_cell, read_notebook, write_notebook
from srlab_course.notebook_files.finding import find_notebooks, tags_of
from srlab_course.notebook_files.marks import METRIC
from srlab_course.teaching.solutions import open_exercises

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parents[1]
DOCS = ("next.md", "ladder.md")  # pages of docs/ that labs and workshops link to
ORPHAN = "---\norphan: true\n---\n\n"  # a page without a place in the navigation, which labs link to
WORKSHOPS = ROOT / "notebooks" / "workshops"  # shown as handed out, because their code is the student's
FOLDED = "<summary>One solution"  # in the output of a check, without colors and the imports
SOLUTION = "<details><summary>One solution</summary>\n\n```python\n{}\n```\n\n</details>"
LEFT_OUT = {"check", "colab"}  # tags of cells
# The button of `make set-url`. The site has its own links, and loads nothing else.
BUTTON = re.compile(r"\[!\[Open in Colab\].*\n\n")
WIDGET = "application/vnd.jupyter.widget-view+json"


def gather(executed: Path, source: Path, address: str = "") -> None:
    """Copy all sources of the site into an empty folder.

    Parameters
    ----------
    executed
        Folder of the executed labs; labs without a copy there are left out.
    source
        Output folder, with the same layout as the repository.
    address
        URL of the repository, or "".
    """
    for folder in ("extras", "workshops"):
        (source / "notebooks" / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "docs" / "images", source / "docs" / "images")  # Sphinx copies only those that are used
    shutil.copytree(ROOT / "notebooks" / "pictures", source / "notebooks" / "pictures")  # images at the top of the labs
    for name in DOCS:
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        (source / "docs" / name).write_text(relink(text, address), encoding="utf-8")
    (source / "notebooks" / "claims").mkdir()
    for table in (ROOT / "notebooks" / "claims").glob("*.md"):
        (source / "notebooks" / "claims" / table.name).write_text(
            ORPHAN + table.read_text(encoding="utf-8"), encoding="utf-8"
        )
    labs = []
    for lab in find_notebooks():
        place, copy = lab.relative_to(ROOT / "notebooks"), executed / lab.name
        if copy.is_file():
            write_notebook(tidy(read_notebook(copy), links(place, address)), source / "notebooks" / place)
            if lab.parent == ROOT / "notebooks":
                labs.append(lab)
    for workshop in WORKSHOPS.glob("[0-9]*.ipynb"):
        place = workshop.relative_to(ROOT / "notebooks")
        write_notebook(tidy(read_notebook(workshop), links(place, address)), source / "notebooks" / place)
    (source / "index.md").write_text(start_page(labs, address), encoding="utf-8")


def start_page(labs: list[Path], address: str) -> str:
    """Return the text of the start page, with the parts that are generated."""
    commands = "If you have the course's folder, its README has the commands."
    if address:
        commands = f"[The README]({address}/blob/main/README.md) has the commands."
    parts = {"photos": poster.photos(), "labs": sections_of_map(labs), "address": commands}
    text = (BOOK / "index.md").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"<!-- the {name} -->", part)
    return text


def sections_of_map(labs: list[Path]) -> str:
    """Return the sections of the map about these labs: question, answer and picture, with links from the start page."""
    sections = re.split(r"^(?=## )", (ROOT / "docs" / "map.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown = [part for part in sections if any(f"(../notebooks/{lab.name})" in part.partition("\n")[0] for lab in labs)]
    return "".join(shown).replace("](../", "](").replace("](images/", "](docs/images/")


def relink(text: str, address: str) -> str:
    """Point links of a docs/ page to the repository if their target is not part of the site.

    Without a URL of the repository, only the text of such a link remains.
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
    """Return the HTML line below the title of a lab, with links to its notebook."""
    line = f'<a href="{lab.name}" download>Download the notebook</a>'
    if address.startswith(GITHUB):
        file = f"notebooks/{lab.as_posix()}"
        colab, kaggle = in_colab(file, address), in_kaggle(file, address)
        line = f'<a href="{colab}">Open in Colab</a><a href="{kaggle}">Open in Kaggle</a>{line}'
    return f'<p class="lab-links">{line}</p>'


def tidy(notebook: NotebookNode, below_title: str = "") -> NotebookNode:
    """Remove checks, the Colab cell, and outputs that need a kernel: progress bars, widgets and their state.

    A page is read-only, so each exercise that is still a stub is followed by a folded solution.
    """
    notebook.metadata.pop("widgets", None)
    notebook.cells = [cell for cell in notebook.cells if not LEFT_OUT & set(tags_of(cell))]
    title, _, rest = BUTTON.sub("", notebook.cells[0].source).partition("\n")
    notebook.cells[0].source = f"{title}\n\n{below_title}\n{rest}"
    for _, check, solution in open_exercises(notebook):
        check.outputs = [out for out in check.outputs if FOLDED not in out.get("data", {}).get("text/html", "")]
        folded = markdown_cell(SOLUTION.format(solution))
        notebook.cells.insert(notebook.cells.index(check) + 1, folded)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Before each widget, srlab writes a static output, which the page shows instead.
            cell.outputs = [out for out in cell.outputs if not (_is_progress(out) or WIDGET in out.get("data", {}))]
            for data in (output.data for output in cell.outputs if "data" in output):
                data.pop(METRIC, None)  # also present as text
    return notebook


def _is_progress(output: NotebookNode) -> bool:
    """Return whether this is a tqdm progress bar, as a widget or as text."""
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return re.search(r"\d%\|.*\| *\d+/\d+ \[", text) is not None
