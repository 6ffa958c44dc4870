"""A training step of SRResNet or RRDBNet the usual way and srlab's way, in one run.

Usual: float32, contiguous memory, the network layer by layer as the paper draws it, and a DataLoader with two
workers that decode PNG files, crop, and shrink with Pillow. srlab: `Trainer` and `PatchSampler` as the labs use
them (bfloat16 where the hardware has it, channels_last, fused Adam, images decoded once, LR made on the device,
the last pixel shuffle after the last convolution). Same network, same parameters, same photos, same batch.

    python benchmarks/train_step.py            # prints a table and the ratio, with its spread over repeats
    python benchmarks/train_step.py --network rrdbnet --batch 4 --steps 1 --repeats 3
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from ways import FileDataset

import srlab


class PlainSRResNet(srlab.SRResNet):
    """The same network with its last pixel shuffle before the last convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.upsample.insert(-1, torch.nn.PixelShuffle(2))
        self.tail = torch.nn.Conv2d(64, 3, 9, padding=4)


# The network as it is usually written, and srlab's; RRDBNet has no pixel shuffle, so there they are the same.
NETWORKS = {"srresnet": (PlainSRResNet, srlab.SRResNet), "rrdbnet": (srlab.RRDBNet, srlab.RRDBNet)}


def usual_steps(
    generator: torch.nn.Module, photos: srlab.ImageSet, folder: Path, batch: int, patch: int, chunk: int
) -> Iterator[float]:
    """Train the usual way, and yield the seconds that each step took; `chunk` steps at a time."""
    for name, hr in photos:
        srlab.write_image(hr, folder / f"{name}.png")
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-4)
    loader = DataLoader(FileDataset(folder, patch), batch, shuffle=False, num_workers=2)
    batches = iter(loader)
    for count in itertools.count():
        if count % chunk == 0:
            for _ in range(loader.num_workers * loader.prefetch_factor):
                next(batches)  # made while the other way ran, and so for free
        started = time.perf_counter()
        lr, hr = next(batches)
        loss = F.mse_loss(generator(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds = time.perf_counter() - started
        if count % chunk == chunk - 1:
            time.sleep(2)  # let the workers fill their queue now, and not while the other way is timed
        yield seconds


def srlab_steps(
    generator: torch.nn.Module, photos: srlab.ImageSet, batch: int, patch: int, chunk: int
) -> Iterator[float]:
    """Train with srlab, and yield the seconds from each step to the next; `chunk` steps a call of `fit`."""
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-4, fused=True)
    trainer = srlab.Trainer("benchmark", "train_step", device="cpu")
    generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)
    sampler = srlab.PatchSampler(photos, 4, patch, batch)
    times: list[float] = []

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        times.append(time.perf_counter())
        loss = F.mse_loss(generator(lr), hr)
        optimizer.zero_grad()
        trainer.backward(loss)
        optimizer.step()
        return {"loss": loss}

    for total in itertools.count(chunk + 1, chunk + 1):
        times.clear()
        trainer.fit(step, sampler, total, validate_every=10**9)
        yield from (after - before for before, after in itertools.pairwise(times))


def main() -> None:
    """Alternate between both, and print medians, the ratio of each repeat, and what the sampler takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="srresnet")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="steps of each kind in a repeat")
    options = parser.parse_args()
    photos = srlab.datasets.photos("train")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SRLAB_HOME"] = folder
        torch.manual_seed(0)
        plain, own = (build() for build in NETWORKS[options.network])
        usual = usual_steps(plain, photos, Path(folder) / "photos", options.batch, options.patch, options.steps)
        ours = srlab_steps(own, photos, options.batch, options.patch, options.steps)
        pairs = []
        for repeat in range(options.repeats + 1):
            seconds = [statistics.median(itertools.islice(steps, options.steps)) for steps in (usual, ours)]
            if repeat:  # the first warms up
                pairs.append(seconds)
        usual.close()
    sampler = srlab.PatchSampler(photos, 4, options.patch, options.batch)
    next(sampler)
    started = time.perf_counter()
    for _ in range(20):
        next(sampler)
    sampling = (time.perf_counter() - started) / 20
    ratios = [a / b for a, b in pairs]
    way = [statistics.median(column) for column in zip(*pairs, strict=True)]
    precision = srlab.devices.pick_precision("auto", torch.device("cpu"))
    threads, size = torch.get_num_threads(), f"{srlab.parameter_count(own):,} parameters"
    print(f"{options.network}, {size}, batch {options.batch} of {options.patch} px, {threads} threads, {precision}")
    print(f"usual way    {way[0]:.3f} s a step, {options.batch / way[0]:.1f} patches a second")
    print(f"srlab        {way[1]:.3f} s a step, {options.batch / way[1]:.1f} patches a second")
    print(f"ratio        {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
    print(f"sampler      {1000 * sampling:.1f} ms, {100 * sampling / way[1]:.1f} % of a step")


if __name__ == "__main__":
    main()
