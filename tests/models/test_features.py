"""srlab.models.features: the layer that was asked for, with the weights that were asked for, and frozen in fact."""

import hashlib
import io
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.models import features
from srlab.models import pretrained as backbones
from srlab.models.features import MEAN, STD, FeatureExtractor, layer_names, parse

ROOT = Path(__file__).resolve().parents[2]
IMAGE = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of torch, as on a machine that never had weights."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(scope="session")
def vgg_weights() -> Path:
    """The first stages of the real VGG19, which cannot be part of the repository."""
    default = ROOT.parent / "shared" / "weights" / "vgg19_features_conv1_1-conv3_4.pth"
    file = Path(os.environ.get("SRLAB_TEST_WEIGHTS") or default)
    if not file.is_file():
        pytest.skip(f"needs VGG19's weights up to conv3_4 as {file}; set SRLAB_TEST_WEIGHTS to such a file")
    return file


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, tuple[nn.Module, Path]]:
    """Name -> torchvision's own network with random weights and statistics, and its state dict as a file."""
    folder, found = tmp_path_factory.mktemp("weights"), {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name in ("vgg16", "vgg19", "vgg19_bn", "resnet18", "resnet34", "resnet50"):
            with torch.device("meta"):
                whole = models.get_model(name)
            if name.startswith("vgg"):
                whole.classifier = nn.Identity()  # 100 million weights that no test needs
            whole.to_empty(device="cpu")
            for key, value in whole.state_dict().items():
                if key.endswith("num_batches_tracked"):
                    value.fill_(7)
                elif value.ndim > 1:
                    nn.init.normal_(value, std=(2 / value[0].numel()) ** 0.5)
                else:
                    value.uniform_(0.5, 1.0)
            torch.save(whole.state_dict(), folder / f"{name}.pth")
            found[name] = whole.eval(), folder / f"{name}.pth"
    return found


def maps(layers: str, file: Path | str = "random", **settings) -> torch.Tensor:
    """The map of the only layer, by default without normalisation."""
    (found,) = FeatureExtractor(layers, file, **{"normalize": False} | settings)(IMAGE).values()
    return found


def same(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


# --- The layer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ("vgg19 conv1_1", 1),
        ("vgg19 relu1_1", 2),
        ("vgg19 conv2_2", 8),
        ("vgg19 relu2_2", 9),
        ("vgg19 pool2", 10),
        ("vgg19 conv3_4", 17),
        ("vgg19 conv5_4", 35),
        ("vgg19 relu5_4", 36),
        ("vgg19 pool5", 37),
        ("vgg16 conv3_3", 15),
        ("vgg16 relu5_3", 30),
        ("vgg19_bn conv4_4", 37),  # where the study's code cuts, though it says 5_4
        ("vgg19_bn norm4_4", 38),
        ("vgg19_bn relu5_4", 52),
    ],
)
def test_a_layer_of_vgg_is_that_many_layers_of_torchvision(networks, layers, count):
    network, file = networks[layers.split()[0]]
    with torch.no_grad():
        x = IMAGE
        for layer in network.features[:count]:
            x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
    found = maps(layers, file)
    same(found, x)
    before_activation = layers.split()[1].startswith(("conv", "norm"))
    assert bool((found < 0).any()) == before_activation


def test_a_map_before_the_activation_is_not_spoiled_by_the_activation_behind_it(networks):
    found = FeatureExtractor("vgg19 conv1_2 relu1_2 conv2_1", networks["vgg19"][1])(IMAGE)
    assert list(found) == ["conv1_2", "relu1_2", "conv2_1"]
    assert (found["conv1_2"] < 0).any()
    assert torch.equal(found["conv1_2"].relu(), found["relu1_2"])


def resnet_map(network: nn.Module, count: int, first: int = 0) -> torch.Tensor:
    blocks = [block for stage in (network.layer1, network.layer2, network.layer3, network.layer4) for block in stage]
    with torch.no_grad():
        return nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool, *blocks[first:count])(IMAGE)


@pytest.mark.parametrize(
    ("layers", "count", "first"),
    [
        ("resnet18 block4", 4, 0),  # the three of the study as it describes them
        ("resnet34 block3", 3, 0),
        ("resnet34 block5", 5, 0),
        ("resnet34 -stage1 block16", 16, 3),  # and as its code counts: both of ResNet34 are this
        ("resnet34 stage1", 3, 0),
        ("resnet34 stage2", 7, 0),
        ("resnet34 stage4", 16, 0),
        ("resnet50 stage1", 3, 0),
        ("resnet50 block16", 16, 0),
        ("resnet18 pool1", 0, 0),
    ],
)
def test_a_block_of_a_resnet_is_counted_through_all_stages(networks, layers, count, first):
    network, file = networks[layers.split()[0]]
    same(maps(layers, file), resnet_map(network, count, first))


def test_the_stem_of_a_resnet_before_and_after_its_activation(networks):
    network, file = networks["resnet18"]
    with torch.no_grad():
        found, conv = FeatureExtractor("resnet18 conv1 norm1 relu1", file, normalize=False)(IMAGE), network.conv1(IMAGE)
        same(found["conv1"], conv)
        same(found["norm1"], network.bn1(conv))
        assert torch.equal(found["relu1"], found["norm1"].relu())


def test_the_cut_of_the_studys_code_has_13_blocks():
    names = list(FeatureExtractor("resnet34 -stage1 block16", "random").layers)
    assert names == ["conv1", "norm1", "relu1", "pool1", *(f"block{number}" for number in range(4, 17))]


def test_the_names_of_the_layers_are_those_of_the_papers():
    assert layer_names("vgg19")[-5:] == ["conv5_3", "relu5_3", "conv5_4", "relu5_4", "pool5"]
    assert layer_names("vgg16_bn")[:4] == ["conv1_1", "norm1_1", "relu1_1", "conv1_2"]
    assert layer_names("resnet18")[-5:] == ["block8", "stage1", "stage2", "stage3", "stage4"]
    assert [len(layer_names(name)) for name in features.NETWORKS] == [31, 44, 37, 53, 16, 24, 24]


# --- What is there, and what it costs ------------------------------------------------------------------------


def test_nothing_behind_the_last_layer_exists_or_runs():
    shallow = FeatureExtractor("vgg19 relu2_1 conv1_2", "random")
    assert list(shallow.layers)[-1] == "relu2_1"
    assert sum(value.numel() for value in shallow.parameters()) == 1_792 + 36_928 + 73_856
    ran = []
    for layer in shallow.layers.values():
        layer.register_forward_hook(lambda *_: ran.append(1))
    shallow(IMAGE)
    assert len(ran) == len(shallow.layers) == 7
    assert sum(value.numel() for value in FeatureExtractor("vgg19 relu5_4", "random").parameters()) == 20_024_384


def test_it_is_frozen_in_fact_and_the_gradient_reaches_the_image(networks):
    judge = FeatureExtractor("vgg19_bn norm2_2", networks["vgg19_bn"][1])
    before = {key: value.clone() for key, value in judge.state_dict().items()}
    nn.Sequential(judge).train()
    assert not any(module.training for module in judge.modules())
    image = IMAGE.clone().requires_grad_()
    judge(image)["norm2_2"].square().sum().backward()
    assert image.grad.abs().min(dim=1).values.count_nonzero() > 0.9 * image.grad[:, 0].numel()
    assert not any(value.requires_grad or value.grad is not None for value in judge.parameters())
    assert all(torch.equal(value, before[key]) for key, value in judge.state_dict().items())


def test_images_are_normalised_as_in_training_unless_told_not_to(networks):
    file = networks["vgg19"][1]
    by_hand = (IMAGE - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    (plain,) = FeatureExtractor("vgg19 conv1_2", file, normalize=False)(by_hand).values()
    same(maps("vgg19 conv1_2", file, normalize=True), plain)
    assert not torch.allclose(maps("vgg19 conv1_2", file), plain, atol=0.1)
    assert (MEAN, STD) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert not any("mean" in key for key in FeatureExtractor("vgg19 conv1_1", "random").state_dict())


def test_the_scale_is_a_factor_on_every_map():
    whole = FeatureExtractor("vgg19 conv1_1 relu2_1", "random")(IMAGE)
    small = FeatureExtractor("vgg19 conv1_1 relu2_1", "random", scale=1 / 12.75)(IMAGE)
    for layer, found in whole.items():
        torch.testing.assert_close(small[layer] * 12.75, found)


def test_several_layers_have_a_weight_each():
    judge = FeatureExtractor("vgg19 conv2_2*0.1 conv3_1 relu1_1*2e-3", "random")
    assert judge.layer_weights == {"conv2_2": 0.1, "conv3_1": 1.0, "relu1_1": 0.002}
    assert {name: tuple(found.shape) for name, found in judge(IMAGE).items()} == {
        "relu1_1": (2, 64, 64, 64),
        "conv2_2": (2, 128, 32, 32),
        "conv3_1": (2, 256, 16, 16),
    }


def test_a_stage_is_another_name_of_its_last_block():
    found = FeatureExtractor("resnet18 stage1 block2", "random")(IMAGE)
    assert torch.equal(found["stage1"], found["block2"])


# --- Random weights ------------------------------------------------------------------------------------------


def test_auto_without_weights_is_random_says_so_and_downloads_nothing(cache):
    judge = FeatureExtractor("vgg19 relu1_2")
    assert not judge.real
    assert judge.label == "vgg19 relu1_2 (random)"
    assert judge.config == {"layers": "vgg19 relu1_2", "weights": "random, seed 0", "normalize": True, "scale": 1.0}
    assert judge.remedy == backbones.remedy("vgg19")
    assert not cache.exists()


@pytest.mark.parametrize("layers", ["vgg19 conv3_1", "vgg19_bn conv2_1", "resnet18 block1"])
def test_random_weights_are_those_of_their_seed_and_move_nobodys_numbers(layers):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, again, other = (maps(layers, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("layers", ["vgg16 conv5_3", "vgg19 conv5_4", "vgg19_bn conv5_4", "resnet34 block16"])
def test_random_weights_keep_the_size_of_the_maps(layers):
    assert 0.2 < maps(layers, normalize=True).std() < 8


def test_a_random_layer_is_the_same_whatever_else_is_asked():
    for short, long in (("vgg19 conv1_2", "vgg19 conv1_2 conv3_1"), ("resnet18 block2", "resnet18 block2 block5")):
        assert torch.equal(*(FeatureExtractor(layers, "random")(IMAGE)[short.split()[1]] for layers in (short, long)))


def test_random_ignores_the_weights_that_are_there(cache, networks, monkeypatch):
    monkeypatch.setattr(backbones, "find_weights", lambda *_: networks["vgg19"][1])
    assert not FeatureExtractor("vgg19 conv1_1", "random").real


# --- Trained weights: the cache and a path -------------------------------------------------------------------


@pytest.fixture
def cached(cache, networks, monkeypatch):
    """ResNet18 in torch's cache, under a name with its hash."""
    content = networks["resnet18"][1].read_bytes()
    name = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setattr(backbones, "source", lambda _: (f"https://somewhere/{name}", name[-12:-4]))
    cache.mkdir(parents=True)
    (cache / name).write_bytes(content)
    return cache / name


@pytest.mark.parametrize("backbone", ["auto", "imagenet"])
def test_auto_and_imagenet_take_what_is_in_the_cache(cached, networks, backbone):
    judge = FeatureExtractor("resnet18 block1", backbone, normalize=False)
    assert judge.real
    assert judge.label == "resnet18 block1"
    assert judge.config["weights"] == cached.name
    same(judge(IMAGE)["block1"], resnet_map(networks["resnet18"][0], 1))


@pytest.mark.parametrize("backbone", ["auto", "imagenet"])
def test_a_file_with_the_wrong_hash_in_the_cache_is_refused_and_not_replaced_by_random(cached, backbone):
    cached.write_bytes(cached.read_bytes()[:-1])
    with pytest.raises(SrlabError, match=f"{cached.name} is not the file its name says"):
        FeatureExtractor("resnet18 block1", backbone)


def test_imagenet_downloads_where_nothing_is_and_never_falls_back(cache, networks, monkeypatch):
    def fetch(url, target, hash_prefix):
        assert (url, hash_prefix) == (backbones.source("resnet18")[0], "f37072fd")
        Path(target).write_bytes(networks["resnet18"][1].read_bytes())

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert FeatureExtractor("resnet18 block1", "imagenet").real

    def fail(*_, **__):
        raise OSError("no network")

    (cache / "resnet18-f37072fd.pth").unlink()
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(SrlabError, match="no network"):
        FeatureExtractor("resnet18 block1", "imagenet")


def test_a_features_only_export_and_safetensors_are_read_like_the_full_file(networks, tmp_path):
    network, file = networks["vgg16"]
    torch.save(network.features.state_dict(), tmp_path / "features.pth")
    save_file(network.state_dict(), tmp_path / "full.safetensors")
    expected = maps("vgg16 relu3_1", file)
    assert torch.equal(maps("vgg16 relu3_1", tmp_path / "features.pth"), expected)
    assert torch.equal(maps("vgg16 relu3_1", str(tmp_path / "full.safetensors")), expected)


def test_a_partial_file_serves_the_layers_it_has_and_the_refusal_names_its_last_one(networks, tmp_path):
    network, file = networks["vgg19"]
    partial = {key: value for key, value in network.state_dict().items() if int(key.split(".")[1]) <= 16}
    torch.save(partial, tmp_path / "partial.pth")
    assert torch.equal(maps("vgg19 relu3_4", tmp_path / "partial.pth"), maps("vgg19 relu3_4", file))
    with pytest.raises(SrlabError, match=r"partial\.pth ends before the layer asked for.*vgg19.*up to pool3;"):
        FeatureExtractor("vgg19 conv1_1 conv4_1", tmp_path / "partial.pth")


def test_the_real_weights_up_to_conv3_4_serve_and_are_no_random_ones(vgg_weights, astronaut):
    judge = FeatureExtractor("vgg19 conv1_1 relu3_4", vgg_weights)
    assert judge.real
    assert judge.label == "vgg19 conv1_1 relu3_4"
    with pytest.raises(SrlabError, match="up to pool3"):
        FeatureExtractor("vgg19 relu5_4", vgg_weights)
    with pytest.raises(SrlabError, match="another network"):
        FeatureExtractor("vgg16 relu3_3", vgg_weights)
    # These are the original weights of Simonyan and Zisserman, whose maps are large: the paper's 1/12.75 is for them.
    for normalize, mean in ((True, 478.06), (False, 127.99)):
        found = FeatureExtractor("vgg19 relu3_4", vgg_weights, normalize)(astronaut)["relu3_4"]
        assert found.mean().item() == pytest.approx(mean, rel=1e-3)


def test_old_files_without_the_counter_of_batch_norm_are_taken(networks, tmp_path):
    for name, layers in (("vgg19_bn", "vgg19_bn norm2_1"), ("resnet18", "resnet18 block3")):
        network, file = networks[name]
        old = {key: value for key, value in network.state_dict().items() if "num_batches" not in key}
        torch.save(old, tmp_path / "old.pth")
        assert torch.equal(maps(layers, tmp_path / "old.pth"), maps(layers, file))


@pytest.mark.parametrize(
    ("layers", "other"),
    [
        ("vgg19 conv1_1", "resnet18"),
        ("vgg19 conv1_1", "vgg19_bn"),  # the first convolution has the same name and shape in both
        ("vgg19 relu3_3", "vgg16"),  # all that is asked for has
        ("vgg19 conv3_4", "vgg16"),
        ("vgg16 conv3_1", "vgg19"),
        ("vgg19_bn conv1_2", "vgg19"),
        ("resnet18 block8", "resnet34"),  # and here even the whole network
        ("resnet34 block3", "resnet18"),
        ("resnet18 block1", "resnet50"),
        ("resnet50 block1", "vgg19"),
    ],
)
def test_the_file_of_another_network_is_refused_even_where_its_shapes_fit(networks, layers, other):
    with pytest.raises(SrlabError, match=rf"{other}\.pth .*another network"):
        FeatureExtractor(layers, networks[other][1])


def test_a_truncated_file_and_one_with_nan_are_refused(networks, tmp_path):
    network, file = networks["resnet18"]
    content = file.read_bytes()
    for length in (0, 1000, len(content) // 2):
        (tmp_path / "cut.pth").write_bytes(content[:length])
        with pytest.raises(SrlabError, match=r"cut\.pth"):
            FeatureExtractor("resnet18 block1", tmp_path / "cut.pth")
    buffer = io.BytesIO()
    torch.save(network.state_dict() | {"layer1.0.conv1.weight": torch.full((64, 64, 3, 3), torch.nan)}, buffer)
    (tmp_path / "nan.pth").write_bytes(buffer.getvalue())
    with pytest.raises(SrlabError, match=r"nan\.pth has NaN"):
        FeatureExtractor("resnet18 block1", tmp_path / "nan.pth")
    with pytest.raises(SrlabError, match=r"no weights file .*gone\.pth"):
        FeatureExtractor("resnet18 block1", tmp_path / "gone.pth")


def test_a_generator_of_a_run_is_no_backbone(tmp_path):
    file = tmp_path / "generator.safetensors"
    files.write_safetensors(file, {"head.weight": torch.zeros(2)}, {"network": "MSRResNet"})
    with pytest.raises(SrlabError, match="has weights of MSRResNet, not of vgg19"):
        FeatureExtractor("vgg19 conv1_1", file)


# --- Bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("vgg19 relu1_1 conv2_1 relu1_1*0.5", r"names relu1_1 twice; give it one weight\."),
        ("vgg19 conv5_5", r"vgg19 has no layer 'conv5_5'; its layers are conv1_1, relu1_1, .*, relu5_4, pool5\."),
        (
            "resnet34 relu5_4",
            r"no layer 'relu5_4'; its layers are conv1, .*, block16, stage1, stage2, stage3, stage4\.",
        ),
        ("vgg20 relu5_4", "choose one of vgg16, .*, resnet50"),
        ("relu5_4", "does not begin with a network"),
        ("", "does not begin with a network"),
        ("vgg19", "names no layer of vgg19; its layers are conv1_1"),
        ("resnet34 -stage1", "names no layer"),
        ("vgg19 conv1_1*much", "'much' of conv1_1 is no number"),
        ("vgg19 conv1_1*-1", "must be a positive number, but is -1"),
        ("vgg19 conv1_1*0", "must be a positive number"),
        ("vgg19 conv1_1*nan", "must be a positive number, but is nan"),
        ("resnet34 -stage5 block3", "'-stage5' .* is no stage of resnet34"),
        ("vgg19 -stage1 conv5_4", "is no stage of vgg19"),
        ("resnet34 -block1 block3", "is no stage"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(layers, said):
    with pytest.raises(SrlabError, match=said):
        parse(layers)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("resnet34 -stage1 block2", "asks for a layer of a stage that it leaves out"),
        ("resnet34 -stage2 block16", "the next one expects its channels"),
        ("resnet50 -stage1 block16", "the next one expects its channels"),
    ],
)
def test_a_stage_that_cannot_be_left_out_is_refused(layers, said):
    with pytest.raises(SrlabError, match=said):
        FeatureExtractor(layers, "random")


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_is_no_positive_number_is_refused(scale):
    with pytest.raises(SrlabError, match="scale of features must be a positive number"):
        FeatureExtractor("vgg19 conv1_1", "random", scale=scale)


@pytest.mark.parametrize(
    ("layers", "side"), [("vgg19 relu3_1", 4), ("vgg19 relu5_4", 16), ("vgg19 pool5", 32), ("resnet18 block4", 8)]
)
def test_a_patch_too_small_for_the_layer_is_refused_with_what_it_needs(layers, side):
    judge = FeatureExtractor(layers, "random")
    assert next(iter(judge(torch.rand(1, 3, side, side)).values())).shape[-2:] == (1, 1)
    with pytest.raises(SrlabError, match=rf"40x{side - 1} pixels is too small for {layers} .*needs {side} a side"):
        judge(torch.rand(1, 3, side - 1, 40))


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 4, 64, 64)])
def test_what_is_no_batch_of_rgb_images_is_refused(shape):
    with pytest.raises(SrlabError, match="RGB images"):
        FeatureExtractor("vgg19 conv1_1", "random")(torch.rand(shape))
