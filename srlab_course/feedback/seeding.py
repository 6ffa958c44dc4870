"""Random numbers of a check: the same in each run, and the student's own go on as if there had been none."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# ruff: noqa: NPY002 - a student may use NumPy's global state


def seed_all(seed: int) -> None:
    """Seed `random`, NumPy and PyTorch, but no GPU."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed `random`, NumPy and PyTorch for a block, and restore their states after it, also those of GPUs in use."""
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    before = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=gpus):
            seed_all(seed)
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
