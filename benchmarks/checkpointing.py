"""What checkpointing saves RRDBNet-23 in training, and what it costs.

Activation memory is counted tensor by tensor: the largest sum of what lives at one time between the begin of the
forward and the end of the backward pass, without weights, gradients and the batch. The resident memory of a process
would not do: an allocator keeps what it has freed.

    python benchmarks/checkpointing.py         # prints seconds a step and activation memory, without and with
"""

import argparse
import statistics
import time
import weakref
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import srlab


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make while they live."""

    def __init__(self, known: list[torch.Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen = {tensor.untyped_storage()._cdata for tensor in known}  # in-place operations return these

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run an operation and note what it made."""
        result = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self.seen:
            self.seen.add(storage._cdata)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


def main() -> None:
    """Print both ways and their ratios; steps of both alternate, so that a busy machine slows both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    torch.manual_seed(0)
    generator = srlab.RRDBNet().to(memory_format=torch.channels_last)
    side = options.patch // 4
    lr, hr = torch.rand(options.batch, 3, side, side), torch.rand(options.batch, 3, options.patch, options.patch)
    for parameter in generator.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def step(checkpointing: bool) -> float:
        generator.checkpointing = checkpointing
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.l1_loss(generator(lr).float(), hr)
        loss.backward()
        return time.perf_counter() - started

    memory = []
    for checkpointing in (False, True):
        step(checkpointing)  # also warms up
        gradients = [parameter.grad for parameter in generator.parameters()]
        with LiveBytes([lr, hr, *generator.parameters(), *gradients]) as live:
            step(checkpointing)
        memory.append(live.peak / 2**20)
    times = [(step(False), step(True)) for _ in range(options.steps)]
    without, with_it = (statistics.median(column) for column in zip(*times, strict=True))
    ratios = sorted(b / a for a, b in times)
    print(f"RRDBNet-23, batch {options.batch} of {options.patch} px, bf16, forward and backward")
    print(f"without checkpointing  {without:6.2f} s a step  {memory[0]:6.0f} MiB of activations")
    print(f"with checkpointing     {with_it:6.2f} s a step  {memory[1]:6.0f} MiB of activations")
    print(f"ratio                  {statistics.median(ratios):6.2f}           {memory[1] / memory[0]:6.2f}")
    print(f"ratio of the times from {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
