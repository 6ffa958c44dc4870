"""What checkpointing saves RRDBNet-23 in training, and what it costs.

Each way runs in a process of its own, whose memory only grows: the peak in the steps above that after a forward pass
without a graph is what the activations took.

    python benchmarks/checkpointing.py         # prints seconds a step and activation memory, without and with
"""

import argparse
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection

import torch
import torch.nn.functional as F

import srlab
from srlab.devices import peak_memory_mib


def measure(pipe: Connection, checkpointing: bool, batch: int, patch: int, steps: int) -> None:
    """Send the median seconds of a step, the first left out, and the MiB of activations."""
    torch.manual_seed(0)
    generator = srlab.RRDBNet().to(memory_format=torch.channels_last)
    generator.checkpointing = checkpointing
    lr, hr = torch.rand(batch, 3, patch // 4, patch // 4), torch.rand(batch, 3, patch, patch)
    for parameter in generator.parameters():  # gradients are there either way, so they do not count
        parameter.grad = torch.zeros_like(parameter)

    def loss() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return F.l1_loss(generator(lr).float(), hr)

    with torch.no_grad():
        loss()
    before, seconds = peak_memory_mib(), []
    for _ in range(steps + 1):
        started = time.perf_counter()
        loss().backward()
        seconds.append(time.perf_counter() - started)
    pipe.send((statistics.median(seconds[1:]), peak_memory_mib() - before))


def main() -> None:
    """Print both ways and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    context, found = multiprocessing.get_context("spawn"), []
    for checkpointing in (False, True):
        here, there = context.Pipe(duplex=False)
        given = (there, checkpointing, options.batch, options.patch, options.steps)
        process = context.Process(target=measure, args=given)
        process.start()
        found.append(here.recv())
        process.join()
    print(f"RRDBNet-23, batch {options.batch} of {options.patch} px, bf16, forward and backward")
    for name, (seconds, memory) in zip(("without", "with"), found, strict=True):
        print(f"{name:8} checkpointing  {seconds:6.2f} s a step  {memory:6.0f} MiB of activations")
    (time_without, memory_without), (time_with, memory_with) = found
    print(f"ratio                   {time_with / time_without:6.2f}           {memory_with / memory_without:6.2f}")


if __name__ == "__main__":
    main()
