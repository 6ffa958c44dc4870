"""Files of a run folder that are not what they should be."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from srlab.models.weights import load_generator
from srlab.training.runs import Run

from .fault import fault
from .little_run import LAB, half_done, little_run, refusal, undisturbed, what_is_left


def half(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 + 1])


def foreign(file):
    """A whole file of the same kind, but of somebody else."""
    if file.suffix == ".safetensors":
        save_file({"x": torch.ones(2)}, file)
    else:
        file.write_text('{"colour": "red"}\n')


DAMAGES = {
    "half-written": half,
    "foreign": foreign,
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(bytes(range(256)) * 3 + b"\n"),
    "zeros": lambda file: file.write_bytes(bytes(300)),
}


def damaged(what, ends, *names):
    """One case for each kind of damage."""
    marks = {name: fault(f"{what} is {name}", ends) for name in names or DAMAGES}
    return pytest.mark.parametrize(
        "damage", [pytest.param(DAMAGES[name], marks=marks[name], id=name) for name in marks]
    )


@damaged("run.json", "a sentence that names it, and nothing is changed")
def test_a_damaged_manifest(damage):
    half_done()
    run = Run(LAB, "default")
    damage(run.path / "run.json")
    before = what_is_left_but_the_manifest(run)
    said = refusal("move the folder away or choose another run name", little_run().fit)
    assert str(run.path) in said
    assert what_is_left_but_the_manifest(run) == before


def what_is_left_but_the_manifest(run):
    return {file: file.read_bytes() for file in run.path.rglob("*.*") if file.is_file()}


@damaged("the newest state", "named; the state before it goes on to the same bytes")
def test_a_damaged_newest_state(damage, capsys):
    half_done()
    file = Run(LAB, "default").path / "state" / "000000004.safetensors"
    damage(file)
    little_run().fit()
    said = capsys.readouterr().out
    assert str(file) in said
    assert "Falling back to the state before it." in said
    assert "from step 2." in said
    assert what_is_left() == undisturbed()


@damaged("every state", "a sentence that says what to do, and nothing is changed", "half-written", "empty")
def test_no_state_that_can_be_read(damage):
    half_done()
    run = Run(LAB, "default")
    for step in run.state_steps():
        damage(run.path / "state" / f"{step:09d}.safetensors")
    before = {step: (run.path / "state" / f"{step:09d}.safetensors").read_bytes() for step in run.state_steps()}
    refusal("No state in .* can be read; delete .* to start the run anew", little_run().fit)
    assert {step: (run.path / "state" / f"{step:09d}.safetensors").read_bytes() for step in before} == before


@damaged("metrics.jsonl", "named in a sentence, or in a line that says what is missing; same weights")
def test_a_damaged_log(damage, capsys):
    half_done()
    file = Run(LAB, "default").path / "metrics.jsonl"
    damage(file)
    if damage in (DAMAGES["foreign"], DAMAGES["garbage"]):
        said = refusal("is damaged .*; repair or delete that file, and the run goes on", little_run().fit)
        assert str(file) in said
        file.unlink()
    little_run().fit()
    assert f"{file} lacks what was logged up to step 4" in capsys.readouterr().out
    left, expected = what_is_left(), undisturbed()
    for name in ("generator.safetensors", "state/000000006.safetensors"):
        assert left[name] == expected[name]


@fault("the last line of metrics.jsonl is cut short", "left out, and written again; same bytes")
def test_a_log_that_a_crash_cut_short():
    half_done()
    with (Run(LAB, "default").path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    little_run().fit()
    assert what_is_left() == undisturbed()


@damaged("generator.safetensors", "named by what reads it; training writes it anew")
def test_damaged_weights(damage):
    half_done()
    file = Run(LAB, "default").path / "generator.safetensors"
    damage(file)
    assert str(file) in refusal("damaged|not written by srlab", load_generator, LAB)
    little_run().fit()
    assert what_is_left() == undisturbed()


@damaged(".lock", "no harm: only that it is held counts", "garbage", "empty")
def test_a_lock_with_content(damage):
    half_done()
    damage(Run(LAB, "default").path / ".lock")
    little_run().fit()
    assert what_is_left() == undisturbed()


@fault(".lock is a folder", "a sentence that names the run")
def test_a_lock_that_is_a_folder():
    half_done()
    run = Run(LAB, "default")
    (run.path / ".lock").unlink()
    (run.path / ".lock").mkdir()
    assert str(run.path) in refusal("Cannot write into", little_run().fit)
    shutil.rmtree(run.path / ".lock")
    little_run().fit()
    assert what_is_left() == undisturbed()
