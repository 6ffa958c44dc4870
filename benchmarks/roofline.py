"""What share of the machine's arithmetic the training steps and the upscaling of a photo reach.

The roof is a large convolution, forward and backward or forward alone, in the precision that is measured. Operations
are counted by torch (two for each multiplication with its addition). What is below the roof went to memory, to small
convolutions and to everything that is no convolution; a step at its roof gets faster only by computing less, or with
fewer bits. Roof and step are measured one after the other, so read 0.9 and more as "at the roof".

    python benchmarks/roofline.py
    python benchmarks/roofline.py --task rrdbnet --network rrdbnet --side 160
"""

import os
import statistics
import tempfile
from collections.abc import Callable

import torch
from inference import NETWORKS
from steps import LABS, TASKS, Task, resized
from torch.utils.flop_counter import FlopCounterMode
from ways import batches_of, conditions, hand_written, labs_levers, markdown, now, parser_for

import srlab
from srlab.inference.overlap import apply

CHANNELS, SIDE = 128, 128  # of the large convolution: enough arithmetic for each value that is read
GIGA = 1e9


def seconds_of(run: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Median of the seconds that a function takes, after a call that warms up."""
    times = []
    for _ in range(repeats + 1):
        begun = now(device)
        run()
        times.append(now(device) - begun)
    return statistics.median(times[1:])


def flops_of(run: Callable[[], object]) -> int:
    """Floating-point operations of a call, in convolutions and matrix products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def roof(device: torch.device, bf16: bool, backward: bool, repeats: int) -> float:
    """Operations a second of a large 3x3 convolution in channels_last, with its backward pass or without."""
    torch.manual_seed(0)
    network = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(device, memory_format=torch.channels_last)
    x = torch.rand(4, CHANNELS, SIDE, SIDE, device=device, requires_grad=backward)
    x = x.to(memory_format=torch.channels_last)

    def run() -> None:
        with torch.set_grad_enabled(backward), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            y = network(x)
        if backward:
            y.backward(torch.ones_like(y))

    return flops_of(run) / seconds_of(run, 3 * repeats, device)


def step_row(name: str, task: Task, repeats: int, device: torch.device) -> dict[str, str]:
    """A row of the table for a training step with the levers of the labs."""
    levers = labs_levers(device)
    top = roof(device, levers.bf16, True, repeats)
    train, _ = hand_written(task, levers, batches_of(task, LABS, None, device), device)
    return row(f"step of {name}, {task.batch} of {task.patch} px", flops_of(train), top, train, repeats, device)


def upscaling_rows(name: str, side: int, repeats: int, device: torch.device) -> list[dict[str, str]]:
    """Rows for upscaling a photo of so many LR pixels a side, in float32: by the network as it is, and by srlab."""
    network = NETWORKS[name]().to(device).eval()
    lr = torch.rand(1, 3, side, side, device=device)

    def plain() -> torch.Tensor:
        with torch.no_grad():
            return network(lr)

    flops, top = flops_of(lambda: apply(network, lr)), roof(device, False, False, repeats)
    ways = {"called plainly": plain, "srlab.upscale": lambda: srlab.upscale(network, lr)}
    what = f"{name}, photo of {side} x {side} LR pixels"
    return [row(f"{what}, {way}", flops, top, run, repeats, device, (4 * side) ** 2) for way, run in ways.items()]


def row(
    what: str,
    flops: int,
    top: float,
    run: Callable[[], object],
    repeats: int,
    device: torch.device,
    pixels: int = 0,
) -> dict[str, str]:
    """Time a call; returns a row of the table. `pixels` are those of HR, 0 for a training step."""
    seconds = seconds_of(run, repeats, device)
    return {
        "what": what,
        "seconds": f"{seconds:.3f}",
        "HR megapixels a second": f"{pixels / seconds / 1e6:.2f}" if pixels else "-",
        "Gflop": f"{flops / GIGA:.0f}",
        "Gflop/s": f"{flops / seconds / GIGA:.0f}",
        "roof, Gflop/s": f"{top / GIGA:.0f}",
        "of the roof": f"{flops / seconds / top:.2f}",
    }


def main() -> None:
    """Print the table."""
    parser = parser_for(__doc__.partition("\n")[0], repeats=5, steps=0)
    parser.add_argument("--task", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--network", nargs="*", choices=NETWORKS, default=list(NETWORKS), help="to upscale with")
    parser.add_argument("--side", type=int, default=160, help="of the photo, in LR pixels")
    options = parser.parse_args()
    device = srlab.pick_device(options.device)
    size = options.batch, options.patch, options.blocks, options.features
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SRLAB_HOME"] = scratch
        rows = [step_row(name, resized(TASKS[name], *size), options.repeats, device) for name in options.task]
        for name in options.network:
            rows += upscaling_rows(name, options.side, options.repeats, device)
    print(f"{conditions(device)}; medians of {options.repeats} turns; photos are upscaled in float32\n")
    print(markdown(rows))


if __name__ == "__main__":
    main()
