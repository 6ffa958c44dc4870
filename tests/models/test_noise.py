"""Test srlab.models.noise: the noise is normal, independent everywhere, and a function of seed and position only."""

import math

import pytest
import torch

from srlab.models.noise import noise_at

SIDE = torch.arange(256)
SEEDS = (0, 1, 512, 2**32, -1)


def deviations(products):
    """Return how many standard deviations the mean of independent products of two normal numbers is from 0."""
    return products.mean().abs().item() * math.sqrt(products.numel())


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_is_normal_and_uncorrelated_within_four_standard_deviations(seed):
    noise = noise_at(torch.arange(576), torch.arange(576), seed)
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        assert ((noise**power).mean() - mean).abs() < 4 * math.sqrt(variance / noise.numel())
    for step in (1, 2, 4, 64, 512):
        assert deviations(noise[..., step:] * noise[..., :-step]) < 4, step
        assert deviations(noise[:, step:] * noise[:, :-step]) < 4, step
        assert deviations(noise[:, step:, step:] * noise[:, :-step, :-step]) < 4, step
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert deviations(noise[one] * noise[other]) < 4, (one, other)


def test_seeds_and_distant_parts_are_uncorrelated_within_four_standard_deviations():
    noises = [noise_at(SIDE, SIDE, seed) for seed in (*SEEDS, 2, 97, 193, 1000)]
    noises.append(noise_at(SIDE + 2**29, SIDE + 2**29, 0))
    for index, one in enumerate(noises):
        assert all(deviations(one * other) < 4 for other in noises[:index])


def test_part_of_an_image_has_the_noise_of_its_position():
    whole = noise_at(SIDE, SIDE, 7)
    assert torch.equal(noise_at(SIDE[30:90], SIDE[100:], 7), whole[:, 30:90, 100:])


def test_noise_stays_the_same_in_later_versions_and_on_a_gpu():
    """Otherwise a saved sample could not be drawn again. A GPU rounds a little differently."""
    known = torch.tensor([[2.297017, 0.796009], [-1.869267, 0.506910]])
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        side = SIDE[:2].to(device)
        torch.testing.assert_close(noise_at(side, side, 0)[0].cpu(), known, atol=1e-5, rtol=0)
