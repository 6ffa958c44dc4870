"""Give an answer the same random numbers, in whatever order it draws them."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

KINDS = {"randn": "normal", "randn_like": "normal", "normal": "normal", "rand": "uniform", "rand_like": "uniform"}
KINDS |= {"randint": "integers", "randint_like": "integers", "randperm": "order"}
KINDS |= {"normal_": "normal", "uniform_": "uniform"}  # in place


class Draws(TorchFunctionMode):
    """Inside a block, take random numbers of each kind from a generator of their own.

    So answers that draw noise and times in another order, or with another function, get the same values, and a check
    can compare results instead of statistics. Draws with an own `generator` are left alone.
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
        return function(*args, generator=self.own[KINDS[name]], **kwargs)
