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
def test_mean_and_variance_within_four_standard_deviations(seed):
    noise = noise_at(SIDE, SIDE, seed)
    count = noise.numel()
    assert noise.mean().abs() < 4 / math.sqrt(count)
    assert (noise.square().mean() - 1).abs() < 4 * math.sqrt(2 / count)
    assert ((noise**4).mean() - 3).abs() < 4 * math.sqrt(96 / count)


@pytest.mark.parametrize("seed", SEEDS)
def test_neighbors_channels_and_distant_pixels_are_uncorrelated_within_four_standard_deviations(seed):
    noise = noise_at(torch.arange(576), torch.arange(576), seed)
    for step in (1, 2, 4, 64, 512):
        assert deviations(noise[..., step:] * noise[..., :-step]) < 4, step
        assert deviations(noise[:, step:] * noise[:, :-step]) < 4, step
        assert deviations(noise[:, step:, step:] * noise[:, :-step, :-step]) < 4, step
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert deviations(noise[one] * noise[other]) < 4, (one, other)


def test_seeds_are_uncorrelated_within_four_standard_deviations():
    noises = [noise_at(SIDE, SIDE, seed) for seed in (*SEEDS, 2, 97, 193, 1000)]
    for index, one in enumerate(noises):
        assert all(deviations(one * other) < 4 for other in noises[:index])


def test_spectrum_has_no_peak():
    """The powers of white noise are exponential; the deviation of the largest of N is pi / sqrt(6)."""
    powers = torch.fft.rfft2(noise_at(SIDE, SIDE, 3), norm="ortho").abs().square()[:, 1:-1, 1:-1]
    usual = math.log(powers.numel()) + 0.577
    assert powers.max() < usual + 4 * math.pi / math.sqrt(6)


def test_part_of_an_image_has_the_noise_of_its_position():
    whole = noise_at(SIDE, SIDE, 7)
    assert torch.equal(noise_at(SIDE[30:90], SIDE[100:], 7), whole[:, 30:90, 100:])
    far = noise_at(SIDE + 2**29, SIDE + 2**29, 7)
    assert far.isfinite().all()
    assert deviations(far * whole) < 4


def test_noise_stays_the_same_in_later_versions():
    """Otherwise a saved sample could not be drawn again. A GPU rounds a little differently."""
    known = [[2.297017, 0.796009], [-1.869267, 0.506910]]
    torch.testing.assert_close(noise_at(SIDE[:2], SIDE[:2], 0)[0], torch.tensor(known), atol=1e-5, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu_gives_the_same_noise():
    torch.testing.assert_close(noise_at(SIDE.cuda(), SIDE.cuda(), 5).cpu(), noise_at(SIDE, SIDE, 5), atol=1e-5, rtol=0)
