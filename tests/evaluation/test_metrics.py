"""srlab.evaluation.metrics against hand-computed values, scikit-image, and the published scores of bicubic."""

import math
from functools import cache

import pytest
import torch
from skimage.metrics import structural_similarity

from srlab.data.images import full_range, luma, mod_crop, quantize, read_image, to_uint8
from srlab.data.resampling import downsample, resize, upsample
from srlab.errors import SrlabError
from srlab.evaluation import perception
from srlab.evaluation.metrics import (
    FACE,
    PAPER,
    PROTOCOLS,
    STUDY,
    Protocol,
    TooSmall,
    lr_consistency,
    ms_ssim,
    psnr,
    ssim,
)

RGB = Protocol("rgb", crop=0, quantize=False)
GREY = Protocol("y", crop=0, quantize=False)


@pytest.fixture(scope="module")
def hr(astronaut) -> torch.Tensor:
    """Two parts of a photo as a batch (2, 3, 96, 120)."""
    return torch.cat([astronaut[..., 40:136, 160:280], astronaut[..., 300:396, 200:320]])


@pytest.fixture(scope="module")
def sr(hr) -> torch.Tensor:
    return upsample(downsample(hr, 4), 4)


# --- PSNR ----------------------------------------------------------------------------------------------------


def test_psnr_of_a_constant_error_is_20_log_of_its_inverse():
    hr = torch.full((1, 3, 16, 16), 100 / 255)
    sr, wanted = hr + 20 / 255, 20 * math.log10(255 / 20)
    assert psnr(sr, hr, RGB).item() == pytest.approx(wanted, abs=1e-4)
    # A grey step of one level is 219/255 of a level on the luma plane.
    assert psnr(sr, hr).item() == pytest.approx(wanted + 20 * math.log10(255 / 219), abs=1e-4)


def test_psnr_on_y_weighs_a_channel_by_its_luma_weight():
    hr = torch.full((1, 3, 16, 16), 0.25)
    sr = hr.clone()
    sr[:, 1] += 0.5
    assert psnr(sr, hr, GREY).item() == pytest.approx(-20 * math.log10(0.5 * 128.553 / 255), abs=1e-4)
    assert psnr(sr, hr, RGB).item() == pytest.approx(-10 * math.log10(0.5**2 / 3), abs=1e-4)


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
def test_a_metric_is_per_image_in_float64_and_leaves_its_images_as_they_were(metric, astronaut):
    """An image without a batch axis is a batch of one, and scores carry no gradient."""
    hr = torch.cat([astronaut[..., :176, :200], astronaut[..., 200:376, 200:400]])
    sr = upsample(downsample(hr, 4), 4)
    before, scores = sr.clone(), metric(sr.requires_grad_(), hr)
    assert (scores.shape, scores.dtype, scores.requires_grad) == ((2,), torch.float64, False)
    assert scores.tolist() == pytest.approx([metric(sr[i], hr[i]).item() for i in range(2)], abs=1e-12)
    assert metric(hr, hr).tolist() == pytest.approx([math.inf if metric is psnr else 1] * 2, abs=1e-9)
    assert torch.equal(sr, before)


# --- SSIM ----------------------------------------------------------------------------------------------------


def skimage_ssim(sr: torch.Tensor, hr: torch.Tensor) -> float:
    """Wang's SSIM of single planes in float64, averaged where the 11x11 window lies inside the image."""
    options = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    _, similarity = structural_similarity(sr.double().numpy(), hr.double().numpy(), channel_axis=0, **options)
    return float(similarity[:, 5:-5, 5:-5].mean())


@pytest.mark.parametrize("protocol", [PAPER, FACE], ids=str)
def test_ssim_equals_scikit_image_on_the_valid_window(sr, hr, protocol):
    scores = ssim(sr, hr, protocol)
    for i in range(2):
        expected = skimage_ssim(protocol(sr[i : i + 1])[0], protocol(hr[i : i + 1])[0])
        assert scores[i].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("metric", "side"), [(ssim, 11), (ms_ssim, 161)])
def test_a_window_must_fit_after_the_crop(metric, side):
    image = torch.rand(1, 3, side + 8, side + 30)
    assert metric(image, image, PAPER).item() == pytest.approx(1)
    with pytest.raises(TooSmall, match="at least"):
        metric(image[..., 1:, :], image[..., 1:, :], PAPER)


# --- The protocol --------------------------------------------------------------------------------------------


def test_protocol_rounds_then_takes_the_luma_then_crops(hr):
    image = hr + 0.4 / 255
    assert torch.equal(PAPER(image), luma(quantize(image))[..., 4:-4, 4:-4])
    assert torch.equal(PROTOCOLS["study"](image), image)


def test_a_grey_image_is_scored_on_its_grey_values_and_on_their_luma_only_where_the_protocol_says_so(sr, hr):
    grey_sr, grey_hr = (quantize(full_range(luma(x)).clamp(0, 1)) for x in (sr, hr))
    assert torch.equal(PAPER(grey_hr), grey_hr[..., 4:-4, 4:-4])
    as_rgb = psnr(grey_sr.expand(-1, 3, -1, -1), grey_hr.expand(-1, 3, -1, -1))
    gain = as_rgb - psnr(grey_sr, grey_hr)
    assert gain.tolist() == pytest.approx(2 * [20 * math.log10(255 / 219)], abs=1e-4)
    assert torch.equal(psnr(grey_sr, grey_hr, PROTOCOLS["basicsr"]), as_rgb)


GOOD = torch.rand(1, 3, 20, 20)
REFUSED = [
    (GOOD * math.nan, GOOD, "NaN or infinity"),
    (GOOD, GOOD / 0, "NaN or infinity"),
    (GOOD[:, :1], GOOD, r"\(1, 1, 20, 20\) but HR \(1, 3, 20, 20\)"),  # never broadcast grey over colour
    (torch.rand(20, 20, 3), torch.rand(20, 20, 3), "RGB or gray"),
    (torch.full((1, 3, 20, 20), 200.0), GOOD, "divide 8-bit levels by 255"),
    (torch.rand(3, 8, 30), torch.rand(3, 8, 30), "nothing left after a crop of 4"),
]


@pytest.mark.parametrize(("sr", "hr", "said"), REFUSED)
def test_what_cannot_be_scored_is_refused_and_never_as_too_small(sr, hr, said):
    for metric in (psnr, ssim, ms_ssim):
        with pytest.raises(SrlabError, match=said) as refused:
            metric(sr, hr)
        assert refused.type is SrlabError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"color": "Y"}, "color 'y' or 'rgb' and a crop of 0 or more"),
        ({"grey": "y"}, "'values' or the 'luma' of a gray file, but got 'y'"),
        ({"resampler": "cubic"}, "Unknown resampler 'cubic'; choose one of bicubic, bilinear"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(options, said):
    with pytest.raises(SrlabError, match=said):
        Protocol(**options)


MEASURES = [
    *(psnr, ssim, ms_ssim, perception.gradient_ratio, perception.energy_error, perception.colour_shift),
    lambda sr, hr: perception.checkerboard(sr),
]


@pytest.mark.parametrize("measure", MEASURES)
def test_images_in_minus_1_to_1_are_refused(measure, astronaut):
    """The range of a tanh, cut off at 0, would be scored as another picture, by up to 3 dB better or worse."""
    hr = astronaut[..., :176, 160:340]
    sr = upsample(downsample(hr, 4), 4)
    with pytest.raises(SrlabError, match=r"one goes down to -0\.5 or less; from \[-1, 1\] take"):
        measure(2 * sr - 1, hr)
    measure(1.2 * sr - 0.1, hr)


# --- Bicubic x4, as the papers have it -------------------------------------------------------------------------

GOLDEN = {  # PSNR, SSIM, and what is published for both, where SSIM has Y rounded to whole levels as in MATLAB
    "Set5": (28.43, 0.8113, 28.42, 0.8104),
    "Set14": (26.00, 0.7031, 26.00, 0.7027),
    "astronaut": (26.84, 0.8429, None, None),
}


@pytest.fixture(scope="module")
def bicubic(request):
    """Name of a set -> its HR images and their bicubic SR; the benchmark sets are skipped if they are not there."""

    @cache
    def load(name):
        if name == "astronaut":
            hr = [request.getfixturevalue("astronaut")]
        else:
            files = sorted((request.getfixturevalue("benchmark_dir") / name / "HR").glob("*.png"))
            hr = [mod_crop(read_image(path, keep_grey=True), 4)[None] for path in files]
        return [(upsample(downsample(image, 4), 4), image) for image in hr]

    return load


def mean(metric, pairs, *protocol):
    return sum(metric(sr, hr, *protocol).item() for sr, hr in pairs) / len(pairs)


@pytest.mark.parametrize("name", GOLDEN)
def test_bicubic_scores_what_is_known_and_within_rounding_what_was_published(bicubic, name):
    pairs, (decibels, similarity, *published) = bicubic(name), GOLDEN[name]
    assert mean(psnr, pairs) == pytest.approx(decibels, abs=0.01)
    assert mean(ssim, pairs) == pytest.approx(similarity, abs=2e-4)
    if published[0]:
        planes = [(PAPER(sr), PAPER(hr)) for sr, hr in pairs]
        assert mean(psnr, pairs) == pytest.approx(published[0], abs=0.03)
        assert mean(ssim, planes, Protocol("y", crop=0)) == pytest.approx(published[1], abs=5e-4)


@pytest.mark.parametrize(("name", "golden"), [("Set5", 28.43), ("Set14", 26.00)])
def test_the_lr_files_of_a_benchmark_give_the_same_score_as_our_own_lr(bicubic, benchmark_dir, name, golden):
    pairs = []
    for path, (_, hr) in zip(sorted((benchmark_dir / name / "LRx4").glob("*.png")), bicubic(name), strict=True):
        lr = read_image(path, keep_grey=True)[None, : hr.shape[1]]
        assert (to_uint8(lr).int() - to_uint8(downsample(hr, 4)).int()).abs().max() <= 12
        pairs.append((upsample(lr, 4), hr))
    assert mean(psnr, pairs) == pytest.approx(golden, abs=0.01)


def test_the_ssim_of_the_content_loss_study_must_be_ms_ssim(bicubic):
    scores = [mean(metric, bicubic("Set5"), STUDY) for metric in (psnr, ssim, ms_ssim)]
    assert scores == pytest.approx([26.71, 0.774, 0.955], abs=0.005)
    # The study's SRResNet with MSE: 23.13 dB and "SSIM" .9348. More error than bicubic, yet nearly its MS-SSIM.
    assert scores[0] > 23.13 + 3
    assert abs(scores[2] - 0.9348) < 0.03 < 0.15 < 0.9348 - scores[1]


TRAPS = {  # another protocol or LR -> dB that it adds on Set5, and on the astronaut
    "RGB": (lambda sr, hr: (sr, hr, Protocol("rgb", 4)), -1.736, -1.501),
    "no crop": (lambda sr, hr: (sr, hr, Protocol("y", 0)), 0.008, 0.047),
    "SR not rounded": (lambda sr, hr: (sr, hr, Protocol("y", 4, False)), 0.0016, 0.0011),
    "LR without antialiasing": (lambda sr, hr: (upsample(downsample(hr, 4, "bicubic-aliased"), 4), hr), -0.429, -0.616),
    "LR not rounded": (lambda sr, hr: (upsample(resize(hr, 0.25), 4), hr), 0.0032, 0.0257),
    "a row lower": (lambda sr, hr: (torch.roll(sr, 1, 2), hr), -1.059, -0.981),
}


@pytest.mark.parametrize("name", ["Set5", "astronaut"])
@pytest.mark.parametrize("trap", TRAPS)
def test_a_mistake_of_the_protocol_moves_the_score_by_what_was_measured(bicubic, trap, name):
    change, *expected = TRAPS[trap]
    moved = [psnr(*change(sr, hr)).item() - psnr(sr, hr).item() for sr, hr in bicubic(name)]
    assert sum(moved) / len(moved) == pytest.approx(expected[name == "astronaut"], abs=0.01)


# --- Consistency with LR -------------------------------------------------------------------------------------


def test_hr_is_consistent_and_so_is_what_shrinks_to_the_same_lr_however_it_looks(astronaut):
    hr = 0.1 + 0.8 * astronaut[..., :96, :96]
    lr = downsample(quantize(hr), 4)
    assert lr_consistency(hr, lr).item() == math.inf
    stripes = 30 / 255 * (-1.0) ** torch.arange(96)  # of two pixels: shrinking by four takes nearly all of it away
    striped, tinted = hr + stripes, hr + 1.2 * stripes.abs().mean()
    assert psnr(striped, hr).item() == pytest.approx(psnr(tinted, hr).item(), abs=2)
    assert lr_consistency(striped, lr).item() > lr_consistency(tinted, lr).item() + 20


def test_consistency_is_the_psnr_of_all_pixels_of_lr_on_8_bit_levels():
    sr = torch.full((2, 3, 32, 24), 100 / 255)
    sr[1] += 0.4 / 255  # gone with rounding
    lr = torch.full((2, 3, 8, 6), 100 / 255)
    lr[:, 0, 0, 0] += 51 / 255  # one value of 3 x 48, at the border
    found = lr_consistency(sr, lr)
    assert (found.shape, found.dtype) == ((2,), torch.float64)
    assert found.tolist() == pytest.approx(2 * [-10 * math.log10(0.04 / 144)], abs=1e-4)


def test_consistency_with_an_lr_of_another_shape_is_refused():
    with pytest.raises(SrlabError, match="32x32 pixels is not a whole multiple of LR, which has 6x8"):
        lr_consistency(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 8, 6))
