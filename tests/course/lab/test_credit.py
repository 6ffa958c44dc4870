"""Test that results name whose code made them."""

from functools import partial
from types import SimpleNamespace

import pytest

import srlab
from srlab import Run
from srlab_course import TODO, check, credit
from srlab_course.lab.credit import is_own, is_yours


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
        Run("03_srgan", name).path.mkdir(parents=True)
        (Run("03_srgan", name).path / "code.py").write_text(text, encoding="utf-8")
    loaded = SimpleNamespace(origin="03_srgan/mine")
    others = {"old": "02_content_loss/old", "given": "03_srgan/given", "MSRResNet": SimpleNamespace()}
    made_by = credit(SRGAN=loaded, hybrid="03_srgan/default", start="bundled", **others)
    assert made_by == "Trained with your SRGAN and the course's hybrid, start, old, given, MSRResNet."
    assert capsys.readouterr().out.splitlines() == [
        "your code: SRGAN (03_srgan/mine)",
        "the course's code: hybrid (03_srgan/default), start (bundled), old (02_content_loss/old), given",
        "                   (03_srgan/given), MSRResNet",
    ]


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"def train_step(", b"(" * 10_000])
def test_damaged_code_is_not_the_student_s(home, damage):
    Run("03_srgan", "default").path.mkdir(parents=True)
    (Run("03_srgan", "default").path / "code.py").write_bytes(damage)
    assert not is_own("03_srgan/default")
    assert not is_own("a precomputed image")
    assert not is_own("../x/y")
