"""Test srlab doctor: each problem of a machine is reported in one sentence."""

import re
import shutil
from types import SimpleNamespace

import psutil
import pytest
import torch

from srlab.course.cli import doctor
from srlab.course.cli.main import main
from tests.conftest import LABS, ROOT


def memory(total, free):
    return lambda: (total * 2**30, free * 2**30)


def too_old(*_):
    raise RuntimeError("CUDA error: no kernel image is available\nMore lines")


@pytest.mark.parametrize(
    ("stand_in", "words"),
    [
        ((psutil, "virtual_memory", memory(2, 1)), "2.0 GiB of memory; the labs need 4"),
        ((psutil, "virtual_memory", memory(8, 1)), "Only 1.0 GiB of memory is free"),
        ((shutil, "disk_usage", lambda _: SimpleNamespace(free=3e8)), "Only 0.3 GB of disk is free"),
        ((doctor, "minutes_of_lab_01", lambda _: 17), "would train for 17 minutes"),
        ((doctor, "minutes_of_lab_01", too_old), "A training step failed (CUDA error: no kernel image is available)."),
        ((psutil, "virtual_memory", memory(3.7, 2)), "This machine can run the labs."),
    ],
)
def test_doctor_problems(stand_in, words, monkeypatch, capsys):
    monkeypatch.setattr(psutil, "virtual_memory", memory(16, 8))
    monkeypatch.setattr(doctor, "minutes_of_lab_01", lambda _: 2.0)
    monkeypatch.setattr(*stand_in)
    assert main(["doctor"]) == (words != "This machine can run the labs.")
    problems = capsys.readouterr().out.partition("\n\n")[2]
    assert problems.count("\n") == 1
    assert words in problems


def test_doctor_times_a_step():
    assert 0 < doctor.minutes_of_lab_01(torch.device("cpu"), 3) < 600


def test_doctor_checks_memory_for_labs():
    pages = "".join(lab.read_text(encoding="utf-8") for lab in LABS)
    told = max(map(float, re.findall(r"\*\*Memory:\*\* up to ([\d.]+) GiB", pages)))
    assert told == doctor.FREE_MEMORY
    for page in ("docs/classroom.md", "docs/jupyterhub.md", "docs/troubleshooting.md"):
        assert f"{told} GiB" in (ROOT / page).read_text(encoding="utf-8"), page
