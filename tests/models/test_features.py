"""Test srlab.models.features: requested layers and weights, and really frozen; and the script that exports weights."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import get_model

from srlab import tensor_files
from srlab.errors import SrlabError
from srlab.models import parameter_count
from srlab.models.features import MEAN, STD, FeatureExtractor
from tests.conftest import ROOT, load_script

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
            whole = get_model(name)
        if name.startswith("vgg"):
            whole.classifier = nn.Identity()  # no test needs its 100 million weights
        whole.to_empty(device="cpu")
        random = torch.Generator().manual_seed(0)
        for value in whole.state_dict().values():
            if value.ndim > 1:
                value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=random)
            elif value.ndim:  # not the counters of batch norm
                value.uniform_(0.5, 1.0, generator=random)
        file = tmp_path_factory.mktemp("weights") / f"{name}.pth"
        torch.save(whole.state_dict(), file)
        return whole.eval(), file

    return build


def first_map(layers: str, file: Path | str = "random", **settings) -> torch.Tensor:
    """Return the map of the first layer, by default without normalization."""
    return next(iter(FeatureExtractor(layers, file, **{"normalize": False} | settings)(IMAGE).values()))


def same(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


# --- Layers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ("vgg19 pool2", 10),
        ("vgg19 relu5_4", 36),
        ("vgg19_bn conv4_4", 37),  # where the study's code cuts, although its text states 5_4
        ("vgg19_bn norm2_2", 12),
    ],
)
def test_vgg_layer_matches_torchvision(networks, layers, count):
    network, file = networks(layers.split()[0])
    x, extractor = IMAGE, FeatureExtractor(layers, file, normalize=False)
    with torch.no_grad():
        for layer in network.features[:count]:
            x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
    same(extractor(IMAGE)[layers.split()[1]], x)
    assert parameter_count(extractor) == parameter_count(network.features[:count]), "later layers are dropped"


def test_map_before_activation_is_not_modified_in_place():
    found = FeatureExtractor("vgg19 conv1_2 relu1_2", "random")(IMAGE)
    assert (found["conv1_2"] < 0).any()
    assert torch.equal(found["conv1_2"].relu(), found["relu1_2"])


def test_resnet_blocks_are_counted_through_all_stages(networks):
    network, file = networks("resnet18")
    first = network.conv1, network.bn1, network.relu, network.maxpool
    with torch.no_grad():
        expected = nn.Sequential(*first, network.layer1, network.layer2)(IMAGE)
    for layers in ("resnet18 block4", "resnet18 stage2"):
        same(first_map(layers, file), expected)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("vgg19 conv5_5", r"'conv5_5'\. Use one of conv1_1, relu1_1, .*, pool5\."),
        ("resnet34 relu5_4", r"'relu5_4'\. Use one of conv1, .*, block16, stage1, stage2, stage3, stage4"),
        ("vgg20 relu5_4", "vgg6, .*, resnet50"),
        ("vgg19", r"not name a layer of vgg19\. Use one of conv1_1"),
    ],
)
def test_invalid_layers_are_rejected(layers, said):
    with pytest.raises(SrlabError, match=said):
        FeatureExtractor(layers)


# --- Freezing, normalization -----------------------------------------------------------------------------------


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


def test_input_is_normalized_by_default():
    by_hand = (IMAGE - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    (expected,) = FeatureExtractor("vgg6 conv1_2", normalize=False)(by_hand).values()
    (found,) = FeatureExtractor("vgg6 conv1_2")(IMAGE).values()
    same(found, expected)
    assert (MEAN, STD) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


# --- Weights: bundled, random, and from a path -----------------------------------------------------------------


def test_vgg6_weights_are_bundled_or_from_file(tmp_path):
    own = FeatureExtractor("vgg6 conv1_1 relu1_2 pool1 relu2_2 conv3_1 relu3_2", "imagenet")
    shapes = [(24, 32), (24, 32), (24, 16), (48, 16), (64, 8), (64, 8)]
    assert [tuple(found.shape[1:3]) for found in own(IMAGE).values()] == shapes
    assert (own.real, own.label) == (True, "vgg6 conv1_1 relu1_2 pool1 relu2_2 conv3_1 relu3_2 (course-trained)")
    twice = {name: 2 * value for name, value in own.network.state_dict().items()}
    tensor_files.write_safetensors(tmp_path / "vgg6.safetensors", twice, {})
    other = FeatureExtractor("vgg6 relu3_2", tmp_path / "vgg6.safetensors")
    assert other.config["weights"] == own.config["weights"] == "vgg6.safetensors"
    assert other.config["weights_sha256"] != own.config["weights_sha256"]


def test_auto_without_weights_is_random(cache):
    before = torch.get_rng_state()
    extractor = FeatureExtractor("resnet18 block1", normalize=False, seed=1)
    assert (extractor.real, extractor.label) == (False, "resnet18 block1 (random)")
    assert extractor.config["weights"] == "random, seed 1"
    assert torch.equal(torch.get_rng_state(), before)
    found = extractor(IMAGE)["block1"]
    assert torch.equal(found, first_map("resnet18 block1 block5", seed=1)), "whatever the other layers are"
    assert not torch.allclose(found, first_map("resnet18 block1", seed=2))
    assert not cache.exists()


def test_exported_file_serves_its_and_earlier_layers(networks, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    export = load_script(ROOT / "data_scripts" / "export_backbone.py").main
    whole, small = networks("resnet18")[1], Path("small.safetensors")
    command = ["resnet18 conv1 block4", "--backbone", str(whole), str(small)]
    assert export(command) == 0
    assert capsys.readouterr().out == "small.safetensors\n"
    notes = {"network": "resnet18", "layers": "resnet18 conv1 block4", "source": whole.name}
    assert tensor_files.read_safetensors(small)[1] == notes
    assert small.stat().st_size < whole.stat().st_size / 10
    assert torch.equal(first_map("resnet18 block4", small), first_map("resnet18 block4", whole))
    for rest, words in (
        (command, "exists already"),
        (["vgg19 relu1_1", "a.safetensors"], "No trained weights of vgg19"),
        (["vgg19 relu1_1", "a.pth"], ".safetensors"),
    ):
        assert export(rest) == 2
        assert words in capsys.readouterr().err
    for layers, file, words in (
        ("resnet18 block5", small, r"small\.safetensors lacks .* last layer it has is stage2"),
        ("resnet34 block2", small, "of resnet18, not of resnet34"),  # with matching names and shapes
        ("resnet34 block3", whole, r"lacks 'layer1\.2\.bn1\.bias' of resnet34"),
        ("vgg19 conv1_1", networks("vgg19_bn")[1], r"vgg19_bn\.pth .*another network"),  # with equal names and shapes
    ):
        with pytest.raises(SrlabError, match=words):
            FeatureExtractor(layers, file)
