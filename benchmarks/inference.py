"""Tiled inference of a large photo: memory, time, and what tiles cost.

Each measurement runs in a process of its own. The weights are random ones as large as trained weights (an output
with the contrast of a photo), because the small initial weights of a residual network would need no overlap.

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

import numpy as np
import psutil
import torch
from torch import nn

import srlab
import srlab.base.devices
from srlab.inference.overlap import apply
from srlab.inference.tiles import Tiling, plan_tiles

NETWORKS = {"srresnet": srlab.SRResNet, "rrdbnet": srlab.RRDBNet}


def photo(width: int, height: int) -> np.ndarray:
    """scikit-image's astronaut, mirrored on until it is large enough; uint8."""
    from skimage import data

    image = data.astronaut()
    extra = [(0, max(size - 512, 0)) for size in (height, width)]
    return np.pad(image, (*extra, (0, 0)), mode="symmetric")[:height, :width]


def network_of(name: str) -> nn.Module:
    """A network of the published size, with weights that give the photo's contrast."""
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    for weight in weights:
        nn.init.kaiming_normal_(weight)
    start = [weight.detach().clone() for weight in weights]
    lr = torch.from_numpy(photo(64, 64)).permute(2, 0, 1)[None].float() / 255
    low, high = 0.2, 2.0
    for _ in range(8):
        gain = (low + high) / 2
        for weight, first in zip(weights, start, strict=True):
            weight.data = first * gain
        low, high = (low, gain) if apply(network, lr).std() > 0.25 else (gain, high)
    return network


def measure(name: str, width: int, height: int) -> dict[str, float | Tiling]:
    """Upscale a file into a file; seconds, and the peak of resident memory above that with the network loaded."""
    network = network_of(name)
    with tempfile.TemporaryDirectory() as folder:
        source = srlab.write_image(
            torch.from_numpy(photo(width, height)).permute(2, 0, 1).contiguous(), Path(folder) / "lr.png"
        )
        loaded = psutil.Process().memory_info().rss / 2**20
        started = time.perf_counter()
        srlab.upscale_file(source, Path(folder) / "sr.png", network, 4)
        seconds = time.perf_counter() - started
    above = srlab.base.devices.peak_memory_mib() - loaded
    lr = torch.from_numpy(photo(width, height)).permute(2, 0, 1)[None].float() / 255
    return {"seconds": seconds, "mib": above, "loaded": loaded, "tiling": vars(plan_tiles(network, lr))}


def ratio(name: str, width: int, height: int, repeats: int) -> dict[str, object]:
    """Time of default tiles, with the measuring of their overlap, over the whole image's, in turns."""
    network = network_of(name)
    lr = torch.from_numpy(photo(width, height)).permute(2, 0, 1)[None].float() / 255
    ratios = []
    for repeat in range(repeats + 1):
        seconds = []
        for tile in (None, max(width, height)):
            started = time.perf_counter()
            srlab.upscale(network, lr, tile=tile)
            seconds.append(time.perf_counter() - started)
        if repeat:  # the first warms up
            ratios.append(seconds[0] / seconds[1])
    return {"ratios": ratios, "tiling": vars(plan_tiles(network, lr))}


def main() -> None:
    """Measure each network in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=[*NETWORKS, "both"], default="both")
    parser.add_argument("--size", type=int, nargs=2, default=(2000, 1800), metavar=("W", "H"), help="LR pixels")
    parser.add_argument("--ratio", action="store_true", help="time of tiles against the whole image, which must fit")
    parser.add_argument("--repeats", type=int, default=3, help="with --ratio")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = options.size
    if options.child:
        kind = ratio(options.network, width, height, options.repeats) if options.ratio else None
        print(json.dumps(kind or measure(options.network, width, height)))
        return
    print(f"{width}x{height} LR pixels to x4, float32, {torch.get_num_threads()} threads")
    for name in NETWORKS if options.network == "both" else [options.network]:
        command = [sys.executable, __file__, "--child", "--network", name, "--size", str(width), str(height)]
        command += ["--ratio", "--repeats", str(options.repeats)] if options.ratio else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        got = json.loads(done.stdout.splitlines()[-1])
        tiling = got["tiling"]
        how = f"tiles of {tiling['width']}x{tiling['height']}, overlap {tiling['overlap']}"
        if options.ratio:
            ratios = got["ratios"]
            print(f"{name:9s} {how}: {statistics.median(ratios):.2f} of the time of the whole image", end=" ")
            print(f"(from {min(ratios):.2f} to {max(ratios):.2f})")
        else:
            print(f"{name:9s} {how}: {got['seconds']:.0f} s, peak {got['mib']:.0f} MiB above the loaded network")


if __name__ == "__main__":
    main()
