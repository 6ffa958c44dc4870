"""Everything a resumed run needs, as flat named tensors, so that it fits a safetensors file."""

from typing import Any, Protocol

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


class Stateful(Protocol):
    """Anything with a state dict of tensors, such as a `PatchSampler`."""

    def state_dict(self) -> Tensors: ...  # noqa: D102
    def load_state_dict(self, state: Tensors) -> None: ...  # noqa: D102


class Numbers:
    """A state dict of plain numbers, such as that of a gradient scaler, as one of tensors."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def state_dict(self) -> Tensors:
        """Numbers as tensors without loss of digits."""
        numbers = self.thing.state_dict().items()
        return {key: torch.tensor(x, dtype=torch.float64 if isinstance(x, float) else None) for key, x in numbers}

    def load_state_dict(self, state: Tensors) -> None:
        """Put the numbers back; without any, as from a run that went on in another precision, the thing stays new."""
        if state:
            self.thing.load_state_dict({key: value.item() for key, value in state.items()})


def pack(
    stateful: dict[str, nn.Module | Stateful], optimizers: dict[str, torch.optim.Optimizer], device: torch.device
) -> Tensors:
    """Collect networks, samplers, optimisers and PyTorch's random state into one dictionary.

    Parameters
    ----------
    stateful, optimizers
        By name; the names become the first part of the keys.
    device
        Whose random state to save besides the CPU's.

    Returns
    -------
    dict
        ``"<name>/<key>"``, and for optimisers ``"<name>/<parameter index>/<key>"``.
    """
    tensors = {"rng/cpu": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["rng/cuda"] = torch.cuda.get_rng_state(device)
    for name, thing in stateful.items():
        tensors |= {f"{name}/{key}": value for key, value in thing.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": value for key, value in slots.items()}
    return tensors


def unpack(
    tensors: Tensors,
    stateful: dict[str, nn.Module | Stateful],
    optimizers: dict[str, torch.optim.Optimizer],
    device: torch.device,
) -> None:
    """Put back what `pack` collected; learning rates and other settings stay those of the given optimisers.

    Parameters
    ----------
    tensors
        From `pack`, as they were read.
    stateful, optimizers
        Of the same names, to be filled.
    device
        Whose random numbers go on as well.
    """

    def under(name: str) -> Tensors:
        prefix = f"{name}/"
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    for name, thing in stateful.items():
        thing.load_state_dict(under(name))
    for name, optimizer in optimizers.items():
        state: dict[int, Tensors] = {}
        for key, value in under(name).items():
            index, slot = key.split("/")
            state.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        for parameter, slots in optimizer.state.items():
            for key, value in slots.items():
                if value.shape == parameter.shape:
                    # In the memory layout of the parameter: fused kernels walk over both side by side.
                    slots[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    torch.set_rng_state(tensors["rng/cpu"])
    if device.type == "cuda" and "rng/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng/cuda"], device)
