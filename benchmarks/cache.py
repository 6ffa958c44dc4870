"""How long a training takes to start from the cache, and whether that grows with the number of photos.

``python benchmarks/cache.py --photos path/to/BSDS400`` takes the photos of a folder, and then folders of 1,000, 10,000
and 70,000 small images of noise (FFHQ has 70,000 faces), which it makes and deletes. A start is: the index, a sampler,
its description for the manifest with the fingerprint of all pixels, and the first batch. Peak memory while decoding is
that of a process of its own.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from srlab.data import datasets
from srlab.data.images import write_image
from srlab.data.patches import PatchSampler

FACES = (1_000, 10_000, 70_000)
SIDE = 64  # pixels of a small face


def start(folder: Path, patch: int) -> tuple[float, int]:
    """Seconds from nothing to the first batch, and the number of photos."""
    begun = time.perf_counter()
    photos = datasets.folder(folder)
    sampler = PatchSampler(photos, 4, patch, 16)
    sampler.describe()
    next(sampler)
    return time.perf_counter() - begun, len(photos)


def peak_while_decoding(folder: Path) -> float:
    """MiB that decoding needs above a process that has only imported the same."""
    code = """
import resource, sys
from srlab.data import datasets
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
datasets.folder(sys.argv[1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def measure(folder: Path, patch: int, repeats: int) -> None:
    """Print one row: decoding, with its memory, and the starts from the cache that follow."""
    begun = time.perf_counter()
    peak = peak_while_decoding(folder)
    decoding = time.perf_counter() - begun
    seconds = sorted(start(folder, patch)[0] for _ in range(repeats))
    size = sum(file.stat().st_size for file in (Path(os.environ["SRLAB_HOME"]) / "cache").glob(f"{folder.name}-*.rgb"))
    print(f"{folder.name:12s} {size / 2**20:6.0f} MiB  decoded in {decoding:6.1f} s, peak {peak:5.0f} MiB", end="  ")
    print(f"start {seconds[len(seconds) // 2]:.3f} s (from {seconds[0]:.3f} to {seconds[-1]:.3f})")


def main() -> None:
    """Measure the given folder and the folders of faces."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, help="a folder with 100 photos or more")
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SRLAB_HOME"] = scratch
        if options.photos:
            measure(options.photos, options.patch, options.repeats)
        for count in FACES:
            folder = Path(scratch) / f"faces{count}"
            face = write_image(torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8), folder / "000000.png")
            for index in range(1, count):
                shutil.copyfile(face, folder / f"{index:06d}.png")
            measure(folder, SIDE // 2, options.repeats)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
