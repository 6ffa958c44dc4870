"""Tiled inference of a large photo: memory, time, and what tiles cost.

Each measurement runs in a process of its own.

    python benchmarks/inference.py                                    # both networks, 2000x1800, memory and seconds
    python benchmarks/inference.py --network rrdbnet --size 600 500   # one network, another size
    python benchmarks/inference.py --ratio --size 600 500             # time of tiles against the whole image
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch
import torch.nn.functional as F

import srlab
from srlab.base.devices import peak_memory_mib

NETWORKS = {"srresnet": srlab.SRResNet, "rrdbnet": srlab.RRDBNet}


def photo(width: int, height: int) -> torch.Tensor:
    """The astronaut, mirrored on until it is large enough: ``(1, 3, height, width)`` in [0, 1]."""
    image = srlab.photos("validation")["astronaut"]
    while image.shape[-1] < width or image.shape[-2] < height:
        image = F.pad(image, (0, image.shape[-1] - 1, 0, image.shape[-2] - 1), mode="reflect")
    return image[..., :height, :width]


def measure(network: torch.nn.Module, width: int, height: int) -> list[float]:
    """Upscale a file into a file; seconds, and the peak of resident memory in MiB above the loaded network."""
    with tempfile.TemporaryDirectory() as folder:
        source = srlab.write_image(photo(width, height), Path(folder) / "lr.png")
        loaded = psutil.Process().memory_info().rss / 2**20
        begun = time.perf_counter()
        srlab.upscale_file(source, Path(folder) / "sr.png", network, 4)
        return [time.perf_counter() - begun, peak_memory_mib() - loaded]


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
    """Measure each network in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=[*NETWORKS, "both"], default="both")
    parser.add_argument("--size", type=int, nargs=2, default=(2000, 1800), metavar=("W", "H"), help="LR pixels")
    parser.add_argument("--ratio", action="store_true", help="time of tiles against the whole image, which must fit")
    parser.add_argument("--repeats", type=int, default=3, help="with --ratio")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        torch.manual_seed(0)
        network = NETWORKS[options.network]().eval()
        print(
            json.dumps(
                ratios(network, *options.size, options.repeats) if options.ratio else measure(network, *options.size)
            )
        )
        return
    width, height = options.size
    print(f"{width}x{height} LR pixels to x4, float32, {torch.get_num_threads()} threads")
    for name in NETWORKS if options.network == "both" else [options.network]:
        command = [sys.executable, __file__, "--child", "--network", name, "--size", str(width), str(height)]
        command += ["--ratio", "--repeats", str(options.repeats)] if options.ratio else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if options.ratio:
            print(f"{name:9s} {statistics.median(found):.2f} of the time of the whole image", end=" ")
            print(f"(from {min(found):.2f} to {max(found):.2f})")
        else:
            print(f"{name:9s} {found[0]:.0f} s, peak {found[1]:.0f} MiB above the loaded network")


if __name__ == "__main__":
    main()
