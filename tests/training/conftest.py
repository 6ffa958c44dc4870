"""Make the little runs fast: one thread, without waiting for the disk or git."""

import os

import pytest
import torch

from srlab.training import interrupts, runs


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Use one thread, because several only wait for each other here, and a fixed number gives the same bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(runs, "environment", dict)
    monkeypatch.setattr(interrupts, "ECHO", 0.0)
    monkeypatch.setattr(os, "fsync", lambda number: None)
