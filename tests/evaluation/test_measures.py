"""Test properties of all metrics of a pair of images, from PSNR to LPIPS."""

import math
import re

import pytest
import torch

import srlab
from srlab.data.images import quantize
from srlab.errors import SrlabError
from srlab.evaluation.catalog import METRICS
from srlab.evaluation.metrics import PAPER, TooSmall
from srlab.evaluation.scoring import measures
from tests.conftest import ROOT


@pytest.fixture(params=METRICS)
def name(request):
    return request.param


@pytest.fixture
def measure(name, weights):
    return measures([name], PAPER, 4, weights)[name]


@pytest.fixture(scope="module")
def pair(astronaut):
    """Return SR and HR, each (2, 3, 176, 200)."""
    hr = torch.cat([astronaut[..., :176, :200], astronaut[..., 200:376, 200:400]])
    return srlab.upsample(srlab.downsample(hr, 4), 4), hr


def test_metrics_return_float64_per_image_on_8_bit_levels(name, measure, pair):
    sr, hr = pair
    asked = sr.clone().requires_grad_()
    scores = measure(asked, hr)
    assert (scores.shape, scores.dtype, scores.requires_grad) == ((2,), torch.float64, False)
    assert scores.tolist() == pytest.approx([measure(sr[i], hr[i]).item() for i in range(2)], rel=1e-4, abs=1e-9)
    assert torch.equal(scores, measure(quantize(sr), hr))
    assert torch.equal(asked, sr), "the image must not be changed"
    gray = [image[:1, :1] for image in pair]
    if not METRICS[name].by_protocol:  # one treats gray differently
        as_color = measure(*(image.expand(-1, 3, -1, -1) for image in gray)).item()
        assert measure(*gray).item() == pytest.approx(as_color, rel=1e-4)


GOOD = torch.rand(1, 3, 176, 200)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (GOOD * math.nan, "NaN or infinity"),
        (2 * GOOD - 1, r"convert \[-1, 1\] with"),  # the range of a tanh, whose score would be off by up to 3 dB
        (GOOD * 255, "Divide levels by 255"),
        (GOOD[:, [0, 0, 0, 0]], "RGB or gray"),
    ],
    ids=["NaN", "tanh", "levels", "channels"],
)
def test_unscorable_image_is_rejected(measure, image, said):
    with pytest.raises(SrlabError, match=said):
        measure(image, image)
    measure(1.2 * GOOD - 0.1, GOOD)


def test_image_smaller_than_window_is_rejected(name, measure):
    window = METRICS[name].smallest
    border = 2 * PAPER.crop * METRICS[name].by_protocol
    fits, small = (torch.rand(1, 3, height + border, 200) for height in (max(window, 4), window - 1))
    assert measure(fits, fits).shape == (1,)
    if window > 1:
        with pytest.raises(TooSmall):
            measure(small, small)


def test_better_is_the_sign_of_an_improvement(name, measure, pair):
    hr, dotted = pair[1], pair[1].clone()
    dotted[:, :2, ::4, ::4] = 1  # yellow dots on the grid of LR
    better = METRICS[name].better * (measure(hr, hr) - measure(dotted, hr))
    assert ((better > 0) | (METRICS[name].better == 0)).all()


def test_glossary_explains_each_metric(name):
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `?{name}`?[ ,]", page, re.MULTILINE | re.IGNORECASE)
