"""Test the folder and the GPU that each process gets when torchrun starts several."""

import os

import pytest

from srlab.paths import runs_home
from srlab.training import torchrun
from tests.conftest import files_in, leave_run


@pytest.fixture
def second(monkeypatch):
    """Pretend to be the second of three processes, which torchrun started on this machine."""
    for name, value in {"WORLD_SIZE": "3", "RANK": "1", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(torchrun.PREPARED, "")  # restored after the test
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


@pytest.mark.usefixtures("second")
def test_other_processes_change_only_their_copy(home, monkeypatch):
    run = leave_run("01_srresnet", "default", 10)
    for name in (
        "generator.safetensors",
        "metrics.jsonl",
        ".lock",
        ".x.part",
        "tensorboard/events",
        "checkpoints/1.pt",
    ):
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_bytes(b"original")
    before = files_in(home)
    with torchrun.prepare_folder() as folder:
        assert runs_home().is_relative_to(folder)
        copy = files_in(runs_home())
        kept = ("run.json", "generator.safetensors", "metrics.jsonl", "checkpoints/1.pt")
        assert copy == {name: before[name] for name in (f"01_srresnet/default/{file}" for file in kept)}
        copied = runs_home() / "01_srresnet" / "default"
        with (copied / "metrics.jsonl").open("ab") as log:
            log.write(b"appended")
        (copied / "checkpoints" / "1.pt").unlink()
        (copied / "new").write_bytes(b"new")
        (copied / "new").replace(copied / "generator.safetensors")
    assert not copied.exists()
    assert files_in(home) == before


@pytest.mark.usefixtures("second")
def test_first_process_works_in_the_usual_folder(home, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    assert torchrun.prepare_folder() is None
    assert runs_home() == home


def test_one_process_is_not_changed(monkeypatch):
    monkeypatch.setenv(torchrun.PREPARED, "")
    assert (torchrun.count(), torchrun.rank(), torchrun.prepare_folder()) == (1, 0, None)


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize(("visible", "own"), [(None, "1"), ("4,7", "7"), ("MIG-a,MIG-b", "MIG-b"), ("4", ""), ("", "")])
def test_process_sees_only_its_gpu(visible, own, monkeypatch):
    """If there are fewer GPUs than processes, it sees none, so the processes have different devices and are refused."""
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    torchrun.prepare_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == own
