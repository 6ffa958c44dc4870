"""srlab.data.patches, tried with what hypothesis makes up: always the same, so that a failure repeats."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.images import to_uint8
from srlab.data.patches import PatchSampler
from srlab.data.resampling import DOWNSAMPLERS

seeds = st.integers(0, 2**32)


def few(count):
    return settings(max_examples=count, deadline=None, derandomize=True, database=None)


def pairs(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: tuple(sorted(pair)))


degradations = st.builds(
    Degradation,
    method=st.sampled_from(sorted(DOWNSAMPLERS)),
    blur=st.just(0.0) | st.floats(0, 4) | pairs(0, 4),
    noise=st.just(0.0) | pairs(0, 0.2),
    jpeg=st.just(0.0) | pairs(1, 100),
)


sides = st.integers(8, 15)
sets = st.lists(st.tuples(sides, sides), min_size=1, max_size=4)


def labelled(sizes):
    """Images of which each pixel is found nowhere else: image, row and column are its colours."""
    images = []
    for number, (height, width) in enumerate(sizes):
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        images.append(torch.stack([torch.full_like(rows, number), rows, columns]).to(torch.uint8))
    return ImageSet("labelled", [str(number) for number in range(len(sizes))], images)


def streams_equal(one, other, count=3):
    return all(torch.equal(a, b) for _ in range(count) for a, b in zip(next(one), next(other), strict=True))


@few(40)
@given(sets, st.integers(1, 8), st.integers(1, 6), st.sampled_from(["all", "flip", "none"]), seeds)
def test_every_patch_is_a_cut_of_one_image_in_one_of_its_orientations(sizes, patch, batch, augment, seed):
    images = labelled(sizes)
    sampler = PatchSampler(images, 1, patch, batch, augment=augment, seed=seed)
    _, hr = next(sampler)
    assert hr.shape == (batch, 3, patch, patch)
    for levels in to_uint8(hr):
        number, top, left = (int(plane.min()) for plane in levels)
        cut = images.hr[number][:, top : top + patch, left : left + patch]
        assert cut.shape == levels.shape
        allowed = [cut, cut.flip(-1)]
        if augment == "all":
            allowed += [cut.flip(-2), cut.flip(-1, -2)]
            allowed += [one.transpose(-1, -2) for one in allowed]
        assert any(torch.equal(levels, one) for one in (allowed[:1] if augment == "none" else allowed))


@few(10)
@given(sets, seeds, st.integers(0, 4), st.sampled_from([0.0, 10.0]), degradations)
def test_a_saved_sampler_goes_on_with_the_same_stream(sizes, seed, before, rotate, degradation):
    options = {"scale": 2, "patch": 4, "batch": 2, "rotate": rotate, "degradation": degradation}
    one, other = (PatchSampler(labelled(sizes), seed=start, **options) for start in (seed, seed + 1))
    for _ in range(before):
        next(one)
    other.load_state_dict(one.state_dict())
    assert streams_equal(one, other)


@few(10)
@given(sets, seeds, st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.0, 10.0]))
def test_the_shares_of_all_processes_are_the_whole_batch(sizes, seed, world, each, rotate):
    options = {"scale": 2, "patch": 4, "batch": world * each, "seed": seed, "rotate": rotate}
    whole = PatchSampler(labelled(sizes), **options)
    shares = [PatchSampler(labelled(sizes), **options) for _ in range(world)]
    for rank, sampler in enumerate(shares):
        sampler.share(rank, world)
    for _ in range(2):
        batches = [next(share) for share in shares]
        for part, truth in zip(zip(*batches, strict=True), next(whole), strict=True):
            assert torch.equal(torch.stack(part, dim=1).flatten(0, 1), truth)
