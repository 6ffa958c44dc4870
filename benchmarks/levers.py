"""What each lever does to a training step, alone over the plain step, and all together.

For each: how many times as fast the step is, in turns with the plain one; the peak memory of a process of its own; and
the PSNR of one unseen photo after a few steps of training, which tells whether the lever leaves the results alone. It
does if PSNR stays what it is in the plain row up to rounding; rows with batches made on the device see other patches,
and two half batches are seen by batch norm one by one, so these differ as two seeds do.

    python benchmarks/levers.py --task srresnet
    python benchmarks/levers.py --task rrdbnet --figure levers.png
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from steps import PLAIN, SCALE, TASKS, Levers, Task, build, resized
from ways import (
    alternate,
    batches_of,
    by_hand,
    conditions,
    hand_written,
    labs_levers,
    markdown,
    parser_for,
    ratios,
    spread,
    write_photos,
)

import srlab
from srlab.base.devices import peak_memory_mib, pick_precision

PHOTO, SIDE = "astronaut", 256  # what PSNR is taken of: the middle of an unseen photo
LEAST_RATE = 1e-4  # of Adam until then: that of the papers, with which few steps move a GAN and none is lost
ALONE = {
    "plain": PLAIN,
    "channels_last": Levers(channels_last=True),
    "bfloat16 autocast": Levers(bf16=True),
    "fused Adam": Levers(fused=True),
    "moving average, weight by weight": Levers(ema="loop"),
    "moving average, foreach": Levers(ema="foreach"),
    "batches made on the device": Levers(sampled=True),
    "last pixel shuffle last": Levers(shuffle_last=True),
    "VGG19 frozen, HR without a graph": Levers(frozen_features=True),
    "D frozen in G's half": Levers(frozen_discriminator=True),
    "torch.compile of G": Levers(compiled=True),
    "CUDA graph of the step": Levers(graph=True),
    "two half batches": Levers(parts=2),
    "activation checkpointing": Levers(checkpointing=True),
}
TOGETHER = "all that the labs use"


def ladder(device: torch.device) -> dict[str, Levers]:
    """All levers by name: alone, all that the labs use together, and these with what the labs do not use."""
    labs = labs_levers(device)
    more = {"and torch.compile of G": replace(labs, compiled=True), "and a CUDA graph": replace(labs, graph=True)}
    return ALONE | {TOGETHER: labs} | more


def reason_against(levers: Levers, task: Task, device: torch.device) -> str:
    """Why levers cannot be pulled for a task on a device, or ""."""
    if levers.bf16 and pick_precision("auto", device) != "bf16":
        return f"this {device.type} has no bfloat16 instructions, and emulated ones would be slower than float32"
    if levers.graph and device.type != "cuda":
        return "there are CUDA graphs on a GPU only"
    if levers == ALONE["last pixel shuffle last"] and task.network != "SRResNet":
        return f"{task.network} does not end in a pixel shuffle and a large convolution"
    if levers in (Levers(frozen_features=True), Levers(frozen_discriminator=True)) and not task.layers:
        return "this task has a loss on pixels alone"
    if levers.parts > 1 and (task.layers or task.batch % levers.parts):
        return "it is made for a loss on pixels alone and an even batch"
    if levers.checkpointing and task.network != "RRDBNet":
        return "RRDBNet alone has it"
    return ""


def train_alone(task: Task, levers: Levers, folder: Path, device: torch.device, iters: int) -> dict[str, float]:
    """Train a few steps in this process; returns its peak memory above that before, in MiB, and the PSNR in dB."""
    task = replace(task, rate=max(task.rate, LEAST_RATE))
    before = peak_memory_mib() if device.type == "cpu" else 0.0
    train, networks = hand_written(task, levers, batches_of(task, levers, folder, device), device)
    for _ in range(iters):
        train()
    peak = peak_memory_mib() - before
    generator = build(task)["generator"]  # float32 and layer by layer as srlab has it, whatever trained
    generator.load_state_dict(networks["generator"].state_dict())
    photo = srlab.photos("validation").subset(PHOTO).center_crop(SIDE)
    return {"mib": peak, "psnr": float(srlab.score(generator, photo, SCALE, metrics=("psnr",)).psnr[0])}


def in_own_process(name: str, folder: Path) -> dict[str, float | str]:
    """Call `train_alone` in a new process with the options of this one; ``problem`` says why that failed."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", name, "--photos", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return {"problem": f"its process ended with code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def child(task: Task, levers: Levers, folder: Path, device: torch.device, iters: int) -> None:
    """Print what `train_alone` measured, or why it could not, as a line of JSON."""
    try:
        found = train_alone(task, levers, folder, device, iters)
    except Exception as error:  # torch.compile without a compiler raises errors of many kinds
        lines = str(error).strip().splitlines() or [type(error).__name__]
        found = {"problem": f"{type(error).__name__}: {lines[0]}"}
    print(json.dumps(found))


def draw(path: Path, faster: dict[str, list[float]], memory: dict[str, float], title: str) -> None:
    """Write a figure with a bar for each lever: times as fast with its spread, and memory."""
    from matplotlib.figure import Figure

    names = list(faster)
    figure = Figure(figsize=(9, 0.6 + 0.35 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    middle = [statistics.median(values) for values in faster.values()]
    ends = [[m - min(v), max(v) - m] for m, v in zip(middle, faster.values(), strict=True)]
    left.barh(names, middle, xerr=list(zip(*ends, strict=True)), color="#4477aa", ecolor="black")
    left.axvline(1, color="black", linewidth=0.8)
    left.set_xlabel("times as fast as the plain step")
    right.barh(names, [memory[name] for name in names], color="#ccbb44")
    right.set_xlabel("peak memory in MiB")
    left.invert_yaxis()  # shared, so both; the first row on top
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = parser_for(__doc__.partition("\n")[0], repeats=5, steps=3)
    parser.add_argument("--task", choices=TASKS, default="srresnet")
    parser.add_argument("--iters", type=int, default=30, help="steps of training before PSNR is taken")
    parser.add_argument("--figure", type=Path, help="also draw the table into this file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--photos", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> None:
    """Measure memory and PSNR in processes of their own, then the times in this one, and print the table."""
    options = options_of()
    device = srlab.pick_device(options.device)
    task = resized(TASKS[options.task], options.batch, options.patch, options.blocks, options.features)
    steps = ladder(device)
    if options.child:
        child(task, steps[options.child], options.photos, device, options.iters)
        return
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SRLAB_HOME"] = scratch
        folder = write_photos(Path(scratch) / "photos")
        found = {name: {"problem": reason_against(levers, task, device)} for name, levers in steps.items()}
        # Before this process grows: on Linux a new one begins with the peak memory of the one that started it.
        for name, entry in found.items():
            entry |= {} if entry["problem"] else {"problem": ""} | in_own_process(name, folder)
        left = {name: levers for name, levers in steps.items() if not found[name]["problem"]}
        plain = by_hand(task, PLAIN, folder, device, options.steps)
        faster = {}
        for name, levers in left.items():
            ways = {"plain": plain, name: by_hand(task, levers, folder, device, options.steps)}
            faster[name] = [1.0] if levers == PLAIN else ratios(*alternate(ways, options.repeats).values())
            print(name, spread(faster[name]), file=sys.stderr, flush=True)  # it takes long; what is there is not lost
    rows = [
        {
            "lever": name,
            "times as fast": spread(values),
            "peak memory, MiB": f"{found[name]['mib']:.0f}",
            f"PSNR after {options.iters} steps, dB": f"{found[name]['psnr']:.2f}",
        }
        for name, values in faster.items()
    ]
    title = f"{options.task}, batch {task.batch} of {task.patch} px; {conditions(device)}"
    print(f"{title}; median (smallest to largest) of {options.repeats} turns\n\n{markdown(rows)}\n")
    for name, entry in found.items():
        if entry["problem"]:
            print(f"Left out, {name}: {entry['problem']}.")
    if options.figure:
        draw(options.figure, faster, {name: found[name]["mib"] for name in faster}, title)


if __name__ == "__main__":
    main()
