"""Test srlab.evaluation.metrics against hand-computed values, scikit-image, and published scores of bicubic."""

import math

import pytest
import torch
from skimage.metrics import structural_similarity

from srlab.data.images import luma, mod_crop, quantize, read_image
from srlab.data.resampling import downsample, upsample
from srlab.errors import SrlabError
from srlab.evaluation.metrics import PAPER, PROTOCOLS, WHOLE_RGB, Protocol, lr_consistency, psnr, ssim

RGB = Protocol("rgb", crop=0, quantize=False)
GRAY = Protocol("y", crop=0, quantize=False)


# --- PSNR, SSIM, the protocol ----------------------------------------------------------------------------------


def test_psnr_of_constant_error():
    hr = torch.full((1, 3, 16, 16), 100 / 255)
    sr, wanted = hr + 20 / 255, 20 * math.log10(255 / 20)
    assert psnr(sr, hr, RGB).item() == pytest.approx(wanted, abs=1e-4)
    # One gray level is 219/255 of a level in luma.
    assert psnr(sr, hr).item() == pytest.approx(wanted + 20 * math.log10(255 / 219), abs=1e-4)
    assert psnr(hr, hr).item() == math.inf
    sr = hr.clone()
    sr[:, 1] += 0.5
    assert psnr(sr, hr, GRAY).item() == pytest.approx(-20 * math.log10(0.5 * 128.553 / 255), abs=1e-4)
    assert psnr(sr, hr, RGB).item() == pytest.approx(-10 * math.log10(0.5**2 / 3), abs=1e-4)


@pytest.mark.parametrize("protocol", [PAPER, WHOLE_RGB], ids=str)
def test_ssim_matches_scikit_image(astronaut, protocol):
    hr = astronaut[..., 40:136, 160:280]
    sr = upsample(downsample(hr, 4), 4)
    options = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    planes = [protocol(image)[0].double().numpy() for image in (sr, hr)]
    _, similarity = structural_similarity(*planes, channel_axis=0, **options)
    assert ssim(sr, hr, protocol).item() == pytest.approx(similarity[:, 5:-5, 5:-5].mean(), abs=1e-5)


def test_protocol_rounds_then_converts_then_crops(astronaut):
    image = astronaut[..., :40, :40] + 0.4 / 255
    assert torch.equal(PAPER(image), luma(quantize(image))[..., 4:-4, 4:-4])
    assert torch.equal(PROTOCOLS["study"](image), image)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_images_are_scored_in_float32(dtype):
    sr, hr = (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed)).to(dtype) for seed in (0, 1))
    for metric in (psnr, ssim):
        assert metric(sr, hr).item() == metric(sr.float(), hr.float()).item()
    lr = sr[..., ::4, ::4]
    assert lr_consistency(sr, lr).item() == lr_consistency(sr.float(), lr.float()).item()


GOOD = torch.rand(1, 3, 32, 32)
REFUSED = [
    (lambda: psnr(GOOD, GOOD[:, :1]), r"\(1, 1, 32, 32\)"),  # never broadcast gray over color
    (lambda: psnr(GOOD[..., :8], GOOD[..., :8]), "crop of 4"),
    (lambda: lr_consistency(GOOD, GOOD[..., :6, :8]), r"32x32 .* 8x6"),
    (lambda: Protocol(color="Y"), "color 'y'"),
    (lambda: Protocol(crop=-1), "crop=-1"),
    (lambda: Protocol(gray="y"), "'luma'"),
    (lambda: Protocol(resampler="a"), "bicubic"),
]


@pytest.mark.parametrize(("call", "said"), REFUSED)
def test_other_shapes_and_protocols_are_rejected(call, said):
    with pytest.raises(SrlabError, match=said):
        call()


# --- Bicubic x4, as in the papers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def benchmarks(benchmark_dir):
    """Return set name -> pairs of bicubic SR and HR."""
    sets = {}
    for name in ("Set5", "Set14"):
        files = sorted((benchmark_dir / name / "HR").glob("*.png"))
        images = [mod_crop(read_image(path, keep_gray=True), 4)[None] for path in files]
        sets[name] = [(upsample(downsample(image, 4), 4), image) for image in images]
    return sets


def mean(metric, pairs, *protocol):
    return sum(metric(sr, hr, *protocol).item() for sr, hr in pairs) / len(pairs)


@pytest.mark.parametrize(
    ("name", "golden", "published"),
    [("Set5", (28.43, 0.8113), (28.42, 0.8104)), ("Set14", (26.00, 0.7031), (26.00, 0.7027))],
)
def test_bicubic_matches_published_scores(benchmarks, name, golden, published):
    pairs = benchmarks[name]
    planes = [(PAPER(sr), PAPER(hr)) for sr, hr in pairs]  # Y rounded to levels, as in MATLAB
    decibels, similarity = mean(psnr, pairs), mean(ssim, pairs)
    assert decibels == pytest.approx(golden[0], abs=0.01)
    assert similarity == pytest.approx(golden[1], abs=2e-4)
    assert decibels == pytest.approx(published[0], abs=0.03)
    assert mean(ssim, planes, Protocol("y", crop=0)) == pytest.approx(published[1], abs=5e-4)


# --- Consistency with LR -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [3, 4])
def test_consistency_is_psnr_of_lr(scale):
    sr = torch.full((2, 3, 8 * scale, 6 * scale), 100 / 255)
    sr[1] += 0.4 / 255  # removed by rounding
    lr = torch.full((2, 3, 8, 6), 100 / 255)
    lr[:, 0, 0, 0] += 51 / 255  # one of 3 x 48 values, at the border
    assert lr_consistency(sr, lr).tolist() == pytest.approx(2 * [-10 * math.log10(0.04 / 144)], abs=1e-4)


def test_consistency_ignores_fine_detail(astronaut):
    hr = 0.1 + 0.8 * astronaut[..., :96, :96]
    lr = downsample(quantize(hr), 4)
    stripes = 30 / 255 * (-1.0) ** torch.arange(96)  # period of two pixels: downscaling by 4 removes nearly all of it
    striped, tinted = hr + stripes, hr + 1.2 * stripes.abs().mean()
    assert lr_consistency(striped, lr).item() > lr_consistency(tinted, lr).item() + 20
