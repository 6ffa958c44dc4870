"""srlab.evaluation.perception against values computed by hand, and what each measure is able to see."""

import math

import pytest
import torch
import torch.nn.functional as F
from torchmetrics.functional.image.lpips import _LPIPS
from torchvision.models import alexnet

from srlab.base.errors import SrlabError
from srlab.data.datasets import folder
from srlab.data.images import mod_crop, quantize
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import TooSmall
from srlab.evaluation.perception import (
    checkerboard,
    colour_shift,
    energy_error,
    gradient_ratio,
    load_lpips,
    lpips,
    saturation_ratio,
    with_noise,
)
from srlab.models import pretrained as backbones

MEASURES = [gradient_ratio, energy_error, colour_shift, saturation_ratio]


@pytest.fixture(scope="module")
def hr(astronaut) -> torch.Tensor:
    """Two parts of a photo as a batch (2, 3, 96, 112)."""
    return torch.cat([astronaut[..., 40:136, 160:272], astronaut[..., 300:396, 200:312]])


@pytest.fixture(scope="module")
def sr(hr) -> torch.Tensor:
    return upsample(downsample(hr, 4), 4)


def noisy(image: torch.Tensor, sigma: float) -> torch.Tensor:
    return (image + sigma * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def levels(*values: int) -> torch.Tensor:
    """A flat RGB image of these 8-bit levels."""
    return (torch.tensor(values) / 255).view(1, 3, 1, 1).repeat(1, 1, 32, 32)


# --- Sharpness -----------------------------------------------------------------------------------------------


def test_gradient_ratio_of_a_ramp_of_half_the_slope_is_a_half():
    ramp = (torch.arange(40).view(1, 1, 1, -1) / 255).repeat(1, 3, 20, 1)
    assert gradient_ratio(ramp, 2 * ramp).item() == pytest.approx(0.5, abs=1e-6)
    assert gradient_ratio(ramp + 0.2, ramp.flip(3)).item() == pytest.approx(1, abs=1e-6)
    diagonal = ramp[..., :20] + ramp[..., :20].mT
    assert gradient_ratio(diagonal, ramp[..., :20]).item() == pytest.approx(math.sqrt(2), abs=1e-6)


def test_bicubic_on_the_whole_photo_keeps_55_percent_of_the_gradient(astronaut):
    sr = upsample(downsample(astronaut, 4), 4)
    assert gradient_ratio(sr, astronaut).item() == pytest.approx(0.552, abs=0.002)
    assert energy_error(sr, astronaut).item() == pytest.approx(0.676, abs=0.002)


# --- Texture in its place ------------------------------------------------------------------------------------


def checkers(*amplitudes: float) -> torch.Tensor:
    """One 16x16 block per amplitude, side by side, each a checkerboard of that amplitude around grey."""
    sign = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2 - 1
    blocks = [0.5 + amplitude * sign for amplitude in amplitudes]
    return torch.cat(blocks, dim=1).expand(1, 3, -1, -1)


def test_the_energy_of_a_block_is_the_root_mean_square_of_its_high_pass():
    # A checkerboard minus its 5x5 mean has 24/25 of its amplitude; the borders of blocks hardly matter for far ones.
    hr = checkers(*4 * [60 / 255])
    for amplitude in (0, 20, 60, 120):
        wanted = abs(amplitude - 60) / 60
        assert energy_error(checkers(*4 * [amplitude / 255]), hr).item() == pytest.approx(wanted, abs=0.01)
    assert energy_error(1 - hr, hr).item() == pytest.approx(0, abs=0.02), "it does not ask for the phase"


def test_the_same_energy_in_the_wrong_block_is_an_error_that_the_gradient_does_not_see():
    here, there = checkers(60 / 255, 0, 0, 0), checkers(0, 0, 0, 60 / 255)
    assert energy_error(there, here).item() > 1.5
    assert gradient_ratio(there, here).item() == pytest.approx(1, abs=0.05)


def test_rows_and_columns_beyond_the_last_whole_block_do_not_count_except_through_the_5x5_mean(sr, hr):
    longer = [torch.cat([x, y], dim=3) for x, y in ((sr, 1 - hr[..., :15]), (hr, hr[..., :15]))]
    far = energy_error(longer[0][..., :-2], longer[1][..., :-2])
    assert torch.equal(energy_error(*longer), far)


def test_noise_of_the_gradient_of_a_sharp_image_is_told_from_it_by_the_energy_map(hr):
    blurred = upsample(downsample(hr, 2), 2)
    grain = noisy(blurred, 0.03)
    sharp = blurred + 0.6 * (hr - blurred)
    assert (gradient_ratio(grain, hr) > gradient_ratio(sharp, hr)).all()
    assert (energy_error(grain, hr) > energy_error(sharp, hr)).all()


def test_the_known_limit_stair_steps_of_nearest_neighbour_score_better_than_bicubic(benchmark_dir):
    errors = {"nearest": [], "bicubic": []}
    for _, image in folder(benchmark_dir / "Set5" / "HR"):
        hr = mod_crop(image, 4)
        for method, values in errors.items():
            values.append(energy_error(upsample(downsample(hr, 4), 4, method), hr).item())
    means = {method: sum(values) / len(values) for method, values in errors.items()}
    assert means == pytest.approx({"nearest": 0.353, "bicubic": 0.679}, abs=0.005)


def test_flat_images_have_no_quotient_and_get_the_value_of_its_meaning():
    flat, rough = levels(90, 90, 90), checkers(0.1, 0.1)[..., :16, :16].repeat(1, 1, 2, 2)
    for other in (flat, levels(91, 91, 91)):
        assert (gradient_ratio(other, flat).item(), energy_error(other, flat).item()) == (1, 0)
    assert gradient_ratio(flat, rough).item() == 0
    assert energy_error(flat, rough).item() == pytest.approx(1)
    assert gradient_ratio(rough, flat).item() == energy_error(rough, flat).item() == math.inf


# --- Colour --------------------------------------------------------------------------------------------------


def test_colour_shift_is_the_distance_of_the_mean_chroma_in_levels():
    grey = levels(100, 100, 100)
    assert colour_shift(levels(100, 100, 151), grey).item() == pytest.approx(math.hypot(22.4, -3.6428), abs=1e-3)
    assert colour_shift(levels(255, 0, 0), levels(0, 0, 0)).item() == pytest.approx(math.hypot(37.797, 112), abs=1e-3)
    assert colour_shift(levels(130, 130, 130), grey).item() == 0  # brightness is no colour


def test_colour_shift_is_of_the_whole_image_so_opposite_errors_cancel_and_a_tint_does_not(hr):
    tint = torch.tensor([10, 0, -10]).view(1, 3, 1, 1) / 255
    soft = quantize(0.2 + 0.6 * hr)
    halves = torch.cat([soft[..., :56] + tint, soft[..., 56:] - tint], dim=3)
    assert (colour_shift(soft + tint, soft) > 5).all()
    assert (colour_shift(halves, soft) < 0.01).all()


def test_saturation_ratio_falls_as_colours_are_mixed_with_their_grey(hr):
    assert saturation_ratio(levels(100, 120, 140), levels(80, 120, 160)).item() == pytest.approx(0.5, abs=1e-4)
    paler = [saturation_ratio(hr.lerp(hr.mean(1, keepdim=True), share), hr) for share in (0, 0.25, 0.5)]
    assert paler[0].tolist() == [1, 1]
    assert torch.stack(paler)[:, 0].tolist() == pytest.approx([1, 0.75, 0.5], abs=0.02)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_images_have_no_tint_and_no_saturation_to_compare_with(hr, channels):
    grey = hr[:, :1].expand(-1, channels, -1, -1)
    assert colour_shift(grey, 1 - grey).tolist() == [0, 0]
    assert saturation_ratio(grey, grey).isnan().all()


# --- Checkerboard --------------------------------------------------------------------------------------------


def board(image: torch.Tensor, strength: float, cell: torch.Tensor | None = None) -> torch.Tensor:
    """Add a pattern that is the same in each cell (default: a checkerboard of single pixels), in 8-bit levels rms."""
    height, width = image.shape[-2:]
    cell = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]) if cell is None else cell
    rows, columns = -(-height // cell.shape[0]), -(-width // cell.shape[1])
    return image + strength / 255 * cell.repeat(rows, columns)[:height, :width]


def cell_of(side: int) -> torch.Tensor:
    """Any pattern of that period with mean 0 and rms 1."""
    cell = torch.randn(side, side, generator=torch.Generator().manual_seed(1))
    cell -= cell.mean()
    return cell / cell.square().mean().sqrt()


@pytest.mark.parametrize("strength", [1, 2, 10])
def test_a_pattern_of_the_grid_on_grey_is_read_in_levels(strength):
    grey = torch.full((1, 3, 128, 160), 0.5)
    for cell in (None, cell_of(4)):
        rounded = quantize(board(grey, strength, cell))  # to whole levels, which changes its strength a little
        assert checkerboard(rounded).item() == pytest.approx(255 * rounded.std().item(), rel=0.01)
    assert checkerboard(board(grey[:, :1], strength)).item() == pytest.approx(strength, abs=0.15)
    assert checkerboard(grey).item() == 0


@pytest.fixture(scope="module")
def photos(astronaut) -> dict[str, torch.Tensor]:
    from skimage import data

    chelsea = torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None].float() / 255
    return {"astronaut": astronaut, "chelsea": mod_crop(chelsea, 4)}


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_photos_their_smooth_enlargements_and_noise_have_none_and_two_levels_are_seen(photos, name):
    hr = photos[name]
    small = downsample(hr, 4)
    for image in (hr, upsample(small, 4), upsample(small, 4, "bilinear")):
        assert checkerboard(image).item() < 0.3
        assert checkerboard(noisy(image, 0.03)).item() < 0.6
        for cell in (None, cell_of(4)):
            assert checkerboard(board(image, 2, cell)).item() == pytest.approx(2, abs=0.35)
    assert checkerboard(upsample(small, 4, "nearest")).item() > 1.5  # stair steps


def test_white_noise_is_no_pattern_however_strong():
    for sigma in (2, 8, 25):
        noise = 0.5 + sigma / 255 * torch.randn(8, 3, 128, 128, generator=torch.Generator().manual_seed(0))
        assert checkerboard(noise).square().mean().sqrt().item() < 0.06 * sigma


def test_a_pattern_that_changes_its_sign_over_the_picture_counts_in_full(photos):
    half = photos["chelsea"].shape[-1] // 2
    cell = cell_of(4)
    image = torch.cat(
        [board(photos["chelsea"][..., :half], 2, cell), board(photos["chelsea"][..., half:], -2, cell)], 3
    )
    assert checkerboard(image).item() == pytest.approx(2, abs=0.35)


@pytest.mark.parametrize("period", [3, 5, 6])
def test_a_pattern_of_another_period_is_none_of_the_grid(period):
    grey = torch.full((1, 3, 160, 160), 0.5)
    pattern = cell_of(period) if period != 6 else cell_of(3).repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert checkerboard(board(grey, 4, pattern)).item() < 0.3


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_the_grid_has_the_period_of_the_scale(scale):
    grey = torch.full((1, 3, 128, 128), 0.5)
    rounded = quantize(board(grey, 3, cell_of(scale)))
    assert checkerboard(rounded, scale).item() == pytest.approx(255 * rounded.std().item(), rel=0.01)


def test_a_network_with_an_unlearned_transposed_convolution_shows_its_board(photos):
    torch.manual_seed(0)
    kernel = 1 / 16 + 0.004 * torch.randn(1, 1, 6, 6)  # overlaps unevenly: the artefact of Odena et al.
    small = downsample(photos["astronaut"], 4).transpose(0, 1)
    enlarged = torch.nn.functional.conv_transpose2d(small, kernel * 16 / 2.25, stride=4, padding=1).transpose(0, 1)
    assert checkerboard(enlarged.clamp(0, 1)).item() > 5


# --- All -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory, backbone):
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(backbone, path)
    return load_lpips(path)


def measured(name, network):
    """Name -> function of (SR, HR)."""
    others = {"checkerboard": lambda sr, hr: checkerboard(sr), "lpips": lambda sr, hr: lpips(sr, hr, network)}
    return others.get(name) or {measure.__name__: measure for measure in MEASURES}[name]


ALL = [*(measure.__name__ for measure in MEASURES), "checkerboard", "lpips"]


@pytest.mark.parametrize("name", ALL)
def test_a_measure_is_per_image_in_float64_without_gradient_rounds_as_a_file_would_and_checks(name, sr, hr, network):
    measure = measured(name, network)
    scores = measure(sr.clone().requires_grad_(), hr)
    assert (scores.shape, scores.dtype, scores.requires_grad) == ((2,), torch.float64, False)
    assert scores.tolist() == pytest.approx([measure(sr[i], hr[i]).item() for i in range(2)], rel=1e-4, abs=1e-9)
    assert torch.equal(scores, measure(quantize(sr), hr))
    with pytest.raises(SrlabError, match="NaN or infinity"):
        measure(hr * math.nan, hr)
    with pytest.raises(SrlabError, match="RGB or grey"):
        measure(torch.rand(1, 4, 40, 40), torch.rand(1, 4, 40, 40))
    if torch.cuda.is_available() and name in ALL[:4]:
        assert measure(sr.cuda(), hr.cuda()).cpu().tolist() == pytest.approx(scores.tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "side"), [("gradient_ratio", 2), ("energy_error", 16), ("checkerboard", 32), ("lpips", 31)]
)
def test_an_image_too_small_for_a_measure_is_refused_with_its_size(name, side, network):
    fits, small = (torch.rand(1, 3, height, 64) for height in (side, side - 1))
    assert measured(name, network)(fits, fits).shape == (1,)
    with pytest.raises(TooSmall, match=f"64x{side - 1} pixels is too small for .*needs {side} a side"):
        measured(name, network)(small, small)


# --- LPIPS ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backbone() -> dict[str, torch.Tensor]:
    """Random weights in the shape of torchvision's AlexNet without its classifier, only to exercise the code."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {key: value for key, value in alexnet(weights=None).state_dict().items() if key.startswith("features")}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torch, as on a machine that never had weights."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("srlab.data.download.download", refuse)


def test_without_weights_there_is_no_lpips_and_one_line_says_how_to_get_it(cache, capsys):
    assert load_lpips() is None
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.startswith("LPIPS is left out")
    assert backbones.remedy("alexnet") in said


def test_lpips_has_the_backbone_of_the_file_and_the_heads_of_torchmetrics(network, backbone, tmp_path):
    with torch.random.fork_rng():
        reference = _LPIPS(net="alex", pnet_rand=True)  # the same but for its backbone
    heads = {key: value for key, value in reference.state_dict().items() if key.startswith("lin")}
    assert len(heads) >= 5
    for key, value in heads.items():
        assert torch.equal(network.state_dict()[key], value)
        assert (value >= 0).all()  # as trained; random ones would have both signs
    layers = {int(key.split(".")[1]): value for key, value in backbone.items() if key.endswith("weight")}
    slices = [network.net.slice1, network.net.slice2, network.net.slice3, network.net.slice4, network.net.slice5]
    loaded = {
        int(key): layer.weight for part in slices for key, layer in part.named_children() if hasattr(layer, "weight")
    }
    assert loaded.keys() == layers.keys() == {0, 3, 6, 8, 10}
    assert all(torch.equal(loaded[i], layers[i]) for i in layers)


def test_lpips_is_zero_for_equal_images_symmetric_and_grows_with_noise(network, hr):
    assert lpips(hr, hr, network).tolist() == [0, 0]
    distances = torch.stack([lpips(noisy(hr, sigma), hr, network) for sigma in (0.02, 0.05, 0.1, 0.2)])
    assert (distances[1:] > distances[:-1]).all()
    assert torch.equal(lpips(hr, noisy(hr, 0.1), network), distances[2])


def test_lpips_in_training_mode_is_the_same_for_its_dropout_must_never_wake_up(network, sr, hr):
    scores = lpips(sr, hr, network)
    network.train(True)
    assert torch.equal(scores, lpips(sr, hr, network))
    network.eval()


def test_lpips_gets_its_images_from_minus_1_to_1(network, sr, hr):
    with torch.no_grad():
        expected = network(2 * quantize(sr) - 1, 2 * hr - 1).flatten()
    assert lpips(sr, hr, network).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_lpips_of_a_grey_image_is_that_of_its_rgb(network, sr, hr):
    grey = [x[:, :1] for x in (sr, hr)]
    assert torch.equal(lpips(*grey, network), lpips(*(x.expand(-1, 3, -1, -1) for x in grey), network))


def test_loading_lpips_moves_nobodys_seed(tmp_path, backbone):
    torch.save(backbone, tmp_path / "alexnet.pth")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    load_lpips(tmp_path / "alexnet.pth")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_of_another_network_is_refused_and_there_is_no_falling_back(cache, tmp_path, backbone):
    torch.save({key: value for key, value in backbone.items() if key != "features.8.bias"}, tmp_path / "other.pth")
    with pytest.raises(SrlabError, match=r"other\.pth does not fit: .*'features\.8\.bias'"):
        load_lpips(tmp_path / "other.pth")


def test_noise_lifts_a_picture_to_the_gradient_that_was_asked_for():
    hr = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    sr = F.avg_pool2d(hr, 5, 1, 2, count_include_pad=False)
    lifted = with_noise(sr, hr, 0.6)
    assert gradient_ratio(sr, hr).item() < 0.3
    assert gradient_ratio(lifted, hr).item() == pytest.approx(0.6, abs=0.02)
    assert torch.equal(lifted, with_noise(sr, hr, 0.6))
    assert not torch.equal(lifted, with_noise(sr, hr, 0.6, seed=1))
    assert torch.allclose(with_noise(hr, hr, 0.5), hr, atol=1e-4), "sharp enough"
