"""The references are what the package does, or what a network does."""

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses, models
from srlab.base.errors import SrlabError
from srlab.data import resampling
from srlab.data.images import mod_crop
from srlab.evaluation import perception
from srlab.exercises import find
from srlab.exercises.gan_step import gan_scene, gan_step
from srlab.models import features

IMAGES = torch.rand(2, 2, 3, 16, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "same", "inputs"),
    [
        ("degradation.luma", srlab.luma, (IMAGES[0],)),
        ("degradation.cubic", resampling.cubic, (torch.linspace(-3, 3, 61),)),
        ("degradation.shrink", lambda x, factor: F.avg_pool1d(x, factor), (IMAGES[0, :, :, 0], 4)),
        ("srresnet.pixel_shuffle", F.pixel_shuffle, (IMAGES[0].transpose(1, 3).contiguous(), 2)),
        ("srgan.discriminator_loss", losses.discriminator_loss, (IMAGES[0] - 0.5, IMAGES[1] - 0.5)),
        ("srgan.generator_loss", losses.generator_loss, (IMAGES[0] - 0.5,)),
        (
            "esrgan.ragan_generator_loss",
            lambda real, fake: losses.generator_loss(fake, real, "relativistic average"),
            (IMAGES[0] - 0.5, IMAGES[1] - 0.5),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_reference_is_the_function_of_the_package(name, same, inputs):
    assert torch.allclose(find(name).reference(*inputs), same(*inputs), atol=1e-6)


def test_the_psnr_of_two_grey_images_is_that_of_the_package():
    sr, hr = ((image[:1].mean(1, keepdim=True) * 255).round() / 255 for image in IMAGES)
    assert float(find("degradation.psnr").reference(sr, hr, 4)) == pytest.approx(float(srlab.psnr(sr, hr)), abs=1e-3)


def test_the_residual_block_is_that_of_the_package():
    ours, theirs = find("srresnet.ResidualBlock").reference(6), models.ResidualBlock(6)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.data = other.data
    x = torch.randn(2, 6, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_receptive_radius_is_that_of_the_network(blocks):
    radius = find("srresnet.receptive_radius").reference(blocks)
    torch.manual_seed(0)
    network = models.SRResNet(blocks=blocks, features=2).double().eval()
    centre = radius + 2
    lr = torch.rand(1, 3, 2 * centre + 1, 2 * centre + 1, dtype=torch.float64, requires_grad=True)
    sr = network(lr)
    reached = 0
    for sub in range(4):  # the four places that an HR pixel can have in its LR pixel, along one diagonal
        (gradient,) = torch.autograd.grad(sr[0, 0, 4 * centre + sub, 4 * centre + sub], lr, retain_graph=True)
        where = gradient[0].abs().sum(0).nonzero() - centre
        reached = max(reached, int(where.abs().max()))
    assert reached == radius


@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_the_cut_is_where_the_package_has_its_layers(network):
    layers = features.layer_names(network)
    kinds = [name.rstrip("_0123456789") for name in layers]
    for place, name in enumerate(layers, start=1):
        if not name.startswith("pool"):
            stage, conv = (int(number) for number in name[4:].split("_"))
            assert find("content_loss.vgg_cut").reference(kinds, stage, conv, name.startswith("relu")) == place


def test_the_cut_of_a_layer_that_is_not_there_is_refused():
    with pytest.raises(SrlabError, match="conv1_2"):
        find("content_loss.vgg_cut").reference(["conv", "relu", "pool"], 1, 2, False)


def test_the_content_loss_is_that_of_the_package():
    sr, hr = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seen = features.FeatureExtractor("vgg16 conv2_2", backbone="random")
    plain = features.FeatureExtractor("vgg16 conv2_2", backbone="random", normalize=False)
    normalize = find("content_loss.to_imagenet").reference
    found = find("content_loss.content_loss").reference(lambda image: plain(normalize(image))["conv2_2"], sr, hr)
    assert torch.allclose(found, losses.content_loss(seen, sr, hr))


def test_the_papers_psnr_and_the_energy_error_are_those_of_the_package(astronaut):
    sr = srlab.quantize(srlab.resize(srlab.downsample(astronaut, 4), 4).clamp(0, 1))
    assert float(find("evaluation.paper_psnr").reference(sr, astronaut)) == pytest.approx(26.84, abs=0.01)
    error = find("evaluation.energy_error").reference(sr, astronaut)
    assert error.tolist() == pytest.approx(perception.energy_error(sr, astronaut).tolist(), abs=1e-5)


def test_the_relativistic_losses_are_those_of_the_package():
    real, fake = IMAGES - 0.5
    wanted = losses.discriminator_loss(real, fake, "relativistic"), losses.generator_loss(fake, real, "relativistic")
    assert torch.allclose(torch.stack(find("esrgan.relativistic_losses").reference(real, fake)), torch.stack(wanted))


def test_the_dense_block_is_that_of_the_package_without_two_convolutions():
    ours, theirs = find("esrgan.DenseBlock").reference(8, 4), models.ResidualDenseBlock(8, 4)
    for parameter in theirs.parameters():
        parameter.data.zero_()
    for mine, other in ((ours.conv1, theirs.conv1), (ours.conv2, theirs.conv2), (ours.conv3, theirs.conv5)):
        other.weight.data[:, : mine.in_channels] = mine.weight.data
        other.bias.data = mine.bias.data
    x = torch.randn(2, 8, 5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


def test_making_a_photo_smaller_keeps_the_mean_colour_that_takes_a_tint_away(astronaut):
    hr = mod_crop(astronaut, 4)
    tinted = hr + torch.tensor([0.04, -0.03, 0.02])[None, :, None, None]
    cured = find("esrgan.remove_tint").reference(tinted, srlab.downsample(hr, 4))
    assert perception.colour_shift(tinted, hr).item() > 4
    assert perception.colour_shift(cured, hr).item() < 0.3


@pytest.mark.parametrize(("tile", "overlap"), [(8, 8), (64, 8), (5, 20)])
def test_tiles_of_a_real_network_have_no_seams(tile, overlap):
    torch.manual_seed(0)
    network = srlab.MSRResNet(blocks=1, features=4).double().eval()
    lr = torch.rand(1, 3, 19, 30, dtype=torch.float64)
    with torch.no_grad():
        tiled = find("evaluation.upscale_tiled").reference(network, lr, 4, tile, overlap)
        assert torch.allclose(tiled, network(lr), atol=1e-12)


def test_the_reference_step_leaves_d_free_and_without_a_gradient_of_g():
    scene = gan_scene()
    seen = gan_step(find("srgan.train_step").reference, *scene)
    parameters = list(scene[1].parameters())
    assert all(parameter.requires_grad for parameter in parameters)
    assert torch.equal(torch.cat([parameter.grad.flatten() for parameter in parameters]), seen["D's gradient"])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_after_icnr_the_shuffle_is_an_enlargement_by_nearest_neighbour(factor):
    weight = torch.randn(5 * factor**2, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    image = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(1))
    shuffled = F.pixel_shuffle(F.conv2d(image, find("srgan.icnr").reference(weight, factor)), factor)
    kept = F.interpolate(F.conv2d(image, weight[:: factor**2]), scale_factor=factor, mode="nearest")
    assert torch.allclose(shuffled, kept, atol=1e-6)
