"""Time a training step on a GPU: as written, recorded as a CUDA graph, and recorded with compiled blocks.

All are steps of `Trainer.fit` with its sampler, moving average and log. The last columns count the kernels that one
step launches, and compare the fastest way with the rate at which the GPU multiplies large matrices.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --row esrgan-16x128 flow-64x96
"""

import gc
import os
import sys
import tempfile

import torch
from steps import FLOW, TASKS, Task, resized
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from ways import conditions, markdown, now, parser_for, sampled, spread, timed_fit, trainer_step

import srlab

ROWS = ("srresnet-16x96", "srgan-16x96", "rrdbnet-32x128", "esrgan-16x128", "esrgan-32x128", "esrgan-64x128")
ROWS += ("flow-64x96",)
WAYS = {"as written": "python", "recorded": "graph", "recorded, blocks compiled": "blocks"}
SIDE = 8192  # of the matrices


def task_of(row: str) -> Task:
    """Return the task of a row: its name, the batch and the patch."""
    name, _, shape = row.partition("-")
    return resized(FLOW if name == "flow" else TASKS[name], *map(int, shape.split("x")))


def matrix_rate(device: torch.device, side: int = SIDE, times: int = 20) -> float:
    """Return how many operations per second the GPU does in a product of large matrices, in the trainer's precision."""
    precision = {"bf16": torch.bfloat16, "fp32": torch.float32}[srlab.pick_precision("auto", device)]
    factor = torch.randn(side, side, device=device, dtype=precision)
    for _ in range(3):
        factor @ factor
    began = now(device)
    for _ in range(times):
        factor @ factor
    return times * 2 * side**3 / (now(device) - began)


def work_of(task: Task, device: torch.device) -> tuple[float, float]:
    """Return the floating-point operations of a step, and the kernels that it launches as written."""
    _, step = trainer_step(task, device, f"{task.network}-{task.batch}-work")
    batches = sampled(task, device)
    for _ in range(3):
        step(*next(batches))
    with FlopCounterMode(display=False) as counter:
        step(*next(batches))
    batch = next(batches)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        step(*batch)
        now(device)
    kernels = sum(event.device_type == torch.autograd.DeviceType.CUDA for event in seen.events())
    return counter.get_total_flops(), kernels


def timings(task: Task, device: torch.device, repeats: int, steps: int) -> tuple[dict[str, str], float]:
    """Return the columns of all ways, and the seconds of the fastest one."""
    columns, fastest = {}, float("inf")
    for way, launch in WAYS.items():
        gc.collect()  # a prepared network refers to itself
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        turns = timed_fit(task, steps, device, f"{task.network}-{task.batch}-{launch}", launch)
        seconds = [next(turns) for _ in range(repeats)]
        turns.close()
        columns[f"{way}, ms"] = spread([1000 * value for value in seconds], digits=1)
        columns[f"{way}, GiB"] = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"
        fastest = min(fastest, sorted(seconds)[len(seconds) // 2])
    return columns, fastest


def main() -> None:
    """Print the table."""
    parser = parser_for(__doc__.split("\n")[0], repeats=3, steps=40)
    parser.add_argument("--row", nargs="+", default=list(ROWS), help="task, batch and patch, such as esrgan-8x128")
    args = parser.parse_args()
    device = srlab.pick_device(args.device)
    if device.type != "cuda":
        sys.exit("This benchmark needs an NVIDIA GPU. Use peers.py on a CPU.")
    rate = matrix_rate(device)
    rows = []
    for name in args.row:
        task = resized(task_of(name), args.batch, args.patch, args.blocks, args.features)
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["SRLAB_HOME"] = scratch
            columns, fastest = timings(task, device, args.repeats, args.steps)
            flops, kernels = work_of(task, device)
        share = f"{flops / fastest / rate:.0%}"
        label = f"{name.partition('-')[0]}-{task.batch}x{task.patch}"
        rows.append({"step": label} | columns | {"kernels": f"{kernels:,}", "share of the matrix rate": share})
        print(rows[-1], file=sys.stderr, flush=True)
    print(
        f"{conditions(device)}; median (smallest to largest) of {args.repeats} turns, {args.steps} steps each; ", end=""
    )
    print(f"a product of matrices of {SIDE} runs at {rate / 1e12:.0f} TFLOP/s\n")
    print(markdown(rows))


if __name__ == "__main__":
    main()
