"""Test that a run keeps the text of its answers, and is trained again if that text or its first network has changed."""

from types import SimpleNamespace

import pytest

from srlab.training.runs import Run
from srlab_course import check, credit
from srlab_course.lab import run_code
from srlab_course.lab.credit import is_own, whose
from srlab_course.lab.earlier.answers import from_earlier_lab
from srlab_course.lab.run_code import import_code, is_code_of, read_code, record_code
from tests.conftest import leave_run
from tests.course.lab.cells import Cells, leave_code

LAB = SimpleNamespace(name="03_srgan", run="default")
STEP = "def train_step(x):\n    '''Take a step.'''\n    return RATE * x\n"


@pytest.fixture
def cells(home, monkeypatch):
    monkeypatch.setattr(run_code, "IMPORTED", "answers_in_this_test_")
    return Cells(monkeypatch)


def train(cells, *answers, **networks):
    """Leave a run as training does, and return the names in the lab's folder of runs."""
    facts = record_code(LAB, "default", *answers, **networks)
    if Run(LAB.name, "default").manifest() is None:
        leave_run(LAB.name, "default", 9, started="today", **facts)
    return sorted(folder.name for folder in Run(LAB.name, "default").path.parent.iterdir())


def test_run_is_trained_again_only_if_its_answer_has_changed(cells, capsys):
    cells.run("RATE = 2")
    for source in (
        STEP,
        STEP.replace("Take a step.", "Take one step."),
        STEP.replace("    return RATE * x", "    # scaled\n    return RATE*x"),
    ):
        cells.run(source)
        assert train(cells, cells["train_step"]) == ["default"]
        assert read_code(Run(LAB.name, "default")) == f"RATE = 2\n\n\n{source}", "the newest text"
        assert capsys.readouterr().out == ""
        cells.restart()
        cells.run("RATE = 2")
    cells.run(STEP.replace("RATE * x", "x"))
    assert not is_code_of(Run(LAB.name, "default"), cells["train_step"])
    assert train(cells, cells["train_step"]) == ["default", "default-before"]
    said = "train_step changed since the run default was trained, so it is trained again. The former is default-b"
    assert capsys.readouterr().out.startswith(said)
    assert read_code(Run(LAB.name, "default-before")).startswith("RATE = 2")
    assert is_code_of(Run(LAB.name, "default"), cells["train_step"])
    cells.run(STEP.replace("RATE * x", "3 * x"))
    assert train(cells, cells["train_step"]) == ["default", "default-before"], "only the last one stays"
    assert "return x\n" in read_code(Run(LAB.name, "default-before"))


def test_run_comes_back_with_its_answers(cells, capsys):
    right, wrong = "def train_step(x): return x", "def train_step(x): return -x"
    cells.run(right)
    train(cells, cells["train_step"])
    best = Run(LAB.name, "default").path / "generator.safetensors"
    best.write_text("of many hours", encoding="utf-8")
    for source, back in ((wrong, False), (right, True), (wrong, True), (right, True)):
        cells.run(source)
        assert train(cells, cells["train_step"]) == ["default", "default-before"]
        assert best.exists() == (source == right)
        assert ("the one in default-before is back" in capsys.readouterr().out) == back


def test_run_is_moved_aside_without_deleting_what_was_not(cells, capsys):
    own = Run(LAB.name, "default-before").path / "own.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine", encoding="utf-8")
    for name in ("run.json", ".moved-aside"):  # as a friend's may have
        (own.parent / name).touch()
    for number in range(3):
        cells.run(f"def train_step(x): return {number}")
        train(cells, cells["train_step"])
    assert train(cells, cells["train_step"]) == ["default", "default-2-before", "default-before"]
    assert own.read_text(encoding="utf-8") == "mine"
    assert "The former is default-2-before.\n" in capsys.readouterr().out
    assert "return 1" in read_code(Run(LAB.name, "default-2-before")), "only the last one stays"


def test_run_from_another_machine_is_not_trained_again_by_the_same_text(cells, home):
    cells.run("def train_step(x): return x")
    train(cells, cells["train_step"])
    (home / ".srlab-written").unlink()
    assert train(cells, cells["train_step"]) == ["default"]


def test_run_without_a_step_is_not_moved_aside(cells):
    leave_run(LAB.name, "default", 0)
    cells.run("def train_step(x): return x")
    assert train(cells, cells["train_step"]) == ["default"]


def test_answer_of_the_course_is_an_import(cells, capsys):
    cells.run("def discriminator_loss(real, fake):\n    return course.TODO\n")
    cells.user_ns["discriminator_loss"] = check("srgan.discriminator_loss", lambda real, fake: None)
    step = cells.run("def train_step(real):\n    return discriminator_loss(real, real)\n")
    record_code(LAB, "default", step)
    line = "from srlab_course.exercises.srgan.discriminator_loss import discriminator_loss"
    assert read_code(Run(LAB.name, "default")).startswith(f"{line}\n\n\ndef train_step")
    record_code(LAB, "other", cells["discriminator_loss"])
    assert read_code(Run(LAB.name, "other")) == f"{line}\n"
    assert [is_own(f"03_srgan/{name}") for name in ("default", "other", "missing")] == [True, False, False]


def test_run_is_trained_again_after_the_run_that_it_begins_with(cells, capsys):
    step, start = cells.run("def train_step(x): return x"), "01_srresnet/default"
    first = leave_run("01_srresnet", "default", 5)
    first.write_manifest(first.manifest() | {"started": "monday"})
    assert train(cells, step, start=start) == ["default"]
    first.write_manifest(first.manifest() | {"step": 9})  # it is continued
    assert train(cells, step, start=start) == ["default"]
    first.write_manifest(first.manifest() | {"started": "tuesday"})
    assert train(cells, step, start=start) == ["default", "default-before"]
    assert "The network that it begins with (" in capsys.readouterr().out
    assert train(cells, step, start="bundled") == ["default", "default-before"]
    assert Run(LAB.name, "default").manifest()["parameters"]["start"] == "bundled"


def test_answer_under_two_names_keeps_both(cells):
    """Later labs import it by the name of the exercise."""
    cells.run("def my_step(x): return x")
    cells.run("train_step = my_step")
    record_code(LAB, "default", cells["train_step"])
    assert read_code(Run(LAB.name, "default")) == "def my_step(x): return x\n\n\ntrain_step = my_step\n"


# --- Import ---


def test_later_lab_imports_what_trained_an_earlier_one(cells, capsys):
    """It prints when it takes the course's instead, and its own text has what it imported."""
    cells.run("RATE = 2")
    train(cells, cells.run(STEP))
    Run(LAB.name, "default").path.joinpath("generator.safetensors").touch()
    later = SimpleNamespace(name="04_esrgan", run="long")
    step, loss = from_earlier_lab(later, LAB.name, "srgan.train_step", "srgan.discriminator_loss")
    assert step(4) == 8
    assert credit(step, loss) == "Trained with your train_step and the course's discriminator_loss."
    assert "discriminator_loss: the course's, because 03_srgan/default has none" in capsys.readouterr().out
    cells.restart()
    cells.user_ns["course"] = SimpleNamespace(from_earlier_lab=lambda: (step, loss))
    cells.run("train_step, discriminator_loss = course.from_earlier_lab()")
    record_code(later, "long", step)
    assert read_code(Run("04_esrgan", "long")) == f"RATE = 2\n\n\n{STEP}"
    assert whose("04_esrgan/long") == "your train_step (04_esrgan/long)"


def test_later_lab_tells_that_the_course_s_answer_trained_an_earlier_one(home, capsys):
    run = leave_run(LAB.name, "default", 1)
    run.path.joinpath("generator.safetensors").touch()
    leave_code(run, "from srlab_course.exercises.srgan.train_step import train_step")
    from_earlier_lab(SimpleNamespace(name="04_esrgan", run="long"), LAB.name, "srgan.train_step")
    assert capsys.readouterr().out == "train_step: the course's, because it trained 03_srgan/default.\n"


@pytest.mark.parametrize("where", ["copied run", "changed file", "no record"])
def test_code_of_a_stranger_is_not_executed(cells, home, capsys, where):
    step = cells.run("def train_step(x): return x")
    train(cells, step)
    run = Run(LAB.name, "default")
    assert import_code(run).train_step(3) == 3
    marker = home / "executed"
    file = run.path / "code.py"
    if where == "no record":
        (home / ".srlab-written").unlink()
    else:
        file.write_text(f"open({str(marker)!r}, 'w')\n{file.read_text()}", encoding="utf-8")
    if where == "copied run":  # with a record of its own
        (run.path / ".srlab-written").write_text(f"{run_code.digest_of(file.read_text())}  code.py\n", encoding="utf-8")
    assert import_code(run) is None
    assert not is_own("03_srgan/default")
    assert is_code_of(run, step) == (where == "no record"), "the same text, from another machine"
    assert not marker.exists()
    run.path.joinpath("generator.safetensors").touch()
    from_earlier_lab(LAB, LAB.name, "srgan.train_step")
    assert "train_step: the course's, because 03_srgan/default has none" in capsys.readouterr().out


def test_answers_that_raise_an_error_are_not_imported(cells, capsys):
    train(cells, cells.run("LIMIT = 1\ndef train_step(x, limit=LIMIT): return limit"))
    cells.run("def train_step(x, limit=UNKNOWN if False else 1): return limit")
    cells.run("LIMIT = open(__name__) if __name__ != '__main__' else 1\ndef train_step(x, limit=LIMIT): return limit")
    train(cells, cells["train_step"])
    assert import_code(Run(LAB.name, "default")) is None
    assert "cannot be imported (FileNotFoundError" in capsys.readouterr().out
