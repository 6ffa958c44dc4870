"""What makes the little runs quick: one thread, and no wait for the disk or for git."""

import os

import pytest
import torch

from srlab.training import runs


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Several only wait for each other with networks as small as these; with as many, all runs have the same bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(runs, "environment", dict)
    monkeypatch.setattr(os, "fsync", lambda number: None)
