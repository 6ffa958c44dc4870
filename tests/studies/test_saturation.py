"""Test studies.content_loss.saturation: paler colors score lower, and gray gives NaN."""

import pytest

from studies.content_loss.saturation import saturation_ratio


def test_saturation_falls_when_mixing_with_gray(astronaut):
    hr = astronaut[..., 40:136, 160:272]
    paler = [saturation_ratio(hr.lerp(hr.mean(1, keepdim=True), share), hr).item() for share in (0, 0.25, 0.5)]
    assert paler == pytest.approx([1, 0.75, 0.5], abs=0.02)
    gray = hr[:, :1].expand(-1, 3, -1, -1)
    assert saturation_ratio(gray, gray).isnan().all()
