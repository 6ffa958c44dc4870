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
from PIL import Image

from srlab_course.notebook_files.editable import NotebookNode, code_cell, read_notebook
from srlab_course.notebook_files.finding import tags_of
from srlab_course.teaching.solutions import fill_in

ROOT = Path(__file__).resolve().parents[1]
LAB = ROOT / "notebooks" / "01_srresnet.ipynb"
PAGE = ROOT / "docs" / "finished_lab.md"
SETUP = ('recipe = "auto"', "course.setup(")  # text in the cells that the section needs
SECTION, END = "section-4", "### Is the mean cheaper"  # tag of the section, and the heading at which the page ends
GUESS = ("cheapest = course.guess(", "cheapest.taken = '0.2'")  # text in a cell, and a line to run after it
SLIDER = re.compile(r'<img src="data:image/webp;base64,([^"]*)" alt="([^"]*)"')
DIAGRAM = re.compile(r'course\.diagram\("(\w+)"\)')
SOURCE = re.compile(r"`(\w+)`, from `([\w/]+\.py)`")
OPENING = """# Inside a finished lab

What is a lab like? Before you install anything, you can read the first part of section 4 of
[lab 01](../notebooks/01_srresnet.ipynb) here. It shows why a network trained for the best PSNR blurs fur and gravel.
PSNR is the usual score for image quality, LR is the small image, and HR is the original.

We ran the cells, guessed 0.2 at the first question, and solved the exercise. In the lab, that's your part. A check
answers a mistake with a hint, and a line such as *your code: slope* names the parts of a result that are your code.
Where the lab has a slider, this page shows its first and its last picture.

Everything between the two lines is from the lab. We left out its setup cells, which define names such as `stones` and
`to_lr`. Code that only draws is folded.

---

"""
CLOSING = """

---

In the lab, you then compute how much a blurry answer and a sharp one cost. Want to try it?
The [README](../README.md#install) has the commands that install the course and open JupyterLab.
"""


def shown_cells() -> list[NotebookNode]:
    """Return the cells of the section, with the exercise solved."""
    notebook = read_notebook(LAB)
    fill_in(notebook)
    cells = [cell for cell in notebook.cells if SECTION in tags_of(cell)]
    return cells[: next(number for number, cell in enumerate(cells) if cell.source.startswith(END))]


def execute(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return the cells with their outputs."""
    notebook = read_notebook(LAB)
    setup = [next(cell for cell in notebook.cells if part in cell.source) for part in SETUP]
    guess = code_cell(GUESS[1])
    at = 1 + next(number for number, cell in enumerate(cells) if GUESS[0] in cell.source)
    notebook.cells = [*setup, *cells[:at], guess, *cells[at:]]
    with tempfile.TemporaryDirectory() as runs:
        first = code_cell(f"import os\n\nos.environ['SRLAB_HOME'] = {runs!r}")
        notebook.cells.insert(0, first)
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(LAB.parent)}}).execute()
    return [cell for cell in notebook.cells[1 + len(setup) :] if cell is not guess]


def to_markdown(cells: list[NotebookNode], images: Path) -> str:
    """Return the page, and write its figures into a folder."""
    parts, count = [], 0
    for cell in cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        code = f"```py\n{cell.source}\n```"
        parts.append(fold("Code of the figure", code) if "plots." in cell.source else code)
        if drawn := DIAGRAM.match(cell.source):
            alt = cell.outputs[0]["data"]["text/plain"]
            parts.append(f"![{alt}](../srlab_course/figures/diagrams/{drawn[1]}.svg)")
        for output in cell.outputs:
            parts += [text] if (text := text_in(output)) else []
            for data, alt in pictures_in(output):
                count += 1
                picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
                picture.thumbnail((900, 900))
                picture.quantize(128).save(images / f"finished_{count}.png", optimize=True)
                parts.append(f"![{alt}](images/finished_{count}.png)")
    return OPENING + "\n\n".join(parts) + CLOSING


def fold(summary: str, text: str) -> str:
    """Return Markdown that is hidden until a reader clicks on its summary."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def text_in(output: NotebookNode) -> str:
    """Return what an output prints, an outcome, or a link to the source code that the lab shows, in Markdown."""
    data = output.get("data", {})
    if source := SOURCE.match(data.get("text/markdown", "")):
        name, file = source.groups()
        return f"*Here the lab shows the source code of `{name}`, from [{file}](../{file}).*"
    text = output.get("text", "")
    if data.get("text/html", "").startswith("<details>"):
        text = data["text/plain"]
        if not text.startswith("Your guess"):  # readers may still want to guess
            return fold("Outcome", text.removeprefix("Outcome: "))
    text = re.sub(r"\033\[[\d;]*m", "", text).strip()  # without colors
    return f"```text\n{text}\n```" if text else ""


def pictures_in(output: NotebookNode) -> list[tuple[str, str]]:
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
