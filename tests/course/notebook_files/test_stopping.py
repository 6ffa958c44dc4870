"""Test that a notebook in training is stopped by a signal as by the stop button: saved, and ready to resume."""

import itertools
import os
import signal
import time

import pytest

from srlab.models import MSRResNet
from srlab.training.runs import Run
from tests.stops import Stoppable
from tests.training.little_run import LAB, LittleRun

if os.name != "posix":
    pytest.skip("sends signals", allow_module_level=True)
# The wait stands for a large checkpoint on a slow disk. After Ctrl-C, jupyter_client kills a kernel in five seconds.
TRAINING = """
import time
from srlab.models import MSRResNet
from tests.training.little_run import LittleRun

little = LittleRun(network=lambda: MSRResNet(1, 4))
write = little.run.save_checkpoint


def save(state):
    if state["step"]:
        print("saving", flush=True)
        time.sleep(SECONDS)
    write(state)


little.run.save_checkpoint = save
little.fit(100_000, validate=None, validate_every=100_000)
"""
TWICE = (signal.SIGINT, 0.1, signal.SIGINT, 0.9, signal.SIGINT)
SLOW = 6.0  # seconds


def train(tmp_path, way, seconds=0.0):
    """Execute a notebook until its training has logged a few rows."""
    stoppable = Stoppable(tmp_path, TRAINING.replace("SECONDS", str(seconds)), way)
    stoppable.wait_for(lambda: len(Run(LAB, "default").metrics()) > 3)
    return stoppable


SIGNALS = {
    "TERM": [signal.SIGTERM],
    "INT": [signal.SIGINT],
    "INT twice": TWICE,
    "HUP": [signal.SIGHUP],
    "TERM everywhere": ["everywhere", signal.SIGTERM],
    "TERM everywhere twice": ["everywhere", signal.SIGTERM, 1.0, signal.SIGTERM],
}
QUICK = ("launcher", "TERM everywhere", 0.0)
CASES = [
    pytest.param(*case, id="-".join(map(str, case)), marks=() if case == QUICK else pytest.mark.nightly)
    for case in itertools.product(("launcher", "srlab execute"), SIGNALS, (0.0, SLOW))
]


@pytest.mark.parametrize(("way", "kind", "seconds"), CASES)
def test_signal_saves_the_step_and_the_run_resumes(way, kind, seconds, tmp_path):
    stoppable, signals = train(tmp_path, way, seconds), SIGNALS[kind]
    for what in signals:
        if isinstance(what, float):
            time.sleep(what)
        elif what != "everywhere" and stoppable.process.poll() is None:
            stoppable.send(what, "everywhere" in signals)
    code, error = stoppable.end()
    first = next(what for what in signals if isinstance(what, signal.Signals))
    assert code == 128 + first, error
    run = Run(LAB, "default")
    step, manifest = run.load_checkpoint()["step"], run.manifest()
    assert (manifest["status"], manifest["step"], run.metrics()[-1]["step"]) == ("stopped", step, step)
    assert step > 0
    stopped = f"Stopped at step {step} of 100000; everything is saved in {run.path}."
    assert stopped in error
    assert "Traceback" not in error
    assert any(stopped in output.get("evalue", "") for output in stoppable.outputs())
    little = LittleRun(network=lambda: MSRResNet(1, 4))
    little.fit(step + 2, validate=None)
    assert len(little.losses) == 2, "the run resumes at the step at which it stopped"


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["TERM", "INT"])
def test_signal_to_torchrun_saves_the_step_of_all_processes(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    step = 0
    for _ in range(2):  # the second time, the run resumes
        stoppable = train(tmp_path, "two processes")
        logged = len(Run(LAB, "default").metrics())
        stoppable.wait_for(lambda: len(Run(LAB, "default").metrics()) > logged)  # noqa: B023
        stoppable.send(*SIGNALS[kind])
        code, error = stoppable.end()
        assert code == 1, error
        assert error.count("everything is saved in") == 1, "only the first process prints"
        run = Run(LAB, "default")
        assert run.manifest()["status"] == "stopped"
        assert run.load_checkpoint()["step"] == run.metrics()[-1]["step"] > step
        step = run.load_checkpoint()["step"]
    assert not list(tmp_path.glob("srlab-process-*"))


OUTSIDE = """
import pathlib
import time

print("fit(", flush=True)
pathlib.Path(PLACE).touch()
time.sleep(100)
"""


def test_signal_outside_of_training_ends_the_notebook(tmp_path):
    there = tmp_path / "there"
    stoppable = Stoppable(tmp_path, OUTSIDE.replace("PLACE", repr(str(there))))
    stoppable.wait_for(there.exists)
    stoppable.send(signal.SIGTERM)
    code, error = stoppable.end()
    assert (code, error.splitlines()[-1]) == (143, "Stopped. Run the same command again to resume.")
    assert "Traceback" not in error
    assert "".join(stoppable.outputs()[0].text) == "fit(\n"
