"""A stream draws the same batches again from the same state, so that a run resumes where it stopped."""

import torch

from srlab_course.material.stream import Stream


def draw(random):
    noise = torch.randn(2, 6, 8, 8, generator=random)
    return noise[:, :3, ::4, ::4], noise


def test_state_determines_next_batches():
    stream = Stream(draw, batch=2, patch=8, seed=3, pool=5)
    first, state = next(stream)[1], stream.state_dict()
    second = next(stream)[1]
    stream.load_state_dict(state)
    assert torch.equal(next(stream)[1], second)
    stream.restart()
    assert torch.equal(next(stream)[1], first)
    assert not torch.equal(first, second)
    assert stream.describe() == {"batch": 2, "patch": 8, "seed": 3, "pool": 5}
