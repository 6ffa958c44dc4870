"""Test the checks of trained networks: what counts as better than bicubic, as sharper, and as many answers."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import srlab
import srlab_course as course
from srlab.data.resampling import downsample, upsample
from srlab_course import workshops
from srlab_course.workshops import check_samples, results


class Upscaler(nn.Module):
    def __init__(self, upscale):
        super().__init__()
        self.upscale = upscale

    def forward(self, lr):
        return self.upscale(lr)


def test_result(capsys):
    hr = 0.3 + 0.4 * upsample(torch.rand(1, 3, 16, 18, generator=torch.Generator().manual_seed(0)), 4)
    held_out = {"a.png": hr[0]}

    def lines(network):
        good = workshops.check_result(network, held_out)
        printed = " ".join(capsys.readouterr().out.split())
        assert good == ("failed" not in printed)
        return printed

    assert "a.png +6.0" in lines(Upscaler(lambda lr: (upsample(lr, 4) + hr) / 2))
    assert "by +inf dB" in lines(Upscaler(lambda lr: hr))
    with pytest.raises(srlab.SrlabError, match="`network` must be a trained network, but it is tuple"):
        lines((nn.Identity(), [0.1]))


def test_an_untrained_network_does_not_beat_bicubic(capsys):
    photos = {name: photo[0] for name, photo in srlab.bundled_photos("validation")}
    other_kernel = Upscaler(lambda lr: F.interpolate(lr, scale_factor=4, mode="bicubic"))
    assert not workshops.check_result(other_kernel, photos)
    assert "by +0.18 dB on average" in " ".join(capsys.readouterr().out.split())


BOARD = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])


def smooth(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


SHARPNESS = {  # what is added to the network's image -> what it fails
    "random numbers": (lambda x: x + 0.03 * torch.randn_like(x), ["comes from the image"]),
    "a filter": (lambda x: x + 2 * (x - smooth(x)), ["more than sharpening"]),
    "a checkerboard": (lambda x: x + 0.02 * BOARD.tile(x.shape[2] // 2, x.shape[3] // 2), ["No pattern"]),
    "nothing": (lambda x: x, ["The images are sharper"]),
    "far too much": (lambda x: x + 9 * (x - smooth(x)), ["sharper", "more than", "follow"]),
}


@pytest.mark.parametrize("added", SHARPNESS)
def test_sharpness_is_more_than_noise_or_a_filter(added, capsys):
    network, right = srlab.load_bundled()["MSRResNet"], {"gravel": course.split_photo("gravel")[1]["gravel"][0]}
    method, broken = SHARPNESS[added]

    class Changed(torch.nn.Module):
        def forward(self, lr):
            return method(network(lr))

    assert not results.check_sharpness(Changed(), network, right)
    printed = re.findall(r"failed +(.*)", capsys.readouterr().out)
    assert len(printed) == len(broken)
    assert all(text in line for text, line in zip(broken, printed, strict=True)), printed


def test_gan_of_the_course_is_sharper(capsys):
    right = {"gravel": course.split_photo("gravel")[1]["gravel"][0]}
    networks = srlab.load_bundled()
    assert results.check_sharpness(networks["SRGAN"], networks["MSRResNet"], right), capsys.readouterr().out
    assert not results.check_sharpness(networks["SRGAN"], networks["SRGAN"], right)
    assert "gan is network" in capsys.readouterr().out


def test_gan_that_works_on_a_grid_of_two_pixels_is_accepted(capsys):
    """Check that a U-Net, whose stride depends on whether a row is even, isn't taken for noise."""
    right = {"gravel": course.split_photo("gravel")[1]["gravel"][0]}
    networks = srlab.load_bundled()

    class Strided(torch.nn.Module):
        def forward(self, lr):
            sr, detail = networks["MSRResNet"](lr), networks["SRGAN"](lr) - networks["MSRResNet"](lr)
            rows = torch.arange(sr.shape[-2]) // 4 % 2
            columns = torch.arange(sr.shape[-1]) // 4 % 2
            return sr + detail * (rows[:, None] == columns) * 1.4

    results.check_sharpness(Strided(), networks["MSRResNet"], right)
    assert "if LR moves by 8 pixels, 100 % of it" in " ".join(capsys.readouterr().out.split())


def test_samples(capsys):
    hr = 0.5 + 0.1 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    noise = 0.1 * torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert check_samples(hr + noise, hr)
    assert not check_samples(hr + noise[:1].expand(8, -1, -1, -1), hr)
    bicubic = upsample(downsample(hr, 4), 4)
    assert not check_samples(bicubic + noise, hr)
    printed = " ".join(capsys.readouterr().out.split())
    assert "The 8 samples differ" in printed
    assert "failed Their mean beats bicubic" in printed
