"""Read the hints and the listed answers of an exercise from the text next to its module: ``tail.md`` of ``tail.py``.

The text has up to five sections::

    # Hints

    A paragraph for a student who has not begun, most general first.

    # Mistakes

    ## nearest

    You upscaled LR by repeating its pixels. Which mode should you pass?

        - mode="bilinear"
        + mode="nearest"

    # Notes

    # Accepted

    # Otherwise

    - the shape: The message for a difference that no mistake explains.

An indented block has wrong answers for the hint above it. In "Accepted" are correct ones in another style: a test holds
that they pass, so if one is rejected, correct what the exercise observes. Those in "Notes" pass with a remark.

A line ``-`` is text of the reference, and ``+`` is what the student wrote instead; both may be parts of a line or
several lines, and each occurrence is replaced. Another ``-`` is a further change of the same answer, ``|`` is another
answer with something else instead of the last ``+``, and an empty line begins a new answer. A block that does not begin
with ``-`` is a whole answer. Answers may use the imports of the module, and `USUAL`.
"""

import copy
import dataclasses
import functools
import inspect
import itertools
import linecache
import math
import random
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import srlab
from srlab.errors import SrlabError
from srlab_course.feedback.exercise import Answer, Exercise, Mistake

SECTIONS = ("Hints", "Mistakes", "Notes", "Accepted", "Otherwise")
# Names that an answer in a text may use, whatever its module imports.
USUAL = {"copy": copy, "functools": functools, "itertools": itertools, "math": math, "random": random}
USUAL |= {"np": np, "torch": torch, "nn": nn, "F": F, "srlab": srlab}


def with_text(exercise: Exercise, file: Path) -> Exercise:
    """Return an exercise with the hints, mistakes, notes, accepted answers and messages of its text."""
    text = file.read_text(encoding="utf-8")
    sections = read_sections(text, file, SECTIONS)
    mistakes, notes = (_mistakes(sections.get(name, ""), exercise, file) for name in ("Mistakes", "Notes"))
    accepted = _answers(sections.get("Accepted", ""), exercise, file)
    messages = [" ".join(one.split()) for one in re.split(r"^- ", sections.get("Otherwise", ""), flags=re.M)[1:]]
    return dataclasses.replace(
        exercise,
        hints=tuple(" ".join(one.split()) for one in re.split(r"\n{2,}", sections.get("Hints", "").strip())),
        known_mistakes=(*mistakes, *exercise.known_mistakes),
        notes=(*notes, *exercise.notes),
        also_accepted=(*accepted, *exercise.also_accepted),
        fallback_messages=dict(one.split(": ", 1) for one in messages) | dict(exercise.fallback_messages),
    )


def _mistakes(section: str, exercise: Exercise, file: Path) -> list[Mistake]:
    """Return the mistakes of a section: each has a heading, a hint and its answers."""
    return [
        Mistake(name, hint, tuple(_answers(blocks, exercise, file)))
        for name, hint, blocks in read_entries(section, file)
    ]


def _answers(blocks: str, exercise: Exercise, file: Path) -> list[Answer]:
    reference = inspect.getsource(exercise.reference)
    return [build_answer(source, exercise.reference) for source in read_sources(blocks, reference, file)]


def read_sections(text: str, file: Path, known: Sequence[str]) -> dict[str, str]:
    """Return the sections of a text by their headings, which begin with ``#`` and must be known."""
    sections = dict(re.findall(r"^# ([^\n]+)\n(.*?)(?=^# |\Z)", text, re.MULTILINE | re.DOTALL))
    if unknown := sections.keys() - set(known):
        raise SrlabError(f"{file} has the section '{min(unknown)}'. Use {', '.join(known)}.")
    return sections


def read_entries(section: str, file: Path) -> list[tuple[str, str, str]]:
    """Return the entries of a section: each has a heading, a paragraph, and indented blocks below it."""
    found = []
    for name, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", section, re.MULTILINE | re.DOTALL):
        paragraph, *blocks = re.split(r"\n(?=    )", body, maxsplit=1)
        if not (paragraph.strip() and blocks):
            raise SrlabError(f"In {file}, '{name}' needs a text and an indented answer below it.")
        found.append((name, " ".join(paragraph.split()), blocks[0]))
    return found


def read_sources(blocks: str, reference: str, file: Path) -> list[str]:
    """Return the source of each answer in indented blocks, which empty lines separate."""
    found = []
    for block in re.split(r"\n{2,}", textwrap.dedent(blocks.strip("\n"))):
        if not block.startswith("- "):
            found += [block] if block.strip() else []
            continue
        for edits in read_edits(block, file):
            source = reference
            for old, new in edits:
                if old not in source:
                    raise SrlabError(
                        f"In {file}, the text {old!r} does not occur in the reference. Copy it from there."
                    )
                source = source.replace(old, new)
            found.append(source)
    return found


def read_edits(block: str, file: Path) -> list[list[tuple[str, str]]]:
    """Return the edits of each answer in a block that begins with ``-``, as pairs of the old text and the new one."""
    found: list[list[tuple[str, str]]] = [[]]
    for sign, part in itertools.groupby(block.split("\n"), lambda line: line[:1]):
        whole = list(part)
        lines = [line[2:] for line in whole]
        if sign == "-":
            found[0].append(("\n".join(lines), ""))
        elif sign == "+":
            found[0][-1] = (found[0][-1][0], "\n".join(lines))
        elif sign == "|":
            found += [[*found[0][:-1], (found[0][-1][0], line)] for line in lines]
        else:
            raise SrlabError(f"In {file}, the line {whole[0]!r} of an edit does not begin with -, + or |.")
    return found


def build_answer(source: str, reference: Answer) -> Answer:
    """Execute the source of an answer next to the reference, so that it has the same names, and return it."""
    place = f"<answer {reference.__module__}.{reference.__name__} {hash(source):x}>"
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)  # for the line of an error
    names = USUAL | vars(sys.modules[reference.__module__])
    exec(compile(source, place, "exec"), names)  # noqa: S102 - a text of the course
    return names[reference.__name__]
