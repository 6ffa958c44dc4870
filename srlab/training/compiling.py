"""`torch.compile` behind one switch, with a reason where it cannot be had."""

from collections.abc import Iterable

import torch
from torch import nn

from srlab.base.errors import SrlabError

MODES = ("default", "reduce-overhead", "max-autotune")


def compile_networks(networks: Iterable[nn.Module], mode: str, device: torch.device) -> str:
    """Compile the forward and backward passes of networks in place, if a first try on the device works.

    Parameters
    ----------
    networks
        To compile; their weights and names stay as they are.
    mode
        Of `torch.compile`: ``"default"``, ``"reduce-overhead"`` (on a GPU with CUDA graphs) or ``"max-autotune"``.
    device
        Where they run.

    Returns
    -------
    str
        Empty, or why nothing was compiled, such as a missing C++ compiler.

    Raises
    ------
    SrlabError
        There is no such mode.
    """
    if mode not in MODES:
        raise SrlabError(f"Unknown mode '{mode}' of compiling; choose one of {', '.join(MODES)}, or '' for none.")
    try:
        torch.compile(_probe, mode=mode)(torch.ones(8, device=device))
    except (RuntimeError, ImportError, OSError) as error:  # what torch raises here is a RuntimeError
        return str(error).strip().partition("\n")[0] or type(error).__name__
    for network in networks:
        network.compile(mode=mode)
    return ""


def _probe(values: torch.Tensor) -> torch.Tensor:
    return values * 2 + 1
