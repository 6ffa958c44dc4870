"""Test srlab.devices: device and precision of a run, and the message about an unusable GPU."""

import pytest
import torch

from srlab import devices
from srlab.errors import SrlabError

CPU = torch.device("cpu")


def test_auto_uses_a_gpu_of_nvidia(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.pick_device("auto") == devices.pick_device("cuda") == torch.device("cuda")
    assert devices.pick_device("cpu") == CPU


@pytest.mark.parametrize(
    ("capabilities", "wanted"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, "bf16"),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, "bf16"),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, "fp32"),
    ],
)
def test_cpu_uses_bf16_only_if_faster(capabilities, wanted, monkeypatch):
    monkeypatch.delenv("SRLAB_PRECISION", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert devices.pick_precision("auto", CPU) == wanted


@pytest.mark.parametrize(("supported", "wanted"), [(True, "bf16"), (False, "fp32")])
def test_gpu_uses_bf16_if_it_can(supported, wanted, monkeypatch):
    monkeypatch.delenv("SRLAB_PRECISION", raising=False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported or including_emulation)
    assert devices.pick_precision("auto", torch.device("cuda")) == wanted


def test_srlab_precision_only_replaces_auto(monkeypatch):
    monkeypatch.setenv("SRLAB_PRECISION", "bf16")
    assert [devices.pick_precision(name, CPU) for name in ("auto", "fp32", "bf16")] == ["bf16", "fp32", "bf16"]
    monkeypatch.setenv("SRLAB_PRECISION", "half")
    said = {"auto": "'half' is not a valid", "fp16": "'fp16' is not a valid precision. Use auto, fp32 or bf16"}
    for precision, words in said.items():
        with pytest.raises(SrlabError, match=words):
            devices.pick_precision(precision, CPU)


def test_gpu_is_chosen_by_environment_variable_not_by_number():
    with pytest.raises(SrlabError, match=r"device cannot be 'cuda:1'.* CUDA_VISIBLE_DEVICES=1 before the command"):
        devices.pick_device("cuda:1")


def test_mac_uses_its_cpu(monkeypatch):
    with pytest.raises(SrlabError, match=r"'mps' is not a valid device\. Use auto, cpu or cuda"):
        devices.pick_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    assert devices.pick_device("auto") == CPU


# --- Messages about GPUs ---------------------------------------------------------------------------------------


def too_old():
    raise RuntimeError("The NVIDIA driver on your system is too old (found version 12020).")


def test_unused_gpu_reports_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", too_old)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.pick_device() == CPU
    with pytest.raises(SrlabError, match=r"no usable GPU\. .*too old"):
        devices.pick_device("cuda")
    monkeypatch.setattr(torch.version, "cuda", None)  # as on Windows, where the wheel on PyPI has no CUDA
    assert "was built without CUDA" in devices.unused_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the GPU is hidden
    assert devices.unused_gpu() == ""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)  # there is no GPU
    assert devices.unused_gpu() == ""


def test_out_of_memory_is_recognized_by_message():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert devices.out_of_memory(caught.value)
    for words in ("CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"):
        assert devices.out_of_memory(RuntimeError(words))
        assert not devices.out_of_memory(ValueError(words))
    assert not devices.out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))
