"""A student's networks of labs 01 and 06, saved under the names of srlab's, so that later labs and tools load them.

A class here has the name of srlab's network, but computes with the student's. Both share the parameters; only the names
are srlab's.
"""

from typing import Any

import torch
from torch import nn

from srlab.models import flow, srresnet
from srlab_course.exercises.networks import calls


class MSRResNet(srresnet.MSRResNet):
    """MSRResNet that computes with a student's network."""

    own: list[nn.Module]  # one, in a list, so that its parameters are registered once

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale with the student's code."""
        return self.own[0](lr)


class FlowNet(flow.FlowNet):
    """FlowNet whose velocity is a student's network."""

    own: list[nn.Module]  # as above

    def forward(
        self,
        lr: torch.Tensor,
        x: torch.Tensor | None = None,
        t: torch.Tensor | None = None,
        origin: tuple[int, int] = (0, 0),
    ) -> torch.Tensor:
        """Return the velocity of `x` from the student's code, or without `x` an upscaled LR image."""
        return self.sample(lr, origin) if x is None else self.own[0](lr, x, t)


def with_known_names(own: nn.Module, num_blocks: int, num_features: int, scale: int) -> nn.Module:
    """Return a network that computes what `own` computes, with its parameters under the names of `srlab.MSRResNet`.

    A run of it can be loaded by name, whatever the student called her layers. If the convolutions of `own` are not
    those of MSRResNet, print so and return `own`.
    """
    network = MSRResNet(num_blocks, num_features, scale)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    piece = torch.rand(1, 3, 8, 8)

    def known(lr: torch.Tensor) -> torch.Tensor:
        return srresnet.MSRResNet.forward(network, lr)

    with torch.no_grad():
        mine, theirs = calls(known, piece), calls(own, piece)
        pairs: list[Any] = []  # of parameters, or None where a layer has no bias
        for a, b in zip(mine, theirs, strict=False):
            pairs += zip(a.weights, b.weights, strict=True)
        same = len(theirs) == len(mine) and all(b is not None and a.shape == b.shape for a, b in pairs)
        if same:
            _share(own, network, {names[id(a)]: b for a, b in pairs})
            same = torch.allclose(known(piece), own(piece), atol=1e-5)
            same = same and {*map(id, network.parameters())} == {*map(id, own.parameters())}
    if not same:
        print("Your network differs from MSRResNet, so later labs start from the bundled network.")
    return network if same else own


def with_sampler(own: nn.Module, num_blocks: int, num_features: int, detail_std: float) -> FlowNet:
    """Return an upscaler for x4 that follows the velocity of `own`, and whose run can be loaded as `srlab.FlowNet`.

    The exercise has checked that the parameters of `own` have the names and shapes of srlab's network.
    """
    network = FlowNet(num_blocks, num_features, scale=4, detail_std=detail_std)
    _share(own, network, dict(own.named_parameters()))
    return network


def _share(own: nn.Module, network: MSRResNet | FlowNet, parameters: dict[str, nn.Parameter]) -> None:
    """Put parameters of `own` into a network, name in the network -> parameter, and let it compute with `own`."""
    for name, parameter in parameters.items():
        layer, _, kind = name.rpartition(".")
        setattr(network.get_submodule(layer), kind, parameter)
    network.own = [own]
