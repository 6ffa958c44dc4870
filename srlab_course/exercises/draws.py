"""Give an answer the same random numbers, in whatever order it draws them."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

KINDS = {"randn": "normal", "randn_like": "normal", "normal": "normal", "rand": "uniform", "rand_like": "uniform"}
KINDS |= {"randint": "integers", "randint_like": "integers", "randperm": "order"}
KINDS |= {"normal_": "normal", "uniform_": "uniform"}  # in place


class Draws(TorchFunctionMode):
    """Inside a block, take random numbers of each kind from a generator of their own.

    So answers that draw noise and times in another order, with another function, or sample by sample, get the same
    values, and a check can compare results instead of statistics. Draws with an own `generator` are left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own = {
            kind: torch.Generator().manual_seed(seed) for seed, kind in enumerate(dict.fromkeys(KINDS.values()))
        }

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name, kwargs = getattr(function, "__name__", ""), dict(kwargs or {})
        if name not in KINDS or kwargs.get("generator") is not None:
            return function(*args, **kwargs)
        if name.endswith("_like"):  # which accept no generator
            like, *args = args
            function, args = getattr(torch, name.removesuffix("_like")), (*args, tuple(like.shape))
            kwargs = {"dtype": like.dtype} | kwargs
        own = self.own[KINDS[name]]
        if KINDS[name] != "normal":
            return function(*args, generator=own, **kwargs)
        found = function(*args, generator=torch.Generator(), **kwargs)  # torch's numbers depend on how many it draws
        given = dict(zip(("mean", "std"), args[name == "normal_" :], strict=False)) if "normal" in name else {}
        given |= kwargs
        drawn = torch.special.ndtri(torch.rand(found.shape, dtype=torch.float64, generator=own))
        found.detach().copy_(given.get("mean", 0) + given.get("std", 1) * drawn)
        return found
