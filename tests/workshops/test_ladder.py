"""Test the ladder: right designs of the workshops climb it, and each mistake of ladder.md falls at its rung."""

import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

import srlab_course as course
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise_text import read_sections, read_sources
from srlab_course.workshops import ladder
from srlab_course.workshops.parts import PARTS
from tests.conftest import ROOT
from tests.workshops.files import FILES, joined
from tests.workshops.test_designs import RIGHT

NAMES = {name for _, _, needs, *_ in ladder.RUNGS for name in needs}
REFERENCE = joined(3)
BY_SOURCE = {}  # a design that is right for several parts climbs once
for design in RIGHT:
    part, source = design.values
    BY_SOURCE.setdefault(source, (design.id, set()))[1].update(NAMES & {*PARTS[part].names})
RIGHT = [pytest.param(names, source, id=name) for source, (name, names) in BY_SOURCE.items() if names]


def mistakes():
    """Yield the rung and the source of each mistake."""
    file = FILES / "ladder.md"
    _, _, text = file.read_text(encoding="utf-8").partition("\n# ")
    for section, blocks in read_sections(f"# {text}", file, [f"rung {number}" for number in range(1, 8)]).items():
        names_and_blocks = re.split(r"^## (.+)$", blocks, flags=re.MULTILINE)[1:]
        for name, block in zip(names_and_blocks[::2], names_and_blocks[1::2], strict=True):
            for source in read_sources(block, REFERENCE, file):
                yield pytest.param(int(section[-1]), source, id=f"{section[-1]}-{name}")


@pytest.fixture
def climb(capsys):
    """Climb with the functions of a source, and return (word, text) for each line."""

    def climb(source=REFERENCE, rungs=None, **changes):
        module = ModuleType("mine")
        exec(source, module.__dict__)
        module.__dict__.update(changes)
        ladder.climb(module, rungs)
        printed = re.sub(r"\n {12}", " ", capsys.readouterr().out)
        return [(line[2:12].strip(), line[12:]) for line in printed.splitlines()]

    return climb


def rungs_of(names):
    """Return the numbers of the rungs that run at least one of some functions."""
    return sorted({number for number, _, needs, *_ in ladder.RUNGS if {*needs} & {*names}})


def test_reference_climbs(climb):
    assert [word for word, _ in climb()] == ["climbed"] * len(ladder.RUNGS)


@pytest.mark.parametrize(("names", "source"), RIGHT)
def test_right_designs_climb(names, source, climb):
    printed = climb(source, rungs_of(names))
    assert {word for word, _ in printed} <= {"climbed", "not yet"}, printed


@pytest.mark.parametrize(("rung", "source"), [*mistakes()])
def test_mistakes_fall_at_their_rung(rung, source, climb):
    needs = [name for number, _, needs, *_ in ladder.RUNGS for name in needs if number == rung]
    *climbed, (word, text), (last, _) = climb(source, rungs_of(needs))
    assert (word, last) == ("fell", "look")
    assert text.startswith(f"{rung} "), text
    assert {word for word, _ in climbed} <= {"climbed"}


def test_exit_falls(climb):
    [(word, text), _] = climb(rungs=[1], train_step=lambda *inputs: sys.exit(1))
    assert word == "fell"
    assert "Your code calls sys.exit" in text


def test_missing_functions_are_not_yet_written(capsys):
    ladder.climb(SimpleNamespace(train_step=course.TODO))
    words = [line[2:9] for line in capsys.readouterr().out.splitlines()]
    assert words == ["not yet"] * len(ladder.RUNGS)


def test_rungs_can_be_chosen(climb):
    assert [text[0] for _, text in climb(rungs=[6, 7])] == ["6", "7"]


def test_examples_of_the_page_climb(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(joined(1), encoding="utf-8")
    page = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    answers = {"train_step": "srresnet.train_step", "validate": "srresnet.validate"}
    of_lab_03 = {"train_step": "srgan.train_step", "discriminator_loss": "srgan.discriminator_loss"}
    for block, known in zip(blocks, ({}, answers, of_lab_03), strict=True):
        names = {name: find(answer).reference for name, answer in known.items()}
        exec(compile(block, "docs/ladder.md", "exec"), names)
        printed = capsys.readouterr().out
        assert "climbed" in printed
        assert "fell" not in printed
