"""``srlab doctor``: say whether this machine can run the labs."""

import argparse
import platform
import shutil
import time
from collections.abc import Iterator

import psutil
import torch
import torch.nn.functional as F

from srlab.base.devices import pick_device, unused_gpu
from srlab.base.places import home, recipes
from srlab.course.recipes import read_book
from srlab.models import MSRResNet, pick_size

MEMORY = 3.5  # GiB: a machine sold with 4 GB shows 3.6 to 3.9 of them
FREE_MEMORY = 1.5  # GiB: the most that a lab says on its first page
DISK = 1.0  # GB, of which the runs of all labs take 0.4
SLOW = 10.0  # minutes of lab 01's training, which was made for two to three
TIMED = 10  # training steps


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("doctor", help="test this machine in about ten seconds")
    parser.set_defaults(command=run, when_stopped="nothing was written.")


def run(options: argparse.Namespace) -> int:
    """Print each fact as it is found, then the problems; returns 1 where there is one."""
    problems = []
    for fact, problem in examine():
        print(f"{'!' if problem else ' '} {fact}", flush=True)
        problems += [problem] if problem else []
    print("\n" + ("\n".join(problems) or "This machine can run the labs."))
    return 1 if problems else 0


def examine() -> Iterator[tuple[str, str]]:
    """Look at one thing after the other; gives a fact, and what is wrong and what to do about it, or ""."""
    yield f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}", ""
    memory = psutil.virtual_memory()
    there, free = memory.total / 2**30, memory.available / 2**30
    problem = ""
    if there < MEMORY:
        problem = f"The labs need 4 GiB of memory and this machine has {there:.1f}; work in the browser, docs/colab.md."
    elif free < FREE_MEMORY:
        problem = f"Only {free:.1f} GiB of memory are free and a lab takes up to {FREE_MEMORY}; close other programs."
    yield f"{there:.1f} GiB of memory, {free:.1f} free", problem
    disk = shutil.disk_usage(next(place for place in (home(), *home().parents) if place.exists())).free / 1e9
    full = f"Only {disk:.1f} GB of disk are free; make room for {DISK:.0f} GB, or set SRLAB_HOME."
    yield f"{disk:.0f} GB of disk free", full if disk < DISK else ""
    device = pick_device()
    yield f"labs train on: {torch.cuda.get_device_name() if device.type == 'cuda' else device}", unused_gpu()
    try:
        seconds, minutes = time_training(device)
    except RuntimeError as error:  # a GPU that is full, or too old for this torch, fails in its first computation
        advice = "labs run without a GPU if the variable CUDA_VISIBLE_DEVICES is empty"
        reason = str(error).partition("\n")[0]
        yield "no training", f"A training step failed ({reason}); {advice}."
        return
    slow = (
        f"Lab 01 would train for {minutes:.0f} minutes instead of three; plug the laptop in and close other programs."
    )
    yield f"a training step takes {seconds:.3f} s, all of lab 01's {minutes:.1f} min", slow if minutes > SLOW else ""


def time_training(device: object) -> tuple[float, float]:
    """Seconds of a training step of lab 01, and minutes of its whole training."""
    values = read_book(recipes() / "01_srresnet.yaml").recipes["laptop"].values
    layout = torch.channels_last  # as in Trainer, three times as fast on a CPU
    generator = MSRResNet(**pick_size("laptop", "MSRResNet")).to(device, memory_format=layout)
    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    hr = torch.rand(values["batch"], 3, values["patch"], values["patch"], device=device)
    hr, times = hr.contiguous(memory_format=layout), []
    lr = F.avg_pool2d(hr, 4)
    for _ in range(TIMED):
        started = time.perf_counter()
        loss = F.mse_loss(generator(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for a GPU
        times.append(time.perf_counter() - started)
    seconds = sorted(times)[TIMED // 2]
    return seconds, seconds * values["iters"] / 60
