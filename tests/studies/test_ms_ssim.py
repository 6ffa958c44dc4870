"""Test studies.content_loss.ms_ssim: the published "SSIM" fits it, and small images are rejected."""

import pytest
import torch

import srlab
from srlab.evaluation.metrics import TooSmall
from studies.content_loss.ms_ssim import SMALLEST, ms_ssim


def test_image_smaller_than_its_windows_is_rejected():
    image = torch.rand(2, 3, SMALLEST, SMALLEST)
    assert ms_ssim(image, image).tolist() == pytest.approx([1, 1])
    with pytest.raises(TooSmall, match="at least 161 pixels per side"):
        ms_ssim(image[..., 1:], image[..., 1:])


def test_published_ssim_is_ms_ssim(benchmark_dir):
    """Check that the reported "SSIM" of .935 at 23.13 dB (worse than bicubic) fits MS-SSIM, not SSIM."""
    photos = srlab.load_images(benchmark_dir / "Set5" / "HR")
    table = srlab.evaluate(
        lambda lr: srlab.upsample(lr, 4), photos, protocol=srlab.STUDY, metrics=("psnr", "ssim", ms_ssim)
    )
    assert table.mean(numeric_only=True).tolist() == pytest.approx([26.71, 0.774, 0.955], abs=0.005)
