"""A long run of lab 04 under papermill is stopped in every way, and goes on each time with the same command."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

import srlab

from .conftest import ROOT

ITERS, EVERY = 60, 6
WAYS = ("kill -9 of the kernel", "kill -9 of papermill", "Ctrl-C", "SIGTERM")


@pytest.fixture
def lab(tmp_path):
    """Lab 04 without what only explores: the training, and what comes before and after it."""
    notebook = nbformat.read(ROOT / "notebooks" / "04_esrgan.ipynb", 4)
    notebook.cells = [cell for cell in notebook.cells if "explore" not in cell.metadata.get("tags", [])]
    nbformat.write(notebook, tmp_path / "04_esrgan.ipynb")
    return tmp_path / "04_esrgan.ipynb"


@pytest.fixture
def start(lab, tmp_path, monkeypatch):
    """Start papermill in a process group of its own, as a terminal does."""
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    started = []

    def run(iters=ITERS):
        preset = ROOT / "notebooks" / "presets" / "smoke" / "04_esrgan.yaml"
        given = {"run": "long", "iters": iters, "validate_every": EVERY, "photos": "astronaut"}
        command = [sys.executable, "-m", "papermill", "-f", str(preset)]
        command += [word for name, value in given.items() for word in ("-p", name, str(value))]
        log = (tmp_path / f"log-{len(started)}.txt").open("w+")
        process = subprocess.Popen(
            [*command, str(lab), str(tmp_path / "out.ipynb")],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append((process, log))
        return process, log

    yield run
    for process, log in started:
        for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
            child.kill()
        if process.poll() is None:
            process.kill()
        log.close()


def wait_for(what, limit=120):
    """Wait until a condition holds."""
    end = time.monotonic() + limit
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def kernel_of(process):
    """The kernel that papermill has started, or None before that."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    return next((child for child in children if "ipykernel" in " ".join(child.cmdline())), None)


def stop(process, kernel, way):
    """Stop a run in one of the ways, and wait until nothing of it lives."""
    if way == "kill -9 of the kernel":
        kernel.kill()
    elif way == "kill -9 of papermill":
        process.kill()
    elif way == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    assert process.wait(60) != 0
    psutil.wait_procs([kernel], timeout=30)
    assert not kernel.is_running(), "the kernel of a run that was stopped must not live on"


def test_a_run_goes_on_after_every_kind_of_stop(start, tmp_path):
    run = srlab.Run("04_esrgan", "long")
    before = 0
    for way in WAYS:
        process, _ = start()
        kernel = wait_for(lambda process=process: kernel_of(process), 30)
        wait_for(lambda before=before: run.trained_steps() > before)
        stop(process, kernel, way)
        step = run.trained_steps()
        assert before < step < ITERS, f"{way}: the run must be stopped on its way"
        executed = nbformat.read(tmp_path / "out.ipynb", 4)
        shown = [cell for cell in executed.cells if cell.cell_type == "code" and cell.outputs]
        assert any("bicubic" in str(cell.outputs) for cell in shown), f"{way}: what had come so far is shown"
        before = step

    process, log = start()
    assert process.wait(120) == 0, log.seek(0) or log.read()
    executed = nbformat.read(tmp_path / "out.ipynb", 4)
    text = str([cell.outputs for cell in executed.cells if cell.cell_type == "code"])
    assert f"Going on with the run 'long' from step {before}" in text
    assert "'long-psnr' has already done 40 of 40 steps; nothing to train" in text
    assert (run.manifest()["state"], run.manifest()["step"]) == ("finished", ITERS)
    steps = [row["step"] for row in run.metrics() if "g_loss" in row]
    assert steps == sorted(set(steps)), "each step is logged once"
    assert steps[-1] == ITERS
    assert list((run.path / "tensorboard").iterdir())

    weights = (run.path / "generator.safetensors").read_bytes()
    process, log = start(iters=ITERS - 20)
    assert process.wait(120) == 0, log.seek(0) or log.read()
    text = str([cell.get("outputs") for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells])
    assert f"has already done {ITERS} of {ITERS - 20} steps; nothing to train" in text
    assert (run.path / "generator.safetensors").read_bytes() == weights
