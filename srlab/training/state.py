"""What a checkpoint contains: everything that decides the next step and doesn't follow from its number.

Learning rates (`srlab.training.rates`) and `Trainer.progress` follow from it. The sampler with its position is a part.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from srlab.errors import SrlabError
from srlab.tensor_files import all_finite

State = dict[str, Any]


def state_of(parts: Mapping[str, Any], optimizers: Mapping[str, torch.optim.Optimizer], device: torch.device) -> State:
    """Return the states of networks and other parts, of the optimizers, and of PyTorch's random numbers."""
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    return {
        "networks": {name: part.state_dict() for name, part in parts.items()},
        "optimizers": {name: _plain(optimizer.state_dict()["state"]) for name, optimizer in optimizers.items()},
        "random": random,
    }


def _plain(content: Any) -> Any:
    """Return nested content whose tensors lack attributes, such as torch.compile's, which `read_torch` would reject."""
    if isinstance(content, dict):
        return {name: _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(map(_plain, content))
    return content.detach() if isinstance(content, torch.Tensor) else content


def load_state(
    state: State, parts: Mapping[str, Any], optimizers: Mapping[str, torch.optim.Optimizer], device: torch.device
) -> None:
    """Load what `state_of` returned."""
    for name, part in parts.items():
        part.load_state_dict(state["networks"][name])
    for name, optimizer in optimizers.items():
        groups = optimizer.state_dict()["param_groups"]  # use the current settings, not the saved ones
        optimizer.load_state_dict({"state": state["optimizers"][name], "param_groups": groups})
    torch.set_rng_state(state["random"]["cpu"])
    if device.type == "cuda" and "cuda" in state["random"]:
        torch.cuda.set_rng_state(state["random"]["cuda"], device)


def is_finite(state: State) -> bool:
    """Return whether no tensor of the networks and optimizers contains NaN or infinity."""
    slots = [slot for slots in state["optimizers"].values() for slot in slots.values()]
    return all(all_finite(tensors) for tensors in (*state["networks"].values(), *slots))


def refuse_other_layers(state: State, networks: Mapping[str, nn.Module], path: Path) -> None:
    """Reject networks whose layers differ from a checkpoint, before `load_state` partly overwrites them.

    Print a message if the run in `path` keeps other initial weights than those passed now.
    """
    advice = f"To use the current ones, choose another run name, or move {path} elsewhere."
    for name, network in networks.items():
        saved, given = state["networks"][name], network.state_dict()
        if {key: value.shape for key, value in given.items()} != {key: value.shape for key, value in saved.items()}:
            raise SrlabError(f"The layers of the {name} differ from those in the run. {advice}")
    saved, given = state["networks"]["generator"], networks["generator"].state_dict()
    if not state["step"] and not all(torch.equal(given[name].cpu(), value) for name, value in saved.items()):
        print(f"This run starts with the weights of its first attempt, not with the current ones. {advice}")
