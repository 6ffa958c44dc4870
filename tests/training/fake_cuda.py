"""Pretend that the CPU is a GPU that can record steps.

While the fake records, it runs each operation and notes it; at the end it takes back everything that the operations
changed, and fills new tensors with NaN, because a real recording computes nothing. A replay runs the noted operations
on the same memory. So Python values are frozen as on a GPU, and a number that is read stops the recording.
"""

import contextlib
import random
import warnings
from types import SimpleNamespace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from srlab.training import cuda_graph, launch

READS = torch.ops.aten._local_scalar_dense.default


class Operations(TorchDispatchMode):
    """Note all operations, and the first content of all tensors that existed before."""

    def __init__(self):
        super().__init__()
        self.noted, self.before, self.made = [], {}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is READS:
            raise RuntimeError("operation not permitted when stream is capturing")
        for tensor in tensors_in((args, kwargs)):
            if id(tensor) not in self.made and id(tensor) not in self.before:
                self.before[id(tensor)] = (tensor, tensor.detach().clone())
        out = func(*args, **(kwargs or {}))
        self.made |= {id(tensor) for tensor in tensors_in(out)} - self.before.keys()
        self.noted.append((func, args, kwargs or {}, out))
        return out


def tensors_in(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class Reads(TorchDispatchMode):
    """Warn like torch when a number is read."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is READS:
            warnings.warn(cuda_graph.WAITS, stacklevel=1)
        return func(*args, **(kwargs or {}))


def moved_once(to):
    """Return a version of ``Tensor.to`` that gives a tensor new memory the first time, like a move to a GPU."""

    def move(tensor, *args, **settings):
        if hasattr(tensor, "is_moved"):
            return to(tensor, *args, **settings)
        tensor = to(tensor, *args, **settings | {"copy": True})
        tensor.is_moved = True
        return tensor

    return move


class Graph:
    """A recording, to which `FakeCuda` adds ``replay``."""


class FakeCuda:
    """Stand in for `torch.cuda` in `srlab.training.cuda_graph` and the trainer."""

    def __init__(self, monkeypatch):
        self.capturing, self.mode, self.reads, self.replays = False, "default", None, 0
        names = {
            "Stream": lambda *_: SimpleNamespace(wait_stream=lambda other: None),
            "current_stream": lambda *_: SimpleNamespace(wait_stream=lambda other: None),
            "stream": lambda stream: contextlib.nullcontext(),
            "CUDAGraph": Graph,
            "graph": self.record,
            "empty_cache": lambda: None,
            "is_current_stream_capturing": lambda: self.capturing,
            "get_sync_debug_mode": lambda: self.mode,
            "set_sync_debug_mode": self.warn,
            "get_rng_state": lambda *_: torch.get_rng_state(),
            "set_rng_state": lambda state, *_: torch.set_rng_state(state),
        }
        for name, replacement in names.items():
            monkeypatch.setattr(torch.cuda, name, replacement)
        monkeypatch.setattr(torch.Tensor, "to", moved_once(torch.Tensor.to))
        # Here torch's random numbers are the GPU's, so only those of other libraries are on the CPU.
        monkeypatch.setattr(cuda_graph, "_cpu_randomness", random.getstate)
        monkeypatch.setattr(launch, "RECORDS_ON", "cpu")

    def warn(self, mode):
        if self.reads:
            self.reads.__exit__(None, None, None)
            self.reads = None
        if mode == "warn":
            self.reads = Reads()
            self.reads.__enter__()
        self.mode = mode

    @contextlib.contextmanager
    def record(self, graph, stream):
        chances, operations = torch.get_rng_state(), Operations()
        self.capturing = True
        try:
            with operations:
                yield
        finally:
            self.capturing = False
            torch.set_rng_state(chances)
            for *_, out in operations.noted:
                for tensor in tensors_in(out):
                    if tensor.is_floating_point():
                        tensor.detach().fill_(torch.nan)
            for tensor, content in operations.before.values():
                tensor.detach().copy_(content)

        def replay():
            self.replays += 1
            for func, args, kwargs, out in operations.noted:
                for old, new in zip(tensors_in(out), tensors_in(func(*args, **kwargs)), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.detach().copy_(new)

        graph.replay = torch.no_grad()(replay)
