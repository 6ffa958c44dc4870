"""All calls of private names of torch, which a new version may change; ruff rejects them in every other module.

Those that a file of ``torch.save`` contains are texts in `srlab.torch_files`.

If a new torch fails here, each function tells what to replace.
"""

from contextlib import AbstractContextManager

import torch
from torch import nn


def copy_all(targets: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
    """Copy each source into its target in place, with one launch on a GPU for all; ``Tensor.copy_`` takes one each."""
    torch._foreach_copy_(targets, sources)


def falling_back() -> AbstractContextManager[None]:
    """Let compiled modules run as written, with a warning, in the block, if their code cannot be compiled."""
    return torch._dynamo.config.patch(suppress_errors=True)


def uncompile(module: nn.Module) -> None:
    """Let a module run as written again after ``Module.compile``, which has no public way back."""
    module._compiled_call_impl = None
