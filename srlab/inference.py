"""Upscaling images with a network or a function."""

from collections.abc import Callable

import torch
from torch import nn

Upscaler = Callable[[torch.Tensor], torch.Tensor]


def upscale(upscaler: Upscaler, lr: torch.Tensor) -> torch.Tensor:
    """Apply a network or a function to an LR batch, without gradients, in eval mode and on the network's device.

    Parameters
    ----------
    upscaler
        ``upscaler(lr)`` gives SR.
    lr
        ``(N, 3, h, w)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        ``(N, 3, H, W)``, clamped to [0, 1], on the device of `lr`. A network is left in the mode it was in.
    """
    if not isinstance(upscaler, nn.Module):
        with torch.no_grad():
            return upscaler(lr).clamp(0, 1)
    training, device = upscaler.training, next(upscaler.parameters(), lr).device
    try:
        with torch.no_grad():
            return upscaler.eval()(lr.to(device)).clamp(0, 1).to(lr)
    finally:
        upscaler.train(training)
