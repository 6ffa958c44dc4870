"""``srlab doctor``: check whether this machine can run the labs."""

import argparse
import ast
import io
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch
import torch.nn.functional as F

from srlab.cli.main import missing_part, remedy
from srlab.devices import pick_device, unused_gpu
from srlab.errors import SrlabError
from srlab.files import write_atomic, writing
from srlab.models import MSRResNet, backbones, compact, loading, realesrgan
from srlab.paths import data_home, exists, recipes, runs_home
from srlab_course.lab.recipes import read_book
from srlab_course.lab.setup import setup
from srlab_course.lab.sizes import pick_size
from srlab_course.notebook_files.finding import read_saved
from srlab_course.notebook_files.marks import parse_cell

MEMORY = 3.5  # GiB; a machine with 4 GB reports 3.6 to 3.9
FREE_MEMORY = 1.5  # GiB; the largest requirement in the first cell of a lab
DISK = 1.0  # GB; the runs of all labs need 0.4
WRITTEN = 2**20  # bytes; about the size of a network that lab 01 saves
SLOW = 10.0  # minutes of training in lab 01; normally two to three


def doctor(options: argparse.Namespace) -> int:
    """Print facts about this machine and how to fix its problems. Return 1 if there are any."""
    there, free = (count / 2**30 for count in psutil.virtual_memory()[:2])
    disk = shutil.disk_usage(nearest(runs_home())).free / 1e9
    device, minutes, failure = pick_device(), 0.0, ""
    try:
        minutes = minutes_of_lab_01(device)
    except RuntimeError as error:  # a full GPU, or one too old for this torch, fails in its first computation
        failure = str(error).partition("\n")[0]
    print(f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}")
    print(f"{there:.1f} GiB of memory, {free:.1f} free; {disk:.0f} GB of disk free")
    print(f"labs train on: {device} (lab 01 in {minutes:.1f} min)\n")
    reason = unused_gpu()
    if without_cuda := torch.version.cuda is None and reason:
        print(reason)
    downloads = {"SRLAB_DATA": data_home(), "TORCH_HOME": Path(torch.hub.get_dir(), "checkpoints")}
    for unwritable in filter(None, (try_writing(folder, variable) for variable, folder in downloads.items())):
        print(f"Downloads, which the labs can do without, would fail. {unwritable}")
    problems = [
        (unwritable := try_writing(runs_home(), "SRLAB_HOME"), unwritable),
        (there < MEMORY, f"This machine has {there:.1f} GiB of memory; the labs need 4. Use Colab (docs/colab.md)."),
        (there >= MEMORY and free < FREE_MEMORY, f"Only {free:.1f} GiB of memory is free. Close other programs."),
        (disk < DISK, f"Only {disk:.1f} GB of disk is free. Free {DISK:.0f} GB, or set SRLAB_HOME to another disk."),
        (failure, f"A training step failed ({failure}). Set CUDA_VISIBLE_DEVICES=-1 to train on the CPU."),
        (
            minutes > SLOW,
            f"Lab 01 would train for {minutes:.0f} minutes, not three. Close programs and plug in the laptop.",
        ),
        (reason and not without_cuda, reason),
    ]
    found = [advice for problem, advice in problems if problem]
    if not failure:
        found += dict.fromkeys(failures_of_labs())
    print("\n".join(found) or "This machine can run the labs.")
    return 1 if found else 0


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest one around it that exists."""
    return next(place for place in (folder, *folder.parents) if exists(place))


def try_writing(folder: Path, variable: str) -> str:
    """Write and replace a file as the labs do, and delete it; return what failed. `variable` sets the folder."""
    where = f"with {variable}"
    try:
        with writing(folder, where), TemporaryDirectory(prefix=".srlab-doctor-", dir=nearest(folder)) as new:
            for _ in range(2):
                write_atomic(Path(new, "file"), bytes(WRITTEN), where)
    except SrlabError as error:
        return str(error)
    return ""


def failures_of_labs() -> Iterator[str]:
    """Try the first cell of each lab, all weights on this machine, and JupyterLab; yield what failed."""
    labs = [recipes().parent / f"{file.stem}.ipynb" for file in sorted(recipes().glob("[0-9]*.py"))]
    tries = [partial(try_first_cell, lab) for lab in labs if lab.is_file()]
    tries += [partial(loading.load_generator_file, name) for name in (*loading.BUNDLED.values(), loading.ONE_STEP)]
    tries += [partial(try_torchvision_weights, name) for name in (*backbones.NETWORKS, "alexnet")]
    tries += [realesrgan.load_realesrgan] if realesrgan.find_realesrgan() else []
    tries += [compact.load_compact] if compact.find_compact() else []
    if find_spec("jupyterlab"):  # not on a hub, whose JupyterLab is in another environment
        tries.append(partial(import_module, "jupyterlab.labapp"))
    for attempt in tries:
        try:
            with redirect_stdout(io.StringIO()):
                attempt()
        except SrlabError as error:
            yield str(error)
        except ImportError as error:
            yield missing_part(error)
        except Exception as error:  # whatever a package raises that is broken or does not fit the others
            yield f"The labs can't start ({type(error).__name__}: {SrlabError(error)}). {remedy(error)}"


def try_first_cell(lab: Path) -> None:
    """Do what the first cell of a lab does, without downloads: its imports and the setup."""
    code = "\n".join(cell.source for cell in read_saved(lab).cells if "course.setup(" in cell.source)
    imports = [line for line in parse_cell(code).body if isinstance(line, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), lab.name, "exec"), {})  # noqa: S102 - only imports
    setup(lab.stem, read_book(recipes() / f"{lab.stem}.py").parameters, dry=True)


def try_torchvision_weights(name: str) -> None:
    """Load weights for a network of torchvision; without a file there is nothing to do, because they are optional."""
    if path := backbones.find_weights(name):
        backbones.load_weights(path)


def minutes_of_lab_01(device: torch.device, steps: int = 10) -> float:
    """Estimate the training time of lab 01 in minutes from the median of a few training steps."""
    lab, times = read_book(recipes() / "01_srresnet.py").lab, []
    layout = torch.channels_last  # as in Trainer
    generator = MSRResNet(**pick_size("laptop", "MSRResNet")).to(device, memory_format=layout)
    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    hr = torch.rand(lab.batch, 3, lab.patch, lab.patch, device=device).to(memory_format=layout)
    for _ in range(steps):
        started = time.perf_counter()
        loss = F.mse_loss(generator(F.avg_pool2d(hr, 4)), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for a GPU
        times.append(time.perf_counter() - started)
    return sorted(times)[steps // 2] * lab.iters / 60
