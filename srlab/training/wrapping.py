"""Wrap networks and optimizers for training with Hugging Face accelerate.

accelerate wraps each forward pass in autocast with float32 outputs, and scales float16 gradients. It allows one device
and precision per process, and reads variables of launchers, such as torchrun; both are undone here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import extract_model_from_parallel
from torch import nn

from srlab.errors import SrlabError
from srlab.models.wrappers import unwrapped

TORCHRUN = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}  # set by torchrun in each process
OTHERS = ("ACCELERATE_", "FSDP_", "PMI_", "OMPI_", "MV2_")  # set by other programs and launchers, such as mpirun


def make_accelerator(device: torch.device, precision: str) -> Accelerator:
    """Return the accelerator for a device and precision."""
    if is_initialized():
        # A notebook may compare several devices and precisions, and there is no public function to reset them.
        AcceleratorState._reset_state(reset_partial_state=AcceleratorState().device.type != device.type)
    with _without_variables_of_others():
        found = Accelerator(mixed_precision=mixed_precision(precision), cpu=device.type == "cpu")
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
    """Hide other programs' environment variables, which accelerate would read."""
    hidden = {name: os.environ[name] for name in os.environ if name in TORCHRUN or name.startswith(OTHERS)}
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
