"""Measurements that reveal silent mistakes in a network's batch norm or input."""

import copy

import torch
import torch.nn as nn


@torch.no_grad()
def mode_gap(network: nn.Module, image: torch.Tensor) -> float:
    """Return the distance between a network's outputs in eval mode and in train mode.

    Batch norm uses batch statistics in train mode and running statistics in eval mode. If the two disagree, the
    training loss does not predict the network's results. About 0.02 is normal right after training. A value several
    times as large means that the running statistics are wrong: one batch norm layer is used in two places, or the batch
    is too small. Without batch norm or dropout it is 0.

    The distance is the norm of the difference, relative to the variation of the train-mode output. `image` is a batch
    ``(N, ...)`` of the size used in training. The network is not changed.
    """
    network = copy.deepcopy(network)  # a forward pass in train mode changes the running statistics
    used, trained = network.eval()(image), network.train()(image)
    return ((used - trained).norm() / (trained - trained.mean()).norm()).item()


@torch.no_grad()
def input_statistics(network: nn.Module, image: torch.Tensor) -> tuple[float, float]:
    """Return mean and standard deviation of the input to a network's first convolution, over all channels.

    A network trained on ImageNet expects about 0 and 1. Images in [0, 1] have about 0.5 and 0.25, and 8-bit images
    have values around 100. `image` is ``(N, 3, H, W)``; the network may normalize it itself.
    """
    seen: list[torch.Tensor] = []
    copied = copy.deepcopy(network).eval()  # a copy, so that no hooks stay on the network
    for layer in copied.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    copied(image)
    return seen[0].mean().item(), seen[0].std().item()
