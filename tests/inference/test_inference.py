"""srlab.inference.tiling: tiles without seams, in bounded memory, and honest errors."""

import pytest
import torch
from torch import nn

from srlab.base.errors import SrlabError
from srlab.data.images import to_uint8
from srlab.data.resampling import upsample
from srlab.inference import overlap, tiles
from srlab.inference.overlap import Source, apply, measure_overlap, overlap_errors
from srlab.inference.tiles import Tiling, bytes_per_pixel, plan_tiles
from srlab.inference.tiling import scale_of, upscale, upscale_strips
from srlab.models import MSRResNet, RRDBNet, SRResNet


def trained_size(network, seed, gain):
    """Weights as large as trained ones; those that a residual network starts from would hide every seam."""
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


NETWORKS = [
    pytest.param(lambda seed: trained_size(SRResNet(4, 16), seed, 0.8), id="SRResNet"),
    pytest.param(lambda seed: trained_size(MSRResNet(4, 16), seed, 0.8), id="MSRResNet"),
    pytest.param(lambda seed: trained_size(RRDBNet(1, 16, 8), seed, 1.0), id="RRDBNet"),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("make", NETWORKS)
def test_with_the_overlap_measured_no_8_bit_value_differs_by_more_than_one_level(make, seed, photo):
    network = make(seed)
    whole, tiled = upscale(network, photo), upscale(network, photo, tile=40)
    assert (to_uint8(tiled).int() - to_uint8(whole).int()).abs().max() <= 1
    assert (upscale(network, photo, tile=40, overlap=1) - whole).abs().max() > 2 / 255  # or there was nothing to see


@pytest.mark.parametrize("make", NETWORKS)
def test_with_the_receptive_radius_as_overlap_only_rounding_is_left(make, photo):
    network, piece = make(0), photo[..., :97, :90]
    tiled = upscale(network, piece, tile=32, overlap=network.radius)
    torch.testing.assert_close(tiled, upscale(network, piece), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (33, 32), (31, 70), (64, 96)])
@pytest.mark.parametrize("tile", [1, 16, 32, 100])
def test_any_size_and_any_tile_give_the_whole_image(height, width, tile, photo):
    lr = photo[..., :height, :width]
    if tile == 1 and height * width > 50:
        lr = lr[..., :3, :7]
    sr = upscale(lambda x: upsample(x, 4), lr, tile=tile, overlap=3)
    torch.testing.assert_close(sr, upsample(lr, 4), atol=1e-5, rtol=0)


def test_strips_come_in_order_and_never_read_more_than_a_tile_with_its_overlap(photo, network):
    pieces = []

    def read(top, left, height, width):
        pieces.append((height, width))
        return photo[..., top : top + height, left : left + width]

    strips = list(upscale_strips(network, Source(*photo.shape[-2:], read), tile=48, overlap=5))
    assert [(top, tuple(strip.shape)) for top, strip in strips] == [(192 * i, (1, 3, 192, 576)) for i in range(3)]
    assert max(pieces) == (58, 58)
    assert len(pieces) == 9
    torch.testing.assert_close(
        torch.cat([strip for _, strip in strips], -2), upscale(network, photo, tile=48, overlap=5)
    )


def test_a_batch_goes_through_tiles_as_well(photo, network):
    batch = torch.cat([photo, photo.flip(-1)])
    tiled = upscale(network, batch, tile=60, overlap=network.radius)
    torch.testing.assert_close(tiled, upscale(network, batch), atol=1e-4, rtol=0)


def test_a_batch_gets_smaller_tiles_than_one_image(photo, network, monkeypatch):
    areas = []

    def watched(lr):
        areas.append(lr.shape[0] * lr.shape[2] * lr.shape[3])
        return upsample(lr, 2)

    need = bytes_per_pixel(watched, photo)[0]
    monkeypatch.setattr(tiles, "free_memory", lambda device: int(10_000 * need))
    areas.clear()
    upscale(watched, photo.expand(4, -1, -1, -1), overlap=4)
    assert max(areas) <= 10_000


def test_tiling_leaves_the_mode_of_the_network(photo, network):
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    strips = upscale_strips(network, photo, tile=64)
    next(strips)
    assert network.training  # between strips as well: the caller may stop there
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


# --- overlap ---


def test_the_error_falls_with_the_overlap_and_is_none_at_the_radius(photo):
    network = trained_size(SRResNet(4, 16), 0, 0.8)
    errors = overlap_errors(network, photo, [0, 2, 4, 8, network.radius])
    assert list(errors) == [0, 2, 4, 8, network.radius]
    assert list(errors.values()) == sorted(errors.values(), reverse=True)
    assert errors[0] > 10 / 255
    assert errors[network.radius] < 1e-5


def test_a_cut_on_each_of_the_four_sides_is_seen(photo):
    for shift in ((0, 1), (0, -1), (1, 0), (-1, 0)):

        def look(lr, shift=shift):  # each pixel becomes one ten pixels away, and 0 outside of what is there
            padded = nn.functional.pad(lr, (10, 10, 10, 10))
            top, left = 10 + 10 * shift[0], 10 + 10 * shift[1]
            return (
                padded[..., top : top + lr.shape[-2], left : left + lr.shape[-1]]
                .repeat_interleave(2, -1)[..., ::1]
                .repeat_interleave(2, -2)
            )

        errors = overlap_errors(look, photo, [8, 12])
        assert errors[8] > 0.1, shift
        assert errors[12] == 0
        assert measure_overlap(look, photo) == 10


def test_the_overlap_is_measured_where_the_image_has_its_detail():
    network = trained_size(SRResNet(4, 16), 0, 0.8)
    flat = torch.zeros(1, 3, 200, 200)
    lr = flat.clone()
    lr[..., 120:136, 40:56] = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert overlap_errors(network, lr, [4])[4] > 1.5 * overlap_errors(network, flat, [4])[4]


def test_measuring_costs_a_few_thousand_pixels():
    seen = []

    class Count(nn.Module):
        radius = 349

        def forward(self, lr):
            seen.append(lr.shape[0] * lr.shape[2] * lr.shape[3])
            return upsample(lr, 2)

    measure_overlap(Count(), torch.rand(1, 3, 300, 300, generator=torch.Generator().manual_seed(0)))
    assert sum(seen) < 20_000


def test_an_upscaler_that_sees_the_whole_image_is_refused():
    torch.manual_seed(0)
    lr = torch.rand(1, 3, 600, 40) * torch.linspace(0, 1, 600)[:, None].square()
    with pytest.raises(SrlabError, match=r"seams of .* levels even with 256 LR pixels .*looks at the whole image"):
        measure_overlap(lambda x: upsample(x, 2) / x.mean((1, 2, 3), keepdim=True), lr)


def test_a_network_gets_strides_that_are_channels_last_beyond_doubt():
    strides = []

    class Look(nn.Conv2d):
        def forward(self, lr):
            strides.append(lr.stride())
            return super().forward(lr)

    cut_out = torch.rand(1, 30, 40, 3)[:, :20, :10].permute(0, 3, 1, 2)
    odd = cut_out.as_strided(cut_out.shape, (3, *cut_out.stride()[1:]))  # as one image of a batch may have them
    apply(Look(3, 3, 1), odd)
    assert strides == [(3 * 20 * 10, 1, 3 * 10, 3)]


def test_negative_overlaps_are_refused(photo):
    with pytest.raises(SrlabError, match="at least 0"):
        overlap_errors(lambda x: x, photo, [-1])


# --- memory ---


@pytest.mark.parametrize(("network", "low", "high"), [(SRResNet(), 4500, 6500), (RRDBNet(2), 8000, 10000)])
def test_the_memory_a_network_takes_is_counted(network, low, high, photo):
    # By hand, for SRResNet: 256 channels at twice the size are 256 x 4 x 4 bytes, and 64 of them came before.
    # For RRDBNet: 64 channels at four times the size before and after a convolution are 2 x 64 x 16 x 4 bytes.
    working, result = bytes_per_pixel(network, photo)
    assert low < working < high
    assert result == 3 * 16 * 4


def test_memory_is_counted_until_the_tensor_dies():
    def chain(lr):
        for _ in range(10):
            lr = lr + 1
        return lr

    lr = torch.rand(1, 3, 32, 32)
    assert bytes_per_pixel(chain, lr)[0] <= 3 * 3 * 4  # and not ten


def test_automatic_tiles_fit_the_budget_and_cost_little(monkeypatch, network):
    monkeypatch.setattr(tiles, "measure_overlap", lambda *_: 12)
    source = Source(1800, 2000, lambda top, left, height, width: torch.rand(1, 3, height, width))
    for big in (SRResNet(), RRDBNet(1)):
        tiling = plan_tiles(big, source)
        seen = (tiling.height + 24) * (tiling.width + 24)
        assert seen * bytes_per_pixel(big, source)[0] <= 2**30
        rows, columns = -(-1800 // tiling.height), -(-2000 // tiling.width)
        assert (1800 + 24 * (rows - 1)) * (2000 + 24 * (columns - 1)) <= 1.25 * 1800 * 2000


def test_the_whole_image_is_one_tile_where_it_fits(photo, network):
    assert plan_tiles(network, photo) == Tiling(144, 144, 0)
    assert plan_tiles(network, photo, tile=144) == Tiling(144, 144, 0)
    assert plan_tiles(network, photo, tile=100, overlap=3) == Tiling(100, 100, 3)


def test_less_free_memory_gives_smaller_tiles_with_the_same_result(monkeypatch, photo, network):
    whole = upscale(network, photo)
    monkeypatch.setattr(tiles, "free_memory", lambda device: 60 * 60 * 2000)
    tiling = plan_tiles(network, photo)
    assert 16 <= tiling.height < 144
    assert (to_uint8(upscale(network, photo)).int() - to_uint8(whole).int()).abs().max() <= 1


def test_a_wide_flat_image_gets_wide_flat_tiles(monkeypatch, network):
    monkeypatch.setattr(tiles, "free_memory", lambda device: 10**6)
    tiling = plan_tiles(network, torch.rand(1, 3, 4, 20_000), overlap=8)
    assert tiling.height == 4
    assert tiling.width > 50


def test_an_overlap_that_fills_the_memory_is_refused(monkeypatch, photo, network):
    monkeypatch.setattr(tiles, "free_memory", lambda device: 10**5)
    with pytest.raises(SrlabError, match="overlap of 40 do not fit into the free memory; give a smaller overlap"):
        plan_tiles(network, photo, overlap=40)


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 100 bytes."),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_out_of_memory_halves_the_tile_says_so_once_and_gives_the_same_image(error, photo, capsys):
    def greedy(lr):
        if max(lr.shape[-2:]) > 60:
            raise error
        return upsample(lr, 2)

    sr = upscale(greedy, photo, tile=96, overlap=4)
    torch.testing.assert_close(sr, upsample(photo, 2), atol=1e-5, rtol=0)
    assert capsys.readouterr().err.splitlines() == [
        "The memory is too small for tiles of 96x96 pixels; going on with 48x48."
    ]


def test_a_whole_image_that_does_not_fit_after_all_is_tiled(photo, capsys):
    def greedy(lr):
        if lr.shape[-2] * lr.shape[-1] > 100 * 100:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return upsample(lr, 2)

    torch.testing.assert_close(upscale(greedy, photo), upsample(photo, 2), atol=1e-5, rtol=0)
    assert "144x144 pixels; going on with 72x72" in capsys.readouterr().err


def test_memory_too_small_for_any_tile_is_an_error_with_advice(photo):
    def greedy(lr):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(SrlabError, match=r"Not even tiles of 12x12 .*close other programs"):
        upscale(greedy, photo, tile=96, overlap=4)


def test_other_errors_are_not_taken_for_a_lack_of_memory(photo):
    def broken(lr):
        raise RuntimeError("expected 3 channels")

    with pytest.raises(RuntimeError, match="expected 3 channels"):
        upscale(broken, photo, tile=96, overlap=4)


# --- what is refused ---


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_image_with_values_that_are_no_numbers_is_refused(value, photo, network):
    broken = photo.clone()
    broken[0, 0, 100, 100] = value
    for tile in (None, 50):
        with pytest.raises(SrlabError, match="The image has values that are no numbers"):
            upscale(network, broken, tile=tile, overlap=4)


def test_a_network_that_gives_nan_is_told_so(photo, network):
    network.fuse[0].weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(SrlabError, match="The network gives values that are no numbers"):
        upscale(network, photo)


@pytest.mark.parametrize(
    ("tile", "overlap", "said"),
    [
        (0, None, "at least 1 pixel, but tile is 0"),
        (-1, 4, "at least 1 pixel, but tile is -1"),
        (16, -1, "at least 0, but is -1"),
    ],
)
def test_a_tile_or_an_overlap_out_of_range_is_refused(tile, overlap, said, photo, network):
    with pytest.raises(SrlabError, match=said):
        upscale(network, photo, tile=tile, overlap=overlap)


def test_the_scale_is_that_of_the_network_or_found_by_trying(photo):
    assert scale_of(SRResNet(1, 4, scale=3)) == 3
    assert scale_of(lambda x: upsample(x, 2)) == 2
    with pytest.raises(SrlabError, match="scale of 4 is asked for, but the upscaler enlarges x3; give 3"):
        scale_of(SRResNet(1, 4, scale=3), 4)
    with pytest.raises(SrlabError, match="scale of 4 is asked for"):
        upscale(lambda x: upsample(x, 2), photo, scale=4)
    with pytest.raises(SrlabError, match="whole number of times larger"):
        upscale(lambda x: x[..., 1:-1, 1:-1], photo, tile=50, overlap=4)


def test_a_bar_counts_the_tiles(photo, network, capsys):
    upscale(network, photo, tile=72, overlap=4, progress=True)
    assert "4/4" in capsys.readouterr().err

    def greedy(lr):
        if min(lr.shape[-2:]) > 30 and lr[0, 0, 0, 0] != photo[0, 0, 0, 0]:
            raise MemoryError
        return upsample(lr, 2)

    upscale(greedy, photo, tile=48, overlap=2, progress=True)  # the first tile is done again, and counts once
    assert "36/36" in capsys.readouterr().err


def test_probing_leaves_the_network_as_it_was(photo, network):
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    overlap.measure_overlap(network, photo)
    bytes_per_pixel(network, photo)
    assert network.training
    assert not apply(network, photo[..., :8, :8]).requires_grad
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
