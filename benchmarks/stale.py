"""List what was made with a lab's recipes, and may be wrong after you change one: ``python -m benchmarks.stale 03``.

These are the lab's claims and their tables, its pictures, weights, and sentences with measured numbers, in the lab and
its quiz; the labs that take its runs; and the pages that name it. The files themselves tell, so there is no list to
maintain.
"""

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from docs.pictures import PICTURES
from srlab_course.feedback.quiz import labs_with_quiz, read_questions
from srlab_course.labs import LABS
from srlab_course.notebook_files.finding import find_lab, find_notebooks, read_saved
from srlab_course.notebook_files.marks import parse_cell

ROOT = Path(__file__).resolve().parents[1]
MEASURED = re.compile(r"\d ?(dB|%|seconds|levels)\b|\d times\b")  # a number that a training run may change
LISTED = re.compile(r"\b[Ll]abs? (\d\d(?:(?:, | and |, and | to )\d\d)*)")  # "labs 00, 02 to 04 and 06"
PAGES = ("*.md", "docs/*.md", "docs/book/*.md", "notebooks/**/*.md", "benchmarks/**/*.md", "srlab/**/*.md")
PAGES += ("studies/**/*.md",)


def claims(lab: str) -> Iterator[str]:
    """Yield the claims, which ``make labs`` checks on seed 0, and their places in the tables of ``make seeds``."""
    file = ROOT / "notebooks" / "claims" / f"{lab}.py"
    calls = [one for one in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(one, ast.Call)]
    for call in sorted(calls, key=lambda call: call.lineno):
        if ast.unparse(call.func) == "lab.expect":
            yield f"{place(file, call.lineno)}: {ast.unparse(call.args[0])}"
    for table in sorted(file.parent.glob("*.md")):
        for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
            if line == f"## {lab}":
                yield f"{place(table, number)}: values over seeds"


def pictures_and_weights(lab: str) -> Iterator[str]:
    """Yield the files with results of the lab."""
    yield from (place(file) for file in sorted((ROOT / "notebooks" / "pictures").glob(f"{lab}.*")))
    yield from (f"docs/images/{name}" for name, (source, _) in PICTURES.items() if source == lab)
    labels = {method.label for one in LABS if one.name == lab for method in one.methods}
    material = ROOT / "srlab_course" / "material"
    for file in sorted((material / "pictures").iterdir()):
        if file.stem.startswith(tuple(f"{label.lower()}_" for label in labels)):
            yield place(file)
    for name, scores in json.loads((material / "rows" / "scores.json").read_text(encoding="utf-8")).items():
        if labels & scores.keys():
            yield place(material / "rows" / f"{name}.jpg")
    for file in sorted((ROOT / "srlab" / "models" / "bundled").glob("*.json")):
        if json.loads(file.read_text(encoding="utf-8")).get("lab") == lab:
            yield place(file.with_suffix(".safetensors"))


def measured(lab: str) -> Iterator[str]:
    """Yield the sentences with a measured number: in a lab's text, guesses and captions, and in its quiz."""
    for cell in read_saved(find_lab(lab)).cells:
        texts = [cell.source]
        if cell.cell_type == "code":
            constants = [one.value for one in ast.walk(parse_cell(cell.source)) if isinstance(one, ast.Constant)]
            texts = [one for one in constants if isinstance(one, str)]
        yield from (f"{cell.id}: {sentence}" for text in texts for sentence in sentences(text))
    for number, question in enumerate(read_questions(lab) if lab in labs_with_quiz() else (), start=1):
        texts = [question.text, *(part for one in question.choices.values() for part in (one.text, one.why))]
        yield from (f"quiz, question {number}: {sentence}" for text in texts for sentence in sentences(text))


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text with a number that a training run may change."""
    yield from (one.strip() for one in re.split(r"(?<=[.!?])\s+|\n", text) if MEASURED.search(one))


def names(text: str, lab: str) -> bool:
    """Return whether a text names a lab or its file, as in "labs 02 to 04"."""
    spans = [span for listed in LISTED.findall(text) for span in re.findall(r"(\d\d)(?: to (\d\d))?", listed)]
    return lab in text or any(first <= lab[:2] <= (last or first) for first, last in spans)


def pages(lab: str) -> Iterator[str]:
    """Yield the lines of pages and the cells of other notebooks that name the lab or its file."""
    for file in sorted({file for pattern in PAGES for file in ROOT.glob(pattern)}):
        lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if numbers := [str(number) for number, line in lines if names(line, lab)]:
            yield f"{place(file)}: {', '.join(numbers)}"
    for file in find_notebooks():
        found = [cell.id for cell in read_saved(file).cells if file.stem != lab and names(cell.source, lab)]
        if found:
            yield f"{place(file)}: {', '.join(found)}"


def place(file: Path, line: int = 0) -> str:
    """Return a path in the course, with a line."""
    return file.relative_to(ROOT).as_posix() + (f":{line}" if line else "")


def stale(lab: str) -> dict[str, list[str]]:
    """Return everything that was made with the recipes of a lab, by kind."""
    return {
        "claims": list(claims(lab)),
        "pictures and weights": list(pictures_and_weights(lab)),
        "labs that take its runs": [one.name for one in LABS if lab in one.after],
        "sentences with measured numbers": list(measured(lab)),
        "pages and other notebooks that name it": list(pages(lab)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List what was made with a lab's recipes.")
    parser.add_argument("lab", help="name or number of a lab or an extra")
    for kind, found in stale(find_lab(parser.parse_args().lab).stem).items():
        print(f"{len(found)} {kind}", *found, sep="\n  ", end="\n\n")
