"""A stream of training batches that a notebook draws itself, in place of a `srlab.PatchSampler`."""

from collections.abc import Callable
from typing import Any

import torch

Batch = tuple[torch.Tensor, torch.Tensor]


class Stream:
    """An endless stream of batches for `srlab.Trainer`, which only keeps the state of the random numbers.

    Parameters
    ----------
    draw
        ``draw(random)`` draws a batch of two tensors ``(N, C, H, W)`` with a CPU generator.
    batch, patch
        Size of a batch, and side of its larger tensor in pixels, for messages and the manifest.
    noted
        Other settings that determine the batches, for the manifest.
    """

    def __init__(
        self, draw: Callable[[torch.Generator], Batch], batch: int, patch: int, seed: int = 0, **noted: Any
    ) -> None:
        self.draw, self.batch, self.patch, self.seed, self.noted = draw, batch, patch, seed, noted
        self.degradation = draw  # the trainer records its code
        self.generator = torch.Generator().manual_seed(seed)

    def __next__(self) -> Batch:
        """Draw the next batch."""
        return self.draw(self.generator)

    def describe(self) -> dict[str, Any]:
        """Return the settings that determine the batches, by name."""
        return {"batch": self.batch, "patch": self.patch, "seed": self.seed} | self.noted

    def restart(self) -> None:
        """Begin again with the first batch."""
        self.generator.manual_seed(self.seed)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the state that determines the next batches."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Resume where `state_dict` was called."""
        self.generator.set_state(state["generator"])
