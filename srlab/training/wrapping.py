"""Let networks compute in bfloat16, and undo what a user or an earlier call has wrapped around them."""

from types import MethodType
from typing import Any

import torch
from torch import nn

from srlab.models.wrappers import unwrapped


def in_bfloat16(network: nn.Module, device: torch.device) -> None:
    """Let the forward pass of a network compute in bfloat16, and return float32."""
    plain = network.forward.__func__

    def forward(self: nn.Module, *inputs: Any, **named: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16):
            return _in_float32(plain(self, *inputs, **named))

    forward.plain = plain
    network.forward = MethodType(forward, network)  # a method, so that a copy of the network uses its own weights


def _in_float32(output: Any) -> Any:
    if isinstance(output, dict):
        return {name: _in_float32(part) for name, part in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(map(_in_float32, output))
    return output.float() if isinstance(output, torch.Tensor) and output.dtype == torch.bfloat16 else output


def bare(thing: Any) -> Any:
    """Unwrap a network that a user wrapped, or that a notebook cell prepared when it ran before."""
    if isinstance(thing, nn.Module):
        thing = unwrapped(thing)
        while hasattr(thing.forward, "plain"):
            thing.forward = MethodType(thing.forward.plain, thing)
        for module in thing.modules():  # Module.compile keeps its result here, and has no public way to undo it
            module._compiled_call_impl = None
    return thing
