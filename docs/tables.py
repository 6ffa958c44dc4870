"""Write the tables of ``teaching.md`` that follow from the labs themselves: ``python docs/tables.py``.

Run it after changing a section, an exercise or a break of a lab; a test compares.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from srlab.lab.notebooks import read_notebook
from srlab.lab.sections import (
    Exercise,
    Section,
    about,
    in_words,
    minutes_before,
    read_sections,
    with_those_that_need_them,
)

COURSE = Path(__file__).parents[1]
PAGE = COURSE / "teaching.md"


def filled(text: str) -> str:
    """A page with its tables made anew, each between ``<!-- NAME, by docs/tables.py -->`` and ``<!-- end -->``."""
    labs = sorted((COURSE / "notebooks" / "recipes").glob("[0-9]*.yaml"))
    notebooks = {lab.stem[:2]: read_notebook(COURSE / "notebooks" / f"{lab.stem}.ipynb") for lab in labs}
    for name, make in (("timetable", timetable), ("sections", what_can_go)):
        table = "\n".join(f"| {' | '.join(row)} |" for row in make(notebooks))
        above, head, rest = text.partition(f"<!-- {name}, by docs/tables.py -->")
        _, end, below = rest.partition("<!-- end -->")
        text = f"{above}{head}\n\n{table}\n\n{end}{below}"
    return text


def timetable(notebooks: dict) -> Iterator[Sequence[str]]:
    """A row for each session: what is done in it, and what is left for home."""
    yield "session", "lab, sections", "minutes in class", "of these, exercises", "at home"
    yield ("---",) * 5
    session = 0
    for lab, notebook in notebooks.items():
        sections = list(read_sections(notebook.cells).values())
        later = [section for section in sections if section.sitting == 3]
        for sitting in (1, 2):
            session += 1
            now = [section for section in sections if section.sitting == sitting]
            solved = [exercise for section in now for exercise in section.for_class]
            home = [exercise for section in now for exercise in section.exercises if exercise not in solved]
            minutes = sum(s.reading for s in now) + sum(e.minutes for e in solved)
            minutes += minutes_before(notebook.cells, sections) if sitting == 1 else 0
            left = [name(exercise) for exercise in home] + [named(s) for s in later if sitting == 2]
            spoken = f"{lab}, {in_words([s.number for s in now])}"
            yield str(session), spoken, str(about(minutes)), ", ".join(map(name, solved)) or "-", ", ".join(left) or "-"


def what_can_go(notebooks: dict) -> Iterator[Sequence[str]]:
    """A row for each lab: the sections that can be left out by themselves, and those that take others along."""
    yield "lab", "by themselves", "with others"
    yield ("---",) * 3
    for lab, notebook in notebooks.items():
        sections = read_sections(notebook.cells)
        along = {number: with_those_that_need_them(sections, {number}) - {number} for number in sections}
        alone = [number for number, others in along.items() if not others]
        rest = [f"{number} with {in_words(others)}" for number, others in along.items() if others]
        yield lab, in_words(alone), "; ".join(rest)


def name(exercise: Exercise) -> str:
    """``"1 (12)"``, with the minutes in brackets."""
    return f"{exercise.number} ({exercise.minutes})"


def named(section: Section) -> str:
    """``"section 7 (20) with 6 (12)"``."""
    solved = f" with {', '.join(map(name, section.exercises))}" if section.exercises else ""
    return f"section {section.number} ({about(section.minutes)}){solved}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
