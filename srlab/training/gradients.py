"""Average gradients over the processes, and then bound their norm, before an optimizer uses them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from srlab.training import processes


@contextmanager
def averaged_and_bounded(optimizers: Iterable[torch.optim.Optimizer], bound: float) -> Iterator[None]:
    """Do both in the block, at the beginning of each optimizer's step; a bound of 0 is none."""

    def before_step(optimizer: torch.optim.Optimizer, *_: object) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        processes.average([parameter.grad for parameter in parameters if parameter.grad is not None])
        if bound:
            nn.utils.clip_grad_norm_(parameters, bound)

    changed = optimizers if bound or processes.count() > 1 else ()
    hooks = [optimizer.register_step_pre_hook(before_step) for optimizer in changed]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
