"""srlab.models: the published architectures, layer by layer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.base.errors import SrlabError
from srlab.models import (
    RRDB,
    RRDB_SIZES,
    SIZES,
    CodedDiscriminator,
    CodedSRResNet,
    MSRResNet,
    ResidualBlock,
    RRDBNet,
    ShuffledConv2d,
    SRGANDiscriminator,
    SRResNet,
    VGGDiscriminator,
    check_limit,
    interpolate_networks,
    parameter_count,
    pick_size,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_the_parameter_counts_are_the_published_ones():
    assert parameter_count(SRResNet()) == 1_549_462
    assert parameter_count(MSRResNet()) == 1_517_571
    assert parameter_count(RRDBNet()) == 16_697_987
    assert parameter_count(RRDBNet(12, 128, fusion=1)) == 9_085_315
    assert parameter_count(RRDBNet(12, 128, fusion=3)) == 18_522_499
    assert parameter_count(VGGDiscriminator()) == 14_499_401
    assert parameter_count(SRGANDiscriminator()) == 23_565_505


def test_frozen_parameters_count_and_buffers_do_not():
    network = SRResNet(1, 4)
    count = parameter_count(network)
    assert parameter_count(network.requires_grad_(False)) == count
    assert count == sum(p.numel() for p in network.state_dict().values()) - sum(b.numel() for b in network.buffers())


def test_a_limit_is_the_most_parameters_allowed():
    network = MSRResNet(1, 4)
    count = parameter_count(network)
    for limit in (0, count, count + 1):
        check_limit(network, limit)
    with pytest.raises(SrlabError, match=f"MSRResNet has {count:,} .*limit of {count - 1:,}; .*parameter_limit to 0"):
        check_limit(network, count - 1)
    with pytest.raises(SrlabError, match="parameter_limit=-1 must be 0"):
        check_limit(network, -1)


@pytest.mark.parametrize(("kind", "sizes"), [(SRResNet, SIZES), (MSRResNet, SIZES), (RRDBNet, RRDB_SIZES)])
def test_each_network_has_the_three_sizes_and_the_largest_is_the_published_one(kind, sizes):
    assert list(sizes) == ["tiny", "laptop", "paper"]
    counts = [parameter_count(kind(**pick_size(size, kind.__name__))) for size in sizes]
    assert counts == sorted(counts)
    assert counts[-1] == parameter_count(kind())


def test_a_size_may_have_other_numbers_and_0_leaves_its_own():
    assert pick_size("laptop", "RRDBNet", blocks=9, growth=0) == RRDB_SIZES["laptop"] | {"blocks": 9}


def test_a_picked_size_may_be_changed_without_changing_the_table():
    for network in ("MSRResNet", "RRDBNet"):
        pick_size("tiny", network)["blocks"] = 9
        assert pick_size("tiny", network)["blocks"] == 1


@pytest.mark.parametrize("network", ["MSRResNet", "RRDBNet"])
def test_an_unknown_size_is_refused_with_the_known_ones(network):
    with pytest.raises(SrlabError, match=r"size 'huge'; choose tiny, laptop, paper\."):
        pick_size("huge", network)


def layers(network):
    """Layers as the papers write them: k3n64 is a 3x3 convolution to 64 channels."""
    words = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert module.stride == (1, 1)
            assert module.padding == (module.kernel_size[0] // 2,) * 2
            assert module.bias is not None
            words.append(f"k{module.kernel_size[0]}n{module.out_channels}")
        elif not list(module.children()):
            words.append(type(module).__name__)
    return words


class PlainSRResNet(SRResNet):
    """As the paper draws it: the last pixel shuffle before the last activation and convolution."""

    def __init__(self, blocks=16, features=64, scale=4):
        super().__init__(blocks, features, scale)
        factor = self.tail.factor
        self.upsample.insert(-1, nn.PixelShuffle(factor))
        self.tail = nn.Conv2d(features, 3, 9, padding=4)


def test_srresnet_has_the_layers_of_the_paper():
    block = ["k3n64", "BatchNorm2d", "PReLU", "k3n64", "BatchNorm2d"]
    up = ["k3n256", "PixelShuffle", "PReLU"]
    assert layers(PlainSRResNet()) == [*["k9n64", "PReLU"], *16 * block, *["k3n64", "BatchNorm2d"], *2 * up, "k9n3"]
    up = ["k3n256", "PixelShuffle", "PReLU", "k3n256", "PReLU"]
    assert layers(SRResNet()) == [*["k9n64", "PReLU"], *16 * block, *["k3n64", "BatchNorm2d"], *up, "k9n3"]


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_srresnet_computes_what_the_paper_draws_with_the_same_weights(scale):
    ours, plain = SRResNet(2, 6, scale).double().eval(), PlainSRResNet(2, 6, scale).double().eval()
    plain.load_state_dict(renamed(ours, plain))
    lr = torch.rand(2, 3, 7, 5, dtype=torch.float64)
    assert torch.allclose(ours(lr), plain(lr), atol=1e-12)


def renamed(ours, plain):
    """State of `ours` under the names of `plain`: only the position of the last PReLU in its list differs."""
    return dict(zip(plain.state_dict(), ours.state_dict().values(), strict=True))


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5, 9])
def test_shuffled_conv_equals_pixel_shuffle_then_conv_with_its_gradients(factor, kernel):
    conv = ShuffledConv2d(4, 3, kernel, factor).double()
    x = torch.randn(2, 4 * factor**2, 5, 6, dtype=torch.float64, requires_grad=True)
    plain = F.conv2d(F.pixel_shuffle(x, factor), conv.weight, conv.bias, padding=kernel // 2)
    assert torch.allclose(conv(x), plain, atol=1e-12)
    weights = torch.randn_like(plain)
    wanted = torch.autograd.grad((plain * weights).sum(), [x, conv.weight, conv.bias])
    found = torch.autograd.grad((conv(x) * weights).sum(), [x, conv.weight, conv.bias])
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(found, wanted, strict=True))


def test_msrresnet_has_the_layers_of_basicsr_and_no_batch_norm():
    up, tail = ["k3n256", "PixelShuffle", "LeakyReLU"], ["k3n64", "LeakyReLU", "k3n3"]
    assert layers(MSRResNet()) == ["k3n64", *16 * ["k3n64", "k3n64"], *2 * up, *tail]


def test_srresnet_adds_the_global_skip_around_the_blocks_and_the_fusing_convolution():
    network = SRResNet(2, 4).eval()
    nn.init.zeros_(network.fuse[0].weight)
    nn.init.zeros_(network.fuse[0].bias)
    lr = torch.rand(1, 3, 5, 6)
    assert torch.allclose(network(lr), network.tail(network.upsample(network.head(lr))))


def test_a_residual_block_is_a_skip_and_each_convolution_has_a_batch_norm_of_its_own():
    block = ResidualBlock(4)
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len({id(norm) for norm in norms}) == len({norm.weight.data_ptr() for norm in norms}) == 2
    nn.init.zeros_(norms[1].weight)
    x = torch.rand(2, 4, 5, 5)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("network", [SRResNet, MSRResNet])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(7, 5), (1, 1), (8, 3)])
def test_the_output_is_scale_times_as_large(network, scale, size):
    with torch.no_grad():
        sr = network(1, 4, scale).eval()(torch.rand(2, 3, *size))
    assert sr.shape == (2, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("network", [SRResNet, MSRResNet])
def test_a_network_can_be_made_again_from_its_config(network):
    one = network(2, 6, 3)
    again = network(**one.config)
    again.load_state_dict(one.state_dict())
    lr = torch.rand(1, 3, 4, 4)
    assert torch.equal(one.eval()(lr), again.eval()(lr))


@pytest.mark.parametrize("network", [SRResNet, MSRResNet])
def test_scales_and_sizes_without_a_network_are_refused(network):
    with pytest.raises(SrlabError, match=r"scale 5; choose one of 2, 3, 4, 8"):
        network(1, 4, scale=5)
    for blocks, features in ((0, 64), (16, 0), (-1, 64)):
        with pytest.raises(SrlabError, match=f"at least one.*{blocks} and {features}"):
            network(blocks, features)


def receptive_radius(network, size=101):
    """LR pixels from the centre on which the 4x4 SR pixels of the centre depend, by the support of the gradient."""
    network = network.double().eval()
    for parameter in network.parameters():
        parameter.data = parameter.data.abs() + 1e-3  # all positive: nothing can cancel out
    lr = torch.rand(1, 3, size, 1, dtype=torch.float64, requires_grad=True)  # one column wide: a radius is a radius
    middle = size // 2
    network(lr)[:, :, 4 * middle : 4 * middle + 4].sum().backward()
    touched = lr.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert middle - touched.min() == touched.max() - middle
    assert touched.min() > 0  # else the image was too small to tell
    return int(touched.max() - middle)


def test_the_receptive_radius_of_srresnet_is_40():
    assert receptive_radius(SRResNet(16, 2)) == 40
    assert receptive_radius(SRResNet(4, 2)) == 16  # two convolutions less per block


def test_msrresnet_begins_close_to_the_bilinear_picture():
    lr = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        sr, bilinear = MSRResNet()(lr), F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)
    assert (sr - bilinear).abs().max() < 1e-3
    assert not torch.equal(sr, bilinear)


def test_every_parameter_of_both_networks_gets_a_gradient():
    for network in (SRResNet(2, 4), MSRResNet(2, 4)):
        network(torch.rand(2, 3, 6, 6)).square().mean().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def reach(network):
    """The receptive radius as gradients show it: from the SR pixels of the LR pixel in the middle."""
    for module in network.double().eval().modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    middle = network.radius + 4
    lr = torch.rand(1, 3, 2 * middle + 1, 2 * middle + 1, dtype=torch.float64, requires_grad=True)
    scale = network.config["scale"]
    block = network(lr)[..., middle * scale : (middle + 1) * scale, middle * scale : (middle + 1) * scale]
    influences = [torch.autograd.grad(pixel, lr, retain_graph=True)[0] for pixel in block[0, 0, :, 0]]
    rows = sum(influence.abs() for influence in influences).amax(dim=(0, 1, 3)).nonzero().flatten()
    return max(middle - int(rows.min()), int(rows.max()) - middle)


@pytest.mark.parametrize("kind", [SRResNet, MSRResNet, RRDBNet])
@pytest.mark.parametrize(("blocks", "scale"), [(1, 2), (2, 4), (1, 8)])
def test_the_radius_is_what_gradients_reach(kind, blocks, scale):
    network = kind(blocks=blocks, features=4, scale=scale)
    assert reach(network) == network.radius


def test_the_published_networks_reach_as_far_as_published():
    assert (SRResNet().radius, MSRResNet().radius, RRDBNet().radius) == (40, 35, 349)


def test_rrdbnet_has_the_layer_names_of_the_published_weights():
    names = set(RRDBNet(blocks=2).state_dict())
    assert {
        "conv_first.weight",
        "body.1.rdb3.conv5.bias",
        "conv_body.weight",
        "conv_up2.bias",
        "conv_last.bias",
    } <= names
    assert RRDBNet(blocks=1).state_dict()["body.0.rdb1.conv5.weight"].shape == (64, 192, 3, 3)


@pytest.mark.parametrize("scale", [1, 3, 6])
def test_rrdbnet_refuses_scales_that_are_no_steps_of_two(scale):
    with pytest.raises(SrlabError, match=f"scale.* {scale}"):
        RRDBNet(1, 4, 4, scale)


def test_rrdbnet_can_add_to_an_enlargement():
    torch.manual_seed(0)
    plain = RRDBNet(1, 4, 4)
    torch.manual_seed(0)
    added = RRDBNet(1, 4, 4, enlarge=True)
    lr = torch.rand(1, 3, 8, 8)
    bilinear = F.interpolate(lr, scale_factor=4, mode="bilinear")
    assert torch.equal(added(lr), plain(lr) + bilinear)


def test_rrdbnet_with_a_narrow_fusion_reaches_less_far():
    network = RRDBNet(blocks=1, features=4, growth=4, fusion=1)
    assert reach(network) == network.radius < RRDBNet(blocks=1, features=4, growth=4).radius


@pytest.mark.parametrize("beta", [0.2, 0.5])
def test_both_residuals_of_an_rrdb_are_scaled_by_beta(beta):
    block, x = RRDB(4, 2, beta=beta), torch.rand(1, 4, 8, 8)
    seen = x
    for dense in (block.rdb1, block.rdb2, block.rdb3):
        plain = torch.cat([torch.zeros_like(seen), dense(seen) - seen], 1)
        joined = seen
        for conv in (dense.conv1, dense.conv2, dense.conv3, dense.conv4):
            joined = torch.cat((joined, F.leaky_relu(conv(joined), 0.2)), 1)
        assert torch.allclose(plain[:, 4:], beta * dense.conv5(joined), atol=1e-6)
        seen = dense(seen)
    assert torch.allclose(block(x), x + beta * seen)


@pytest.mark.parametrize(("change", "words"), [({"fusion": 5}, "kernel 1 or 3, not 5"), ({"beta": 0.0}, "not by 0.0")])
def test_rrdbnet_refuses_what_is_no_fusion_and_no_scaling(change, words):
    with pytest.raises(SrlabError, match=words):
        RRDBNet(1, 4, 4, **change)


def test_checkpointing_gives_the_same_picture_and_gradients_and_keeps_less():
    network, lr = RRDBNet(blocks=4, features=8, growth=4), torch.rand(2, 3, 16, 16)
    found = {}
    for again in (False, True):
        network.zero_grad()
        network.checkpointing, kept = again, []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.nbytes) or t, lambda t: t):
            sr = network(lr)
        sr.square().mean().backward()
        found[again] = sr.detach(), [p.grad.clone() for p in network.parameters()], sum(kept)
    assert torch.equal(found[True][0], found[False][0])
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(found[True][1], found[False][1], strict=True))
    assert found[True][2] < found[False][2] / 2


def test_discriminators_halve_as_published_and_take_their_own_size_only():
    judge = VGGDiscriminator(4, 64)
    assert judge(torch.rand(2, 3, 64, 64)).shape == (2, 1)
    strides = [m.stride[0] for m in judge.modules() if isinstance(m, nn.Conv2d)]
    assert strides == [1, 2] + [1, 2] * 4
    with pytest.raises(SrlabError, match="judges 64x64"):
        judge(torch.rand(2, 3, 96, 96))
    judge = SRGANDiscriminator(4, 48)
    assert judge(torch.rand(2, 3, 48, 48)).shape == (2, 1)
    convolutions = [m for m in judge.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.out_channels, m.stride[0]) for m in convolutions] == [(c, s) for c in (4, 8, 16, 32) for s in (1, 2)]
    with pytest.raises(SrlabError, match="judges 48x48"):
        judge(torch.rand(2, 3, 96, 96))
    with pytest.raises(SrlabError, match="multiple of 16"):
        SRGANDiscriminator(4, 100)
    judge = VGGDiscriminator(4, 64)
    with pytest.raises(SrlabError, match="multiple of 32"):
        VGGDiscriminator(4, 100)


def test_interpolation_goes_from_one_network_to_the_other():
    first, second = SRResNet(1, 4), SRResNet(1, 4)
    second.blocks[0].body[1].running_mean += 1
    lr = torch.rand(1, 3, 8, 8)
    ends = [network.eval()(lr) for network in (first, second)]
    for alpha, expected in zip((0.0, 1.0), ends, strict=True):
        assert torch.allclose(interpolate_networks(first, second, alpha)(lr), expected, atol=1e-6)
    middle = interpolate_networks(first, second, 0.25)
    assert torch.allclose(middle.tail.weight, 0.75 * first.tail.weight + 0.25 * second.tail.weight)
    assert middle.blocks[0].body[1].running_mean.allclose(torch.full((4,), 0.25))
    assert torch.equal(first(lr), ends[0])


def test_srresnet_gives_the_same_with_and_without_gradients_and_spares_the_copy_without():
    network = SRResNet(2, 8).eval()
    for module in network.modules():
        if isinstance(module, nn.PReLU):
            module.weight.data.uniform_(-0.5, 0.5)
    lr = torch.rand(1, 3, 12, 12)
    kept = lr.clone()
    with torch.no_grad():
        fast = network(lr)
        features = network.upsample[0](torch.rand(1, 8, 6, 6))
        assert network.upsample[2](features).data_ptr() == features.data_ptr()
    assert torch.equal(lr, kept)
    assert torch.allclose(fast, network(lr), atol=1e-6)


def test_networks_of_other_sizes_do_not_mix():
    with pytest.raises(SrlabError, match="same architecture"):
        interpolate_networks(MSRResNet(1, 4), MSRResNet(2, 4), 0.5)


# --- The content-loss study's networks, as its code built them -----------------------------------------------


def test_the_coded_generator_has_one_batch_norm_a_block_and_no_biases():
    network = CodedSRResNet()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 16 + 1
    assert not any(conv.bias is not None for conv in network.modules() if isinstance(conv, nn.Conv2d))
    # SRResNet's count without the biases of its convolutions and without the second batch norm of each block
    biases = 64 + 32 * 64 + 64 + 2 * 256 + 3
    assert parameter_count(network) == 1_549_462 - biases - 16 * 128
    assert network.radius == SRResNet().radius == 40


def test_the_coded_block_in_use_is_not_the_block_that_was_trained():
    network = CodedSRResNet(1, 8).blocks[0]
    x = 3 * torch.randn(8, 8, 16, 16)
    for _ in range(100):
        trained = network.train()(x)
    assert (network.eval()(x) - trained).norm() > 0.3 * (trained - x).norm()


def test_the_coded_generator_upscales_and_keeps_its_config():
    network = CodedSRResNet(2, 8, scale=3)
    assert network(torch.rand(1, 3, 5, 6)).shape == (1, 3, 15, 18)
    assert CodedSRResNet(**network.config).state_dict().keys() == network.state_dict().keys()


def test_the_coded_discriminator_lacks_the_256_channel_stride():
    convs = [module for module in CodedDiscriminator().modules() if isinstance(module, nn.Conv2d)]
    words = [f"{conv.out_channels}s{conv.stride[0]}" for conv in convs]
    assert words == ["64s1", "64s2", "128s1", "128s2", "256s1", "512s1", "512s2"]
    assert CodedDiscriminator()(torch.rand(2, 3, 32, 40)).shape == (2, 1)


def test_the_coded_discriminator_averages_over_the_places_before_its_linear_layers():
    judge, seen = CodedDiscriminator().eval(), []
    judge.head[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = torch.rand(2, 3, 32, 40)
    judge(image)
    torch.testing.assert_close(seen, [judge.convolutions(image).mean(dim=(2, 3))])
