"""Test srlab.models.features: requested layers, requested weights, and really frozen."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models

from srlab import tensor_files
from srlab.errors import SrlabError
from srlab.models import backbones
from srlab.models.features import MEAN, STD, FeatureExtractor, parse
from tests.conftest import load_script

ROOT = Path(__file__).resolve().parents[2]
IMAGE = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def cache(hub, no_download):
    """Set up an empty torch cache without downloads."""
    return hub


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> Callable[[str], tuple[nn.Module, Path]]:
    """Return name -> torchvision's network with random weights and statistics, and its state dict file."""

    @functools.cache
    def build(name):
        with torch.device("meta"):
            whole = models.get_model(name)
        if name.startswith("vgg"):
            whole.classifier = nn.Identity()  # no test needs its 100 million weights
        whole.to_empty(device="cpu")
        random = torch.Generator().manual_seed(0)
        for key, value in whole.state_dict().items():
            if key.endswith("num_batches_tracked"):
                value.fill_(7)
            elif value.ndim > 1:
                nn.init.kaiming_normal_(value, nonlinearity="relu", generator=random)
            else:
                value.uniform_(0.5, 1.0, generator=random)
        file = tmp_path_factory.mktemp("weights") / f"{name}.pth"
        torch.save(whole.state_dict(), file)
        return whole.eval(), file

    return build


def maps(layers: str, file: Path | str = "random", **settings) -> torch.Tensor:
    """Return the map of the only layer, by default without normalization."""
    (found,) = FeatureExtractor(layers, file, **{"normalize": False} | settings)(IMAGE).values()
    return found


def same(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


# --- Layers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ("vgg19 conv1_1", 1),
        ("vgg19 pool2", 10),
        ("vgg19 relu5_4", 36),
        ("vgg19_bn conv4_4", 37),  # where the study's code cuts, although its text states 5_4
        ("vgg19_bn norm2_2", 12),
    ],
)
def test_vgg_layer_matches_torchvision(networks, layers, count):
    network, file = networks(layers.split()[0])
    with torch.no_grad():
        x = IMAGE
        for layer in network.features[:count]:
            x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
    found = maps(layers, file)
    same(found, x)
    before_activation = layers.split()[1].startswith(("conv", "norm"))
    assert bool((found < 0).any()) == before_activation


def test_map_before_activation_is_not_modified_in_place(networks):
    found = FeatureExtractor("vgg19 conv1_2 relu1_2 conv2_1", networks("vgg19")[1])(IMAGE)
    assert list(found) == ["conv1_2", "relu1_2", "conv2_1"]
    assert (found["conv1_2"] < 0).any()
    assert torch.equal(found["conv1_2"].relu(), found["relu1_2"])


@pytest.mark.parametrize(
    ("layers", "count", "first"),
    [
        ("resnet18 block4", 4, 0),  # a layer as described in the study
        ("resnet18 stage2", 4, 0),
    ],
)
def test_resnet_blocks_are_counted_through_all_stages(networks, layers, count, first):
    network, file = networks(layers.split()[0])
    blocks = [*network.layer1, *network.layer2, *network.layer3, *network.layer4][first:count]
    with torch.no_grad():
        expected = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool, *blocks)(IMAGE)
    same(maps(layers, file), expected)


# --- Parameters, freezing, normalization ---------------------------------------------------------------------


def test_layers_after_last_requested_are_dropped():
    found = FeatureExtractor("vgg19 relu2_1 conv1_2", "random")
    assert sum(value.numel() for value in found.parameters()) == 1_792 + 36_928 + 73_856


def test_extractor_is_frozen_and_passes_gradient(networks):
    extractor = FeatureExtractor("vgg19_bn norm2_2", networks("vgg19_bn")[1])
    before = {key: value.clone() for key, value in extractor.state_dict().items() if "num_batches" not in key}
    nn.Sequential(extractor).train()
    assert not any(module.training for module in extractor.modules())
    image = IMAGE.clone().requires_grad_()
    extractor(image)["norm2_2"].square().sum().backward()
    assert image.grad.abs().min(dim=1).values.count_nonzero() > 0.9 * image.grad[:, 0].numel()
    assert not any(value.requires_grad or value.grad is not None for value in extractor.parameters())
    assert all(torch.equal(extractor.state_dict()[key], value) for key, value in before.items())


def test_input_is_normalized_by_default(networks):
    file = networks("vgg19")[1]
    by_hand = (IMAGE - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    (plain,) = FeatureExtractor("vgg19 conv1_2", file, normalize=False)(by_hand).values()
    same(maps("vgg19 conv1_2", file, normalize=True), plain)
    assert not torch.allclose(maps("vgg19 conv1_2", file), plain, atol=0.1)
    assert (MEAN, STD) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


# --- Weights: bundled, random, cached, and from a path --------------------------------------------------------


def test_vgg6_weights_are_bundled_or_from_file(cache, tmp_path):
    own = FeatureExtractor("vgg6 conv1_1 relu1_2 pool1 relu2_2 conv3_1 relu3_2", "imagenet")
    shapes = [(24, 32), (24, 32), (24, 16), (48, 16), (64, 8), (64, 8)]
    assert [tuple(found.shape[1:3]) for found in own(IMAGE).values()] == shapes
    assert sum(value.numel() for value in own.parameters()) == 101_720
    assert (own.real, own.label) == (True, "vgg6 conv1_1 relu1_2 pool1 relu2_2 conv3_1 relu3_2 (own)")
    twice = {name: 2 * value for name, value in own.network.state_dict().items()}
    tensor_files.write_safetensors(tmp_path / "vgg6.safetensors", twice, {})
    other = FeatureExtractor("vgg6 relu3_2", tmp_path / "vgg6.safetensors")
    assert other.config["weights"] == own.config["weights"] == "vgg6.safetensors"
    assert other.config["weights_sha256"] != own.config["weights_sha256"]


@pytest.mark.parametrize(
    ("layers", "longer"),
    [("vgg19_bn conv2_1", "vgg19_bn conv2_1 relu3_1"), ("resnet18 block1", "resnet18 block1 block5")],
)
def test_auto_without_weights_is_random_with_message(layers, longer, cache):
    before = torch.get_rng_state()
    extractor = FeatureExtractor(layers, normalize=False, seed=1)
    assert (extractor.real, extractor.label) == (False, f"{layers} (random)")
    assert extractor.config["weights"] == "random, seed 1"
    assert torch.equal(torch.get_rng_state(), before)
    one, *_ = extractor(IMAGE).values()
    again, *_ = FeatureExtractor(longer, "random", normalize=False, seed=1)(IMAGE).values()
    assert torch.equal(one, again)  # whatever the other arguments are
    assert not torch.allclose(one, maps(layers, seed=2))
    assert not cache.exists()


def test_cached_weights_are_used(cache, networks, monkeypatch):
    file = networks("resnet18")[1]
    monkeypatch.setattr(backbones, "weights_url", lambda _: "https://somewhere/resnet18.pth")
    cache.mkdir(parents=True)
    (cache / "resnet18.pth").symlink_to(file)
    extractor = FeatureExtractor("resnet18 block1", normalize=False)
    assert (extractor.real, extractor.label) == (True, "resnet18 block1")
    assert torch.equal(extractor(IMAGE)["block1"], maps("resnet18 block1", file))


@pytest.mark.parametrize(
    ("layers", "other", "said"),
    [
        ("vgg19 conv1_1", "vgg19_bn", "another network"),  # the first convolution has the same name and shape in both
        ("resnet18 block8", "resnet34", "another network"),  # it has all requested layers, in these shapes
        ("resnet34 block3", "resnet18", r"lacks 'layer1\.2\.bn1\.bias' of resnet34"),
    ],
)
def test_weights_of_another_network_are_rejected(networks, layers, other, said):
    with pytest.raises(SrlabError, match=rf"{other}\.pth .*{said}"):
        FeatureExtractor(layers, networks(other)[1])


def test_exported_file_serves_its_and_earlier_layers(networks, tmp_path):
    """Check a file with some of the weights, without the counters of batch norm."""
    export = load_script(ROOT / "data_scripts" / "export_backbone.py").export
    whole, small = networks("resnet18")[1], tmp_path / "small.safetensors"
    export("resnet18 conv1 block4", small, whole)
    assert small.stat().st_size < whole.stat().st_size / 10
    assert torch.equal(maps("resnet18 block4", small), maps("resnet18 block4", whole))
    with pytest.raises(SrlabError, match=r"small\.safetensors lacks .* last layer it has is stage2"):
        FeatureExtractor("resnet18 block5", small)
    with pytest.raises(SrlabError, match="of resnet18, not of resnet34"):  # with matching names and shapes
        FeatureExtractor("resnet34 block2", small)


# --- Bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("vgg19 conv5_5", r"'conv5_5'\. Use one of conv1_1, relu1_1, .*, pool5\."),
        ("resnet34 relu5_4", r"'relu5_4'\. Use one of conv1, .*, block16, stage1, stage2, stage3, stage4"),
        ("vgg20 relu5_4", "vgg6, .*, resnet50"),
        ("vgg19", r"not name a layer of vgg19\. Use one of conv1_1"),
    ],
)
def test_invalid_layers_are_rejected_in_one_line(layers, said):
    with pytest.raises(SrlabError, match=said):
        parse(layers)
