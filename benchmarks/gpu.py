"""A training step on a GPU: the ways of `ways.py`, its kernels, and the time for which the GPU itself computes.

Batches of every way are made on the GPU, so the table is about computing alone; peers.py has the loading of files.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --task esrgan --batch 64 --patch 128
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from steps import LABS, PLAIN, TASKS, Levers, Task, resized
from torch.profiler import ProfilerActivity, profile
from ways import batches_of, conditions, hand_written, labs_levers, markdown, now, parser_for, spread, timed, timed_fit

import srlab

SIZES = {"srresnet": (16, 96), "srgan": (16, 96), "rrdbnet": (16, 128), "esrgan": (16, 128)}  # as the papers train
PROFILED = 5  # steps


def loop(task: Task, levers: Levers, device: torch.device) -> Callable[[], object]:
    """One step of a loop by hand, with batches that are sampled on the device."""
    return hand_written(task, levers, batches_of(task, LABS, None, device), device)[0]


def kernels(train: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Kernels a step, and the milliseconds for which the GPU computes."""
    for _ in range(PROFILED):
        train()
    now(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        for _ in range(PROFILED):
            train()
        now(device)
    found = [event for event in seen.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return len(found) / PROFILED, sum(event.device_time for event in found) / 1000 / PROFILED


def milliseconds(times: Iterator[float], repeats: int) -> str:
    """Median, smallest and largest milliseconds a step, after a turn that warms up."""
    next(times)
    return spread([1000 * next(times) for _ in range(repeats)], digits=1)


def main() -> None:
    """Print the table."""
    parser = parser_for(__doc__.split("\n")[0], repeats=3, steps=30)
    parser.add_argument("--task", nargs="+", default=list(SIZES), choices=SIZES)
    args = parser.parse_args()
    device = srlab.pick_device(args.device)
    if device.type != "cuda":
        sys.exit("This benchmark needs an NVIDIA GPU; peers.py measures on a CPU.")
    levers, rows = labs_levers(device), []
    for name in args.task:
        batch, patch = SIZES[name]
        task = resized(TASKS[name], args.batch or batch, args.patch or patch, args.blocks, args.features)
        row = {"step": f"{name}, {task.batch} of {task.patch} px"}
        ways = {"plain, ms": PLAIN, "by hand with all levers": levers, "as a CUDA graph": replace(levers, graph=True)}
        for way, chosen in ways.items():
            times = timed(loop(task, chosen, device), args.steps, device, files=False)
            row[way] = milliseconds(times, args.repeats)
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["SRLAB_HOME"] = scratch
            row["Trainer"] = milliseconds(timed_fit(task, args.steps, device, name), args.repeats)
        count, busy = kernels(loop(task, levers, device), device)
        rows.append(row | {"kernels": f"{count:,.0f}", "GPU computes, ms": f"{busy:.1f}"})
    print(f"{conditions(device)}; median (smallest to largest) of {args.repeats} turns, {args.steps} steps each\n")
    print(markdown(rows))


if __name__ == "__main__":
    main()
