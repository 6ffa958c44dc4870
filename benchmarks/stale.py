"""List what was made with a lab's recipes, and may be wrong after you change one: ``python -m benchmarks.stale 03``.

These are sentences with a † or a measured number, in the lab, its quiz, and other labs that name it; pages that name it
on a line with a number; its claims and their tables, pictures and weights; the code that names such a picture; and the
labs that take its runs. The files themselves tell, so there is no list to maintain.
"""

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from docs import material
from docs.pictures import PICTURES
from srlab_course.feedback.quiz import labs_with_quiz, read_questions
from srlab_course.labs import LABS
from srlab_course.material import precomputed
from srlab_course.notebook_files.finding import find_lab, find_notebooks, read_saved
from srlab_course.notebook_files.marks import parse_cell

ROOT = Path(__file__).resolve().parents[1]
MEASURED = re.compile(r"†|\d ?%|\d (dB|seconds|levels|times|steps)\b")  # a result, or the length of a run
NUMBER = re.compile(r"(?<![\w/.-])\d+(\.\d+)?(?![\w/-])")  # of a page, and not in a name such as 03_srgan
LISTED = re.compile(r"\b[Ll]abs? (\d\d(?:(?:, | and |, and | to )\d\d)*)")  # "labs 00, 02 to 04 and 06"
PAGES = ("*.md", "docs/*.md", "docs/book/*.md", "notebooks/**/*.md", "benchmarks/**/*.md", "srlab/**/*.md")
PAGES += ("studies/**/*.md",)


def claims(lab: str) -> Iterator[str]:
    """Yield the files of the claims, which ``make labs`` checks on seed 0, and the tables of ``make seeds``."""
    file = ROOT / "notebooks" / "claims" / f"{lab}.py"
    yield f"{place(file)}: {file.read_text(encoding='utf-8').count('lab.expect(')} claims"
    for table in sorted(file.parent.glob("*.md")):
        for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
            if line == f"## {lab}":
                yield f"{place(table)}:{number}: values over seeds"


def pictures_and_weights(lab: str) -> Iterator[str]:
    """Yield the files with results of the lab, each with the command that makes it."""
    for file in sorted((ROOT / "notebooks" / "pictures").glob(f"{lab}.*")):
        yield f"{place(file)}: python docs/openings.py {lab}"
    for name, (source, _) in PICTURES.items():
        if source == lab:
            yield f"docs/images/{name}: make lab-{lab}, then python docs/pictures.py {name}"
    labels = {method.label for one in LABS if one.name == lab for method in one.methods}
    for name, (source, *_) in material.GRAVEL.items():
        if source == lab:
            yield f"srlab_course/material/pictures/{name}.jpg: python docs/material.py {name}"
    for name, scores in json.loads(precomputed.ROWS.joinpath("scores.json").read_text(encoding="utf-8")).items():
        if labels & scores.keys() or (lab == material.SUBJECT_LAB and name in material.HALVES):
            yield f"srlab_course/material/rows/{name}.jpg: python docs/material.py {name}"
    for file in sorted((ROOT / "srlab" / "models" / "bundled").glob("*.json")):
        if json.loads(file.read_text(encoding="utf-8")).get("lab") == lab:
            yield f"{place(file.with_suffix('.safetensors'))}: see {place(file.with_name('README.md'))}"


def code_with_pictures(lab: str) -> Iterator[str]:
    """Yield the lines of notebooks and tests that name a picture of the lab in the course's material."""
    stems = [one.rpartition(" ")[2] for one in pictures_and_weights(lab) if "/material/pictures/" in one]
    for file in (*find_notebooks(), *sorted((ROOT / "tests").rglob("*.py"))):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if any(f'{stem}\\"' in line or f'"{stem}"' in line for stem in stems):
                yield f"{place(file)}:{number}"


def measured(lab: str) -> Iterator[str]:
    """Yield sentences with a result or a number of steps: in the lab, its guesses and quiz, and labs that name it."""
    for file in find_notebooks():
        for cell in read_saved(file).cells:
            texts = [cell.source]
            if cell.cell_type == "code":
                constants = [one.value for one in ast.walk(parse_cell(cell.source)) if isinstance(one, ast.Constant)]
                texts = [one for one in constants if isinstance(one, str)]
            for sentence in (sentence for text in texts for sentence in sentences(text)):
                if file.stem == lab or names(sentence, lab):
                    yield f"{file.stem} {cell.id}: {sentence}"
    for number, question in enumerate(read_questions(lab) if lab in labs_with_quiz() else (), start=1):
        texts = [question.text, *(part for one in question.choices.values() for part in (one.text, one.why))]
        yield from (f"quiz, question {number}: {sentence}" for text in texts for sentence in sentences(text))


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text with a result that a training run may change, or with its number of steps."""
    found = (one.strip() for one in re.split(r"(?<=[.!?])\s+|(?<=[.!?]†)\s+|\n", text) if MEASURED.search(one))
    yield from (one for one in found if not one.startswith("† marks"))


def names(text: str, lab: str) -> bool:
    """Return whether a text names a lab or its file, as in "labs 02 to 04"."""
    spans = [span for listed in LISTED.findall(text) for span in re.findall(r"(\d\d)(?: to (\d\d))?", listed)]
    return lab in text or any(first <= lab[:2] <= (last or first) for first, last in spans)


def pages(lab: str) -> Iterator[str]:
    """Yield the lines of pages that name the lab or its file, and have another number."""
    for file in sorted({file for pattern in PAGES for file in ROOT.glob(pattern)}):
        lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        found = [str(at) for at, line in lines if names(line, lab) and NUMBER.search(LISTED.sub("", line))]
        if found:
            yield f"{place(file)}: {', '.join(found)}"


def place(file: Path) -> str:
    """Return a path in the course."""
    return file.relative_to(ROOT).as_posix()


def stale(lab: str) -> dict[str, list[str]]:
    """Return everything that was made with the recipes of a lab, by kind."""
    return {
        "sentences with a † or a number": sorted(measured(lab), key=lambda one: "†" not in one),
        "pages with a number on a line that names it": list(pages(lab)),
        "files of claims and tables": list(claims(lab)),
        "pictures and weights": list(pictures_and_weights(lab)),
        "lines of code that name such a picture": list(code_with_pictures(lab)),
        "labs that take its runs": [one.name for one in LABS if lab in one.after],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List what was made with a lab's recipes.")
    parser.add_argument("lab", help="name or number of a lab or an extra")
    for kind, found in stale(find_lab(parser.parse_args().lab).stem).items():
        print(f"{len(found)} {kind}", *found, sep="\n  ", end="\n\n")
