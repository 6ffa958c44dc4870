"""Test srlab.tiling: tiles without seams, bounded memory, and accurate errors."""

import weakref

import pytest
import torch
from torch import nn

from srlab.data.images import full_range, luma, quantize, to_uint8
from srlab.data.resampling import upsample
from srlab.errors import SrlabError
from srlab.models import MSRResNet, RRDBNet, SRResNet
from srlab.tiling import MAX_OVERLAP, TILE, overlap_of, precision_of, tile_of, upscale, upscale_whole


def trained_size(network, seed, gain):
    """Return weights as large as trained ones; the initial weights of a residual network would hide every seam."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            module.weight.data *= gain
    return network.eval()


@pytest.fixture
def photo(astronaut):
    return astronaut[..., 20:164, 150:294].contiguous()


@pytest.fixture
def network():
    return trained_size(SRResNet(2, 8), 0, 1.0)


NETWORKS = {
    "SRResNet": (lambda: trained_size(SRResNet(4, 16), 0, 0.8), 0.01),
    "MSRResNet": (lambda: trained_size(MSRResNet(4, 16), 1, 0.8), 0.01),
    "RRDBNet": (lambda: trained_size(RRDBNet(3, 16, 8), 0, 1.0), 0.5),
}


@pytest.mark.parametrize(("make", "most"), NETWORKS.values(), ids=NETWORKS)
def test_default_overlap_matches_whole_image(make, most, photo):
    network, piece = make(), photo[..., :64, :60]
    whole = upscale(network, piece)
    assert whole.std() > 0.05  # otherwise there would be nothing to see
    tiled, narrow = (upscale(network, piece, tile=32, **options) for options in ({}, {"overlap": 1}))
    assert 255 * (tiled - whole).abs().max() < most
    assert 255 * (narrow - whole).abs().max() > 1


def test_default_tile_and_overlap():
    class Own(nn.Module):
        tile, overlap = 100, 5

    assert (tile_of(RRDBNet(23, 4, 4)), overlap_of(RRDBNet(23, 4, 4))) == (TILE, MAX_OVERLAP)
    assert overlap_of(SRResNet(1, 4)) == SRResNet(1, 4).radius < MAX_OVERLAP
    assert (tile_of(Own()), overlap_of(Own())) == (100, 5)
    assert [tile_of(upsample, scale) for scale in (None, 2, 8, 10**6)] == [TILE, TILE, TILE // 2, 1]


@pytest.mark.parametrize(
    ("height", "width", "tile"), [(1, 1, 1), (3, 7, 1), (1, 50, 16), (33, 32, 32), (31, 70, 32), (64, 96, 100)]
)
def test_any_size_and_tile_match_whole_image(height, width, tile, photo):
    lr = photo[..., :height, :width]
    sr = upscale(lambda x: upsample(x, 4), lr, tile=tile, overlap=3)
    torch.testing.assert_close(sr, upsample(lr, 4), atol=1e-5, rtol=0)


def test_tiles_are_bounded_and_smaller_for_batch():
    pieces = []

    def watched(lr):
        pieces.append((len(lr), *lr.shape[2:]))
        return lr

    upscale(watched, torch.zeros(3, 500, 1900), overlap=5)
    assert len(pieces) == 2 * 6
    assert all(count == 1 and max(sides) <= TILE + 10 for count, *sides in pieces)
    pieces.clear()
    upscale(watched, torch.zeros(4, 3, 400, 400), overlap=0)
    assert max(count * height * width for count, height, width in pieces) <= TILE**2


def test_result_has_the_format_of_the_input(photo, network):
    whole = upscale(network, quantize(photo), tile=64)
    assert torch.equal(upscale(network, quantize(photo)[0], tile=64), whole[0])
    assert torch.equal(upscale(network, quantize(photo).double(), tile=64), whole.double())
    levels = upscale(network, to_uint8(photo), tile=64)
    assert torch.equal(levels, to_uint8(whole))
    gray = upscale(network, photo[:, :1])
    of_rgb = upscale(network, photo[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(gray, full_range(luma(of_rgb)).clamp(0, 1))


def test_network_is_unchanged_and_gets_channels_last(photo, network):
    network.train()
    network.fuse[1].eval()  # like a frozen batch norm
    modes = [module.training for module in network.modules()]
    before = {key: value.clone() for key, value in network.state_dict().items()}  # including running statistics
    assert not upscale(network, photo[..., :64, :64], tile=32, overlap=0).requires_grad
    assert modes == [module.training for module in network.modules()]
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    strides = []

    class Look(nn.Conv2d):
        def forward(self, lr):
            strides.append(lr.stride())
            return super().forward(lr)

    cut_out = torch.rand(1, 30, 40, 3)[:, :20, :10].permute(0, 3, 1, 2)
    odd = cut_out.as_strided(cut_out.shape, (3, *cut_out.stride()[1:]))  # as in one image of a batch
    upscale_whole(Look(3, 3, 1), odd)
    assert strides == [(3 * 20 * 10, 1, 3 * 10, 3)]


# --- precision ---


def test_upscale_is_exact_unless_bf16_requested(photo, network):
    piece = photo[..., :48, :40]
    with torch.no_grad():
        exact = network(piece.contiguous(memory_format=torch.channels_last)).clamp(0, 1)
    with torch.autocast("cpu", torch.bfloat16):  # not even with an outer autocast
        assert torch.equal(upscale(network, piece), exact)
    coarse = upscale(network, piece, precision="bf16")
    assert coarse.dtype == torch.float32
    assert 0 < (coarse - exact).square().mean() < 1e-4


@pytest.mark.parametrize(("precision", "rounded"), [("fp32", False), ("bf16", True)])
def test_exact_precision_forbids_tf32(precision, rounded, photo, network):
    seen = []
    network.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    upscale(network, photo, precision=precision)
    assert set(seen) == {rounded}
    assert torch.backends.cudnn.allow_tf32  # cuDNN's default, which other code relies on


def test_upscaler_may_have_its_own_precision(network, monkeypatch):
    monkeypatch.setenv("SRLAB_PRECISION", "bf16")
    assert precision_of(network, "auto") == "bf16"
    network.precision = "fp32"
    assert [precision_of(network, asked) for asked in ("auto", "fp32", "bf16")] == ["fp32", "fp32", "bf16"]


def test_nan_in_bf16_suggests_precision(photo):
    class Delicate(nn.Conv2d):
        def forward(self, lr):
            return super().forward(lr) / (not torch.is_autocast_enabled("cpu"))

    with pytest.raises(SrlabError, match=r"NaN or infinity .* bf16 may be too coarse for it. Use precision fp32"):
        upscale(Delicate(3, 3, 1), photo, precision="bf16")


# --- memory ---


@pytest.mark.parametrize("tile", [None, 96])
def test_out_of_memory_halves_remaining_tiles(tile, photo, capsys):
    sizes, failed = [], []

    def greedy(lr):
        sizes.append(tuple(lr.shape[-2:]))
        first = lr[0, 0, 0, 0] == photo[0, 0, 0, 0]
        assert not any(tensor() is not None for tensor in failed), "a failed tile is freed before the next attempt"
        if max(lr.shape[-2:]) > (110 if first else 80):
            failed.append(weakref.ref(lr))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return upsample(lr, 2)

    sr = upscale(greedy, photo, tile=tile, overlap=4)
    torch.testing.assert_close(sr, upsample(photo, 2), atol=1e-5, rtol=0)
    (said,) = capsys.readouterr().err.splitlines()
    assert f"tiles of {tile or 144} pixels. Continuing with {(tile or 144) // 2}" in said
    assert sum(max(size) > 80 for size in sizes) == (2 if tile else 1), "only tiles that might fit are tried"


def test_too_little_memory_for_any_tile_is_reported(photo):
    def greedy(lr):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(SrlabError, match=r"tiles of 12 pixels .*CUDA out of memory.*Close other programs"):
        upscale(greedy, photo, tile=96, overlap=4)


def test_other_errors_are_not_treated_as_out_of_memory(photo):
    def broken(lr):
        raise RuntimeError("expected 3 channels")

    with pytest.raises(RuntimeError, match="expected 3 channels"):
        upscale(broken, photo, tile=96, overlap=4)


# --- rejected input ----


@pytest.mark.parametrize(
    ("shape", "upscaler", "options", "said"),
    [
        ((8, 8), lambda x: x, {}, r"needs RGB or gray images .*shape \(8, 8\)"),
        ((0, 3, 8, 8), lambda x: x, {}, "needs RGB or gray images"),
        ((1, 2, 8, 8), lambda x: x, {}, "needs RGB or gray images"),
        ((3, 8, 8), lambda x: x, {"tile": 0}, "at least 1 .* are 0 and"),
        ((3, 8, 8), lambda x: x, {"tile": 16, "overlap": -1}, "at least 0, but they are 16 and -1"),
        ((3, 8, 8), lambda x: upsample(x, 2), {"scale": 4}, "8x8 pixels into 16x16, which is not 4 times larger"),
        ((3, 99, 99), lambda x: x[..., 1:-1, 1:-1], {"tile": 50}, "is not a whole number of times larger"),
    ],
)
def test_invalid_images_tiles_and_results_are_rejected(shape, upscaler, options, said):
    with pytest.raises(SrlabError, match=said):
        upscale(upscaler, torch.ones(shape), **options)


def test_nan_and_infinite_output_is_rejected(photo, network):
    broken = photo.clone()
    broken[0, 0, 100, 100] = float("nan")
    with pytest.raises(SrlabError, match="The image contains NaN or infinity"):
        upscale(network, broken, tile=50, overlap=4)
    network.fuse[0].weight.data[0, 0, 0, 0] = float("inf")
    with pytest.raises(SrlabError, match="The network's output contains NaN or infinity"):
        upscale(network, photo)
