"""How the time of a training step and of inference grows, and what a training at the length of the papers takes.

Each row varies one size and leaves the others as they are; the exponent is the slope of a line through the logarithms:
1 for a time that grows with the size, 2 for one that grows with its square. A fixed cost makes it smaller.

    python benchmarks/scaling.py                    # patch, batch, blocks, number of photos, inference
    python benchmarks/scaling.py --budget           # DIV2K and Flickr2K at the length of the papers, on one device
    python benchmarks/scaling.py --budget --devices 8
"""

import os
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
import torch
from steps import LABS, SCALE, TASKS, Task, build, resized
from ways import batches_of, conditions, hand_written, labs_levers, markdown, parser_for, timed, timed_fit, typical

import srlab
import srlab.base.places
from srlab.course.recipes import read_book

# Stages of the papers: task, lab whose recipe ``paper`` has its sizes, and the recipe's name for its steps.
STAGES = (
    ("srresnet", "01_srresnet", "iters"),
    ("srgan", "03_srgan", "iters"),
    ("rrdbnet", "04_esrgan", "pretrain_iters"),
    ("esrgan", "04_esrgan", "iters"),
)
SECONDS_A_DAY = 86400


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of the least-squares line through ``(log size, log seconds)``: 2 for a time that grows as the square."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def step_seconds(task: Task, steps: int, repeats: int, device: torch.device) -> float:
    """Median of the seconds a step with the levers of the labs takes, after a warm-up."""
    train, _ = hand_written(task, labs_levers(device), batches_of(task, LABS, None, device), device)
    times = timed(train, steps, device, files=False)
    return typical(times, repeats)


def sampling_seconds(photos: int, task: Task, repeats: int, device: torch.device) -> float:
    """Seconds for a batch from so many photos, which are black and of the size of a patch.

    The memory of such photos is never filled, so their number may be large: this is the time of drawing, of index
    arithmetic and of making LR, not that of a disk.
    """
    area = task.patch**2
    pixels = torch.zeros(photos * area, 3, dtype=torch.uint8)
    hr = [part.view(task.patch, task.patch, 3).permute(2, 0, 1) for part in pixels.split(area)]
    names = [str(number) for number in range(photos)]
    images = srlab.ImageSet("black", names, hr)
    sampler = srlab.PatchSampler(images, SCALE, task.patch, task.batch, device=device)
    times = timed(lambda: next(sampler), 3, device, files=False)
    return typical(times, repeats)


def inference_seconds(side: int, task: Task, repeats: int, device: torch.device) -> float:
    """Seconds to upscale an LR image of so many pixels a side, as a whole."""
    generator = build(task)["generator"].to(device, memory_format=torch.channels_last).eval()
    lr = torch.rand(1, 3, side, side, device=device)
    times = timed(lambda: srlab.upscale(generator, lr, SCALE, tile=side), 1, device, files=False)
    return typical(times, repeats)


def row(what: str, sizes: Sequence[int], measure: Callable[[int], float]) -> dict[str, str]:
    """Measure all sizes; returns a row of the table."""
    seconds = [measure(size) for size in sizes]
    return {
        "what grows": what,
        "sizes": ", ".join(f"{size:,}" for size in sizes),
        "ms": ", ".join(f"{1000 * value:.1f}" for value in seconds),
        "exponent": f"{exponent(sizes, seconds):.2f}",
    }


def growth(
    task: Task, device: torch.device, repeats: int, steps: int, photos: Sequence[int], sides: Sequence[int]
) -> list[dict[str, str]]:
    """Rows of the table: patch, batch and blocks from half to nearly twice those of the task, photos, and inference."""

    def around(value: int, multiple: int = 1) -> list[int]:
        sizes = (value * factor / 4 for factor in (2, 3, 4, 5, 7))  # twice 96 px is more than the smallest photo has
        return sorted({max(multiple, round(size / multiple) * multiple) for size in sizes})

    def step(**change: int) -> float:
        return step_seconds(resized(task, **change), steps, repeats, device)

    rows = [
        row("side of a patch", around(task.patch, 32 if task.layers else SCALE), lambda n: step(patch=n)),
        row("patches in a batch", around(task.batch), lambda n: step(batch=n)),
        row("blocks of the generator", around(task.shape["blocks"]), lambda n: step(blocks=n)),
        row("photos (a batch alone)", photos, lambda n: sampling_seconds(n, task, repeats, device)),
    ]
    return [*rows, row("LR side (inference)", sides, lambda n: inference_seconds(n, task, repeats, device))]


def budget(
    stages: Sequence[str], device: torch.device, repeats: int, steps: int, devices: int, size: tuple[int, int] = (0, 0)
) -> list[dict[str, str]]:
    """Days of training at the length of the papers, from `Trainer.fit` at their batch and patch.

    Parameters
    ----------
    stages
        Tasks of `STAGES`; their numbers of steps, batch and patch are those of the labs' recipes ``paper``.
    device, repeats, steps
        What is measured, and how.
    devices
        How many share a batch; that they lose no time over it is assumed.
    size
        Blocks and features of the networks, 0 for those of the papers.
    """
    rows = []
    for name, lab, length in STAGES:
        if name not in stages:
            continue
        recipe = read_book(srlab.base.places.recipes() / f"{lab}.yaml").recipes["paper"]["values"]
        task = resized(TASKS[name], recipe["batch"], recipe["patch"], *size)
        times = timed_fit(task, steps, device, f"budget-{name}")
        seconds = typical(times, repeats)
        rows.append(
            {
                "stage": name,
                "steps": f"{recipe[length]:,}",
                "batch": f"{task.batch} of {task.patch} px",
                "s a step": f"{seconds:.3f}",
                f"days on {devices}": f"{recipe[length] * seconds / devices / SECONDS_A_DAY:.1f}",
            }
        )
    return rows


def main() -> None:
    """Print one of the tables."""
    parser = parser_for(__doc__.partition("\n")[0], repeats=3, steps=2)
    parser.add_argument("--task", nargs="+", choices=TASKS, help="srresnet, or with --budget all stages")
    parser.add_argument("--photos", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 96, 128], help="LR pixels, for inference")
    parser.add_argument("--budget", action="store_true", help="what trainings of the length of the papers take")
    parser.add_argument("--devices", type=int, default=1, help="with --budget: devices that share a batch")
    options = parser.parse_args()
    device = srlab.pick_device(options.device)
    print(f"{conditions(device)}; medians of {options.repeats} turns\n")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SRLAB_HOME"] = scratch
        if options.budget:
            size = options.blocks, options.features
            stages = options.task or [name for name, *_ in STAGES]
            print(markdown(budget(stages, device, options.repeats, options.steps, options.devices, size)))
            return
        for name in options.task or ["srresnet"]:
            task = resized(TASKS[name], options.batch, options.patch, options.blocks, options.features)
            rows = growth(task, device, options.repeats, options.steps, options.photos, options.sides)
            print(f"{name}\n\n{markdown(rows)}\n")


if __name__ == "__main__":
    main()
