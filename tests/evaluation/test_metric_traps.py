"""What goes wrong when super-resolution is scored, each trap measured on bicubic x4.

The scored pair is always HR and its bicubic enlargement. The photos are those of the benchmark folder (skipped where
that is absent) and the embedded astronaut, which is everywhere. All expected numbers are measured; a change of 0.01 dB
fails.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pytorch_msssim import ssim as windowed_ssim
from skimage.metrics import structural_similarity

from srlab.data.images import full_range, luma, mod_crop, quantize, read_image, to_uint8
from srlab.data.resampling import downsample, resize, upsample
from srlab.evaluation.metrics import PAPER, STUDY, Protocol, ms_ssim, psnr, ssim


@dataclass(frozen=True)
class Photo:
    hr: torch.Tensor  # (1, 3 or 1, H, W)
    lr: torch.Tensor
    sr: torch.Tensor  # not rounded
    psnr: float
    ssim: float

    @classmethod
    def of(cls, hr: torch.Tensor) -> "Photo":
        lr = downsample(hr, 4)
        sr = upsample(lr, 4)
        return cls(hr, lr, sr, psnr(sr, hr).item(), ssim(sr, hr).item())


@pytest.fixture(scope="module")
def load(request) -> Callable[[str], list[Photo]]:
    """Name of a set -> its photos, loaded once."""
    loaded: dict[str, list[Photo]] = {}

    def load(name: str) -> list[Photo]:
        if name not in loaded:
            if name == "astronaut":
                images = [request.getfixturevalue("astronaut")]
            else:
                files = sorted((request.getfixturevalue("benchmark_dir") / name / "HR").glob("*.png"))
                images = [mod_crop(read_image(path, keep_grey=True), 4)[None] for path in files]
            loaded[name] = [Photo.of(image) for image in images]
        return loaded[name]

    return load


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def change(sr: torch.Tensor, photo: Photo, protocol: Protocol = PAPER) -> float:
    return psnr(sr, photo.hr, protocol).item() - photo.psnr


def planes(photo: Photo) -> tuple[torch.Tensor, torch.Tensor]:
    return PAPER(photo.sr).double(), PAPER(photo.hr).double()


# --- Golden values -------------------------------------------------------------------------------------------


GOLDEN = {  # PSNR and SSIM, and what was published, of all of the set
    "Set5": (28.43, 0.8113, 28.42, 0.8104),
    "Set14": (26.00, 0.7031, 26.00, 0.7027),
    "astronaut": (26.84, 0.8429, None, None),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_bicubic_scores_what_is_known_and_within_rounding_what_was_published(load, name):
    photos, (decibels, similarity, *published) = load(name), GOLDEN[name]
    assert mean([photo.psnr for photo in photos]) == pytest.approx(decibels, abs=0.01)
    assert mean([photo.ssim for photo in photos]) == pytest.approx(similarity, abs=2e-4)
    if published[0]:  # SSIM where Y is rounded to whole levels, as MATLAB does
        plane = Protocol("y", crop=0, quantize=True)  # of a grey image: its values, rounded
        rounded = [ssim(PAPER(photo.sr), PAPER(photo.hr), plane).item() for photo in photos]
        assert (mean([photo.psnr for photo in photos]), mean(rounded)) == pytest.approx(published, abs=0.03)
        assert mean(rounded) == pytest.approx(published[1], abs=5e-4)


@pytest.mark.parametrize(("name", "golden"), [("Set5", 28.43), ("Set14", 26.00)])
def test_the_lr_files_of_the_benchmark_give_the_same_score_as_our_own_lr(load, benchmark_dir, name, golden):
    scores = []
    for path, photo in zip(sorted((benchmark_dir / name / "LRx4").glob("*.png")), load(name), strict=True):
        lr = read_image(path, keep_grey=True)[None, : photo.hr.shape[1]]
        assert (to_uint8(lr).int() - to_uint8(photo.lr).int()).abs().max() <= 12
        scores.append(psnr(upsample(lr, 4), photo.hr).item())
    assert mean(scores) == pytest.approx(golden, abs=0.01)


def test_bicubic_under_the_protocol_of_the_content_loss_study_whose_ssim_must_be_ms_ssim(load):
    photos = load("Set5")
    scores = [mean([f(photo.sr, photo.hr, STUDY).item() for photo in photos]) for f in (psnr, ssim, ms_ssim)]
    assert scores == pytest.approx([26.71, 0.774, 0.955], abs=0.005)
    # The study's SRResNet with MSE: 23.13 dB and "SSIM" .9348. More error than bicubic, yet nearly its MS-SSIM.
    assert scores[0] > 23.13 + 3
    assert abs(scores[2] - 0.9348) < 0.03 < 0.15 < 0.9348 - scores[1]


# --- Traps ---------------------------------------------------------------------------------------------------


def torch_bicubic(image: torch.Tensor, factor: float, antialias: bool) -> torch.Tensor:
    return F.interpolate(image, scale_factor=factor, mode="bicubic", antialias=antialias, align_corners=False)


def opencv_lr(hr: torch.Tensor) -> torch.Tensor:
    return quantize(torch_bicubic(hr, 0.25, False))


def pil_lr(hr: torch.Tensor) -> torch.Tensor:
    pixels = to_uint8(hr)[0].permute(1, 2, 0).numpy()
    size = pixels.shape[1] // 4, pixels.shape[0] // 4
    lr = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return torch.from_numpy(lr).permute(2, 0, 1)[None].float() / 255


def shifted(photo: Photo, down: int, right: int) -> float:
    return change(torch.roll(photo.sr, (down, right), (2, 3)), photo)


def psnr_with(sr: torch.Tensor, hr: torch.Tensor, peak: float = 1.0, epsilon: float = 0.0) -> float:
    return 10 * math.log10(peak**2 / ((PAPER(sr) - PAPER(hr)).double().square().mean().item() + epsilon))


def full_range_psnr(photo: Photo) -> float:
    return psnr(*(full_range(luma(quantize(x))) for x in (photo.sr, photo.hr)), UNROUNDED).item()


def uniform_ssim(photo: Photo) -> float:
    sr, hr = (plane[0, 0].numpy() for plane in planes(photo))
    return structural_similarity(sr, hr, data_range=1.0)


def ssim_with(photo: Photo, factor: float = 1.0, data_range: float = 1.0, shrunk: bool = False) -> float:
    sr, hr = (factor * plane for plane in planes(photo))
    side = max(1, math.floor(min(sr.shape[-2:]) / 256 + 0.5)) if shrunk else 1  # as in Wang's ssim.m
    sr, hr = (F.avg_pool2d(plane, side) for plane in (sr, hr))
    return windowed_ssim(sr, hr, data_range=data_range, size_average=False).item()


RGB, UNROUNDED = Protocol("rgb", 4), Protocol("y", 4, False)
TRAPS = {  # the change, its mean over Set5, that on the astronaut, the tolerance
    "RGB instead of Y": (lambda p: change(p.sr, p, RGB), -1.736, -1.501, 0.01),
    "full-range Y": (lambda p: full_range_psnr(p) - p.psnr, -1.3219, -1.3219, 1e-4),
    "LR without antialiasing": (
        lambda p: change(upsample(downsample(p.hr, 4, "bicubic-aliased"), 4), p),
        -0.429,
        -0.616,
        0.01,
    ),
    "torch or OpenCV, both ways": (
        lambda p: change(torch_bicubic(opencv_lr(p.hr), 4, False).clamp(0, 1), p),
        -0.74,
        -0.922,
        0.01,
    ),
    "torch with antialiasing": (
        lambda p: change(upsample(quantize(torch_bicubic(p.hr, 0.25, True)), 4), p),
        0.0009,
        0.0029,
        2e-4,
    ),
    "LR rounded once": (lambda p: change(upsample(quantize(resize(p.hr, 0.25)), 4), p), 0.0009, 0.0031, 2e-4),
    "PIL": (lambda p: change(upsample(pil_lr(p.hr), 4), p), 0.0002, 0.0004, 2e-4),
    "a row lower": (lambda p: shifted(p, 1, 0), -1.059, -0.981, 0.01),
    "a column to the right": (lambda p: shifted(p, 0, 1), -1.356, -1.261, 0.01),
    "both": (lambda p: shifted(p, 1, 1), -2.093, -1.84, 0.01),
    "no crop": (lambda p: change(p.sr, p, Protocol("y", 0)), 0.008, 0.047, 0.01),
    "SR not rounded": (lambda p: change(p.sr, p, UNROUNDED), 0.0016, 0.0011, 2e-4),
    "LR not rounded": (lambda p: change(upsample(resize(p.hr, 0.25), 4), p, UNROUNDED), 0.0032, 0.0257, 0.001),
    "peak is HR's maximum": (
        lambda p: psnr_with(p.sr, p.hr, peak=PAPER(p.hr).max().item()) - p.psnr,
        -1.017,
        -0.709,
        0.01,
    ),
    "1e-8 in the MSE": (lambda p: psnr_with(p.sr, p.hr, epsilon=1e-8) - p.psnr, 0.0, 0.0, 1e-4),
    "SSIM, uniform window": (lambda p: uniform_ssim(p) - p.ssim, 0.012, 0.011, 0.001),
    "SSIM, mean of RGB": (lambda p: ssim(p.sr, p.hr, RGB).item() - p.ssim, -0.038, -0.0285, 0.001),
    "SSIM, shrunk first": (lambda p: ssim_with(p, shrunk=True) - p.ssim, 0.0141, 0.081, 0.001),
    "SSIM, MS-SSIM": (lambda p: ms_ssim(p.sr, p.hr).item() - p.ssim, 0.1505, 0.124, 0.001),
    "SSIM, range 1 on 255": (lambda p: ssim_with(p, factor=255) - p.ssim, -0.235, -0.218, 0.001),
    "SSIM, range 255 on 1": (lambda p: ssim_with(p, data_range=255) - p.ssim, 0.1887, 0.157, 0.001),
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("name", ["Set5", "astronaut"])
def test_a_trap_moves_the_score_by_what_was_measured(load, trap, name):
    fall, of_set5, of_astronaut, tolerance = TRAPS[trap]
    expected = of_set5 if name == "Set5" else of_astronaut
    assert mean([fall(photo) for photo in load(name)]) == pytest.approx(expected, abs=tolerance)


def test_a_grey_file_expanded_to_rgb_flatters_its_psnr_by_exactly_1_32_db(load):
    photos = load("Set14")
    expanded = [psnr(*(x.expand(-1, 3, -1, -1) for x in (photo.sr, photo.hr))).item() for photo in photos]
    assert mean([photo.psnr for photo in photos]) == pytest.approx(25.997, abs=0.005)
    assert mean(expanded) == pytest.approx(26.092, abs=0.005)
    (bridge,) = [i for i, photo in enumerate(photos) if photo.hr.shape[1] == 1]
    assert expanded[bridge] - photos[bridge].psnr == pytest.approx(20 * math.log10(255 / 219), abs=1e-4)
