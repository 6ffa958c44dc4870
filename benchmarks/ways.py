"""Loops that the benchmarks time, and tables that they print.

Each implementation is an iterator of seconds per step, averaged over a few steps; `alternate` times them in turns.
"""

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from steps import SCALE, Modules, Step, Task, build, labs_step, layer_by_layer, optimizers_of, plain_step
from torch.utils.data import DataLoader, Dataset

import srlab
from srlab.training.launch import compiled, repeated_blocks

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]

WORKERS = 2  # of a DataLoader
QUEUE = 2 * WORKERS  # batches that a DataLoader prefetches
START = 6  # first steps of `Trainer.fit`, which aren't timed; the step may be recorded among them
REST_S = 2.0  # seconds in which the workers fill the queue, so that they are idle while another one is timed


class FileDataset(Dataset):
    """HR files, opened and decoded again for every patch."""

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
        first, second = (torch.from_numpy(np.array(x)).permute(2, 0, 1).float() / 255 for x in (lr, hr))
        return first, second


def write_photos(folder: Path) -> Path:
    """Write the training photos as PNG files into ``folder/HR``, for implementations that read files; return it."""
    for name, hr in srlab.bundled_photos("train"):
        srlab.write_image(srlab.mod_crop(hr, SCALE), folder / "HR" / f"{name}.png")
    return folder / "HR"


def loaded(task: Task, folder: Path, device: torch.device) -> Batches:
    """Return an endless stream of ``(lr, hr)`` that a DataLoader reads from files."""
    seed, pinned = torch.Generator().manual_seed(0), device.type == "cuda"
    files = FileDataset(folder, task.patch)
    return iter(DataLoader(files, task.batch, num_workers=WORKERS, pin_memory=pinned, generator=seed))


def sampled(task: Task, device: torch.device) -> srlab.PatchSampler:
    """Return an endless stream of ``(lr, hr)`` that is cut on the device."""
    return srlab.PatchSampler(srlab.bundled_photos("train"), SCALE, task.patch, task.batch, device=device)


def plain_loop(
    task: Task, batches: Batches, device: torch.device
) -> tuple[Callable[[], dict[str, torch.Tensor]], Modules]:
    """Return a function that runs one plain step with the next batch and returns its losses, and the networks."""
    networks = build(task)
    if task.network == "SRResNet":
        networks["generator"] = layer_by_layer(networks["generator"])
    for network in networks.values():
        network.to(device)
    if task.layers:
        networks["features"].requires_grad_(True)
    step = plain_step(task, networks, optimizers_of(networks, task.rate))

    def train() -> dict[str, torch.Tensor]:
        return step(*(x.to(device, non_blocking=True) for x in next(batches)))

    return train, networks


def trainer_step(
    task: Task, device: torch.device, run: str, precision: str = "auto", launch: str = "python"
) -> tuple[srlab.Trainer, Step]:
    """Return a `Trainer`, and the step of the labs for its `fit`."""
    networks = build(task)
    objects = networks | optimizers_of(networks, task.rate, fused=True)
    trainer = srlab.Trainer("benchmark", run, device=device.type, precision=precision, launch=launch)
    trainer.prepare(**objects)
    return trainer, labs_step(task, trainer)


def now(device: torch.device) -> float:
    """Return the time in seconds, after all GPU work is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def timed(train: Callable[[], object], steps: int, device: torch.device, files: bool) -> Iterator[float]:
    """Yield seconds per step, averaged over this many steps.

    With files, as many untimed steps as the queue has batches run first, because those batches were made while another
    implementation was timed.
    """
    while True:
        for _ in range(QUEUE if files else 1):
            train()
        begun = now(device)
        for _ in range(steps):
            train()
        seconds = (now(device) - begun) / steps
        time.sleep(REST_S if files else 0)
        yield seconds


class WatchedSampler(srlab.PatchSampler):
    """A sampler that calls `watch` before each batch, because a recorded step is not called any more."""

    watch: Callable[[], None]

    def __next__(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.watch()
        return super().__next__()


def timed_fit(task: Task, steps: int, device: torch.device, run: str, launch: str = "python") -> Iterator[float]:
    """Yield seconds per step of `Trainer.fit`, without its start and its last checkpoint.

    `launch` is a value of the trainer's, or ``"blocks"``: a recorded step with compiled blocks.
    """
    trainer, step = trainer_step(task, device, run, launch="graph" if launch == "blocks" else launch)
    networks = trainer.networks.values() if launch == "blocks" else ()
    blocks = [block for network in networks for block in repeated_blocks(network)]
    photos = srlab.bundled_photos("train")
    sampler = WatchedSampler(photos, SCALE, task.patch, task.batch, device=trainer.device)
    first = START
    with compiled(blocks, trainer.device) if blocks else contextlib.nullcontext("") as reason:
        if reason:
            raise RuntimeError(reason)
        while True:
            seen: list[float] = []

            def watch(first: int = first, seen: list = seen) -> None:
                if trainer.steps_done in (first, first + steps):
                    seen.append(now(trainer.device))

            sampler.watch = watch
            with contextlib.redirect_stdout(sys.stderr):  # its messages are not part of a table
                trainer.fit(step, sampler, first + steps + 1, validate_every=10**9)
            if launch in ("graph", "blocks") and not (trainer.run.manifest() or {"recorded": False})["recorded"]:
                raise RuntimeError(f"The step of {run} was not recorded.")
            yield (seen[1] - seen[0]) / steps
            first += steps + 1 + START


def alternate(ways: dict[str, Iterator[float]], repeats: int) -> dict[str, list[float]]:
    """Time implementations in alternating turns, so that a busy machine slows all equally; turn 0 is a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name in list(ways) if turn % 2 else reversed(ways):
            took = next(ways[name])
            if turn:
                seconds[name].append(took)
    return seconds


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, with smallest and largest in parentheses."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratios of two implementations, per turn."""
    return [a / b for a, b in zip(over, under, strict=True)]


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Return rows with the same keys as a table in Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def conditions(device: torch.device) -> str:
    """Return the conditions of a measurement: device, threads, precision, version of torch."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return f"{name}, precision {srlab.pick_precision('auto', device)}, torch {torch.__version__}"


def parser_for(description: str, repeats: int, steps: int) -> argparse.ArgumentParser:
    """Return a parser with the options that the scripts share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--batch", type=int, default=0, help="patches per step (default: from the task)")
    parser.add_argument("--patch", type=int, default=0, help="side of a patch in HR pixels (default: from the task)")
    parser.add_argument("--blocks", type=int, default=0, help="blocks of the generator (default: from the task)")
    parser.add_argument("--features", type=int, default=0, help="channels of the networks (default: from the task)")
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--steps", type=int, default=steps, help="steps timed together")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser
