"""Test srlab.models: the published architectures, layer by layer, and properties of every generator."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import srlab
from srlab import models
from srlab.errors import SrlabError
from srlab.models import FlowNet, MSRResNet, ResidualBlock, RRDBNet, SRResNet
from srlab.models.layers import start_small
from srlab.models.loading import load_generator
from srlab_course.lab.sizes import check_limit, pick_size


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("network", "size", "count"),
    [
        ("SRResNet", {}, 1_549_462),
        ("MSRResNet", {}, 1_517_571),
        ("RRDBNet", {}, 16_697_987),
        ("RRDBNet", {"num_blocks": 12, "num_features": 128, "fusion": 1}, 9_085_315),
        ("RRDBNet", {"num_blocks": 12, "num_features": 128, "fusion": 3}, 18_522_499),
        ("FlowNet", {}, 5_111_472),
        ("VGGDiscriminator", {}, 14_499_401),
        ("SRGANDiscriminator", {}, 23_565_505),
        ("PatchDiscriminator", {}, 203_873),
    ],
)
def test_parameter_counts_match_papers(network, size, count):
    with torch.device("meta"):
        found = getattr(models, network)(**size)
    assert models.parameter_count(found) == models.parameter_count(found.requires_grad_(False)) == count


def layers(network):
    """Return layers in the notation of the papers: k3n64 is a 3x3 convolution to 64 channels, s2 its stride."""
    words = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            stride = f"s{module.stride[0]}" if module.stride != (1, 1) else ""
            words.append(f"k{module.kernel_size[0]}n{module.out_channels}{stride}")
        elif not list(module.children()):
            words.append("PReLU" if isinstance(module, nn.PReLU) else type(module).__name__)
    return words


HEAD, BLOCK = ["k9n64", "PReLU"], ["k3n64", "BatchNorm2d", "PReLU", "k3n64", "BatchNorm2d"]
UP = ["k3n256", "PixelShuffle", "PReLU"]


def test_layers_of_srresnet_match_paper():
    with torch.device("meta"):
        found = layers(SRResNet())
    # The last pixel shuffle is part of the last convolution, see the next test.
    assert found == [*HEAD, *16 * BLOCK, *["k3n64", "BatchNorm2d"], *UP, "k3n256", "PReLU", "k9n3"]


class PlainSRResNet(SRResNet):
    """Build it as in the paper, with the last pixel shuffle before the last activation and convolution."""

    def __init__(self, num_blocks=16, num_features=64, scale=4):
        super().__init__(num_blocks, num_features, scale)
        factor = self.tail.factor
        self.upsample.insert(-1, nn.PixelShuffle(factor))
        self.tail = nn.Conv2d(num_features, 3, 9, padding=4)


@pytest.mark.parametrize("scale", [3, 4])
def test_srresnet_matches_paper_with_same_weights(scale):
    ours, plain = SRResNet(2, 6, scale).double().eval(), PlainSRResNet(2, 6, scale).double().eval()
    # Only the position of the last PReLU differs.
    plain.load_state_dict(dict(zip(plain.state_dict(), ours.state_dict().values(), strict=True)))
    lr = torch.rand(2, 3, 7, 5, dtype=torch.float64)
    kept, expected = lr.clone(), plain(lr)
    assert torch.allclose(ours(lr), expected, atol=1e-12)
    with torch.no_grad():  # where PReLU overwrites its input
        assert torch.allclose(ours(lr), expected, atol=1e-12)
        features = ours.upsample[0](torch.rand(1, 6, 6, 6, dtype=torch.float64))
        assert next(m for m in ours.upsample if isinstance(m, nn.PReLU))(features).data_ptr() == features.data_ptr()
    assert torch.equal(lr, kept)


def test_skips_and_batch_norms_match_paper():
    block, x = ResidualBlock(4), torch.rand(2, 4, 5, 5)
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 2
    nn.init.zeros_(norms[1].weight)
    assert torch.equal(block(x), x)
    network, lr = SRResNet(2, 4).eval(), torch.rand(1, 3, 5, 6)
    nn.init.zeros_(network.fuse[0].weight)
    nn.init.zeros_(network.fuse[0].bias)
    assert torch.allclose(network(lr), network.tail(network.upsample(network.head(lr))))


def test_networks_for_short_training_start_close_to_bilinear():
    lr = torch.rand(1, 3, 12, 12)
    bilinear = F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)
    assert 0 < (MSRResNet()(lr) - bilinear).abs().max() < 1e-3
    network = RRDBNet(1, 4, 4, enlarge=True)
    assert network.conv_up1.out_channels == 4 * RRDBNet(1, 4, 4).conv_up1.out_channels
    assert (network(lr) - bilinear).std() > 0
    for parameter in network.conv_last.parameters():
        parameter.data.zero_()
    assert torch.equal(network(lr), bilinear)


def test_checkpointing_keeps_gradients_and_saves_memory():
    network, lr = RRDBNet(num_blocks=4, num_features=8, growth=4), torch.rand(2, 3, 16, 16)
    pictures, gradients, kept = [], [], []
    for network.checkpointing in (False, True):
        kept.append(0)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(kept.pop() + t.nbytes) or t, lambda t: t):
            pictures.append(network(lr))
        gradients.append(torch.autograd.grad(pictures[-1].square().mean(), list(network.parameters())))
    assert torch.equal(*pictures)
    torch.testing.assert_close(*gradients)
    assert kept[1] < kept[0] / 2


# --- Every generator: a new one is tested once it is in GENERATORS ---------------------------------------------


@pytest.mark.parametrize("name", models.GENERATORS)
def test_generator_upscales_learns_and_is_restored_by_name(name):
    for scale in (2, 4, 8) if name == "RRDBNet" else (2, 3, 4, 8):
        generator = getattr(models, name)(**pick_size("tiny", name), scale=scale)
        sr = generator(torch.rand(2, 3, 4, 3))
        assert sr.shape == (2, 3, 4 * scale, 3 * scale)
    sr.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())
    srlab.Run("lab", "run").save_generator(generator, 7)
    again, lr = load_generator("lab", "run"), torch.rand(1, 3, 1, 1)
    assert type(again) is type(generator)
    with torch.no_grad():
        assert torch.equal(again(lr), generator.eval()(lr))


def reach(network):
    """Return the receptive radius from gradients: of the SR pixels that belong to the central LR pixel."""
    for module in network.double().eval().modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    if isinstance(network, FlowNet):
        network.steps = 2  # its radius grows with each step
    middle = network.radius + 4
    lr = torch.rand(1, 3, 2 * middle + 1, 2 * middle + 1, dtype=torch.float64, requires_grad=True)
    scale = network.config["scale"]
    block = network(lr)[..., middle * scale : (middle + 1) * scale, middle * scale : (middle + 1) * scale]
    influences = [torch.autograd.grad(pixel, lr, retain_graph=True)[0] for pixel in block[0, 0, :, 0]]
    rows = sum(influence.abs() for influence in influences).amax(dim=(0, 1, 3)).nonzero().flatten()
    return max(middle - int(rows.min()), int(rows.max()) - middle)


@pytest.mark.parametrize("name", models.GENERATORS)
@pytest.mark.parametrize(("blocks", "scale"), [(1, 2), (2, 4)])
def test_the_radius_is_what_gradients_reach(name, blocks, scale):
    network = getattr(models, name)(**pick_size("tiny", name, num_blocks=blocks, num_features=4), scale=scale)
    assert reach(network) == network.radius
    lr = torch.rand(1, 3, 12, 12, dtype=torch.float64)
    tiled = srlab.upscale(network, lr, tile=8, overlap=network.radius)
    torch.testing.assert_close(tiled, srlab.upscale(network, lr), atol=1e-9, rtol=0)


def test_radius_of_published_networks():
    assert (SRResNet().radius, MSRResNet().radius, RRDBNet().radius) == (40, 35, 349)
    for network in (RRDBNet(1, 4, 4, fusion=1), srlab.CompactNet(2, 4)):
        assert reach(network) == network.radius


# --- Sizes, limits, and rejected values ------------------------------------------------------------------------


@pytest.mark.parametrize("name", models.GENERATORS)
def test_each_network_has_three_sizes_up_to_paper(name):
    network = getattr(models, name)
    with torch.device("meta"):
        tiny, laptop, paper = (network(**pick_size(size, name)) for size in ("tiny", "laptop", "paper"))
        assert paper.config == network().config
    assert models.parameter_count(tiny) < models.parameter_count(laptop) < models.parameter_count(paper)
    changed = pick_size("laptop", name, num_blocks=9, features=0)
    assert changed == pick_size("laptop", name) | {"num_blocks": 9}
    check_limit(tiny, models.parameter_count(tiny))
    check_limit(tiny, 0)


REFUSED = [
    (lambda: SRResNet(1, 4, 5), r"scale 5\. .* 2, 3, 4, 8"),
    (lambda: RRDBNet(1, 4, scale=3), "2, 4 or 8, but is 3"),
    (lambda: FlowNet(1, 4, steps=0), "steps must be at least 1"),
    (lambda: FlowNet(1, 4, detail_std=0.0), "detail_std must be a positive number"),
    (lambda: FlowNet(1, 4, detail_std=math.nan), "detail_std must be a positive number"),
    (lambda: pick_size("tiny", num_blocks=-1), "num_blocks must be 0 or more, but is -1"),
    (lambda: pick_size("huge", "RRDBNet"), "'huge' is not .* tiny, laptop, paper"),
    (lambda: pick_size("tiny", "Unheard"), "'Unheard' is not .*RRDBNet"),
    (lambda: models.build_discriminator("vgg", 48), "multiple of 32"),
    (lambda: models.build_discriminator("unheard", 64), "'unheard' is not .* patch, srgan"),
    (lambda: check_limit(nn.Linear(100, 20), 2019), r"has 2,020 .* 2,019\. .*parameter_limit"),
]


@pytest.mark.parametrize(("call", "said"), REFUSED)
def test_unknown_size_network_or_setting_is_rejected(call, said):
    with pytest.raises(SrlabError, match=said):
        call()


def test_small_start_accepts_convolutions_without_bias():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 3, 3))
    before = network[0].weight.std()
    start_small(network)
    assert 0 < network[0].weight.std() < before
    assert not network[1].bias.any()
