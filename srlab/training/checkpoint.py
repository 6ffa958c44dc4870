"""All that decides how a training goes on: networks, optimisers, samplers and random numbers, as one dictionary."""

from typing import Any

import torch


def collect(stateful: dict[str, Any], optimizers: dict[str, torch.optim.Optimizer], device: torch.device) -> dict:
    """Collect what a resumed run needs to go on bit for bit.

    Parameters
    ----------
    stateful
        What has a state dict: networks, the moving average, the sampler, a gradient scaler; by name.
    optimizers
        By name. Learning rates and other settings are not kept: they are those of the run that goes on.
    device
        Whose random state to keep besides the CPU's.
    """
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    return {
        "networks": {name: thing.state_dict() for name, thing in stateful.items()},  # and the rest of them
        "optimizers": {name: optimizer.state_dict()["state"] for name, optimizer in optimizers.items()},
        "random": random,
    }


def put_back(
    state: dict, stateful: dict[str, Any], optimizers: dict[str, torch.optim.Optimizer], device: torch.device
) -> None:
    """Put back what `collect` collected, into things of the same names."""
    for name, thing in stateful.items():
        if name == "scaler" and name not in state["networks"]:
            continue  # the state is of another precision; a run that goes on in float16 begins with a new one
        thing.load_state_dict(state["networks"][name])
    for name, optimizer in optimizers.items():
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state["optimizers"][name], "param_groups": groups})
    torch.set_rng_state(state["random"]["cpu"])
    if device.type == "cuda" and "cuda" in state["random"]:
        torch.cuda.set_rng_state(state["random"]["cuda"], device)


def tensors_in(state: dict) -> dict[str, torch.Tensor]:
    """The tensors of networks and optimisers, flat."""
    parts = [*state["networks"].values(), *(slot for slots in state["optimizers"].values() for slot in slots.values())]
    return {f"{i}/{key}": v for i, part in enumerate(parts) for key, v in part.items() if isinstance(v, torch.Tensor)}
