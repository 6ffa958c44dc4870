"""Write ``docs/finished_lab.md``, a section of lab 01 with its results: ``python docs/finished_lab.py``.

Readers can look at it before they install the course. The exercise is solved. A slider becomes two pictures, one at
each end, because a page on GitHub runs no scripts. Pictures go to ``docs/images/``.
"""

import base64
import io
import re
import tempfile
from pathlib import Path

import nbclient
import nbformat
from PIL import Image

from srlab.course.notebooks import tags_of
from srlab.course.solutions import fill_in

ROOT = Path(__file__).resolve().parents[1]
LAB = ROOT / "notebooks" / "01_srresnet.ipynb"
PAGE = ROOT / "docs" / "finished_lab.md"
SETUP = ('recipe = "auto"', "course.setup(")  # text in the cells that the section needs
SECTION, END = "section-2", "### Is the mean cheaper"  # tag of the section, and the heading at which the page ends
SLIDER = re.compile(r'<img src="data:image/webp;base64,([^"]*)" alt="([^"]*)"')
OPENING = """# A look into a finished lab

What is a lab like? Before you install anything, you can read the first part of section 2 of
[lab 01](../notebooks/01_srresnet.ipynb) here. It shows why a network trained for the best PSNR blurs fur and gravel.

We executed the cells and solved the exercise. In the lab, you make the guesses and solve the exercise yourself. A check
tells you what is wrong with an answer, as in [this picture](images/lab.png). Where the lab has a slider, this page
shows two pictures, one from before the first step and one from after the last.

Everything between the two lines is from the lab.

---

"""
CLOSING = """

---

In the lab, you then compute how much a blurry answer and a sharp one cost, and train the network. Would you like to try
it? [One command](../README.md#quick-start) starts the course.
"""


def shown_cells() -> list[nbformat.NotebookNode]:
    """Return the cells of the section, with the exercise solved, without cells that only draw."""
    notebook = nbformat.read(LAB, 4)
    fill_in(notebook)
    cells = [cell for cell in notebook.cells if SECTION in tags_of(cell)]
    return cells[: next(number for number, cell in enumerate(cells) if cell.source.startswith(END))]


def execute(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return the cells with their outputs."""
    notebook = nbformat.read(LAB, 4)
    setup = [next(cell for cell in notebook.cells if part in cell.source) for part in SETUP]
    notebook.cells = [*setup, *cells]
    with tempfile.TemporaryDirectory() as runs:
        first = nbformat.v4.new_code_cell(f"import os\n\nos.environ['SRLAB_HOME'] = {runs!r}")
        notebook.cells.insert(0, first)
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(LAB.parent)}}).execute()
    return notebook.cells[1 + len(setup) :]


def to_markdown(cells: list[nbformat.NotebookNode], images: Path) -> str:
    """Return the page, and write its figures into a folder."""
    parts, count = [], 0
    for cell in cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        if "hide-input" not in tags_of(cell):  # the lab folds the others
            parts.append(f"```py\n{cell.source}\n```")
        for output in cell.outputs:
            parts += [text] if (text := text_in(output)) else []
            for data, alt in pictures_in(output):
                count += 1
                picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
                picture.thumbnail((900, 900))
                picture.quantize(128).save(images / f"finished_{count}.png", optimize=True)
                parts.append(f"![{alt}](images/finished_{count}.png)")
    return OPENING + "\n\n".join(parts) + CLOSING


def text_in(output: nbformat.NotebookNode) -> str:
    """Return what an output prints, or in a fold the source code or the outcome that it shows, in Markdown."""
    data = output.get("data", {})
    if "```python" in (source := data.get("text/markdown", "")):
        code = source.replace("```python", "```py")
        return f"<details><summary>Source code</summary>\n\n{code}\n\n</details>"
    if (folded := data.get("text/html", "")).startswith("<details>"):
        return folded
    text = re.sub(r"\033\[[\d;]*m", "", output.get("text", "")).strip()  # without colors
    return f"```text\n{text}\n```" if text else ""


def pictures_in(output: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Return data and alternative text of a figure, or of the first and the last picture of a slider."""
    data = output.get("data", {})
    if "image/png" in data:
        return [(data["image/png"], output.metadata["image/png"]["alt"])]
    frames = SLIDER.findall(data.get("text/html", ""))
    return [frames[0], frames[-1]] if frames else []


if __name__ == "__main__":
    executed = execute(shown_cells())
    PAGE.write_text(to_markdown(executed, ROOT / "docs" / "images"), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(executed)} cells")
