"""Find the network inside of a wrapper of torch, which would rename its weights."""

from torch import nn

INSIDE = ("_orig_mod", "module")  # torch.compile; DataParallel, DistributedDataParallel, AveragedModel


def unwrapped(network: nn.Module) -> nn.Module:
    """Return a network without torch's wrappers; wrapped parts of it are replaced in place by what they contain."""
    while type(network).__module__.startswith("torch.") and (inner := _inside(network)) is not None:
        network = inner
    for name, part in network.named_children():
        if (plain := unwrapped(part)) is not part:
            setattr(network, name, plain)
    return network


def _inside(network: nn.Module) -> nn.Module | None:
    return next((part for name, part in network.named_children() if name in INSIDE), None)
