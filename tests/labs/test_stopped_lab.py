"""Lab 04 under papermill is stopped in the middle of its GAN stage, and the same command goes on to the same bits."""

import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
import torch
from safetensors.torch import load_file

import srlab
from tests.conftest import ROOT

ITERS, EVERY = 60, 12
WAYS = ("SIGTERM", "kill -9 of the kernel", "kill -9 of papermill", "Ctrl-C")


@pytest.fixture
def start(without_exploring, tmp_path):
    """Start papermill in a process group of its own, as a terminal does."""
    started, lab = [], without_exploring("04_esrgan")
    given = {"recipe": "smoke", "iters": ITERS, "pretrain_iters": 40, "validate_every": EVERY}
    given |= {"photos": "astronaut"}

    def run(name):
        command = [sys.executable, "-m", "papermill"]
        command += [word for pair in (given | {"run": name}).items() for word in ("-p", *map(str, pair))]
        log = (tmp_path / f"log-{len(started)}.txt").open("w+")
        started.append(
            (
                log,
                subprocess.Popen(
                    [*command, str(lab), str(tmp_path / "out.ipynb")],
                    cwd=ROOT,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                ),
            )
        )
        return started[-1]

    yield run
    for log, process in started:
        if process.poll() is None:
            for child in (*psutil.Process(process.pid).children(recursive=True), process):
                child.kill()
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


@pytest.mark.nightly
def test_a_run_goes_on_after_every_kind_of_stop_to_the_same_bits(start, tmp_path):
    run, before = srlab.Run("04_esrgan", "stopped"), 0

    def step():
        return (run.manifest() or {"step": 0})["step"]

    for way in WAYS:
        _, process = start("stopped")
        kernel = wait_for(lambda process=process: kernel_of(process), 30)
        wait_for(lambda before=before: step() > before)
        stop(process, kernel, way)
        last, before = before, step()
        assert last < before < ITERS, f"{way}: the run must be stopped on its way"
        executed = nbformat.read(tmp_path / "out.ipynb", 4)
        shown = [cell for cell in executed.cells if cell.cell_type == "code" and cell.outputs]
        assert any("bicubic" in str(cell.outputs) for cell in shown), f"{way}: what had come so far is shown"

    before = run.load_state()["step"]
    log, process = start("stopped")
    assert process.wait(120) == 0, log.seek(0) or log.read()
    executed = nbformat.read(tmp_path / "out.ipynb", 4)
    text = str([cell.outputs for cell in executed.cells if cell.cell_type == "code"])
    assert f"Going on with the run 'stopped' from step {before}" in text
    assert re.search(r"start: RRDBNet with [\d,]+ numbers, stopped-psnr", text)
    assert (run.manifest()["state"], run.manifest()["step"]) == ("finished", ITERS)
    steps = [row["step"] for row in run.metrics() if "g_loss" in row]
    assert steps == sorted(set(steps)), "each step is logged once"
    assert steps[-1] == ITERS

    log, process = start("whole")
    assert process.wait(120) == 0, log.seek(0) or log.read()
    stopped, whole = (
        load_file(srlab.Run("04_esrgan", name).path / "generator.safetensors") for name in ("stopped", "whole")
    )
    assert all(torch.equal(stopped[key], whole[key]) for key in whole)
