"""A student's own FlowNet, saved under the names of srlab's, so that later labs and tools load it."""

import torch
from torch import nn

from srlab.models import flow


class FlowNet(flow.FlowNet):
    """FlowNet whose velocity is a student's network. Both share the parameters, which have the same names."""

    def forward(
        self,
        lr: torch.Tensor,
        x: torch.Tensor | None = None,
        t: torch.Tensor | None = None,
        origin: tuple[int, int] = (0, 0),
    ) -> torch.Tensor:
        """Return the velocity of `x` from the student's code, or without `x` an upscaled LR image."""
        return self.sample(lr, origin) if x is None else self.own[0](lr, x, t)


def with_sampler(own: nn.Module, num_blocks: int, num_features: int, detail_std: float) -> FlowNet:
    """Return an upscaler for x4 that follows the velocity of `own`, and whose run can be loaded as `srlab.FlowNet`.

    The exercise has checked that the parameters of `own` have the names and shapes of srlab's network.
    """
    network = FlowNet(num_blocks, num_features, scale=4, detail_std=detail_std)
    for name, parameter in own.named_parameters():
        layer, _, kind = name.rpartition(".")
        setattr(network.get_submodule(layer), kind, parameter)
    network.own = [own]  # in a list, so that the parameters are registered once
    return network
