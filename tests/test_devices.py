"""srlab.devices: which device and precision a run takes, and what is said of a GPU that can't be used."""

import re

import pytest
import torch

from srlab import devices
from srlab.errors import SrlabError
from srlab.training.wrapping import make_accelerator


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert devices.pick_device("auto") == torch.device("cuda"), "a stray variable, which torchrun has not set"
    for name in devices.TORCHRUN:
        monkeypatch.setenv(name, "2")
    assert devices.pick_device("auto") == devices.pick_device("cuda") == torch.device("cuda", 2)
    assert devices.pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "wanted"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, "bf16"),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, "bf16"),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, "no"),
    ],
)
def test_a_cpu_computes_in_bfloat16_where_that_is_faster(capabilities, wanted, monkeypatch):
    monkeypatch.delenv("SRLAB_PRECISION", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert devices.pick_precision("auto", torch.device("cpu")) == wanted


def test_srlab_precision_replaces_auto_and_nothing_else(monkeypatch):
    for forced in ("no", "bf16"):
        monkeypatch.setenv("SRLAB_PRECISION", forced)
        assert devices.pick_precision("auto", torch.device("cpu")) == forced
        assert [devices.pick_precision(name, torch.device("cpu")) for name in ("no", "bf16")] == ["no", "bf16"]
    monkeypatch.setenv("SRLAB_PRECISION", "half")
    with pytest.raises(SrlabError, match="Unknown precision 'half'"):
        devices.pick_precision("auto", torch.device("cpu"))


@pytest.mark.parametrize(("precision", "words"), [("half", "Unknown precision 'half'"), ("fp16", "fp16 needs a GPU")])
def test_a_precision_that_cannot_be_had_is_refused(precision, words):
    with pytest.raises(SrlabError, match=words):
        devices.pick_precision(precision, torch.device("cpu"))


def test_a_mac_computes_on_its_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    assert make_accelerator(torch.device("cpu"), "no").device.type == "cpu"  # by itself accelerate prefers the GPU
    with pytest.raises(SrlabError, match="lacks float64"):
        devices.pick_device("mps")


# --- What is said of GPUs --------------------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """A machine with a GPU, whose driver is too old for this torch."""

    def init():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 12020). Please update.")

    driver = tmp_path / "version"
    driver.touch()
    monkeypatch.setattr(devices, "DRIVER", driver)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def test_a_gpu_that_cannot_be_used_is_named_with_the_reason_unless_it_is_hidden_or_not_there(broken):
    reason = "(The NVIDIA driver on your system is too old (found version 12020)); update the driver"
    assert reason in devices.unused_gpu()
    assert devices.pick_device().type == "cpu"
    with pytest.raises(SrlabError, match=f"no usable GPU .*{re.escape(reason)}"):
        devices.pick_device("cuda")
    broken.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.unused_gpu() == ""
    broken.delenv("CUDA_VISIBLE_DEVICES")
    broken.setattr(devices.shutil, "which", lambda name: None)
    devices.DRIVER.unlink()
    assert devices.unused_gpu() == ""


def test_a_lack_of_memory_on_a_gpu_is_known_by_its_words():
    for words in ("CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"):
        assert devices.out_of_memory(RuntimeError(words)), words
        assert not devices.out_of_memory(ValueError(words))
    assert not devices.out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


def test_convolutions_are_whole_and_fastest_in_their_block_alone():
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.allow_tf32
    with devices.convolutions(whole=True, fastest=True):
        assert (cudnn.benchmark, cudnn.allow_tf32) == (True, False)
        with devices.convolutions(whole=False):
            assert (cudnn.benchmark, cudnn.allow_tf32) == (True, False)
    assert (cudnn.benchmark, cudnn.allow_tf32) == before
