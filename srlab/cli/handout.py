"""``srlab handout``: print a page for class about a lab, taken from the lab itself and the glossary."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("handout", help="print a page for class about a lab, in Markdown")
    parser.add_argument("lab", metavar="LAB", help="name or beginning of a name, such as 02, or a copy of your own")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print the page; returns the exit code."""
    from srlab.base import places
    from srlab.lab.notebooks import find_lab, find_notebooks, read_notebook, title_of

    copy = Path(options.lab)
    lab = copy if copy.suffix == ".ipynb" and copy.is_file() else find_lab(options.lab)
    extras = {title_of(read_notebook(path)) for path in find_notebooks() if path.parent.name == "extras"}
    glossary = places.recipes().parents[1] / "docs" / "glossary.md"
    print(page(read_notebook(lab), extras, glossary.read_text(encoding="utf-8") if glossary.is_file() else ""))
    return 0


def page(notebook: "NotebookNode", extras: set[str], glossary: str) -> str:
    """A lab's question, what to bring, guesses, exercises and symbols, and none of the answers.

    Parameters
    ----------
    notebook
        One of the labs.
    extras
        Titles of the extras, which are no questions to guess at.
    glossary
        Text of ``docs/glossary.md``, or empty.
    """
    from srlab.lab.notebooks import title_of
    from srlab.lab.sections import how_long, read_sections

    cells, title = notebook.cells, title_of(notebook)
    sections = list(read_sections(cells).values())
    asked = [(s.number, asked) for s in sections if s.sitting < 3 for asked in s.questions if asked not in extras]
    rows = [
        f"| {e.number} `{e.name}` | {s.number} | {e.minutes} | {e.importance} of 5 | "
        f"{'in class' if e in s.for_class else 'at home'} |"
        for s in sections
        for e in s.exercises
    ]
    needs = re.search(r"^\*\*You need\*\* (.*)$", cells[0].source, re.MULTILINE)
    blocks = [
        f"# {title}",
        how_long(cells, sections),
        "**Bring** a laptop on which the course opens, or the address of its site, and a pencil."
        + (f" **You need** {needs[1]}" if needs else ""),
        "## Write down your guess before you run the cell",
        "\n".join(f"- Section {number}: {question} ______" for number, question in asked),
        "## Exercises",
        "\n".join(["| | section | minutes | importance | where |\n|---|---|---|---|---|", *rows]),
    ]
    if symbols := list(_symbols(glossary, title[:2])):
        blocks += ["## Words and symbols", "\n".join(f"- {word}: {meaning}" for word, meaning in symbols)]
    return "\n\n".join(blocks)


def _symbols(glossary: str, lab: str) -> Iterator[tuple[str, str]]:
    """Each word of the glossary that this lab is the first to explain, and its meaning."""
    of_table = ""
    for line in glossary.splitlines():
        if line.startswith("## "):
            of_table = line
        elif line.startswith("| ") and len(columns := re.split(r"(?<!\\) \| ", line.strip("| "))) >= 2:
            said = columns[-1] if len(columns) > 2 else of_table
            first = re.search(r"\blabs? (\d\d)", said)
            if first and first[1] == lab:
                yield columns[0], columns[1]
