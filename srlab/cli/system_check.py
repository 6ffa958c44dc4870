"""Whether a machine can run the labs: what it has, how fast it trains, and what to do where something is missing."""

import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from srlab.base.errors import SrlabError

MEMORY = 3.5  # GiB: a machine sold with 4 GB shows 3.6 to 3.9 of them
FREE_MEMORY = 1.5  # GiB: the most that a lab says on its first page
DISK = 1.0  # GB, of which the runs of all labs take 0.4
SLOW = 10.0  # minutes of lab 01's training, which was made for two to three
LONGEST_TRIAL = 20.0  # seconds of training, however slow the machine is
AGAIN = 'install the course again, by `make lab` or `python -m pip install -c requirements.lock -e ".[labs]"`'
PATIENCE = 60  # seconds that a kernel may take to start
IN_KERNEL = "import anywidget, ipywidgets, srlab"  # what each lab and each slider needs of it

Found = tuple[str, str]  # a fact in a few words, and what to do about it: "" where nothing is wrong


def check_system() -> Iterator[Found]:
    """Look at one thing after the other, the quick ones first; takes about half a minute on a laptop.

    Yields
    ------
    tuple of str
        A fact for the line that goes to the teacher, without names of users or folders; and a sentence that says what
        is wrong and what to do, "" where nothing is.
    """
    yield f"{platform.system()} {platform.release()} {platform.machine()}", ""
    yield f"Python {platform.python_version()}", ""
    yield check_packages()
    yield check_memory()
    yield check_disk()
    try:
        import torch
    except (ImportError, OSError) as error:  # the second: a library of it that the system cannot load
        reason = str(error).partition("\n")[0]
        yield "no torch", f"torch cannot be imported ({reason}); {AGAIN}."
        return
    yield f"torch {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} cores", ""
    yield check_gpu()
    yield check_training()
    yield check_kernel()


def check_packages() -> Found:
    """Whether all that srlab and its labs ask for is installed, in a version that will do."""
    from packaging.requirements import Requirement

    missing = []
    for wanted in map(Requirement, metadata.requires("srlab") or []):
        if wanted.marker and not wanted.marker.evaluate({"extra": "labs"}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            missing.append(f"no {wanted.name}")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            missing.append(f"{wanted.name} {found} instead of {wanted.specifier}")
    if missing:
        return f"{len(missing)} packages amiss", f"Packages are missing or too old ({', '.join(missing)}); {AGAIN}."
    return f"srlab {metadata.version('srlab')} with all packages", ""


def check_memory() -> Found:
    """Main memory in GiB, in all and free."""
    import psutil

    memory = psutil.virtual_memory()
    there, free = memory.total / 2**30, memory.available / 2**30
    fact = f"{there:.1f} GiB of memory, {free:.1f} free"
    problem = ""
    if there < MEMORY:
        problem = f"This machine has {there:.1f} GiB of memory and the labs want 4; work in the browser, docs/colab.md."
    elif free < FREE_MEMORY:
        problem = f"Only {free:.1f} GiB of memory are free and a lab takes up to {FREE_MEMORY}; close other programs."
    return fact, problem


def check_disk() -> Found:
    """Room in GB where the runs go, and whether that place can be written to."""
    from srlab.base.files import check_writable
    from srlab.base.places import home

    there = next(place for place in (home(), *home().parents) if place.exists())
    free = shutil.disk_usage(there).free / 1e9
    fact = f"{free:.0f} GB of disk free"
    try:
        check_writable(home(), "choose a folder that you own, by the variable SRLAB_HOME")
    except SrlabError as error:
        return fact, str(error)
    if free < DISK:
        return fact, f"Only {free:.1f} GB are free where the runs go; make room for {DISK:.0f} GB, or set SRLAB_HOME."
    return fact, ""


def check_gpu() -> Found:
    """The GPU that the labs would use, or why they would not use one that seems to be there."""
    import torch

    from srlab.base.devices import unused_gpu

    if torch.cuda.is_available():
        return f"GPU {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}", ""
    if reason := unused_gpu():
        return "a GPU that is not used", reason
    apple = torch.backends.mps.is_available()
    return ("no GPU in use (Apple's is there)" if apple else "no GPU, none needed"), ""


def check_training() -> Found:
    """Train lab 01's network for a few steps, and say how long its whole training would take."""
    from srlab.base.devices import pick_device
    from srlab.base.places import recipes
    from srlab.lab.recipes import read_book

    device = pick_device()
    try:
        values = read_book(recipes() / "01_srresnet.yaml").recipes["laptop"].values
        seconds = _step_seconds(device, values["batch"], values["patch"], 20)
    except (SrlabError, RuntimeError) as error:
        advice = "send this sentence to your teacher as well"
        if device.type == "cuda":  # too old for this torch, or full: CUDA says so in the first computation only
            advice = "the labs run without it where the variable CUDA_VISIBLE_DEVICES is empty"
        where = " on the GPU" * (device.type == "cuda")
        reason = str(error).partition("\n")[0]
        return "no training", f"A training step failed{where} ({reason}); {advice}."
    minutes = seconds * values["iters"] / 60
    fact = f"a step takes {seconds:.3f} s, lab 01's training {minutes:.1f} min"
    if minutes > SLOW:
        advice = "plug the laptop in and close other programs, or work in the browser, docs/colab.md"
        return fact, f"Lab 01's training would take {minutes:.0f} minutes instead of three; {advice}."
    return fact, ""


def _step_seconds(device: object, batch: int, patch: int, steps: int) -> float:
    """Median time of a training step as in lab 01, in seconds; the first, which prepares much, doesn't count."""
    import torch
    import torch.nn.functional as F

    from srlab.models import MSRResNet, pick_size

    layout = torch.channels_last  # as the Trainer has it, three times as fast on a CPU
    generator = MSRResNet(**pick_size("laptop", "MSRResNet")).to(device, memory_format=layout)
    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    hr = torch.rand(batch, 3, patch, patch, device=device).contiguous(memory_format=layout)
    lr, times = F.avg_pool2d(hr, 4), []
    while len(times) < steps and sum(times) < LONGEST_TRIAL:
        started = time.perf_counter()
        loss = F.mse_loss(generator(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for a GPU
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:] or times)


def check_kernel() -> Found:
    """Whether Jupyter can start a kernel here that has srlab and the widgets of its figures."""
    try:
        from jupyter_client.manager import start_new_kernel

        silent = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
        manager, client = start_new_kernel(PATIENCE, "python3", cwd=str(Path.cwd()), **silent)
    except (ImportError, OSError, RuntimeError) as error:  # the last: it died, or didn't answer
        advice = "is a firewall or another Python in the way? docs/troubleshooting.md has more"
        return "no kernel", f"Jupyter could not start a kernel ({str(error) or type(error).__name__}); {advice}."
    try:
        reply = client.execute_interactive(IN_KERNEL, timeout=PATIENCE, output_hook=lambda message: None)["content"]
    except TimeoutError:
        reply = {"status": "error", "evalue": f"no answer within {PATIENCE} seconds"}
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["status"] != "ok":
        return "a kernel without the course", f"Jupyter's kernel cannot import the course ({reply['evalue']}); {AGAIN}."
    return "kernel and widgets work", ""
