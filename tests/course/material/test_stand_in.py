"""Test the stand-in for the published compact network."""

import torch

import srlab
from srlab_course.material.stand_in import train_stand_in


def test_stand_in_trains_without_changing_the_random_state():
    state = torch.get_rng_state()
    photos = srlab.bundled_photos("train")
    untrained, trained, again = (train_stand_in(photos, steps, seed=1) for steps in (0, 2, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert not trained.training
    shapes = [value.shape for value in srlab.CompactNet().parameters()]
    assert [value.shape for value in trained.parameters()] == shapes
    pairs = zip(untrained.parameters(), trained.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(b, c) and not torch.equal(a, b) for a, b, c in pairs)
