"""A stand-in for the published compact network, for machines on which its weights are not installed."""

import torch
import torch.nn.functional as F
from torch import nn

from srlab.data.datasets import ImageSet
from srlab.data.sampler import PatchSampler
from srlab.models.compact import CompactNet


def train_stand_in(photos: ImageSet, steps: int, seed: int = 0) -> CompactNet:
    """Train a network with the compact architecture for a few steps; return it in eval mode, on the CPU.

    After so few steps its images are poor, but its weights can be copied and compared like the published ones. The
    random state of the lab does not change.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CompactNet()
        for place, layer in enumerate(network.body):
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)
                nn.init.zeros_(layer.bias)
                if 0 < place < len(network.body) - 1:  # pass features on, because 18 random layers learn slowly
                    layer.weight.data = 0.2 * layer.weight.data + nn.init.dirac_(torch.empty_like(layer.weight))
        network.body[-1].weight.data *= 0.1  # so that it starts close to the image with enlarged pixels
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    sampler = PatchSampler(photos, scale=4, patch=48, batch=4, seed=seed)
    for _ in range(steps):
        lr, hr = next(sampler)
        loss = F.l1_loss(network(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval().requires_grad_(False)
