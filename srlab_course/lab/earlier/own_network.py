"""A student's own MSRResNet, saved under the names of srlab's, so that later labs and tools load it."""

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from srlab.models import srresnet
from srlab.training.trainer import Trainer
from srlab_course.exercises.networks import calls


class MSRResNet(srresnet.MSRResNet):
    """MSRResNet whose forward is a student's network. Both share the parameters; only the names are srlab's."""

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale with the student's code."""
        return self.own[0](lr)


def with_known_names(own: nn.Module, num_blocks: int, num_features: int, scale: int) -> nn.Module:
    """Return a network that computes what `own` computes, with its parameters under the names of `srlab.MSRResNet`.

    A run of it can be loaded by name, whatever the student called her layers. If the convolutions of `own` are not
    those of MSRResNet, print so and return `own`.
    """
    network = MSRResNet(num_blocks, num_features, scale)
    piece = torch.rand(1, 3, 8, 8)
    plain = srresnet.MSRResNet.forward
    with torch.no_grad():
        theirs, mine = calls(own, piece), calls(lambda lr: plain(network, lr), piece)
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        pairs = [pair for a, b in zip(mine, theirs, strict=False) for pair in zip(a.weights, b.weights, strict=True)]
        same = len(theirs) == len(mine) and all(b is not None and a.shape == b.shape for a, b in pairs)
        if same:
            for a, b in pairs:
                layer, _, kind = names[id(a)].rpartition(".")
                setattr(network.get_submodule(layer), kind, b)
            same = torch.allclose(plain(network, piece), own(piece), atol=1e-5)
            same = same and {*map(id, network.parameters())} == {*map(id, own.parameters())}
    if not same:
        print("Your network differs from MSRResNet, so later labs start from the bundled network.")
        return own
    network.own = [own]  # in a list, so that the parameters are registered once
    return network


def step_for(trainer: Trainer, loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return a training step like the student's, for another loss, or for fp16, where the trainer scales gradients."""

    def train_step(generator: nn.Module, optimizer: Optimizer, lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        error = loss(generator(lr), hr)
        optimizer.zero_grad()
        trainer.backward(error)
        optimizer.step()
        return error.detach()

    return train_step
