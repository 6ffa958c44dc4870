"""What is put around networks and optimizers before they train: Hugging Face accelerate, and `torch.compile`."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, extract_model_from_parallel
from torch import nn

from srlab.devices import TORCHRUN, from_torchrun

OTHERS = ("ACCELERATE_", "FSDP_", "PMI_", "OMPI_", "MV2_")  # variables of other trainings, and of launchers like mpirun
PATIENCE = timedelta(hours=6)  # of processes that wait for the first to validate; torch gives up after ten minutes


def make_accelerator(device: torch.device, precision: str) -> Accelerator:
    """Prepare this process to train on a device, in a precision, with the other processes if there are some."""
    if is_initialized():
        # accelerate keeps one device and precision a process and refuses others, which a notebook may compare. No
        # public name forgets them. What it knows of the other processes stays as long as the device does.
        AcceleratorState._reset_state(reset_partial_state=AcceleratorState().device.type != device.type)
    # Running means of batch norm act on no gradient; sharing them would change D between its two looks at a batch.
    handlers = [DistributedDataParallelKwargs(broadcast_buffers=False), InitProcessGroupKwargs(timeout=PATIENCE)]
    with _without_variables_of_others():
        return Accelerator(mixed_precision=precision, cpu=device.type == "cpu", kwargs_handlers=handlers)


@contextmanager
def _without_variables_of_others() -> Iterator[None]:
    """Hide what accelerate would read from a shell that was set up for another program; only torchrun counts."""
    stray = TORCHRUN if from_torchrun("RANK") is None else ()
    hidden = {name: os.environ[name] for name in os.environ if name in stray or name.startswith(OTHERS)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def bare(thing: Any) -> Any:
    """Take off what an earlier `prepare` put around a network or optimiser: a reader may run its cell again."""
    if isinstance(thing, nn.Module):
        thing = extract_model_from_parallel(thing, keep_fp32_wrapper=False)
        # Neither library has a public way back: here Module.compile keeps its work, and accelerate its mark.
        thing._compiled_call_impl = None
        thing.__dict__.pop("_is_accelerate_prepared", None)
    return getattr(thing, "optimizer", thing) if isinstance(thing, torch.optim.Optimizer) else thing


def compile_networks(networks: Iterable[nn.Module], mode: str, device: torch.device) -> str:
    """Compile the forward and backward passes of networks in place, if a first try on the device works.

    Parameters
    ----------
    networks
        To compile; their weights and names stay as they are.
    mode
        Of `torch.compile`: ``"default"``, ``"reduce-overhead"`` (on a GPU with CUDA graphs) or ``"max-autotune"``.
    device
        Where they run.

    Returns
    -------
    str
        Empty, or why nothing was compiled, such as a missing C++ compiler or an unknown mode.
    """
    try:
        torch.compile(lambda values: values * 2 + 1, mode=mode)(torch.ones(8, device=device))
    except (RuntimeError, ImportError, OSError) as error:  # what torch raises here is a RuntimeError
        return str(error).strip().partition("\n")[0] or type(error).__name__
    for network in networks:
        network.compile(mode=mode)
    return ""
