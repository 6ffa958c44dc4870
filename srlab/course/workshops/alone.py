"""Check that a student's file runs in a process of its own, without srlab."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch

from srlab.course.exercise import sample
from srlab.course.workshops.network import new_generator
from srlab.course.workshops.own_file import own_file
from srlab.course.workshops.promises import Promise
from srlab.data.images import EXTENSIONS, read_image, write_image

MINUTES = 3  # a process that takes longer is ended

# Arguments: the file, the folder of photos, and a photo. Print which photos are for training, and upscale the photo.
PROGRAM = """
import json, pathlib, runpy, sys
sys.modules.update(srlab=None, spandrel=None)  # an import of them fails
file, folder, photo = sys.argv[1:]
train, _ = runpy.run_path(file, run_name="mine")["load_photos"](pathlib.Path(folder))
print("photos:" + json.dumps(sorted(train)), flush=True)
sys.argv = [file, photo]
runpy.run_path(file, run_name="__main__")
"""


def alone(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check in new processes that a file needs no srlab, splits photos as here, and upscales a photo."""
    with tempfile.TemporaryDirectory() as temporary:
        home, photos, elsewhere = (Path(temporary, name) for name in ("home", "photos", "elsewhere"))
        for place in (home, photos, elsewhere):
            place.mkdir()
        file = Path(shutil.copy(own_file(mine), home))
        torch.manual_seed(0)
        network = new_generator(mine).eval()
        with torch.no_grad():
            for parameter in network.parameters():  # other weights than any new network
                parameter += 0.05 * torch.randn_like(parameter)
        torch.save(network.state_dict(), home / "network.pt")
        photo = write_image(sample(3, 45, 38, low=0.2, high=0.8), photos / "photo.png")
        before = photo.read_bytes()
        printed, problem = _run(file, folder, photo, elsewhere)
        _, imported, printed = printed.rpartition("photos:")
        yield (
            bool(imported),
            f"{file.name} runs in a new process without srlab{': ' * (not imported)}{problem * (not imported)}.",
            "You may use torch, torchvision, Pillow, NumPy, matplotlib and the standard library.",
        )
        if not imported:
            return
        other = sorted({*json.loads(printed.partition("\n")[0])} ^ {*mine.load_photos(folder)[0]})
        yield (
            not other,
            f"load_photos splits photos there as here: {len(other)} of them are in the other set.",
            f"Look at {', '.join(other[:3])}. hash() of a string, the time and the order of a set differ by process.",
        )
        results = [
            result for result in photos.iterdir() if result.name.lower().endswith(EXTENSIONS) and result != photo
        ]
        yield (
            not problem and len(results) == 1 and photo.read_bytes() == before,
            f"`python {file.name} photo.png` "
            + (f"stops: {problem}." if problem else f"writes {len(results)} image next to the photo."),
            "Load network.pt from Path(__file__).parent. Save next to the photo, under another name.",
        )
        if problem or len(results) != 1:
            return
        with torch.no_grad():
            sr, wanted = read_image(results[0]), network(read_image(photo)[None])[0].clamp(0, 1)
        error = (sr - wanted).abs().mean().item() if sr.shape == wanted.shape else 1.0
        yield (
            error < 0.02,
            f"{results[0].name} has {sr.shape[2]} x {sr.shape[1]} pixels for 38 x 45, and what network.pt computes is "
            f"{error:.3f} off on average; white is 1.",
            "Load the weights, switch to eval mode, and clamp to [0, 1] before you convert to 8 bits.",
        )


def _run(file: Path, folder: Path, photo: Path, place: Path) -> tuple[str, str]:
    """Run a file in a new process with another hash seed; return what it prints, and its error in one line."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSTARTUP")}
    environment |= {"PYTHONHASHSEED": "1" if hash("srlab") % 2 else "2", "MPLBACKEND": "agg"}
    command = [sys.executable, "-c", PROGRAM, str(file), str(folder.resolve()), str(photo)]
    try:
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=60 * MINUTES)
    except subprocess.TimeoutExpired:
        return "", f"it takes more than {MINUTES} minutes, so it was ended"
    lines = done.stderr.strip().splitlines() or ["it fails without a message"]
    return done.stdout, lines[-1].rstrip(".") if done.returncode else ""
