"""Test the label under a flow's image: what it promises, and what it tells about one photo."""

import re

import pytest
import torch

import srlab
from srlab_course.material.subjects import split_photo
from srlab_course.workshops.label import label, spread_and_wrong

GRAVEL = split_photo("gravel")[1]["gravel"][..., :256, :]
CAT = srlab.bundled_photos("validation")["chelsea"][..., :256, :256]


def draw(lr):
    """Draw guesses that differ more where the image has more contrast, as a flow's do."""
    smooth = srlab.upsample(lr, 4)
    strength = 0.02 + (srlab.upsample(srlab.downsample(smooth, 4).clamp(0, 1), 4) - smooth).abs()
    random = torch.Generator().manual_seed(0)
    return torch.stack([(smooth + strength * torch.randn(smooth.shape, generator=random)) for _ in range(4)]).clamp(
        0, 1
    )


def guesses_of(hr):
    return draw(srlab.downsample(hr, 4))


def test_label_states_promise_and_population():
    text = label(draw, guesses_of(GRAVEL), GRAVEL, "gravel", 64)
    assert "in photos like the right half of gravel" in text
    assert re.match(r"it trusts \d+% of the pixels\. ", text)
    assert "on average at most 5% of all pixels are trusted and off by more than 16 of 255 levels" in text
    assert re.search(r"Here it is [0-4]\.\d%\.$", text)


def test_photo_above_the_promised_mean_is_named():
    too_bright = (guesses_of(GRAVEL) + 30 / 255).clamp(0, 1)  # the guesses agree as before, and are wrong
    text = label(draw, too_bright, GRAVEL, "gravel", 64)
    assert re.search(r"Here it is \d+\.\d%, more than that average: this photo may be unlike those\.$", text)


@pytest.mark.parametrize("subject", ["", "moved/away.jpg"])
def test_course_photos_replace_a_missing_subject(subject):
    assert "in photos like the course's held-out photos" in label(draw, guesses_of(CAT), CAT, subject, 64)


def test_flow_that_is_always_wrong_gets_no_label():
    def wrong(lr):
        return 1 - srlab.upsample(lr, 4).round().expand(4, 1, -1, -1, -1)

    assert "it would trust nothing" in label(wrong, wrong(srlab.downsample(GRAVEL, 4)), GRAVEL, "gravel", 64)


def test_pixel_is_wrong_by_its_worst_channel_and_spread_is_a_local_mean():
    hr = torch.full((1, 3, 32, 32), 0.5)
    guesses = hr.repeat(4, 1, 1, 1, 1)
    guesses[:, :, 1, 3, 4] += 17 / 255
    guesses[:2, :, :, 20, 20] += 10 / 255
    spread, wrong = spread_and_wrong(guesses, hr)
    assert wrong.nonzero().tolist() == [[3, 4]]
    near = torch.tensor([10.0, 10.0, 0.0, 0.0]).std().item() / 25
    torch.testing.assert_close(spread[18:23, 18:23], torch.full((5, 5), near), atol=1e-3, rtol=0)
    assert spread.sum().item() == pytest.approx(25 * near, rel=1e-3)
