"""Sort and check what a `Trainer` gets: networks, optimizers, and the losses of a step."""

from typing import Any

import torch
from torch import nn

from srlab.errors import SrlabError

RESERVED = ("ema", "ema_warmup", "sampler", "schedule", "seed")  # names in a checkpoint or a manifest
Networks = dict[str, nn.Module]
Optimizers = dict[str, torch.optim.Optimizer]
Losses = dict[str, torch.Tensor]


def sorted_out(objects: dict[str, Any]) -> tuple[Networks, Networks, Optimizers]:
    """Return the trainable networks, those without trainable parameters, and the optimizers, by name."""
    networks: Networks = {}
    fixed: Networks = {}
    optimizers: Optimizers = {}
    for name, thing in objects.items():
        if name in RESERVED:
            raise SrlabError(f"The trainer itself uses the name '{name}'. Use another name in prepare.")
        if isinstance(thing, nn.Module):
            _refuse_what_cannot_be_trained(name, thing)
            learns = any(parameter.requires_grad for parameter in thing.parameters())
            (networks if learns else fixed)[name] = thing
        elif isinstance(thing, torch.optim.Optimizer):
            optimizers[name] = thing
        else:
            raise SrlabError(f"prepare accepts networks and optimizers, but {name} is a {type(thing).__name__}.")
    if "generator" not in networks:
        raise SrlabError("No network is named generator. Pass the one to validate and save as generator=...")
    known = {parameter for network in (networks | fixed).values() for parameter in network.parameters()}
    for name, optimizer in optimizers.items():
        if not any(parameter in known for group in optimizer.param_groups for parameter in group["params"]):
            raise SrlabError(
                f"{name} updates a network that is not passed to prepare, such as one of an earlier run of a cell. "
                "Create the optimizer again, from the network that you pass."
            )
    return networks, fixed, optimizers


def _refuse_what_cannot_be_trained(name: str, network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.dtype != torch.float32:
            kind = str(parameter.dtype).removeprefix("torch.")
            raise SrlabError(
                f"The {name} has {kind} weights, but the trainer chooses the precision. Pass {name}.float()."
            )


def as_scalars(losses: Any, device: torch.device) -> Losses:
    """Return what a step has returned as tensors ``()`` on the device, without gradients."""
    if not isinstance(losses, dict) or not losses:
        raise SrlabError('The function step must return its losses by name, such as {"loss": loss}.')
    if reserved := {"step", "rate", "ms_per_step"} & losses.keys():
        raise SrlabError(f"'{min(reserved)}' is a reserved column of the log. Rename that loss of step.")
    losses = {name: torch.as_tensor(value, device=device).detach() for name, value in losses.items()}
    for name, value in losses.items():
        if value.numel() != 1:
            raise SrlabError(f"The loss '{name}' of step has shape {tuple(value.shape)}. Return its mean().")
    return {name: value.reshape(()) for name, value in losses.items()}
