"""srlab doctor --system: each lack of a machine is one sentence with what to do, and one line goes to the teacher."""

import getpass
import re
import shutil
import sys
from importlib import metadata
from types import SimpleNamespace

import nbformat
import psutil
import pytest
import torch

from srlab.base import devices
from srlab.cli import system_check
from srlab.cli.main import main
from tests.conftest import LABS, ROOT


def version_without(name):
    def version(asked):
        if asked == name:
            raise metadata.PackageNotFoundError(asked)
        return "99.0"

    return version


def memory(total, free):
    return lambda: SimpleNamespace(total=total * 2**30, available=free * 2**30)


def no_kernel(*_, **__):
    raise RuntimeError("Kernel died before replying to kernel_info")


def takes(seconds):
    return lambda *_: seconds


# What is looked at -> what stands in for the machine, and words of the sentence; "" for none.
MACHINES = {
    "no package": (system_check.check_packages, (metadata, "version", version_without("anywidget")), "no anywidget"),
    "little memory": (system_check.check_memory, (psutil, "virtual_memory", memory(2, 1)), "has 2.0 GiB of memory"),
    "a 4 GB laptop": (system_check.check_memory, (psutil, "virtual_memory", memory(3.7, 2)), ""),
    "full disk": (system_check.check_disk, (shutil, "disk_usage", lambda _: SimpleNamespace(free=3e8)), "Only 0.3 GB"),
    "unused GPU": (system_check.check_gpu, (devices, "unused_gpu", lambda: "There is a driver; update it."), "update"),
    "slow": (system_check.check_training, (system_check, "_step_seconds", takes(1.0)), "would take 17 minutes instead"),
    "fast enough": (system_check.check_training, (system_check, "_step_seconds", takes(0.2)), ""),
    "no kernel": (system_check.check_kernel, ("jupyter_client.manager.start_new_kernel", no_kernel), "Kernel died"),
}


def test_the_memory_that_a_lab_takes_is_one_number_wherever_it_is_told():
    pages = [nbformat.read(lab, 4).cells[0].source for lab in LABS]
    told = [float(most) for page in pages for most in re.findall(r"\*\*Memory:\*\* up to ([\d.]+) GiB", page)]
    assert max(told) == system_check.FREE_MEMORY
    for page in ("teaching.md", "docs/jupyterhub.md", "docs/troubleshooting.md"):
        assert f"{max(told)} GiB" in (ROOT / page).read_text(encoding="utf-8"), page


@pytest.mark.parametrize(("look", "stand_in", "words"), MACHINES.values(), ids=MACHINES)
def test_what_a_machine_lacks_is_one_sentence_with_what_to_do(look, stand_in, words, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(*stand_in)
    fact, problem = look()
    assert fact
    assert words in problem
    assert bool(problem) == bool(words)
    assert "\n" not in problem


def test_a_gpu_that_fails_in_its_first_computation_is_found_out(monkeypatch):
    monkeypatch.setattr(devices, "pick_device", lambda: torch.device("cuda"))

    def too_old(*_):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nMore lines")

    monkeypatch.setattr(system_check, "_step_seconds", too_old)
    assert system_check.check_training() == (
        "no training",
        "A training step failed on the GPU (CUDA error: no kernel image is available for execution on the device); "
        "the labs run without it where the variable CUDA_VISIBLE_DEVICES is empty.",
    )


def test_a_broken_torch_ends_the_look_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    *_, (fact, problem) = system_check.check_system()
    assert fact == "no torch"
    assert "install the course again" in problem


def test_the_kernel_has_the_course_or_it_is_said_that_it_has_not(monkeypatch):
    assert system_check.check_kernel() == ("kernel and widgets work", "")
    monkeypatch.setattr(system_check, "IN_KERNEL", "import nowhere")
    assert "No module named 'nowhere'" in system_check.check_kernel()[1]


def test_the_last_line_tells_a_teacher_all_and_nothing_about_the_user(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(system_check, "check_kernel", lambda: ("kernel and widgets work", ""))
    monkeypatch.setattr(system_check, "check_training", lambda: ("a step", "It is slow."))
    assert main(["doctor", "--system"]) == 1
    said = capsys.readouterr().out
    assert said.count("It is slow.") == 1
    line = said.rstrip().splitlines()[-1]
    assert line.endswith("; a step; kernel and widgets work; problems: 1")
    assert f"torch {torch.__version__}" in line
    assert str(tmp_path) not in line
    assert getpass.getuser() not in line.split()


def test_the_doctor_wants_a_run_or_the_machine(capsys):
    assert main(["doctor"]) == 2
    assert "Say which run" in capsys.readouterr().err
