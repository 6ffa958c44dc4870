"""Wrong blocks for the exercises about a block class."""

from typing import Any

import torch
import torch.nn as nn

from srlab.course.exercise import Answer


def variant(block: type[nn.Module], forward: Answer | None = None, **layers: Answer) -> Answer:
    """Return a subclass of a block with a different forward, or with layers built differently from the same sizes."""

    class Variant(block):
        def __init__(self, *sizes: Any) -> None:
            super().__init__(*sizes)
            for name, make in layers.items():
                setattr(self, name, make(*sizes))

    Variant.forward = forward or block.forward
    return Variant


def in_a_list(block: Answer, registered: str = "") -> Answer:
    """Return a class that keeps its layers in a plain list, where PyTorch does not find them, except optionally one."""

    class Listed(nn.Module):
        def __init__(self, *sizes: Any) -> None:
            super().__init__()
            self.hidden = [block(*sizes)]
            if registered:
                self.registered = getattr(self.hidden[0], registered)

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return self.hidden[0](*inputs)

    return Listed


def made_in_forward(block: Answer) -> Answer:
    """Return a class that creates its layers in forward, with new weights at each call."""

    class Made(nn.Module):
        def __init__(self, *sizes: Any) -> None:
            super().__init__()
            self.sizes = sizes

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return block(*self.sizes)(*inputs)

    return Made
