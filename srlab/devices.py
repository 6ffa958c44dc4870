"""Choose device and precision, measure memory, and explain why a GPU cannot be used."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from srlab.errors import SrlabError

NO_MEMORY = ("DefaultCPUAllocator", "out of memory", "ALLOC_FAILED")  # of a CPU; of a GPU; of cuBLAS and cuDNN


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Resolve ``"auto"`` to an NVIDIA GPU if there is one, otherwise to the CPU; reject a GPU by number."""
    if isinstance(device, torch.device):
        return device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if number := re.fullmatch(r"cuda:(\d+)", device):
        raise SrlabError(
            f"A run uses the first GPU that it sees, so device cannot be '{device}'. Leave it out, and set the "
            f"environment variable CUDA_VISIBLE_DEVICES={number[1]} before the command."
        )
    if device not in ("cpu", "cuda"):
        raise SrlabError(f"'{device}' is not a valid device. Use auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        reason = unused_gpu()
        raise SrlabError(f"This machine has no usable GPU. Set device to auto or cpu. {reason}".rstrip())
    return torch.device(device)


def memory_gib(device: torch.device) -> float:
    """Return the memory of a GPU in GiB; 0 for a CPU."""
    return torch.cuda.get_device_properties(device).total_memory / 2**30 if device.type == "cuda" else 0.0


def pick_precision(precision: str, device: torch.device) -> str:
    """Resolve ``"auto"`` to ``"bf16"`` where the hardware is fast at it, otherwise to ``"fp32"``.

    ``"fp32"`` is float32, on a GPU without rounding to TF32 (`cudnn_settings`). Emulated bfloat16 would be slower, so a
    GPU must support bfloat16, and a CPU must have AMX or AVX512-BF16. Intel's AVX512-BF16 does not count, because it is
    slower than float32 (benchmarks/RESULTS.md). The environment variable ``SRLAB_PRECISION`` overrides ``"auto"``.
    """
    if precision == "auto":
        precision = os.environ.get("SRLAB_PRECISION") or "auto"
    if precision not in ("auto", "fp32", "bf16"):
        raise SrlabError(f"'{precision}' is not a valid precision. Use auto, fp32 or bf16.")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("avx512_bf16") and not capabilities.get("cpu_name", "").startswith("Intel")
    return "bf16" if fast or capabilities.get("amx_bf16") else "fp32"


def unused_gpu() -> str:
    """Return the reason why this machine's NVIDIA GPU cannot be used; "" if there is no GPU or it is usable."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")  # hidden on purpose
    if hidden or torch.cuda.is_available() or not shutil.which("nvidia-smi"):
        return ""
    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} was built without CUDA, so it cannot use this machine's NVIDIA GPU. The labs "
            "do not need it. To install another build, see docs/gpu.md."
        )
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:  # contains the reason, which is_available hides
        reason = str(error).partition(". ")[0]
        advice = "Update the driver, or install a matching torch from https://pytorch.org/get-started/locally."
        return f"torch {torch.__version__} cannot use this machine's NVIDIA GPU ({reason}). {advice}"
    return ""


@contextmanager
def cudnn_settings(tf32: bool, autotune: bool = False, deterministic: bool = False) -> Iterator[None]:
    """Set how cuDNN computes convolutions on a GPU in the block; a stricter setting of the caller is kept.

    Parameters
    ----------
    tf32
        Permission to round the factors of float32 from 24 bits to 11 (TF32), which is cuDNN's default.
    autotune
        Search for the fastest algorithm at each new shape. This pays off in training, where all batches have one shape.
        The choice, and so the last bits of a result, may differ between processes.
    deterministic
        Restriction to algorithms that always add in the same order.
    """
    cudnn = torch.backends.cudnn
    # After a write to the newer cudnn.conv.fp32_precision, other code could not read allow_tf32 without an error.
    before = cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic
    cudnn.allow_tf32 = before[0] and tf32
    cudnn.benchmark = before[1] or autotune
    cudnn.deterministic = before[2] or deterministic
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = before


def peak_memory_mib() -> float:
    """Return the peak memory of this process in MiB: on the GPU if one was used, else in RAM."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    if sys.platform == "win32":
        return round(psutil.Process().memory_info().peak_wset / 2**20, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error is an out-of-memory error."""
    known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return known or (isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY))


@contextmanager
def explaining_lack_of_memory(what: str, advice: str) -> Iterator[None]:
    """Turn an out-of-memory error in the block into an SrlabError that names `what` and ends with `advice`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SrlabError(f"Out of memory for {what} ({reason}). {advice}.") from error
