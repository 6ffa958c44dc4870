"""Preparing photos: what a second core brings, LR against a plain NumPy port of imresize, and memory by photos.

python benchmarks/preparation.py --photos BSDS400                        # all three; some minutes
python benchmarks/preparation.py --photos BSDS400 --count 40 --repeats 3   # fewer photos
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import torch

import srlab
from srlab.data.images import EXTENSIONS, mod_crop, read_levels, to_float, to_uint8
from srlab.data.preparation import prepare


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -1/2."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return near * (x <= 1) + far * ((x > 1) & (x < 2))


def contributions(size: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and input indices ``(out, taps)`` of each output sample, mirrored at the borders."""
    centre = (np.arange(size // scale) + 0.5) * scale - 0.5
    indices = np.floor(centre - 2 * scale).astype(int)[:, None] + np.arange(4 * scale + 2)
    weights = cubic((indices - centre[:, None]) / scale)
    weights /= weights.sum(axis=1, keepdims=True)
    mirror = np.concatenate([np.arange(size), np.arange(size)[::-1]])
    used = weights.any(axis=0)
    return weights[:, used], mirror[indices[:, used] % (2 * size)]


def imresize(image: np.ndarray, scale: int) -> np.ndarray:
    """Shrink uint8 ``(H, W, 3)`` as ports of MATLAB's imresize do: gather the taps, and sum them in float64."""
    for axis in (0, 1):
        weights, indices = contributions(image.shape[axis], scale)
        if axis == 0:
            image = (weights[:, :, None, None] * image[indices].astype(np.float64)).sum(axis=1)
        else:
            image = (weights[None, :, :, None] * image[:, indices].astype(np.float64)).sum(axis=2)
    return np.floor(np.clip(image, 0, 255) + 0.5).astype(np.uint8)


def compare_lr(files: list[Path], scale: int, repeats: int) -> None:
    """Print how much faster our LR is on one thread, and how far both are apart."""
    torch.set_num_threads(1)
    levels = [mod_crop(read_levels(file), scale) for file in files]
    arrays = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in levels]
    ratios, ours, theirs = [], [], []
    for _ in range(repeats):
        started = time.perf_counter()
        ours = [to_uint8(srlab.downsample(to_float(image)[None], scale))[0] for image in levels]
        between = time.perf_counter()
        theirs = [imresize(array, scale) for array in arrays]
        ratios.append((time.perf_counter() - between) / (between - started))
    differences = [
        np.abs(a.permute(1, 2, 0).numpy().astype(int) - b.astype(int)) for a, b in zip(ours, theirs, strict=True)
    ]
    unequal = sum(int((part > 0).sum()) for part in differences) / sum(part.size for part in differences)
    print(f"LR of {len(files)} photos, one thread: {spread(ratios)} times as fast as the port in NumPy (target: 5)")
    print(f"largest difference {max(int(part.max()) for part in differences)} levels, {unequal:.1e} of the values")


def compare_workers(files: list[Path], size: int, step: int, repeats: int) -> None:
    """Print how much faster two workers are than one; in turns, each into a fresh folder."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        source = gather(files, Path(folder) / "photos")
        for _, workers in itertools.product(range(repeats), seconds):
            output = Path(folder) / "prepared"
            started = time.perf_counter()
            prepare(source, output, size, step, workers=workers, progress=False)
            seconds[workers].append(time.perf_counter() - started)
            shutil.rmtree(output)
    for workers, times in seconds.items():
        print(f"{len(files)} photos, {workers} worker{'s' * (workers > 1)}: {spread(times)} s")
    ratios = [one / two for one, two in zip(*seconds.values(), strict=True)]
    print(f"two workers are {spread(ratios)} times as fast (target: 1.7)")


def compare_memory(files: list[Path], size: int, step: int, workers: int) -> None:
    """Print the peak of resident memory for a quarter of the photos and for all, each in a process of its own."""
    peaks = []
    for count in (max(len(files) // 4, 1), len(files)):
        with tempfile.TemporaryDirectory() as folder:
            source = gather(files[:count], Path(folder) / "photos")
            command = [sys.executable, __file__, "--child", str(source), str(Path(folder) / "prepared")]
            command += ["--size", str(size), "--step", str(step), "--workers", str(workers)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        loaded, peak = json.loads(done.stdout)
        peaks.append(peak)
        print(f"{count} photos, {workers} workers: peak {peak:.0f} MiB, {peak - loaded:.0f} above the loaded package")
    print(f"four times the photos take {peaks[1] - peaks[0]:+.0f} MiB")


class Memory:
    """The largest resident memory of this process within a block, in MiB; looked at again and again.

    The system's own peak would not do: loading torch takes more for a moment than a few photos do.
    """

    def __enter__(self) -> "Memory":
        self.before = self.peak = self._now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.005):
            self.peak = max(self.peak, self._now())

    def _now(self) -> float:
        return psutil.Process().memory_info().rss / 2**20


def gather(files: list[Path], folder: Path) -> Path:
    """Make a folder with links to photos."""
    folder.mkdir()
    for number, file in enumerate(files):
        (folder / f"{number}-{file.name}").symlink_to(file.resolve())
    return folder


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photos, directly in it")
    parser.add_argument("--count", type=int, help="take so many of them (default: all)")
    parser.add_argument("--size", type=int, default=240)
    parser.add_argument("--step", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="when memory is measured")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        with Memory() as memory:
            prepare(*options.child, options.size, options.step, workers=options.workers, progress=False)
        print(json.dumps([memory.before, memory.peak]))
        return
    if not options.photos:
        parser.error("--photos is needed")
    files = sorted(file for file in options.photos.iterdir() if file.suffix.lower() in EXTENSIONS)[: options.count]
    compare_workers(files, options.size, options.step, options.repeats)
    compare_lr(files, 4, options.repeats)
    compare_memory(files, options.size, options.step, options.workers)


if __name__ == "__main__":
    main()
