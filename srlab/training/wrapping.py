"""Wrap networks and optimizers for training with Hugging Face accelerate.

Plain PyTorch instead of accelerate would take about 60 lines: autocast around each forward with float32 outputs,
optimizers that scale float16 gradients, process groups with their gathers, and DistributedDataParallel. accelerate
takes 30 lines here, because it allows one device and precision per process, and reads variables of other launchers.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, extract_model_from_parallel
from torch import nn

from srlab.devices import TORCHRUN, from_torchrun
from srlab.errors import SrlabError
from srlab.models.wrappers import unwrapped

OTHERS = ("ACCELERATE_", "FSDP_", "PMI_", "OMPI_", "MV2_")  # set by other programs and launchers, such as mpirun
PATIENCE = timedelta(hours=6)  # longest wait while the first process validates; torch's default is 10 minutes


def make_accelerator(device: torch.device, precision: str, recorded: bool = False) -> Accelerator:
    """Return the accelerator for a device and precision, connected to the other processes if there are any.

    If steps are `recorded`, NCCL must not handle errors by itself, according to PyTorch's notes on CUDA graphs.
    """
    if is_initialized():
        # A notebook may compare several devices and precisions, and there is no public function to reset them. The link
        # to the other processes is kept unless the type of device changes.
        AcceleratorState._reset_state(reset_partial_state=AcceleratorState().device.type != device.type)
    # Running statistics of batch norm affect no gradient; sharing them would change D between its two passes per batch.
    handlers = [DistributedDataParallelKwargs(broadcast_buffers=False), InitProcessGroupKwargs(timeout=PATIENCE)]
    if recorded:
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")
    with _without_variables_of_others():
        mixed = mixed_precision(precision)
        found = Accelerator(mixed_precision=mixed, cpu=device.type == "cpu", kwargs_handlers=handlers)
    number = torch.cuda.current_device() if found.device.type == "cuda" else None
    if device.type != found.device.type or (device.type == "cuda" and device.index not in (None, number)):
        raise SrlabError(
            f"Training cannot use {device}, but only {found.device}. Choose a GPU with CUDA_VISIBLE_DEVICES."
        )
    return found


def mixed_precision(precision: str) -> str:
    """Return accelerate's word for a precision."""
    return "no" if precision == "fp32" else precision


@contextmanager
def _without_variables_of_others() -> Iterator[None]:
    """Hide other programs' environment variables that accelerate would read; only torchrun's count."""
    stray = TORCHRUN if from_torchrun("RANK") is None else ()
    hidden = {name: os.environ[name] for name in os.environ if name in stray or name.startswith(OTHERS)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def bare(thing: Any) -> Any:
    """Unwrap a network or optimizer that a user wrapped, or that a notebook cell prepared when it ran before."""
    if isinstance(thing, nn.Module):
        thing = extract_model_from_parallel(unwrapped(thing), keep_fp32_wrapper=False)
        # Neither library has a public way to undo this: Module.compile and accelerate keep their results here.
        for module in thing.modules():
            module._compiled_call_impl = None
        thing.__dict__.pop("_is_accelerate_prepared", None)
    return thing.optimizer if isinstance(thing, AcceleratedOptimizer) else thing
