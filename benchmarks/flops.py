"""What training steps ask of a GPU, counted without one: arithmetic, memory, and the time that both let one expect.

A step runs on fake tensors, which have shapes and no numbers. Counted are its floating-point operations, forward and
backward (two for each multiplication with its addition, in convolutions and matrix products), and the activations that
autograd keeps in bfloat16 at the fullest moment; weights, gradients and Adam come on top, as does what a convolution
needs while it runs. The times are expectations and no measurements: arithmetic at a share of what the maker promises,
as training may reach it. Where launching kernels from Python takes longer, as it does for ESRGAN on the fast
GPUs, steps are slower; `peers.py` measures them.

    python benchmarks/flops.py
    python benchmarks/flops.py --utilisation 0.5 --steps 400000
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import torch
from steps import ESRGAN, LABS, RRDBNET, SCALE, SRGAN, SRRESNET, Task, build, make_step, optimizers_of
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode
from ways import in_bfloat16, markdown

PROMISED = {"T4, fp16": 65e12, "A100, bf16": 312e12, "H200, bf16": 989e12}  # operations a second, without sparsity
TASKS = {"SRResNet": SRRESNET, "SRGAN": SRGAN, "RRDBNet, L1": replace(RRDBNET, batch=16, patch=128)}
TASKS |= {"ESRGAN": replace(ESRGAN, batch=16), "ESRGAN, twice the batch": replace(ESRGAN, batch=32)}


class Kept:
    """A tensor that autograd keeps; `peak` is what all of them took together at most, in bytes."""

    times: ClassVar[dict[int, int]] = {}  # storage -> how often it is kept; it counts once
    now = peak = 0

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor, self.storage = tensor, tensor.untyped_storage()
        self.add(1)

    def __del__(self) -> None:
        self.add(-1)

    def add(self, count: int) -> None:
        """Count the storage once more, or less."""
        before = Kept.times.get(self.storage._cdata, 0)
        Kept.times[self.storage._cdata] = before + count
        Kept.now += self.storage.nbytes() * (bool(before + count) - bool(before))
        Kept.peak = max(Kept.peak, Kept.now)


def flops_of(run: Callable[[], object]) -> int:
    """Floating-point operations of a call, in convolutions and matrix products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def counted(task: Task) -> tuple[int, int]:
    """Operations of a step of the labs, and the bytes of its activations."""
    Kept.times, Kept.now, Kept.peak = {}, 0, 0
    fake, networks = FakeTensorMode(), build(task)
    with FakeCopyMode(fake):
        networks = copy.deepcopy(networks)
    with fake:
        weights = {p.untyped_storage()._cdata for network in networks.values() for p in network.parameters()}
        for network in networks.values():
            in_bfloat16(network, torch.device("cpu"))
        step = make_step(task, networks, optimizers_of(networks, task.rate, fused=True), LABS)
        lr, hr = (torch.empty(task.batch, 3, side, side) for side in (task.patch // SCALE, task.patch))
        hooks = (
            lambda tensor: tensor if tensor.untyped_storage()._cdata in weights else Kept(tensor),
            lambda kept: kept.tensor if isinstance(kept, Kept) else kept,
        )
        with torch.autograd.graph.saved_tensors_hooks(*hooks):
            return flops_of(lambda: step(lr, hr)), Kept.peak


def row(name: str, task: Task, utilisation: float, steps: int) -> dict[str, str]:
    """A row of the table for a task."""
    flops, kept = counted(task)
    seconds = {gpu: flops / (utilisation * promised) for gpu, promised in PROMISED.items()}
    return {
        "step": f"{name}, {task.batch} of {task.patch} px",
        "Tflop": f"{flops / 1e12:.3f}",
        "activations, GiB": f"{kept / 2**30:.2f}",
        "MiB a patch": f"{kept / task.batch / 2**20:.0f}",
    } | {gpu: f"{1e3 * s:.1f} ms, {steps * s / 3600:.2f} h" for gpu, s in seconds.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--utilisation", type=float, default=0.35, help="share of the promised arithmetic")
    parser.add_argument("--steps", type=int, default=100_000, help="that the hours are for")
    options = parser.parse_args()
    print(
        f"Expected, not measured: ms a step and hours for {options.steps:,} steps if arithmetic alone counts, at "
        f"{options.utilisation:.0%} of what the maker promises; activations in bfloat16.\n"
    )
    print(markdown([row(name, task, options.utilisation, options.steps) for name, task in TASKS.items()]))


if __name__ == "__main__":
    main()
