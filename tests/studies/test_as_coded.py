"""Test the content-loss study's networks as in its code, and that srlab finds them once they are registered."""

import pytest
import torch
from torch import nn
from torchvision.models import get_model

import srlab
from srlab.errors import SrlabError
from srlab.models import build_discriminator, parameter_count
from srlab.models.loading import load_generator
from srlab.training.runs import Run
from srlab_course.lab import sizes
from studies.content_loss import as_coded
from studies.content_loss.as_coded import CodedDiscriminator, CodedSRResNet
from tests.conftest import ROOT, load_script
from tests.models.test_models import HEAD, UP, layers

BLOCK = ["k3n64", "k3n64", "BatchNorm2d", "PReLU"]  # one batch norm per block, in two places
IMAGE = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_generator_has_the_layers_of_the_code():
    with torch.device("meta"):
        network = CodedSRResNet()
    assert layers(network) == [*HEAD, *16 * BLOCK, *["k3n64", "BatchNorm2d"], *2 * UP, "k9n3"]
    # SRResNet without the biases of its convolutions and without the second batch norm of each block
    assert parameter_count(network) == 1_549_462 - (64 + 32 * 64 + 64 + 2 * 256 + 3) - 16 * 128
    assert network.radius == 40


def test_discriminator_lacks_the_256_channel_convolution_of_stride_2():
    convolutions = [module for module in CodedDiscriminator().modules() if isinstance(module, nn.Conv2d)]
    expected = [(width, stride) for width in (64, 128, 256, 512) for stride in (1, 2) if (width, stride) != (256, 2)]
    assert [(c.out_channels, c.stride[0]) for c in convolutions] == expected


def test_discriminator_averages_before_linear_layers():
    discriminator, seen = CodedDiscriminator().eval(), []
    discriminator.head[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = torch.rand(2, 3, 32, 40)
    assert discriminator(image).shape == (2, 1)
    torch.testing.assert_close(seen, [discriminator.convolutions(image).mean(dim=(2, 3))])


def test_registered_networks_are_found_by_name():
    torch.manual_seed(0)
    network = CodedSRResNet(1, 4, 4).eval()
    Run("02_content_loss", "coded").save_generator(network, 1)
    with pytest.raises(SrlabError, match="network 'CodedSRResNet', which only your code can build"):
        load_generator("02_content_loss", "coded")
    as_coded.register()
    as_coded.register()
    assert torch.equal(load_generator("02_content_loss", "coded")(IMAGE), network(IMAGE))
    assert isinstance(build_discriminator("coded", 32), CodedDiscriminator)
    assert sizes.TRAINED_ON_PAIRS.count("CodedSRResNet") == 1


def test_features_without_first_stage_use_the_weights_of_the_whole_network(tmp_path):
    """Use a whole file, and a small one of a few layers that names the network."""
    as_coded.register()
    torch.manual_seed(0)
    whole, file, small = get_model("resnet18").eval(), tmp_path / "whole.pth", tmp_path / "small.safetensors"
    torch.save(whole.state_dict(), file)
    load_script(ROOT / "data_scripts" / "export_backbone.py").export("resnet18 block8", small, file)
    with torch.no_grad():
        stages = (whole.layer2, whole.layer3, whole.layer4)
        expected = nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool, *stages)(IMAGE)
    for weights in (file, small):
        extractor = srlab.FeatureExtractor("resnet18_without_stage1 block8", weights, normalize=False)
        assert extractor.real
        torch.testing.assert_close(extractor(IMAGE)["block8"], expected)
    assert not any(name.startswith("layer1") for name in extractor.network.state_dict())
    with pytest.raises(SrlabError, match="of resnet18, not of resnet34"):
        srlab.FeatureExtractor("resnet34_without_stage1 block5", small)
