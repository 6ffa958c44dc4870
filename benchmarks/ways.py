"""The loops that the benchmarks time, and the tables they print.

A way of training is an iterator of seconds a step, over a few steps each time it is asked; `alternate` asks them in
turns. The plain way has a loop written by hand; srlab's is `Trainer.fit`.
"""

import argparse
import contextlib
import copy
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import convert_outputs_to_fp32
from PIL import Image
from steps import LABS, SCALE, Levers, Modules, Step, Task, build, layer_by_layer, make_step, optimizers_of
from torch import nn
from torch.utils.data import DataLoader, Dataset

import srlab

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]

DECAY = 0.999  # of the moving average
WORKERS = 2  # that decode files
QUEUE = 2 * WORKERS  # batches that a DataLoader makes ahead
REST_S = 2.0  # seconds in which its workers fill the queue, so that they are idle while another way is timed


class FileDataset(Dataset):
    """HR files, opened and decoded for every patch."""

    def __init__(self, folder: Path, patch: int) -> None:
        self.files, self.patch = sorted(folder.glob("*.png")), patch

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = Image.open(self.files[index % len(self.files)]).convert("RGB")
        left = int(torch.randint(image.width - self.patch + 1, ()))
        top = int(torch.randint(image.height - self.patch + 1, ()))
        hr = image.crop((left, top, left + self.patch, top + self.patch))
        if torch.rand(()) < 0.5:
            hr = hr.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        lr = hr.resize((self.patch // SCALE, self.patch // SCALE), Image.Resampling.BICUBIC)
        return tuple(torch.from_numpy(np.array(x)).permute(2, 0, 1).float() / 255 for x in (lr, hr))


def write_photos(folder: Path) -> Path:
    """Write the training photos as PNG files into ``folder/HR``, and return it: the ways that read files need it."""
    for name, hr in srlab.photos("train"):
        srlab.write_image(srlab.mod_crop(hr, SCALE), folder / "HR" / f"{name}.png")
    return folder / "HR"


def batches_of(
    task: Task, levers: Levers, folder: Path | None, device: torch.device, workers: int = WORKERS
) -> Batches:
    """An endless stream of ``(lr, hr)``, from the files in a folder or sampled on the device; seeded."""
    if levers.labs:
        return srlab.PatchSampler(srlab.photos("train"), SCALE, task.patch, task.batch, device=device)
    seed = torch.Generator().manual_seed(0)
    files, pinned = FileDataset(folder, task.patch), device.type == "cuda"
    return iter(DataLoader(files, task.batch, num_workers=workers, pin_memory=pinned, generator=seed))


def average(averaged: nn.Module, network: nn.Module) -> None:
    """Move the averaged weights towards those of a network, and copy its buffers."""
    with torch.no_grad():
        torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - DECAY)
        for mean, value in zip(averaged.buffers(), network.buffers(), strict=True):
            mean.copy_(value)


def in_bfloat16(network: nn.Module, device: torch.device) -> None:
    """Let a network compute in bfloat16 and answer in float32, as accelerate does for `Trainer`."""
    network.forward = convert_outputs_to_fp32(torch.autocast(device.type, torch.bfloat16)(network.forward))


def replayed(step: Step, lr: torch.Tensor, hr: torch.Tensor) -> Step:
    """Record a step as a CUDA graph; the result copies each batch to where the graph reads it, and replays."""
    lr, hr = lr.clone(), hr.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # what is made on first use must be there before the recording
        for _ in range(3):
            step(lr, hr)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        log = step(lr, hr)

    def replay(new_lr: torch.Tensor, new_hr: torch.Tensor) -> dict[str, torch.Tensor]:
        lr.copy_(new_lr)
        hr.copy_(new_hr)
        graph.replay()
        return log

    return replay


def hand_written(
    task: Task, levers: Levers, batches: Batches, device: torch.device
) -> tuple[Callable[[], dict[str, torch.Tensor]], Modules]:
    """A training loop without `Trainer`: a function that does one step and returns its losses, and its networks."""
    networks = build(task)
    if task.network == "SRResNet" and not levers.labs:
        networks["generator"] = layer_by_layer(networks["generator"])
    layout = torch.channels_last if levers.labs else torch.contiguous_format
    for network in networks.values():
        network.to(device, memory_format=layout)
    if task.layers and not levers.labs:
        networks["features"].requires_grad_(True)
    generator = networks["generator"]
    averaged = copy.deepcopy(generator).eval().requires_grad_(False) if levers.labs else None
    if levers.bf16:
        for network in networks.values():
            in_bfloat16(network, device)
    options = {"fused": True} if levers.labs else {}
    optimizers = optimizers_of(networks, task.rate, **options | ({"capturable": True} if levers.graph else {}))
    step = make_step(task, networks, optimizers, levers)
    if levers.graph:
        step = replayed(step, *(x.to(device, memory_format=layout) for x in next(batches)))

    def train() -> dict[str, torch.Tensor]:
        log = step(*(x.to(device, memory_format=layout, non_blocking=True) for x in next(batches)))
        if averaged is not None:
            average(averaged, generator)
        return log

    return train, networks


def by_hand(task: Task, levers: Levers, folder: Path, device: torch.device, steps: int) -> Iterator[float]:
    """Seconds a step of a loop written by hand; `folder` is that of `write_photos`."""
    train, _ = hand_written(task, levers, batches_of(task, levers, folder, device), device)
    return timed(train, steps, device, files=not levers.labs)


def labs_levers(device: torch.device) -> Levers:
    """What the labs pull on a device: all of `LABS`, but bfloat16 only where the hardware computes in it."""
    return replace(LABS, bf16=srlab.pick_precision("auto", device) == "bf16")


def trainer_step(task: Task, device: torch.device, run: str, precision: str = "auto") -> tuple[srlab.Trainer, Step]:
    """A `Trainer` and the step of the labs for its `fit`."""
    networks = build(task)
    objects = networks | optimizers_of(networks, task.rate, fused=True)
    trainer = srlab.Trainer("benchmark", run, device=device.type, precision=precision)
    trainer.prepare(**objects)
    norm = trainer.gradient_norm if task.layers else None
    return trainer, make_step(task, trainer.prepared, trainer.prepared, LABS, trainer.backward, norm)


def now(device: torch.device) -> float:
    """Seconds on a clock, when all work before is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def timed(
    train: Callable[[], object], steps: int, device: torch.device, files: bool, rest: float = REST_S
) -> Iterator[float]:
    """Yield seconds a step, over so many steps at a time.

    With files, as many steps as there are batches in the queue go before, untimed: those were made for free while
    another way ran.
    """
    while True:
        for _ in range(QUEUE if files else 1):
            train()
        begun = now(device)
        for _ in range(steps):
            train()
        seconds = (now(device) - begun) / steps
        time.sleep(rest if files else 0)
        yield seconds


def timed_fit(task: Task, steps: int, device: torch.device, run: str, precision: str = "auto") -> Iterator[float]:
    """Yield seconds a step of `Trainer.fit`, over so many steps a call; its begin and its last saving do not count."""
    trainer, step = trainer_step(task, device, run, precision)
    sampler = batches_of(task, LABS, None, trainer.device)
    for first in itertools.count(0, steps + 2):
        seen: list[float] = []

        def watched(lr: torch.Tensor, hr: torch.Tensor, first: int = first, seen: list = seen) -> dict:
            if trainer.step in (first + 1, first + 1 + steps):
                seen.append(now(trainer.device))
            return step(lr, hr)

        with contextlib.redirect_stdout(sys.stderr):  # "Going on with the run" is no part of a table
            trainer.fit(watched, sampler, first + steps + 2, validate_every=10**9)
        yield (seen[1] - seen[0]) / steps


def alternate(ways: dict[str, Iterator[float]], repeats: int) -> dict[str, list[float]]:
    """Take turns, there and back, so that a busy machine slows all ways alike; a first turn warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name in list(ways) if turn % 2 else reversed(ways):
            took = next(ways[name])
            if turn:
                seconds[name].append(took)
    return seconds


def typical(times: Iterator[float], repeats: int) -> float:
    """Median of the next so many times."""
    return statistics.median(itertools.islice(times, repeats))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, and in brackets smallest and largest."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Ratios of two ways, turn by turn."""
    return [a / b for a, b in zip(over, under, strict=True)]


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Rows with the same names as a table in Markdown."""
    lines = [list(rows[0]), *([row[name] for name in rows[0]] for row in rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
    )


def conditions(device: torch.device) -> str:
    """What a table was measured on: device, threads, what `precision="auto"` is there, version of torch."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return f"{name}, precision {srlab.pick_precision('auto', device)}, torch {torch.__version__}"


def parser_for(description: str, repeats: int, steps: int) -> argparse.ArgumentParser:
    """The options that the scripts have in common; without `repeats` or `steps` there is no option for them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--batch", type=int, default=0, help="patches a step; 0 takes that of the task")
    parser.add_argument("--patch", type=int, default=0, help="side of a patch in HR pixels, likewise")
    parser.add_argument("--blocks", type=int, default=0, help="blocks of the generator, likewise")
    parser.add_argument("--features", type=int, default=0, help="channels of the networks, likewise")
    if repeats:
        parser.add_argument("--repeats", type=int, default=repeats)
    if steps:
        parser.add_argument("--steps", type=int, default=steps, help="steps that are timed together")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser
