"""Test that each private name of torch still does what srlab uses it for."""

import pytest
import torch
from torch import nn

from srlab import private_torch


def test_copy_all_copies_in_place():
    targets, sources = [torch.zeros(2), torch.zeros(3)], [torch.ones(2), torch.arange(3.0)]
    seen = [target.view(-1) for target in targets]
    private_torch.copy_all(targets, sources)
    assert all(torch.equal(one, source) for one, source in zip(seen, sources, strict=True))


def test_module_runs_as_written_after_uncompile():
    module, calls = nn.Tanh(), []
    module.compile(backend=lambda graph, _: calls.append("compiled") or graph)
    module(torch.ones(1))
    private_torch.uncompile(module)
    assert module(torch.ones(2, 3)).shape == (2, 3)
    assert calls == ["compiled"]


@pytest.mark.filterwarnings("ignore")
def test_module_that_cannot_be_compiled_runs_as_written_in_falling_back():
    def fail(graph, _):
        raise RuntimeError("no compiler")

    module = nn.Tanh()
    module.compile(backend=fail)
    with private_torch.falling_back():
        assert module(torch.zeros(1)) == 0
    torch.compiler.reset()
    with pytest.raises(Exception, match="no compiler"):
        module(torch.zeros(1))
