"""Test run folders with lost, damaged, moved or foreign files: resume, or one error and no changes."""

import math
import re
import shutil
from pathlib import Path

import pytest

from srlab.cli.main import main
from srlab.models import MSRResNet
from srlab.models.loading import load_generator
from srlab.tensor_files import write_safetensors
from srlab.training.runs import Run, find_run, read_runs, run_called
from srlab_course.lab.earlier.trained import load_trained
from tests.conftest import files_in, leave_run

from .little_run import LAB, LittleRun, half_done, refusal, undisturbed, what_is_left

LAST = "checkpoints/000000004.pt"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Create a run that was killed at step 4 of 6."""
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("SRLAB_HOME", str(tmp_path_factory.mktemp("killed")))
        half_done()
        return Run(LAB, "default").path


@pytest.fixture
def run(killed):
    run = Run(LAB, "default")
    shutil.copytree(killed, run.path)
    return run


def cut(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 + 1])


def turn_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)


def leave_half_a_line(file):
    file.write_text(file.read_text(encoding="utf-8") + '{"step": 5, "lo', encoding="utf-8")


def invent_a_row(file):
    file.write_text('{"step": 2, "loss": 9.0, "color": "red"}\n', encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("run.json", Path.unlink, ""),
        ("run.json", cut, ""),
        (LAST, turn_a_bit, "is damaged .*from step 2"),
        ("metrics.jsonl", leave_half_a_line, ""),
        ("metrics.jsonl", Path.unlink, ""),
        ("metrics.jsonl", invent_a_row, ""),
        ("generator.safetensors", cut, ""),
    ],
)
def test_damaged_run_resumes_bit_identical(run, capsys, file, damage, words):
    damage(run.path / file)
    assert [(found.name, manifest["step"]) for found, manifest in read_runs()] == [("default", 4)]
    LittleRun().fit()
    assert re.search(words, capsys.readouterr().out, re.DOTALL)
    assert what_is_left() == undisturbed()


def test_run_without_checkpoint_is_not_overwritten(run):
    for state in (run.path / "checkpoints").iterdir():
        cut(state)
    before = files_in(run.path)
    refusal("No checkpoint in .* can be read. Move", LittleRun().fit)
    assert files_in(run.path) == before
    shutil.rmtree(run.path / "checkpoints")
    for file in ("run.json", "metrics.jsonl"):
        before = files_in(run.path)
        refusal("No checkpoint to resume from in .*left untouched.. Choose", LittleRun().fit)
        assert files_in(run.path) == before
        (run.path / file).unlink()


def test_files_that_are_not_of_a_run_are_kept(home):
    """Train in a folder that has a user's log, or an unfinished file of another program."""
    (folder := home / LAB / "default").mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"mine": 1}\n', encoding="utf-8")
    refusal("No checkpoint to resume from in .*left untouched", LittleRun().fit)
    assert files_in(folder) == {"metrics.jsonl": b'{"mine": 1}\n'}
    (folder / "metrics.jsonl").write_bytes(b"")  # as a run leaves it that is killed at its start
    for name in (".download.part", ".srlab-0.part"):
        (folder / name).touch()
    LittleRun().fit(2)
    assert [file.name for file in folder.glob(".*.part")] == [".download.part"]


def test_unwritable_runs_folder_is_reported(home):
    home.write_text("in the way", encoding="utf-8")
    refusal("Could not write .*SRLAB_HOME", LittleRun().fit)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"lab": "03_srgan"}, "belongs to the lab 03_srgan, not to 01_srresnet"),
        ({"format": 1, "status": "finished"}, "was made by another version of srlab .1."),
    ],
)
def test_folder_of_other_lab_or_version_is_kept(run, content, words, capsys):
    state = run.load_checkpoint()
    run.write_manifest(run.manifest() | content)
    run.save_checkpoint(state | {"manifest": state["manifest"] | content})
    words = f"{re.escape(str(run.path))} {words}.* Move the folder elsewhere or choose"
    for _ in range(2):
        before = files_in(run.path)
        refusal(words, LittleRun().fit)
        assert list(read_runs()) == []
        assert load_trained() == {}
        assert len(re.findall(words, capsys.readouterr().out)) == 2
        assert files_in(run.path) == before
        shutil.rmtree(run.path / "checkpoints", ignore_errors=True)


def test_run_whose_sampler_has_no_photos_is_read():
    run = Run(LAB, "distilled")
    manifest = leave_run(LAB, "default", 4).manifest()
    manifest["parameters"]["sampler"] = {"batch": 4, "pool": 2}  # as in lab 07, which learns from a flow's images
    run.write_manifest(manifest | {"name": "distilled"})
    assert [found.name for found, _ in read_runs(LAB)] == ["default", "distilled"]


@pytest.mark.parametrize("content", [bytes(50), b'{"step": "\xe9"}', b"[]", b'{"step": 4}'])
def test_invalid_manifest_is_reported_in_one_line(capsys, content):
    run = leave_run(LAB, "default", 4)
    (run.path / "run.json").write_bytes(content)
    words = rf"{run.path / 'run.json'} is not a valid run manifest .* Move the folder elsewhere"
    refusal(words, run.is_usable)
    assert list(read_runs(LAB)) == []
    assert main(["diagnose", str(run.path)]) == 2
    said = capsys.readouterr()
    assert re.match(f"Skipped: {words}", said.out)
    assert re.search(words, said.err)


@pytest.mark.parametrize(
    ("network", "blocks", "factor", "words"),
    [
        ("nn", 1, 1, "a network 'nn', which only your code can build"),
        ("MSRResNet", 2, 1, "The weights in .* do not fit MSRResNet"),
        ("MSRResNet", 1, math.nan, "contains NaN or infinity. Use earlier weights"),
    ],
)
def test_unusable_weights_are_rejected(network, blocks, factor, words):
    file = Run(LAB, "default").path / "generator.safetensors"
    weights = {name: value * factor for name, value in MSRResNet(1, 4).state_dict().items()}
    write_safetensors(file, weights, {"network": network, "config": {"num_blocks": blocks, "num_features": 4}})
    assert str(file) in refusal(words, load_generator, LAB)


# --- Finding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "a\\b"])
def test_name_outside_runs_folder_is_rejected(name):
    refusal("not a valid run name", Run, name, "default")
    refusal("not a valid run name", Run, LAB, name)


def test_runs_are_found_by_folder_without_copies_and_other_weights(home, monkeypatch, capsys):
    leave_run(LAB, "default", 4).path.rename(home / LAB / "default (copy)")
    run = leave_run(LAB, "long", 7)
    (home / LAB / "other" / "checkpoints").mkdir(parents=True)
    (home / LAB / "other" / "checkpoints" / "best.pt").touch()
    assert [found.name for found, _ in read_runs()] == ["long"]
    assert "Skipped: 'default (copy)'" in capsys.readouterr().out
    monkeypatch.chdir(run.path)
    for path in (run.path, run.path.relative_to(home), run.path / "."):
        found = find_run(path)
        assert (found.lab, found.name, found.manifest()["step"]) == (LAB, "long", 7)
    for path in (home / LAB, home / LAB / "other"):
        refusal(r"No run found in .*\. Pass a run folder", find_run, path)


def test_run_is_found_by_its_name_only():
    assert run_called(f"{LAB}/default").path == Run(LAB, "default").path
    assert run_called(f"{LAB}/default").parameters() == {}
    for odd in (f"{LAB}/x/y", f"{LAB}/../z", LAB):  # as in a run.json of someone else
        refusal("not a valid run name", run_called, odd)
