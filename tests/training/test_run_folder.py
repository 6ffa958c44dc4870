"""A run folder whose files are lost, damaged, moved or of somebody else: going on, or one sentence and all stays."""

import math
import re
import shutil
import threading
from pathlib import Path

import filelock
import pytest

from srlab.course.cli.main import main
from srlab.course.competitors import load_upscalers
from srlab.files import write_safetensors
from srlab.models import MSRResNet
from srlab.models.weights import load_generator
from srlab.training.runs import Run, find_run, read_runs
from tests.conftest import leave_run

from .little_run import LAB, LittleRun, half_done, refusal, undisturbed, what_is_left

LAST = "state/000000004.pt"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that was killed at step 4 of 6."""
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("SRLAB_HOME", str(tmp_path_factory.mktemp("killed")))
        half_done()
        return Run(LAB, "default").path


@pytest.fixture
def run(killed):
    run = Run(LAB, "default")
    shutil.copytree(killed, run.path)
    return run


def content_of(run):
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def cut(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 + 1])


# --- Lost and damaged ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [Path.unlink, cut])
def test_a_run_goes_on_without_its_run_json_and_is_found_by_its_state(run, damage):
    damage(run.path / "run.json")
    assert [(found.name, manifest["step"]) for found, manifest in read_runs()] == [("default", 4)]
    LittleRun().fit()
    assert what_is_left() == undisturbed()


def test_a_run_goes_on_from_the_state_before_one_with_a_wrong_bit(run, capsys):
    content = bytearray((run.path / LAST).read_bytes())
    content[len(content) // 2] ^= 16
    (run.path / LAST).write_bytes(content)
    LittleRun().fit()
    said = capsys.readouterr().out
    assert f"{run.path / LAST} is damaged" in said
    assert "from step 2." in said
    assert what_is_left() == undisturbed()


def test_without_a_state_that_can_be_read_nothing_is_trained_over(run):
    for state in (run.path / "state").iterdir():
        cut(state)
    before = content_of(run)
    refusal("No state in .* can be read; delete .* to start the run anew", LittleRun().fit)
    assert content_of(run) == before
    shutil.rmtree(run.path / "state")
    for file in ("run.json", "metrics.jsonl"):
        before = content_of(run)
        refusal("no state in .* to go on from, and what was trained there stays; choose", LittleRun().fit)
        assert content_of(run) == before
        (run.path / file).unlink()


def test_a_run_without_its_log_keeps_its_weights_and_its_best_score(run):
    file = run.path / "metrics.jsonl"
    file.write_text('{"colour": "red"}\n')
    refusal(r"metrics\.jsonl is damaged .*; repair or delete that file, and the run goes on", LittleRun().fit)
    file.unlink()
    LittleRun().fit()
    left, expected = what_is_left(), undisturbed()
    assert {name for name in left if left[name] != expected[name]} <= {"metrics.jsonl", "metrics"}


def test_a_last_line_of_the_log_that_a_crash_cut_short_is_written_again(run):
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    LittleRun().fit()
    assert what_is_left() == undisturbed()


def test_damaged_weights_are_named_and_written_anew_by_the_next_call(run):
    file = run.path / "generator.safetensors"
    cut(file)
    assert str(file) in refusal("damaged", load_generator, LAB)
    LittleRun().fit(4)
    assert refusal("network 'Sequential'", load_generator, LAB), "it can be read again"


def test_only_that_a_lock_is_held_counts_and_what_cannot_be_locked_is_said(run, home):
    (run.path / ".lock").write_bytes(b"anything")
    LittleRun().fit()
    assert what_is_left() == undisturbed()
    shutil.rmtree(home)
    home.write_text("in the way")
    refusal("Cannot write into .*SRLAB_HOME", LittleRun().fit)


def test_a_look_whether_a_run_is_held_does_not_keep_it_from_beginning(run):
    looking = filelock.FileLock(run.path / ".lock", thread_local=False)
    looking.acquire()
    threading.Timer(0.2, looking.release).start()
    with run.lock():
        assert run.is_held()
    assert not run.is_held()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"lab": "03_srgan"}, "belongs to the lab 03_srgan, not to 01_srresnet"),
        ({"format": 1, "state": "finished"}, "was made by another version of srlab .1."),
    ],
)
def test_a_folder_of_another_lab_or_version_is_named_and_left_alone(run, content, words, capsys):
    state = run.load_state()
    run.write_manifest(run.manifest() | content)
    run.save_state(state | {"manifest": state["manifest"] | content})
    words = f"{re.escape(str(run.path))} {words}.*; move the folder away or choose another run name"
    for with_states in (True, False):
        before = content_of(run)
        refusal(words, LittleRun().fit)
        assert content_of(run) == before
        assert list(read_runs()) == []
        assert re.match(f"Passed over: {words}", capsys.readouterr().out)
        assert load_upscalers() == {}
        assert re.search(f"{LAB}/default is left out: {words}", capsys.readouterr().out)
        if with_states:
            shutil.rmtree(run.path / "state")


ODD = [bytes(50), b'{"step": "\xe9"}', b"[]", b'{"step": 4}']


@pytest.mark.parametrize("content", ODD)
def test_an_odd_manifest_is_one_sentence_for_whoever_reads_it(capsys, content):
    run = leave_run(LAB, "default", 4)
    (run.path / "run.json").write_bytes(content)
    words = rf"{run.path / 'run.json'} cannot be read as a run's manifest .*; move the folder away"
    refusal(words, run.is_trained)
    assert list(read_runs(LAB)) == []
    assert re.match(f"Passed over: {words}", capsys.readouterr().out)
    assert main(["diagnose", str(run.path)]) == 2
    assert re.search(words, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("network", "blocks", "factor", "words"),
    [
        ("nn", 1, 1, "a network 'nn'; srlab knows .*RRDBNet"),
        ("MSRResNet", 2, 1, "The weights in .* do not fit MSRResNet"),
        ("MSRResNet", 1, math.nan, "contains NaN or infinity; use earlier weights"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(network, blocks, factor, words):
    file = Run(LAB, "default").path / "generator.safetensors"
    weights = {name: value * factor for name, value in MSRResNet(1, 4).state_dict().items()}
    write_safetensors(file, weights, {"network": network, "config": {"blocks": blocks, "features": 4}})
    assert str(file) in refusal(words, load_generator, LAB)


# --- Finding -------------------------------------------------------------------------------------------------


def test_a_name_that_would_leave_the_folder_of_runs_is_refused():
    for name in ("", "..", "a/b", "a b", "a\\b"):
        refusal("no good name for a run", Run, name, "default")
        refusal("no good name for a run", Run, LAB, name)


def test_a_run_is_found_by_its_folder_and_a_copy_whose_name_is_none_does_not_stop_the_search(home, monkeypatch, capsys):
    leave_run(LAB, "default", 4).path.rename(home / LAB / "default (copy)")
    run = leave_run(LAB, "long", 7)
    monkeypatch.chdir(run.path)
    for path in (run.path, run.path.relative_to(home), run.path / "."):
        found = find_run(path)
        assert (found.lab, found.name, found.manifest()["step"]) == (LAB, "long", 7)
    refusal(rf"There is no run in .*{LAB}; give the folder of one, or <lab>/<name>", find_run, home / LAB)
    assert [run.name for run, _ in read_runs()] == ["long"]
    assert "Passed over: 'default (copy)' is no good name for a run" in capsys.readouterr().out
