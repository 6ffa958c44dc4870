"""srlab.evaluation: what an upscaler scores on an image set, and that it is left as it was."""

import math

import pytest
import torch
from torch import nn

from srlab.datasets import ImageSet
from srlab.degradation import Degradation
from srlab.errors import SrlabError
from srlab.evaluation import score
from srlab.images import mod_crop, quantize, to_uint8
from srlab.inference import upscale
from srlab.metrics import Protocol, psnr, ssim
from srlab.models import MSRResNet, SRResNet
from srlab.resampling import downsample, upsample


def enlarge(lr):
    return upsample(lr, 4)


def texture(height, width, seed=0, channels=3):
    """A smooth random picture: bicubic enlargement scores neither 0 nor infinity on it."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, -(-height // 2), -(-width // 2), generator=random)
    return to_uint8(upsample(coarse, 2)[0, :, :height, :width].clamp(0, 1))


@pytest.fixture
def images():
    return ImageSet("two", ["a", "b"], [texture(50, 43), texture(40, 60, 1)])


def test_there_is_one_row_per_image_with_the_scores_of_the_protocol(images):
    table = score(enlarge, images)
    assert list(table.columns) == ["image", "psnr", "ssim"]
    assert list(table["image"]) == ["a", "b"]
    for name, row in table.set_index("image").iterrows():
        hr = mod_crop(images[name], 4)  # 50 x 43 is cut to 48 x 40
        sr = enlarge(downsample(hr, 4).clamp(0, 1).mul(255).round() / 255).clamp(0, 1)
        assert row["psnr"] == pytest.approx(float(psnr(sr, hr)), abs=0.01)
        assert row["ssim"] == pytest.approx(float(ssim(sr, hr)), abs=1e-3)


def test_lr_that_came_with_the_set_is_used(images):
    made = score(enlarge, images)
    images.lr = [to_uint8(downsample(mod_crop(images[name], 4), 4).clamp(0, 1))[0] for name in images.names]
    assert score(enlarge, images).equals(made)
    images.lr[0] = torch.zeros_like(images.lr[0])
    given = score(enlarge, images)
    assert given["psnr"][0] < 10 < made["psnr"][0]
    assert given["psnr"][1] == made["psnr"][1]


def test_a_degradation_takes_the_place_of_lr_that_came_with_the_set(images):
    images.lr = [torch.zeros(3, 12, 10, dtype=torch.uint8), torch.zeros(3, 10, 15, dtype=torch.uint8)]
    assert score(enlarge, images)["psnr"][0] < 10 < score(enlarge, images, degradation=Degradation())["psnr"][0]


def test_a_random_degradation_is_repeated_by_its_seed(images):
    tables = [score(enlarge, images, degradation=Degradation(noise=0.1), seed=seed) for seed in (1, 1, 2)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_the_protocol_is_kept(images):
    paper, rgb = score(enlarge, images), score(enlarge, images, protocol=Protocol("rgb", 0))
    assert (rgb["psnr"] < paper["psnr"]).all()


def test_a_grey_file_is_scored_on_its_grey_values_which_is_1_32_db_lower():
    grey = texture(48, 64, channels=1).repeat(3, 1, 1)
    as_file = score(enlarge, ImageSet("set", ["g"], [grey], grey=frozenset({"g"})))
    expanded = score(enlarge, ImageSet("set", ["g"], [grey]))
    assert expanded["psnr"][0] - as_file["psnr"][0] == pytest.approx(20 * math.log10(255 / 219), abs=0.02)
    hr = grey[None, :1] / 255
    sr = quantize(enlarge(quantize(downsample(hr, 4).clamp(0, 1))).clamp(0, 1))
    assert as_file["psnr"][0] == pytest.approx(float(psnr(sr, hr)), abs=1e-3)
    assert as_file["ssim"][0] == pytest.approx(float(ssim(sr, hr)), abs=1e-4)


def test_in_rgb_a_grey_file_is_scored_as_any_other():
    grey, rgb = texture(48, 64, channels=1).repeat(3, 1, 1), Protocol("rgb", 4)
    as_file = score(enlarge, ImageSet("set", ["g"], [grey], grey=frozenset({"g"})), protocol=rgb)
    assert as_file.equals(score(enlarge, ImageSet("set", ["g"], [grey]), protocol=rgb))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_scored_in_eval_mode_and_left_in_the_mode_it_was_in(images, training):
    network = SRResNet(1, 4).train(training)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first, second = score(network, images), score(network, images)
    assert network.training is network.blocks[0].body[1].training is training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())  # BN statistics too
    assert first.equals(second)
    assert first.equals(score(network.eval(), images))


def test_a_network_that_fails_is_left_in_the_mode_it_was_in():
    network = MSRResNet(1, 4).train()
    with pytest.raises(RuntimeError):
        upscale(network, torch.rand(1, 5, 4, 4))
    assert network.training


def test_upscaling_clamps_and_stays_on_the_device_of_lr_without_gradients():
    network = MSRResNet(1, 4)
    nn.init.constant_(network.tail[2].bias, 0.7)
    sr = upscale(network, torch.rand(2, 3, 5, 6))
    assert sr.shape == (2, 3, 20, 24)
    assert sr.max() == 1
    assert sr.device.type == "cpu"
    assert not sr.requires_grad
    assert upscale(lambda lr: enlarge(lr) * 3 - 1, torch.rand(1, 3, 5, 6)).aminmax() == (0, 1)


def test_a_module_without_parameters_is_an_upscaler_too(images):
    table = score(nn.Upsample(scale_factor=4, mode="bicubic"), images)
    assert (table["psnr"] > 10).all()


def test_values_in_the_table_are_plain_numbers(images):
    table = score(MSRResNet(1, 4), images)
    assert all(type(value) is float for value in table["psnr"].tolist() + table["ssim"].tolist())


def test_an_upscaler_of_the_wrong_scale_is_told_the_shapes(images):
    with pytest.raises(SrlabError, match=r"SR has shape .* but HR"):
        score(lambda lr: upsample(lr, 2), images)
