"""Test the ladder: right designs of the workshops climb it, and each mistake of ladder.md fails on its rung."""

import re
import sys
from types import SimpleNamespace

import pytest
import torch

import srlab_course as course
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise_text import read_sections, read_sources
from srlab_course.workshops import ladder, load
from tests.conftest import ROOT
from tests.course.feedback.test_seeding import random_states
from tests.workshops.files import FILES, designs_of, joined, named, of_file
from tests.workshops.table import tried

# Part of the workshops -> the rungs that run its functions.
RUNGS = {"sample_pairs": (2,), "train_step": (1, 3, 4), "validate": (4,), "adversary": (5, 6), "gan_step": (5, 6)}
RUNGS |= dict.fromkeys(("loss", "walk", "sampler"), (7,))


def test_mistakes_fail_on_their_rung(tmp_path):
    file, reference = FILES / "ladder.md", tmp_path / "reference.py"
    reference.write_text(joined(3), encoding="utf-8")
    names, files = [], [(f"ladder_{number}", reference) for number in range(1, 8)]
    for section, blocks in read_sections(of_file(file), file, [f"rung {k}" for k in range(1, 8)]).items():
        for name, block in named(blocks):
            for source in read_sources(block, joined(3), file):
                names.append(f"{section}: {name}")
                files.append((f"ladder_{section[-1]}", tmp_path / f"{len(files)}.py"))
                files[-1][1].write_text(source, encoding="utf-8")
    failed = tried("test_ladder.py", files, tmp_path).failed
    assert not any(failed[:7])
    assert not [name for name, why in zip(names, failed[7:], strict=True) if not why]


@pytest.mark.nightly
def test_right_designs_climb(tmp_path):
    files = []
    for workshop in (1, 2, 3):
        for design in designs_of(workshop):
            for rung in RUNGS.get(design.part, ()) if design.right else ():
                files.append((f"ladder_{rung}", tmp_path / f"{len(files)}.py"))
                files[-1][1].write_text(design.source, encoding="utf-8")
    assert not [why for why in tried("test_ladder.py", files, tmp_path).failed if why]


@pytest.fixture
def climb(capsys, tmp_path):
    """Climb with the functions of the reference, some of them changed; return what is printed, in one line per word."""
    (tmp_path / "mine.py").write_text(joined(1), encoding="utf-8")

    def climb(rungs, **changes):
        ladder.climb(SimpleNamespace(**(vars(load(tmp_path / "mine.py")) | changes)), rungs)
        return re.sub(r"\n {12}", " ", capsys.readouterr().out).splitlines()

    return climb


def test_climbing_stops_at_the_first_rung_that_fails(climb):
    before = random_states()
    first, failed, hint, *printed = climb([2, 1, 3], train_step=lambda *inputs: sys.exit(1))
    assert first.split() == ["passed", "2", "pairs"]
    assert "failed    test_ladder_1_loss_and_optimizer: HR is 0.3 everywhere" in failed
    assert "SystemExit: 1" in failed
    assert hint.split()[0] == "hint"
    assert [line.split() for line in printed] == [["seed", "8191"]]
    assert random_states() == before
    assert torch.is_grad_enabled()


def test_missing_functions_are_to_do(capsys):
    ladder.climb(SimpleNamespace(train_step=course.TODO))
    assert capsys.readouterr().out.count("  to do ") == 7


def test_examples_of_the_page_climb(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    answers = {"train_step": "srresnet.train_step", "validate": "srresnet.validate"}
    of_lab_03 = {"train_step": "srgan.train_step", "discriminator_loss": "srgan.discriminator_loss"}
    for block, known in zip(blocks, (answers, of_lab_03), strict=True):
        names = {name: find(answer).reference for name, answer in known.items()}
        exec(compile(block, "docs/ladder.md", "exec"), names)
        printed = capsys.readouterr().out
        assert "passed" in printed
        assert "failed" not in printed
