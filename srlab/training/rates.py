"""Set the learning rates of optimizers by a schedule."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from srlab.errors import SrlabError


class Rates:
    """The learning rates of optimizers, each a factor times the rate with which its optimizer was created."""

    def __init__(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers
        self.last: list[float] = []  # of each group, in the last step

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups, which are other ones after an optimizer's `load_state_dict`."""
        return [group for optimizer in self.optimizers.values() for group in optimizer.param_groups]

    def begin(self) -> None:
        """Note the initial rates; raise if one was changed since the last step, because `set` would overwrite it."""
        for group in self.groups:
            group.setdefault("initial_lr", float(group["lr"]))
        for group, rate in zip(self.groups, self.last, strict=False):
            if not math.isclose(group["lr"], rate, rel_tol=1e-6):  # a recorded step has rates in float32
                raise SrlabError(
                    f"The learning rate was set to {group['lr']:g} between two calls of fit, which would overwrite "
                    "it. Create the optimizer with that rate, and choose another run name."
                )

    def set(self, factor: float) -> None:
        """Set all rates for the next step."""
        self.last = [group["initial_lr"] * factor for group in self.groups]
        for group, rate in zip(self.groups, self.last, strict=True):
            if isinstance(group["lr"], torch.Tensor):  # a recorded step reads this tensor
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
