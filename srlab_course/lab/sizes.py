"""Sizes of the labs' generators, by the names that recipes use."""

from torch import nn

from srlab.errors import SrlabError
from srlab.models import GENERATORS, parameter_count

# Generators that labs 01 to 03 train on pairs. FlowNet would draw noise and train through its sampler.
TRAINED_ON_PAIRS = [name for name in GENERATORS if name != "FlowNet"]
# Arguments of a generator for each value of the labs' parameter `size`; "laptop" trains in a minute or two on a laptop.
SIZES = {
    "tiny": {"num_blocks": 1, "num_features": 16},
    "laptop": {"num_blocks": 4, "num_features": 32},
    "paper": {"num_blocks": 16, "num_features": 64},
}
# The same for RRDBNet. The small ones add their output to an upscaled LR, because they are trained only for minutes.
RRDB_SIZES = {
    "tiny": {"num_blocks": 1, "num_features": 16, "growth": 8, "enlarge": True},
    "laptop": {"num_blocks": 2, "num_features": 32, "growth": 16, "enlarge": True},
    "paper": {"num_blocks": 23, "num_features": 64, "growth": 32},
}
# The same for FlowNet, which needs more features, because it draws all 48 values of a pixel of LR at once.
FLOW_SIZES = {
    "tiny": {"num_blocks": 1, "num_features": 16},
    "laptop": {"num_blocks": 4, "num_features": 48},
    "paper": {"num_blocks": 16, "num_features": 128},
}


def pick_size(size: str, network: str = "MSRResNet", **changes: int) -> dict[str, int | bool]:
    """Return the arguments of a generator for a key of its table, such as `SIZES`, with ``changes`` to some of them.

    Changes to 0 and False are ignored.
    """
    if network not in GENERATORS:
        raise SrlabError(f"'{network}' is not a generator. Use one of {', '.join(GENERATORS)}.")
    for name, value in changes.items():
        if value < 0:
            raise SrlabError(f"{name} must be 0 or more, but is {value}.")
    sizes = {"RRDBNet": RRDB_SIZES, "FlowNet": FLOW_SIZES}.get(network, SIZES)
    if size not in sizes:
        raise SrlabError(f"'{size}' is not a valid size. Use one of {', '.join(sizes)}.")
    return sizes[size] | {name: value for name, value in changes.items() if value}


def check_limit(model: nn.Module, limit: int) -> None:
    """Reject a network with more parameters than a challenge allows; 0 means no limit."""
    count = parameter_count(model)
    if limit and count > limit:
        raise SrlabError(
            f"{type(model).__name__} has {count:,} parameters, more than the limit of {limit:,}. "
            "Use fewer blocks or features, or set parameter_limit to 0."
        )
