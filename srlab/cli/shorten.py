"""``srlab shorten``: write a lab without some of its sections, which runs all the same."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError

if TYPE_CHECKING:
    from srlab.lab.sections import Section


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("shorten", help="write a lab without some of its sections, or list what can go")
    parser.add_argument("lab", metavar="LAB", help="name or beginning of a name, such as 02")
    parser.add_argument(
        "--without", nargs="+", type=int, metavar="N", help="numbers of sections, such as 3 6 7; else they're listed"
    )
    parser.add_argument("-o", "--out", metavar="FILE", help="notebook to write (default: <lab>.short.ipynb beside it)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """List the sections, or write the notebook and say how long it takes; returns the exit code."""
    import nbformat

    from srlab.base.files import write_atomic
    from srlab.base.text import in_columns
    from srlab.lab.notebooks import find_lab, read_notebook, refuse_as_new, seen_from_here
    from srlab.lab.sections import how_long, in_words, leave_out, read_sections

    lab = find_lab(options.lab)
    notebook = read_notebook(lab)
    sections = read_sections(notebook.cells)
    if options.without is None:
        print(in_columns([("section", "minutes", "takes along", "title"), *_rows(sections)]))
        print(how_long(notebook.cells, sections.values()))
        return 0
    numbers = set(options.without)
    check_numbers(sections, numbers)
    out = Path(options.out) if options.out else lab.with_name(f"{lab.stem}.short.ipynb")
    refuse_as_new(out)
    leave_out(notebook, [sections[number] for number in numbers])
    minutes = how_long(notebook.cells, read_sections(notebook.cells).values())
    said = f"This copy is without section{'s' * (len(numbers) > 1)} {in_words(numbers)} of the lab. {minutes}"
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(f"**{said}**"))
    write_atomic(out, (nbformat.writes(notebook) + "\n").encode())
    print(f"{seen_from_here(out)}: {said}")
    if out.resolve().parent != lab.resolve().parent:
        print(f"Its text looks for pictures beside it: move it to {seen_from_here(lab.parent)} to see them.")
    return 0


def check_numbers(sections: "dict[int, Section]", numbers: set[int]) -> None:
    """Refuse to leave sections out if there is none of a number, all would go, or one that stays needs one of them."""
    from srlab.lab.sections import in_words, with_those_that_need_them

    if wrong := numbers - sections.keys():
        raise SrlabError(f"There is no section {min(wrong)}; choose from {in_words(sections)}.")
    if len(numbers) == len(sections):
        raise SrlabError(f"Some sections must stay: choose from {in_words(sections)}.")
    for needed in sorted(numbers):
        if needing := {n for n, section in sections.items() if needed in section.needs} - numbers:
            whole = " ".join(map(str, sorted(with_those_that_need_them(sections, numbers))))
            raise SrlabError(
                f"Section {needed} is needed in section {in_words(needing)}: keep it, or leave out what hangs on it, "
                f"too: --without {whole}."
            )


def _rows(sections: "dict[int, Section]") -> Iterator[tuple[str, str, str, str]]:
    from srlab.lab.sections import about, in_words, with_those_that_need_them

    for number, section in sections.items():
        others = with_those_that_need_them(sections, {number}) - {number}
        yield str(number), str(about(section.minutes)), in_words(others) if others else "-", section.title
