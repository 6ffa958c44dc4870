"""Measure time and memory of `srlab upscale` for a large photo.

python benchmarks/inference.py                                       # a megapixel of output, both precisions
python benchmarks/inference.py --run realesrgan --megapixels 2 6 24
"""

import argparse
import itertools
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from ways import markdown

import srlab


def photo(width: int, height: int) -> torch.Tensor:
    """Return the astronaut, extended by reflection to ``(1, 3, height, width)`` in [0, 1]."""
    image = srlab.bundled_photos("validation")["astronaut"]
    while image.shape[-1] < width or image.shape[-2] < height:
        image = F.pad(image, (0, image.shape[-1] - 1, 0, image.shape[-2] - 1), mode="reflect")
    return image[..., :height, :width]


def size_of(megapixels: float) -> tuple[int, int]:
    """Return width and height (3 to 2) of the LR image whose 4x output has this many megapixels."""
    height = math.sqrt(megapixels * 1e6 * 2 / 3) / 4
    return round(1.5 * height), round(height)


def measure(run: str, precision: str, width: int, height: int) -> tuple[float, float, float]:
    """Run `srlab upscale` in a new process; return seconds, CPU seconds and peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        source = srlab.write_image(photo(width, height), Path(folder) / "lr.png")
        command = [sys.executable, "-m", "srlab", "upscale", str(source), "-o", str(Path(folder) / "sr.png")]
        begun = time.perf_counter()
        started = subprocess.Popen([*command, "--run", run, "--precision", precision], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(started.pid, 0)  # resource.getrusage would include earlier processes
        seconds = time.perf_counter() - begun
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise SystemExit(f"srlab upscale failed with exit code {started.returncode}.")
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return seconds, used.ru_utime + used.ru_stime, peak


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", nargs="+", default=["msrresnet", "realesrgan"], help="networks, as for srlab upscale")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1], metavar="N", help="megapixels of output")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    options = parser.parse_args()
    print(f"x4 on the CPU, {torch.get_num_threads()} threads\n")
    rows = []
    for megapixels, run, precision in itertools.product(options.megapixels, options.run, options.precision):
        width, height = size_of(megapixels)
        seconds, computing, peak = measure(run, precision, width, height)
        row = {"network": run, "output": f"{4 * width}x{4 * height}", "precision": precision}
        row |= {"seconds": f"{seconds:.0f}", "CPU seconds": f"{computing:.0f}", "peak memory, MiB": f"{peak:.0f}"}
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    print(markdown(rows))


if __name__ == "__main__":
    main()
