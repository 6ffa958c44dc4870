"""Decide who launches a GPU's work: whether steps are recorded (`cuda_graph.py`), and whether blocks are compiled."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from srlab import private_torch
from srlab.paths import expanded

LAUNCHES = ("auto", "graph", "python")
RECORDS_ON = "cuda"  # type of the devices that can record a step
PAYS_FROM = 2000  # steps; compiling blocks takes 3 to 13 s and saves 0.4 to 11 ms per step (benchmarks/RESULTS.md)


def is_recorded(launch: str, device: torch.device) -> bool:
    """Return whether steps are recorded, if they can be."""
    return device.type == RECORDS_ON and launch != "python"


@contextmanager
def compiled_if_it_pays(networks: Iterable[nn.Module], device: torch.device, iters: int) -> Iterator[str]:
    """Compile the repeated blocks of networks in long runs. Yield what is compiled in the block, ``"blocks"`` or ""."""
    blocks = [block for network in networks for block in repeated_blocks(network)]
    if iters < PAYS_FROM or not blocks:
        yield ""
        return
    with compiled(blocks, device) as reason:
        if reason:
            print(f"torch.compile does not work here ({reason}). Continuing without it.")
        yield "" if reason else "blocks"


@contextmanager
def compiled(modules: Iterable[nn.Module], device: torch.device) -> Iterator[str]:
    """Compile the forward and backward passes of modules inside the block, if a first attempt on the device works.

    Yield "", or the reason why nothing was compiled, such as a missing C++ compiler. Code that cannot be compiled runs
    as written, with torch's warning.
    """
    if sys.platform == "linux":  # torch would unpickle what it finds in /tmp, where every account can put files
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(expanded("~/.cache/srlab/torch")))
    reason, modules = "", list(modules)
    try:
        torch.compile(lambda values: values * 2 + 1)(torch.ones(8, device=device))
    except (RuntimeError, ImportError, OSError) as error:  # torch raises RuntimeError here
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
    if reason:
        yield reason
        return
    for module in modules:
        module.compile()
    try:
        with private_torch.falling_back():
            yield ""
    finally:
        for module in modules:
            private_torch.uncompile(module)


def repeated_blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the blocks of which a network has several in a row, such as an RRDBNet's; layers of torch do not count.

    They share their code, so compiling 23 blocks takes as long as compiling one.
    """
    kinds = Counter(map(type, network.children())) if isinstance(network, (nn.Sequential, nn.ModuleList)) else {}
    for child in network.children():
        if kinds.get(type(child), 0) > 1 and not type(child).__module__.startswith("torch."):
            yield child
        else:
            yield from repeated_blocks(child)
