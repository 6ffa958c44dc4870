"""Test that the reference answers match the package or a network.

Where the package's function is itself an accepted answer of an exercise, test_exercises.py shows that it matches.
"""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses, models
from srlab.data import resampling
from srlab.evaluation import metrics
from srlab.evaluation.metrics import Protocol
from srlab.models import features
from srlab_course.exercises.gan_observation import gan_scene, observe
from srlab_course.exercises.srgan.train_step import d_loss_of_scene, whole_loss_of_scene
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import sample

SR, HR = srlab.quantize(sample(2, 3, 16, 20)), srlab.quantize(sample(2, 3, 16, 20, seed=1))
shrink = partial(srlab.downsample, scale=4)
LR = shrink(HR[:1])
LOGITS, RAGAN = (HR - 0.5, SR - 0.5), "ragan"


@pytest.mark.parametrize(
    ("name", "same", "inputs"),
    [
        ("degradation.psnr", lambda sr, hr, crop: srlab.psnr(sr, hr, Protocol("rgb", crop, False)), (SR, HR, 4)),
        ("srgan.discriminator_loss", losses.discriminator_loss, LOGITS),
        (
            "esrgan.ragan_generator_loss",
            lambda sr, hr, look: losses.generator_loss(look(hr), look(sr), RAGAN),
            (SR, HR, lambda image: 2 * image - 0.5),
        ),
        ("esrgan.ragan_discriminator_loss", partial(losses.discriminator_loss, kind=RAGAN), LOGITS),
        ("evaluation.lr_consistency", lambda sr, lr, _: metrics.lr_consistency(sr, lr)[0], (SR[:1], LR, shrink)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reference_matches_package_function(name, same, inputs):
    found, wanted = find(name).reference(*inputs), same(*inputs)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-5, check_dtype=False)


def test_downscaling_matrix_matches_package_inside_border():
    ours = find("degradation.downscale_matrix").reference(32, 4, resampling.cubic)
    assert torch.allclose(ours[2:-2], resampling.resize_matrix(32, 1 / 4)[2:-2].float(), atol=1e-6)


def test_training_pairs_match_lr_of_package():
    photo, places = sample(1, 3, 64, 72), [(3, 4, False), (5, 6, True)]
    low, high = find("srresnet.training_pairs").reference(photo, 4, 4, places)
    lr = srlab.resize(photo, 1 / 4)
    for index, (top, left, mirrored) in enumerate(places):
        small, large = lr[0, :, top + 1 : top + 5, left + 1 : left + 5], photo[0, :, 4 * top + 4 : 4 * top + 20]
        large = large[..., 4 * left + 4 : 4 * left + 20]
        if mirrored:
            small, large = small.flip(-1), large.flip(-1)
        assert torch.equal(high[index], large)
        assert torch.allclose(low[index], small, atol=1e-4)


def test_residual_block_matches_package():
    ours, theirs = find("srresnet.ResidualBlock").reference(6), models.ResidualBlock(6)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.data = other.data
    x = sample(2, 6, 5, 7, low=-1)
    assert torch.equal(ours(x), theirs(x))


def test_content_loss_matches_package():
    sr, hr = sample(2, 2, 3, 32, 32)
    seen = features.FeatureExtractor("vgg16 conv2_2", backbone="random")
    plain = features.FeatureExtractor("vgg16 conv2_2", backbone="random", normalize=False)
    found = find("content_loss.ContentLoss").reference(plain)(sr, hr)
    assert torch.allclose(found, losses.content_loss(seen, sr, hr, relative=True))


def test_feature_maps_match_package():
    wanted = {"features.1": "relu1_1", "features.5": "conv2_1"}
    extractor = features.FeatureExtractor("vgg6 relu1_1 conv2_1", backbone="random", normalize=False)
    layers = {f"features.{name}": layer for name, layer in extractor.network.features.named_children()}
    found = find("content_loss.feature_maps").reference(layers, HR, wanted)
    for place, layer in wanted.items():
        assert torch.equal(found[place], extractor(HR)[layer])


@pytest.mark.parametrize(("tile", "overlap"), [(8, 8), (5, 20)])
def test_tiles_of_network_have_no_seams(tile, overlap):
    torch.manual_seed(0)
    network = srlab.MSRResNet(num_blocks=1, num_features=4).double().eval()
    lr = torch.rand(1, 3, 19, 30, dtype=torch.float64)
    with torch.no_grad():
        tiled = find("shipping.upscale_tiled").reference(network, lr, 4, tile, overlap)
        assert torch.allclose(tiled, network(lr), atol=1e-12)


def test_g_gradient_in_d_does_not_affect_next_step():
    plain, cleared = gan_scene(), gan_scene()
    step = find("srgan.train_step").reference
    for _ in range(3):
        observe(step, *plain, d_loss_of_scene, whole_loss_of_scene)
        cleared[1].zero_grad()
        observe(step, *cleared, d_loss_of_scene, whole_loss_of_scene)
    parameters = list(plain[1].parameters())
    assert all(parameter.requires_grad for parameter in parameters)
    assert all(torch.equal(one, other) for one, other in zip(parameters, cleared[1].parameters(), strict=True))


@pytest.mark.parametrize("factor", [2, 3])
def test_pixel_shuffle_after_icnr_is_nearest_neighbor(factor):
    weight, image = sample(5 * factor**2, 3, 3, 3, low=-1), sample(1, 3, 6, 7)
    shuffled = F.pixel_shuffle(F.conv2d(image, find("checkerboard.icnr").reference(weight, factor)), factor)
    kept = F.interpolate(F.conv2d(image, weight[:: factor**2]), scale_factor=factor, mode="nearest")
    assert torch.allclose(shuffled, kept, atol=1e-6)


def test_shifted_windows_match_windows_of_a_crop():
    to_windows, x = find("attention.to_windows").reference, sample(2, 16, 24, 3)

    def attention(x, places=None):
        means = to_windows(x, 8).mean(1).reshape(len(x), x.shape[1] // 8, x.shape[2] // 8, -1)
        return means.repeat_interleave(8, 1).repeat_interleave(8, 2)

    whole = find("attention.shifted").reference(x, attention, 4)
    assert torch.allclose(whole[:, 4:12, 4:20], attention(x[:, 4:12, 4:20]), atol=1e-6)
