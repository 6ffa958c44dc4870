"""The share of a gap in sharpness, and the squares of one picture."""

import pytest
import torch

from benchmarks.sharpness import gap_closed, ratios_of_squares


def test_the_gap_is_closed_picture_by_picture():
    assert gap_closed([0.75, 0.8], [0.5, 0.6]) == pytest.approx(0.5)
    assert gap_closed([1.4, 0.6], [0.6, 0.6]) == pytest.approx(0)  # too sharp here doesn't make up for too soft there
    assert gap_closed([1.5], [0.8]) == pytest.approx(-1.5)


def test_the_only_picture_is_measured_square_by_square():
    hr = torch.rand(1, 3, 32, 64)
    soft = (hr - 0.5) / 2 + 0.5
    soft[..., 16:] = hr[..., 16:]
    assert ratios_of_squares(soft, hr) == pytest.approx(([0.5] * 2 + [1] * 6) * 4, abs=0.02)
