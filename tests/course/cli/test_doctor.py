"""Test srlab doctor: each problem of a machine is reported in one sentence."""

import contextlib
import os
import shutil
from types import SimpleNamespace

import nbformat
import psutil
import pytest
import torch

from srlab.cli.main import main
from srlab.models import loading
from srlab_course.cli import doctor
from tests.conftest import make_link


def memory(total, free):
    return lambda: (total * 2**30, free * 2**30)


def too_old(*_):
    raise RuntimeError("CUDA error: no kernel image is available\nMore lines")


def test_doctor_touches_no_other_file(home, tmp_path):
    home.mkdir()
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    make_link(home / "srlab-doctor.tmp", tmp_path / "mine.txt")
    assert doctor.try_writing(home, "SRLAB_HOME") == ""
    assert [file.name for file in home.iterdir()] == ["srlab-doctor.tmp"]
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"


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
    monkeypatch.setattr(doctor, "failures_of_labs", list)
    monkeypatch.setattr(*stand_in)
    assert main(["doctor"]) == (words != "This machine can run the labs.")
    problems = capsys.readouterr().out.partition("\n\n")[2]
    assert problems.count("\n") == 1
    assert words in problems


@pytest.mark.parametrize("cuda", [None, "13.0"])
def test_a_torch_without_cuda_is_not_a_problem(cuda, monkeypatch, capsys):
    monkeypatch.setattr(psutil, "virtual_memory", memory(16, 8))
    monkeypatch.setattr(doctor, "minutes_of_lab_01", lambda _: 2.0)
    monkeypatch.setattr(doctor, "failures_of_labs", list)
    monkeypatch.setattr(doctor, "unused_gpu", lambda: "The GPU isn't used.")
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert main(["doctor"]) == (cuda is not None)
    said = capsys.readouterr().out
    assert said.count("The GPU isn't used.") == 1
    assert ("This machine can run the labs." in said) == (cuda is None)


@pytest.mark.parametrize(("variable", "needed"), [("SRLAB_HOME", True), ("SRLAB_DATA", False), ("TORCH_HOME", False)])
def test_doctor_writes_where_the_labs_write(variable, needed, home, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(psutil, "virtual_memory", memory(16, 8))
    monkeypatch.setattr(doctor, "minutes_of_lab_01", lambda _: 2.0)
    monkeypatch.setattr(doctor, "failures_of_labs", list)
    for name in ("SRLAB_HOME", "SRLAB_DATA", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "new" / name))
    assert main(["doctor"]) == 0
    assert [*tmp_path.rglob("*")] == []
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file" / "folder"))
    capsys.readouterr()
    assert main(["doctor"]) == needed
    said = capsys.readouterr().out.splitlines()
    assert f"Could not write {tmp_path / 'file'}" in said[-1 - (not needed)]
    assert f"with {variable}." in said[-1 - (not needed)]


def without_lzma(*_):
    raise ModuleNotFoundError("No module named '_lzma'", name="_lzma")


def without_sqlite(*_):
    """Raise what jupyter_server does."""
    try:
        raise ModuleNotFoundError("No module named '_sqlite3'", name="_sqlite3")
    except ImportError:
        raise ModuleNotFoundError("No module named 'pysqlite2'", name="pysqlite2") from None


def without_photos(*_):
    raise ValueError("not\na photo")


@pytest.mark.parametrize(
    ("part", "fails", "words"),
    [
        ("import_module", without_lzma, "This Python was built without _lzma, which the course needs. Use"),
        ("import_module", without_sqlite, "This Python was built without _sqlite3, which the course needs. Use"),
        ("try_first_cell", without_photos, "The labs can't start (ValueError: not a photo). Install the course again."),
    ],
)
def test_doctor_tells_what_failed(part, fails, words, monkeypatch):
    monkeypatch.setattr(doctor, "try_first_cell", lambda lab: None)
    monkeypatch.setattr(loading, "load_generator_file", lambda name: None)
    monkeypatch.setattr(doctor.realesrgan, "find_realesrgan", lambda: None)
    monkeypatch.setattr(doctor, part, fails)
    (said,) = dict.fromkeys(doctor.failures_of_labs())
    assert words in said


def test_doctor_names_each_damaged_file(tmp_path, monkeypatch):
    shutil.copytree(loading.FOLDER, tmp_path / "bundled")
    monkeypatch.setattr(loading, "FOLDER", tmp_path / "bundled")
    assert not list(doctor.failures_of_labs())
    monkeypatch.setattr(doctor, "try_first_cell", lambda lab: None)
    os.truncate(tmp_path / "bundled" / "srgan.safetensors", 300_000)
    (tmp_path / "bundled" / "one_step.safetensors").write_bytes(b"version https://git-lfs")
    truncated, pointer = doctor.failures_of_labs()
    assert "srgan.safetensors is damaged or truncated" in truncated
    assert "one_step.safetensors is damaged" in pointer


def test_doctor_tries_imports_and_setup_of_a_lab(tmp_path):
    lab = tmp_path / "00_degradation.ipynb"
    for line in ("pass", "import nosuch_package", "from math import nosuch"):
        cell = nbformat.v4.new_code_cell(f"%matplotlib inline\n{line}\nlab = course.setup('00_degradation', globals())")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), lab)
        with pytest.raises(ImportError, match="nosuch") if line != "pass" else contextlib.nullcontext():
            doctor.try_first_cell(lab)


def test_doctor_times_a_step():
    assert 0 < doctor.minutes_of_lab_01(torch.device("cpu"), 3) < 600
