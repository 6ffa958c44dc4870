"""Train one run in several processes, which ``torchrun`` starts on one machine or on many.

All processes run the same program, each on a device and in a folder of its own (`torchrun.py`). They draw the same
batches, and each trains on its share. Before an optimizer takes its step, the gradients are averaged (`gradients.py`),
so the weights stay equal, and each step is that of one process with the whole batch, up to rounding. Each process logs,
validates and saves as if it were alone, and the folder of process 0 has the run. When they log, they also average the
losses, and agree whether to stop.

In one process, all functions return what they were given, and nothing is exchanged.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from srlab.errors import SrlabError
from srlab.training import torchrun
from srlab.training.settings import differences

PATIENCE = timedelta(minutes=10)  # longest wait for another process, which may compile, validate or save for longer
_folder: Any = None  # keeps the temporary folder of a script's process until its end


def join(device: str | torch.device) -> None:
    """Connect to the other processes that torchrun started, at the first call; do nothing without torchrun.

    If no launcher has done it, also give this process a folder and a GPU of its own. Networks that are created
    afterwards have the same initial weights in all processes.
    """
    global _folder
    if torchrun.count() == 1 or dist.is_initialized():
        return
    if torchrun.PREPARED not in os.environ:
        _folder = torchrun.prepare_folder()
        if str(device) != "cpu":
            _choose_gpu()
    uses_gpu = str(device) != "cpu" and torch.cuda.is_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if uses_gpu else "cpu:gloo", timeout=PATIENCE)
    torch.set_rng_state(_gathered(torch.get_rng_state())[0])


def _choose_gpu() -> None:
    gpus, processes = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
    if 0 < gpus < processes:
        raise SrlabError(f"{processes} processes cannot share {gpus} GPUs. Use --nproc-per-node {gpus}.")
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))


def count() -> int:
    """Return the number of connected processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, counted from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def require_shares(batch: int) -> None:
    """Raise if a batch of this size cannot be shared equally."""
    if batch % count():
        raise SrlabError(f"{count()} processes cannot share a batch of {batch} equally. Set batch to a multiple.")


def share(batch: torch.Tensor) -> torch.Tensor:
    """Return this process's images of a batch ``(N, ...)``: ``(N / processes, ...)``."""
    return batch[rank() :: count()] if count() > 1 else batch


@contextmanager
def own_random_numbers(seed: int, step: int) -> Iterator[None]:
    """Let PyTorch's random numbers differ between the processes in the block, and be equal after it.

    They follow from the seed and the step, so a resumed run draws the same ones.
    """
    if count() == 1:
        yield
        return
    torch.manual_seed(hash((seed, step, rank())))
    yield
    torch.manual_seed(hash((seed, step)))


def average(tensors: Sequence[torch.Tensor]) -> None:
    """Replace tensors on one device by their means over the processes, in one exchange."""
    if count() == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= count()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def largest(value: int) -> int:
    """Return the largest value of all processes."""
    if count() == 1:
        return value
    values = torch.tensor(value)
    dist.all_reduce(values, dist.ReduceOp.MAX)
    return int(values)


def first_reason(reason: str) -> str:
    """Return the reason of the first process that has one, or "" if none has."""
    return next(filter(None, _gathered(reason)), "")


def require_equal(facts: dict[str, Any], networks: Iterable[nn.Module]) -> None:
    """Raise the same error in all processes if their facts or their weights differ."""
    if count() == 1:
        return
    all_facts = _gathered(facts | {"weights": _hash_of(networks)})
    for number, others in enumerate(all_facts):
        if changed := differences(all_facts[0], others):
            names = ", ".join(change.partition("=")[0] for change in changed)
            raise SrlabError(
                f"Process {number} differs from process 0 in {names}. Give all processes the same code, seed, files "
                "and kind of device."
            )


def _gathered(thing: Any) -> list[Any]:
    """Return the objects of all processes, in their order."""
    things = [thing] * count()
    if count() > 1:
        dist.all_gather_object(things, thing)
    return things


def _hash_of(networks: Iterable[nn.Module]) -> str:
    """Return a hash of all parameters; statistics of batch norm may differ."""
    hashed = hashlib.sha256()
    for network in networks:
        for parameter in network.parameters():
            hashed.update(parameter.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
