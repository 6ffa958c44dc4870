"""Test the comparison slider without a browser."""

import base64
import io
import os
import re

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab.data.images import to_uint8
from srlab.slider import encode, shown_width


def noise(height=32, width=48, seed=0, channels=3):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))


def array(picture):
    return to_uint8(picture).permute(1, 2, 0).numpy()


def still_of(comparison):
    """Return the content of a page without scripts: one figure per image, with its label, in reading order."""
    figures = re.findall(r"<figure.*?</figure>", comparison.html)
    images = [base64.b64decode(re.search(r'src="data:image/webp;base64,([^"]+)"', figure)[1]) for figure in figures]
    labels = [re.sub("<[^>]*>", "", figure).strip() for figure in figures]
    return labels, [np.asarray(Image.open(io.BytesIO(image))) for image in images]


def test_slider_embeds_each_image_once_losslessly():
    images = {"LR": noise(8, 12), "SR": noise(seed=1)[None] * 1.4 - 0.2, "HR": to_uint8(noise(seed=2))}
    comparison = srlab.compare(images, left="HR", right="SR", notes={"SR": "a note"})
    labels, pictures = still_of(comparison)
    assert labels == ["HR", "SR a note", "LR 12×8 pixels, ×4"]
    assert np.array_equal(pictures[0], array(images["HR"]))
    assert np.array_equal(pictures[1], array(noise(seed=1) * 1.4 - 0.2)), "overshoot must be clipped"
    assert np.array_equal(pictures[2], array(noise(8, 12)).repeat(4, 0).repeat(4, 1)), "LR must be magnified"
    assert comparison.html.count("base64,") == 3
    assert "http" not in comparison.html
    assert "import " not in comparison.html
    assert comparison.html == srlab.compare(images, left="HR", right="SR", notes={"SR": "a note"}).html


def test_lossy_slider_for_visitors_is_smaller(astronaut):
    images = {"bicubic": astronaut[0, :, 64:320, 160:416], "SR": noise(256, 256)}
    lossless, lossy = srlab.compare(images), srlab.compare(images, quality=80, visitors=True)
    assert len(lossy.html) < 0.5 * len(lossless.html)
    _, pictures = still_of(lossy)
    assert 0 < np.abs(pictures[0] - array(images["bicubic"]).astype(float)).mean() < 4
    assert '"visitors": true' in lossy.html
    assert '"visitors"' not in lossless.html


@pytest.mark.parametrize("effort", [0, 4])
def test_encoding_is_lossless_at_any_effort(astronaut, effort):
    crop = astronaut[0, :, 64:128, 160:240]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode(crop, effort)))), array(crop))


def test_slider_shows_psnr_for_full_size_images():
    hr = noise(64, 64)
    images = {"LR": noise(16, 16), "SR": (hr + 0.1).clamp(0, 1), "gray": hr[:1], "same": hr, "HR": hr}
    said, _ = still_of(srlab.compare(images, left="LR", right="SR"))
    assert said[1] == f"SR {float(srlab.psnr(images['SR'], hr)):.2f} dB"
    assert re.fullmatch(r"gray \d+\.\d\d dB", said[2])
    assert said[3:] == ["same identical", "HR"]
    assert still_of(srlab.compare({"SR": noise(8, 8), "HR": noise(8, 8)}))[0] == ["SR", "HR"], "too small"
    of_gray, _ = still_of(srlab.compare({"SR": (hr[:1] + 0.1).clamp(0, 1), "HR": hr[:1]}))
    assert of_gray[0] == f"SR {float(srlab.psnr((hr[:1] + 0.1).clamp(0, 1), hr[:1])):.2f} dB", "of the image's values"


@pytest.mark.parametrize(
    ("sr", "options", "says"),
    [
        (None, {}, "at least two"),
        (noise(8, 24), {}, "24x8 .* 48x32"),
        (noise() * torch.nan, {}, "NaN"),
        (noise() * 255, {}, "by 255"),
        (noise() * 2 - 1, {}, r"\[-1, 1\]"),
        (noise()[:2], {}, r"\(2, 32, 48\)"),
        (noise().numpy(), {}, "ndarray"),
        (noise(), {"left": "LR"}, "'LR' .* SR, HR"),
        (noise(), {"limit_mb": 0.01}, "0.01 MB"),
        (noise(1, 16384), {}, "'SR' has 16384x1 pixels, but browsers show at most 16383 per side and 67.1 million"),
        (torch.empty(3, 1, 1, dtype=torch.uint8).expand(-1, 16383, 16383), {}, "16383x16383 pixels, but"),
    ],
)
def test_incomparable_images_are_reported(sr, options, says):
    images = {"HR": noise()} if sr is None else {"SR": sr, "HR": noise()}
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare(images, **options)


def test_shown_width_is_limited_by_height():
    sizes = [(512, 512), (32, 48), (3000, 100), (1, 500), (2000, 3000)]
    assert [shown_width(*size) for size in sizes] == [512, 528, 37, 500, 1680]


def test_markup_in_names_is_escaped():
    html = srlab.compare({'1<u>2"</script>': noise(), "HR": noise(seed=1)}).html
    assert "<u>" not in html
    assert html.lower().count("</script>") == 1


def test_saved_page_is_complete_and_not_overwritten(tmp_path, monkeypatch):
    comparison = srlab.compare({"SR": noise(), "HR": noise(seed=1)})
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path))
    path = comparison.save("~/new/page.html")
    assert path == tmp_path / "new" / "page.html"
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert comparison._repr_html_() in page
    with pytest.raises(srlab.SrlabError, match=r"page\.html already exists"):
        comparison.save(path)
    comparison.save(path, force=True)


def test_three_full_photos_stay_below_1_mb(astronaut):
    lr = srlab.downsample(astronaut, 4)
    assert len(srlab.compare({"LR": lr, "bicubic": srlab.upsample(lr, 4), "HR": astronaut}).html) < 1_000_000
