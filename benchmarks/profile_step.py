"""Where the time of a training step goes: by parts that one knows from the course, and by operator.

The loop is the one written by hand, plain or with the levers of the labs, because the parts of `Trainer.fit` cannot be
told apart from outside; peers.py says how little the two differ. On a GPU each part waits for its work, so that it is
counted where it belongs; such a step takes a little longer than one that does not wait.

    python benchmarks/profile_step.py --task srgan
    python benchmarks/profile_step.py --task srgan --way plain
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from steps import PLAIN, TASKS, resized
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function
from ways import QUEUE, batches_of, conditions, hand_written, labs_levers, markdown, now, parser_for, write_photos

import srlab

WHOLE = "whole step"
PARTS = ("data", "G, forward", "D, forward", "features, forward", "backward", "backward of D's half")
PARTS += ("backward of G's half", "optimisers", "EMA")


def profiled(
    task: str, way: str, steps: int, device: torch.device, size: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> profile:
    """Train a few steps under the profiler, after some that warm up.

    Parameters
    ----------
    task, way
        Which step, and ``"plain"`` or ``"srlab"``.
    steps
        How many.
    device
        Where.
    size
        As for `steps.resized`.
    """

    @contextmanager
    def mark(name: str) -> Iterator[None]:
        with record_function(name):
            yield
            now(device)  # waits for a GPU

    chosen, levers = resized(TASKS[task], *size), PLAIN if way == "plain" else labs_levers(device)
    with tempfile.TemporaryDirectory() as scratch:
        folder = None if levers.sampled else write_photos(Path(scratch))
        train, _ = hand_written(chosen, levers, batches_of(chosen, levers, folder, device), device, mark)
        for _ in range(1 if levers.sampled else QUEUE):
            train()
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
        with profile(activities=activities) as found:
            for _ in range(steps):
                with mark(WHOLE):
                    train()
    return found


def by_part(found: profile, steps: int) -> list[tuple[str, float]]:
    """Seconds a step of each part; the rest is the losses, their weighting, and Python."""
    events = [event for event in found.key_averages() if event.device_type == DeviceType.CPU]
    seconds = {event.key: event.cpu_time_total / 1e6 / steps for event in events if event.key in (WHOLE, *PARTS)}
    whole = seconds.pop(WHOLE)
    parts = [(name, seconds[name]) for name in PARTS if name in seconds]
    return [*parts, ("rest", whole - sum(seconds.values())), (WHOLE, whole)]


def by_operator(found: profile, steps: int, device: torch.device, count: int = 10) -> list[tuple[str, float, float]]:
    """Name, seconds a step by itself, and calls a step of the most expensive operators."""
    attribute = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    events = [event for event in found.key_averages() if event.key.startswith("aten::")]
    events.sort(key=lambda event: getattr(event, attribute), reverse=True)
    return [(event.key, getattr(event, attribute) / 1e6 / steps, event.count / steps) for event in events[:count]]


def main() -> None:
    """Print both tables."""
    parser = parser_for(__doc__.partition("\n")[0], repeats=0, steps=5)
    parser.add_argument("--task", choices=TASKS, default="srgan")
    parser.add_argument("--way", choices=("plain", "srlab"), default="srlab")
    options = parser.parse_args()
    device = srlab.pick_device(options.device)
    size = options.batch, options.patch, options.blocks, options.features
    found = profiled(options.task, options.way, options.steps, device, size)
    parts, operators = by_part(found, options.steps), by_operator(found, options.steps, device)
    whole = parts[-1][1]
    print(f"{options.task}, {options.way}; {conditions(device)}; mean of {options.steps} steps\n")
    rows = [{"part": name, "ms": f"{1000 * s:.1f}", "share": f"{100 * s / whole:.1f} %"} for name, s in parts]
    print(markdown(rows), end="\n\n")
    rows = [
        {"operator": name, "ms": f"{1000 * s:.1f}", "share": f"{100 * s / whole:.1f} %", "calls": f"{calls:.0f}"}
        for name, s, calls in operators
    ]
    print(markdown(rows))


if __name__ == "__main__":
    main()
