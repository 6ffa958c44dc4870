"""Test that checks draw the same random numbers each time, and leave the states of all generators."""

import random

import numpy as np
import torch

from srlab_course.feedback.seeding import seeded

# ruff: noqa: NPY002 - a student may use NumPy's global state


def random_states():
    return repr((random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()))


def test_block_draws_the_same_numbers_and_leaves_all_states():
    drawn = set()
    for _ in range(2):
        before = random_states()
        with seeded(3):
            drawn.add((random.random(), np.random.rand(), torch.rand(()).item()))
        assert random_states() == before
    assert len(drawn) == 1
