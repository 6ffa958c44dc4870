"""Numbers that show a silent mistake: in a network's batch norm, or in its input."""

import copy

import torch
import torch.nn as nn


@torch.no_grad()
def mode_gap(network: nn.Module, image: torch.Tensor) -> float:
    """Return the distance of a network's output in eval mode from that in train mode.

    Batch norm takes mean and deviation from the batch while training and from running averages in use. Where the
    two disagree, the training loss cannot show what the network will do. About 0.02 is usual for a network that was
    just trained; several times as much says that the averages fit nothing: one batch norm serves two places, or the
    batch is too small for its mean to mean anything. The network stays as it is.

    Parameters
    ----------
    network
        Gives one tensor for a batch.
    image
        ``(N, ...)``, a batch of the size that it is trained with.

    Returns
    -------
    float
        Norm of the difference of the two outputs, relative to how much the output in training varies; 0 without
        batch norm or dropout.
    """
    network = copy.deepcopy(network)  # a forward pass in training moves the running averages
    used, trained = network.eval()(image), network.train()(image)
    return ((used - trained).norm() / (trained - trained.mean()).norm()).item()


@torch.no_grad()
def input_statistics(network: nn.Module, image: torch.Tensor) -> tuple[float, float]:
    """Return mean and standard deviation of the input of a network's first convolution.

    A network that was trained on ImageNet expects about 0 and 1. Plain images in [0, 1] show as about 0.5 and 0.25,
    8-bit levels as values of a hundred.

    Parameters
    ----------
    network
        Has a convolution that sees the image before all others.
    image
        ``(N, 3, H, W)`` as it is given to the network, which may normalise it by itself.

    Returns
    -------
    tuple
        Mean, and standard deviation, over all channels together.
    """
    seen: list[torch.Tensor] = []
    copied = copy.deepcopy(network).eval()  # so that neither hooks nor running averages are left behind
    for layer in copied.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    copied(image)
    return seen[0].mean().item(), seen[0].std().item()
