"""Time a training step on a GPU, plain and with `Trainer`; count its kernels, and measure the GPU's busy time.

Both cut their batches on the GPU, so the table covers computing only; peers.py includes loading files.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --task esrgan --batch 64 --patch 128
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator

import torch
from steps import TASKS, resized
from torch.profiler import ProfilerActivity, profile
from ways import conditions, markdown, now, parser_for, plain_loop, sampled, spread, timed, timed_fit, trainer_step

import srlab

SIZES = {"srresnet": (16, 96), "srgan": (16, 96), "rrdbnet": (16, 128), "esrgan": (16, 128)}  # as the papers train
PROFILED = 5  # steps


def kernels(train: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Return the number of kernels per step, and the milliseconds that the GPU computes."""
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
    """Return median, smallest and largest milliseconds per step, after one warm-up turn."""
    next(times)
    return spread([1000 * next(times) for _ in range(repeats)], digits=1)


def main() -> None:
    """Print the table."""
    parser = parser_for(__doc__.split("\n")[0], repeats=3, steps=30)
    parser.add_argument("--task", nargs="+", default=list(SIZES), choices=SIZES)
    args = parser.parse_args()
    device = srlab.pick_device(args.device)
    if device.type != "cuda":
        sys.exit("This benchmark needs an NVIDIA GPU. Use peers.py on a CPU.")
    rows = []
    for name in args.task:
        batch, patch = SIZES[name]
        task = resized(TASKS[name], args.batch or batch, args.patch or patch, args.blocks, args.features)
        row = {"step": f"{name}, {task.batch} of {task.patch} px"}
        plain, _ = plain_loop(task, sampled(task, device), device)
        row["plain, ms"] = milliseconds(timed(plain, args.steps, device, files=False), args.repeats)
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["SRLAB_HOME"] = scratch
            row["Trainer, ms"] = milliseconds(timed_fit(task, args.steps, device, name), args.repeats)
            _, step = trainer_step(task, device, f"{name}-kernels")
            batches = sampled(task, device)
            count, busy = kernels(lambda step=step, batches=batches: step(*next(batches)), device)
        rows.append(row | {"kernels": f"{count:,.0f}", "GPU computes, ms": f"{busy:.1f}"})
    print(f"{conditions(device)}; median (smallest to largest) of {args.repeats} turns, {args.steps} steps each\n")
    print(markdown(rows))


if __name__ == "__main__":
    main()
