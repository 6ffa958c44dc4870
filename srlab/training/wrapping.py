"""Let networks compute in bfloat16 while they train."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from torch import nn


@contextmanager
def in_bfloat16(networks: Iterable[nn.Module], device: torch.device) -> Iterator[None]:
    """Let the forward passes of networks compute in bfloat16 inside the block, and return float32."""
    networks = list(dict.fromkeys(networks))
    before = [vars(network).get("forward") for network in networks]
    for network in networks:
        # A method, so that a copy of the network uses its own weights.
        method: Any = network.forward
        network.forward = MethodType(_autocast(method.__func__, device), network)
    try:
        yield
    finally:
        for network, forward in zip(networks, before, strict=True):
            del network.forward
            if forward is not None:
                network.forward = forward


def _autocast(plain: Any, device: torch.device) -> Any:
    def forward(self: nn.Module, *inputs: Any, **named: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16):
            return _in_float32(plain(self, *inputs, **named))

    return forward


def _in_float32(output: Any) -> Any:
    if isinstance(output, dict):
        return {name: _in_float32(part) for name, part in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(map(_in_float32, output))
    return output.float() if isinstance(output, torch.Tensor) and output.dtype == torch.bfloat16 else output
