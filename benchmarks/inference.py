"""Upscaling a large photo: seconds and memory of `srlab upscale`, and what tiles cost.

python benchmarks/inference.py                                       # a megapixel of output, both precisions
python benchmarks/inference.py --run realesrgan --megapixels 2 6 24
python benchmarks/inference.py --ratio rrdbnet --size 600 500        # time of tiles against the whole image
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from ways import markdown

import srlab

NETWORKS = {"srresnet": srlab.SRResNet, "rrdbnet": srlab.RRDBNet}


def photo(width: int, height: int) -> torch.Tensor:
    """The astronaut, mirrored on until it is large enough: ``(1, 3, height, width)`` in [0, 1]."""
    image = srlab.photos("validation")["astronaut"]
    while image.shape[-1] < width or image.shape[-2] < height:
        image = F.pad(image, (0, image.shape[-1] - 1, 0, image.shape[-2] - 1), mode="reflect")
    return image[..., :height, :width]


def size_of(megapixels: float) -> tuple[int, int]:
    """LR width and height, 3 to 2, of which x4 makes so many pixels."""
    height = math.sqrt(megapixels * 1e6 * 2 / 3) / 4
    return round(1.5 * height), round(height)


def measure(run: str, precision: str, width: int, height: int) -> tuple[float, float, float]:
    """`srlab upscale` in a process of its own: seconds by the clock and of computing, and its largest memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        source = srlab.write_image(photo(width, height), Path(folder) / "lr.png")
        command = [sys.executable, "-m", "srlab", "upscale", str(source), str(Path(folder) / "sr.png")]
        begun = time.perf_counter()
        started = subprocess.Popen([*command, "--run", run, "--precision", precision], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(started.pid, 0)  # of this process alone, which resource.getrusage can't say
        seconds = time.perf_counter() - begun
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise SystemExit(f"srlab upscale ended with {started.returncode}.")
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return seconds, used.ru_utime + used.ru_stime, peak


def ratios(network: torch.nn.Module, width: int, height: int, repeats: int) -> list[float]:
    """Times of default tiles over those of the whole image, in turns; the first turn warms up."""
    lr, found = photo(width, height), []
    for _ in range(repeats + 1):
        seconds = []
        for tile in (None, max(width, height)):
            begun = time.perf_counter()
            srlab.upscale(network, lr, tile=tile)
            seconds.append(time.perf_counter() - begun)
        found.append(seconds[0] / seconds[1])
    return found[1:]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", nargs="+", default=["msrresnet", "realesrgan"], help="as srlab upscale takes them")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1], metavar="N", help="of output")
    parser.add_argument("--precision", nargs="+", default=["no", "bf16"])
    parser.add_argument("--ratio", choices=NETWORKS, help="instead, time of tiles against the whole image")
    parser.add_argument("--size", type=int, nargs=2, default=(600, 500), metavar=("W", "H"), help="--ratio: LR pixels")
    parser.add_argument("--repeats", type=int, default=3, help="with --ratio")
    options = parser.parse_args()
    if options.ratio:
        torch.manual_seed(0)
        found = ratios(NETWORKS[options.ratio]().eval(), *options.size, options.repeats)
        print(f"{options.ratio}: {statistics.median(found):.2f} of the time of the whole image", end=" ")
        print(f"(from {min(found):.2f} to {max(found):.2f})")
        return
    print(f"x4 on the CPU, {torch.get_num_threads()} threads\n")
    rows = []
    for megapixels in options.megapixels:
        for run in options.run:
            for precision in options.precision:
                width, height = size_of(megapixels)
                seconds, computing, peak = measure(run, precision, width, height)
                rows.append(
                    {
                        "network": run,
                        "output": f"{4 * width}x{4 * height}",
                        "precision": precision,
                        "seconds": f"{seconds:.0f}",
                        "CPU seconds": f"{computing:.0f}",
                        "peak memory, MiB": f"{peak:.0f}",
                    }
                )
                print(markdown(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(markdown(rows))


if __name__ == "__main__":
    main()
