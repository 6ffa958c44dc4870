"""Test that results name whose code made them."""

from functools import partial
from types import SimpleNamespace

import pytest

import srlab
from srlab import Run
from srlab_course import TODO, check, credit
from srlab_course.lab import answer_text
from srlab_course.lab.credit import is_own, is_yours, whose
from tests.course.lab.cells import leave_code


def train_step(generator, optimizer, lr, hr):
    return TODO


def test_credit_tells_own_answers_from_the_course(capsys):
    def fit():
        pass

    fallback = check("srresnet.train_step", train_step)
    capsys.readouterr()
    made_by = credit(fit, fallback, srlab.gan_step, partial(fit))
    assert capsys.readouterr().out.splitlines() == ["your code: fit, fit", "the course's code: train_step, gan_step"]
    assert made_by == "Trained with your fit, fit and the course's train_step, gan_step."
    assert credit(fit, did="Drawn with") == "Drawn with your fit."
    assert credit(fallback) == "Trained with the course's train_step."
    assert credit() == "Trained with code of the course."
    assert [is_yours(one) for one in (fit, fallback, srlab.gan_step)] == [True, False, False]


def test_credit_reads_who_trained_a_network(home, capsys):
    texts = {"default": "from a import fit", "mine": "def train_step(): pass", "given": "def whole_loss(): pass"}
    for name, text in texts.items():
        leave_code(Run("03_srgan", name), text)
    loaded = SimpleNamespace(origin="03_srgan/mine")
    others = {"given": "03_srgan/given", "MSRResNet": SimpleNamespace()}
    made_by = credit(SRGAN=loaded, hybrid="03_srgan/default", start="bundled", **others)
    assert made_by == (
        "Trained with your SRGAN (03_srgan/mine) and the course's hybrid (03_srgan/default), start (bundled), "
        "given (03_srgan/given), MSRResNet."
    )
    assert capsys.readouterr().out.splitlines() == [
        "your code: SRGAN (03_srgan/mine)",
        "the course's code: hybrid (03_srgan/default), start (bundled), given (03_srgan/given), MSRResNet",
    ]


@pytest.mark.parametrize("copied_code", [None, "", "def train_step(): pass"])
def test_copied_run_is_credited_to_nobody_here(home, copied_code):
    """It is from another machine if no lab wrote its file here, or if it has none."""
    run = Run("03_srgan", "default")
    run.path.mkdir(parents=True)
    if copied_code is not None:
        (run.path / "code.py").write_text(copied_code, encoding="utf-8")
    by = credit(did="Made with", SRGAN="03_srgan/default", start="bundled")
    assert by == "Made with the course's start (bundled) and copied SRGAN (03_srgan/default)."
    assert whose("03_srgan/default") == "a copied run (03_srgan/default)"
    leave_code(run, "")  # a lab did, with nothing of the student's
    assert whose("03_srgan/default") == "the code of the course (03_srgan/default)"
    assert whose("a precomputed image") == "the code of the course (a precomputed image)"


def test_network_of_two_is_credited_to_both(home):
    text = "from srlab_course.exercises.srgan.train_gan import train_gan\nimport torch\ndef train_step(): pass"
    leave_code(Run("03_srgan", "default"), text)
    assert whose("03_srgan/default") == "your train_step and the course's train_gan (03_srgan/default)"
    made_by = credit(did="Made with", SRGAN="03_srgan/default")
    assert made_by == "Made with your SRGAN (03_srgan/default; the course's train_gan)."


@pytest.mark.parametrize("text", [b"\xff\xfe", b"(" * 10_000, b"x = !a\n" * 600, b"def train_step(): pass"])
def test_code_of_a_stranger_is_neither_parsed_nor_the_student_s(home, monkeypatch, text):
    Run("03_srgan", "default").path.mkdir(parents=True)
    (Run("03_srgan", "default").path / "code.py").write_bytes(text)
    parsed = []
    monkeypatch.setattr(answer_text, "_parts_of", lambda text: parsed.append(text) or ())
    assert not is_own("03_srgan/default")
    assert not any(parsed)
    assert not is_own("a precomputed image")
    assert not is_own("../x/y")
