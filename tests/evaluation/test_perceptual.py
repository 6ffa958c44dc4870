"""Test srlab.evaluation.perceptual against hand-computed values, and what each metric detects."""

import math

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab.data.images import quantize
from srlab.errors import SrlabError
from srlab.evaluation.metrics import psnr, ssim
from srlab.evaluation.perceptual import checkerboard, color_shift, energy_error, gradient_ratio, load_lpips, lpips


def noisy(image: torch.Tensor, sigma: float) -> torch.Tensor:
    return (image + sigma * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def levels(*values: int) -> torch.Tensor:
    """Return a flat RGB image with these 8-bit levels."""
    return (torch.tensor(values) / 255).view(1, 3, 1, 1).repeat(1, 1, 32, 32)


def checkers(*amplitudes: float) -> torch.Tensor:
    """Return one 16x16 block per amplitude, side by side, each a checkerboard of that amplitude around gray."""
    sign = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2 - 1
    blocks = [0.5 + amplitude * sign for amplitude in amplitudes]
    return torch.cat(blocks, dim=1).expand(1, 3, -1, -1)


# --- Sharpness, location of texture, color ---------------------------------------------------------------------


def test_gradient_ratio_of_half_slope_is_half():
    ramp = (torch.arange(40).view(1, 1, 1, -1) / 255).repeat(1, 3, 20, 1)
    assert gradient_ratio(ramp, 2 * ramp).item() == pytest.approx(0.5, abs=1e-6)
    diagonal = ramp[..., :20] + ramp[..., :20].mT
    assert gradient_ratio(diagonal, ramp[..., :20]).item() == pytest.approx(math.sqrt(2), abs=1e-6)


def test_bicubic_keeps_55_percent_of_gradient(astronaut):
    sr = srlab.upsample(srlab.downsample(astronaut, 4), 4)
    found = [measure(sr, astronaut).item() for measure in (psnr, ssim, gradient_ratio, energy_error)]
    assert found == [pytest.approx(26.84, abs=0.01)] + [pytest.approx(x, abs=0.002) for x in (0.8429, 0.552, 0.676)]


def test_energy_error_is_rms_of_high_pass_and_detects_misplaced_energy():
    # A checkerboard minus its 5x5 mean has 24/25 of its amplitude; block borders hardly matter for distant blocks.
    hr = checkers(*4 * [60 / 255])
    for amplitude in (0, 20, 120):
        wanted = abs(amplitude - 60) / 60
        assert energy_error(checkers(*4 * [amplitude / 255]), hr).item() == pytest.approx(wanted, abs=0.01)
    assert energy_error(1 - hr, hr).item() == pytest.approx(0, abs=0.02), "it must ignore the phase"
    here, there = checkers(60 / 255, 0, 0, 0), checkers(0, 0, 0, 60 / 255)
    assert energy_error(there, here).item() > 1.5
    assert gradient_ratio(there, here).item() == pytest.approx(1, abs=0.05)


def test_flat_images_get_defined_values():
    flat, rough = levels(90, 90, 90), checkers(0.1, 0.1)[..., :16, :16].repeat(1, 1, 2, 2)
    for other in (flat, levels(91, 91, 91)):
        assert (gradient_ratio(other, flat).item(), energy_error(other, flat).item()) == (1, 0)
    assert gradient_ratio(rough, flat).item() == energy_error(rough, flat).item() == math.inf


@pytest.mark.parametrize(
    ("sr", "hr", "chroma"),
    [
        ((100, 100, 151), (100, 100, 100), (22.4, -3.6428)),
        ((255, 0, 0), (0, 0, 0), (37.797, 112)),
        ((130, 130, 130), (100, 100, 100), (0, 0)),  # brightness is not color
    ],
)
def test_color_shift_is_mean_chroma_distance(sr, hr, chroma):
    assert color_shift(levels(*sr), levels(*hr)).item() == pytest.approx(math.hypot(*chroma), abs=1e-3)


# --- Checkerboard --------------------------------------------------------------------------------------------


def board(image: torch.Tensor, strength: float, side: int) -> torch.Tensor:
    """Add a pattern with that period and this RMS in 8-bit levels."""
    cell = torch.randn(side, side, generator=torch.Generator().manual_seed(1))
    cell -= cell.mean()
    height, width = image.shape[-2:]
    pattern = cell.repeat(-(-height // side), -(-width // side))[:height, :width]
    return image + strength / 255 * pattern / cell.square().mean().sqrt()


@pytest.mark.parametrize(("strength", "scale"), [(1, 4), (3, 3), (3, 8)])
def test_checkerboard_measures_grid_pattern_in_levels(strength, scale):
    gray = torch.full((1, 3, 128, 160), 0.5)
    rounded = quantize(board(gray, strength, scale))  # to levels, which slightly changes its strength
    assert checkerboard(rounded, scale).item() == pytest.approx(255 * rounded.std().item(), rel=0.01)
    assert checkerboard(gray, scale).item() == 0


def test_checkerboard_ignores_photos_and_detects_two_levels():
    photo = srlab.mod_crop(srlab.bundled_photos("validation")["chelsea"], 4)
    for image in (photo, srlab.upsample(srlab.downsample(photo, 4), 4)):
        assert checkerboard(image).item() < 0.3
        assert checkerboard(noisy(image, 0.03)).item() < 0.6
        assert checkerboard(board(image, 2, 4)).item() == pytest.approx(2, abs=0.35)


# --- LPIPS ---------------------------------------------------------------------------------------------------
SHIFT = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
SPREAD = torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)


def test_lpips_loads_backbone_and_heads_without_rng(tmp_path, backbone, backbone_file):
    before = torch.get_rng_state()
    network = load_lpips(backbone_file)
    assert torch.equal(torch.get_rng_state(), before)
    layers = network.features.state_dict().values()
    assert all(torch.equal(found, wanted) for found, wanted in zip(layers, backbone.values(), strict=True))
    assert [len(head) for head in network.heads] == [64, 192, 384, 256, 256]
    assert all((head >= 0).all() for head in network.heads), "random weights would have both signs"
    torch.save({key: value for key, value in backbone.items() if key != "features.8.bias"}, tmp_path / "other.pth")
    with pytest.raises(SrlabError, match=r"other\.pth does not fit: .*8\.bias'"):
        load_lpips(tmp_path / "other.pth")


def test_lpips_is_zero_for_equal_images_and_grows_with_noise(network, astronaut):
    hr = astronaut[..., 40:136, 160:272]
    assert lpips(hr, hr, network).item() == 0
    less, more = (lpips(noisy(hr, sigma), hr, network).item() for sigma in (0.05, 0.2))
    assert more > less > 0


def test_lpips_is_weighted_distance_of_unit_features(network, backbone):
    """Compute it as Zhang et al. do, with the constants of their code for images in [-1, 1]."""
    sr, hr = (torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    maps = [(2 * quantize(image) - 1 - SHIFT) / SPREAD for image in (sr, hr)]
    wanted = torch.zeros(2)
    for number, (place, stride, padding) in enumerate([(0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)]):
        weight, bias = (backbone[f"features.{place}.{kind}"] for kind in ("weight", "bias"))
        if number in (1, 2):
            maps = [F.max_pool2d(x, 3, 2) for x in maps]
        maps = [F.conv2d(x, weight, bias, stride, padding).relu() for x in maps]
        x, y = (F.normalize(each, dim=1) for each in maps)
        wanted += ((x - y).square() * network.heads[number]).sum(dim=1).mean(dim=(1, 2))
    assert lpips(sr, hr, network).tolist() == pytest.approx(wanted.tolist(), rel=1e-5)
