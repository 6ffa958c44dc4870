"""The comparison slider, as far as it needs no browser."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab.data.images import to_uint8
from srlab.view.slider import encode, shown_width


def noise(height=32, width=48, seed=0, channels=3):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))


def array(picture):
    return to_uint8(picture).permute(1, 2, 0).numpy()


def decoded(comparison):
    """Label -> the picture that the HTML carries."""
    found = re.findall(r'alt="([^"]*)" src="data:image/webp;base64,([^"]+)"', comparison.html)
    return {alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for alt, data in found}


def test_each_picture_is_in_the_html_once_and_without_loss_and_nothing_comes_from_outside():
    images = {"LR": noise(8, 12), "SR": noise(seed=1)[None] * 1.4 - 0.2, "HR": to_uint8(noise(seed=2))}
    comparison = srlab.compare(images, notes={})
    assert comparison.html.count("base64,") == 3
    pictures = decoded(comparison)
    assert np.array_equal(pictures["SR"], array(noise(seed=1) * 1.4 - 0.2)), "what overshoots is cut off"
    assert np.array_equal(pictures["HR"], array(images["HR"]))
    assert np.array_equal(pictures["LR"], array(noise(8, 12)).repeat(4, 0).repeat(4, 1)), "LR is magnified"
    assert comparison.notes == ("12×8 pixels, ×4", "", "")
    assert "http" not in comparison.html
    assert "import " not in comparison.html
    assert comparison.html == srlab.compare(images, notes={}).html, "equal content gives equal HTML"


@pytest.mark.parametrize("effort", [0, 4])
def test_a_photo_loses_no_level_at_any_effort(astronaut, effort):
    crop = astronaut[0, :, 64:128, 160:240]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode(crop, effort)))), array(crop))


def test_psnr_or_a_text_of_ones_own_stands_beside_pictures_of_full_size():
    hr = noise(64, 64)
    images = {"LR": noise(16, 16), "SR": (hr + 0.1).clamp(0, 1), "grey": hr[:1], "same": hr, "HR": hr}
    notes = dict(zip(images, srlab.compare(images).notes, strict=True))
    assert notes["SR"] == f"{float(srlab.psnr(images['SR'], hr)):.2f} dB"
    assert notes["grey"].endswith(" dB")
    assert (notes["LR"], notes["same"], notes["HR"]) == ("16×16 pixels, ×4", "identical", "")
    assert srlab.compare(images, notes={"SR": "LPIPS .21"}).notes == ("16×16 pixels, ×4", "LPIPS .21", "", "", "")
    assert srlab.compare({"SR": noise(8, 8), "HR": noise(8, 8)}).notes == ("", ""), "too small to be scored"
    assert srlab.compare({"a": hr, "b": hr}).notes == ("", ""), "and nothing to score against"


@pytest.mark.parametrize(
    ("images", "options", "says"),
    [
        ({"SR": noise()}, {}, "at least two pictures"),
        ({"LR": noise(8, 24), "HR": noise()}, {}, "'LR' has 24x8 pixels and the largest picture 48x32"),
        ({"SR": noise() * torch.nan, "HR": noise()}, {}, "'SR' has NaN or values above 2"),
        ({"SR": noise() * 255, "HR": noise()}, {}, "divide levels by 255"),
        ({"SR": noise() * 2 - 1, "HR": noise()}, {}, r"'SR' has values down to -1\.00; .* from \[-1, 1\] take"),
        ({"SR": noise(), "HR": noise()}, {"view": (32, 0, 2)}, r"view .* inside 48x32 .* but is \(32, 0, 2\)"),
        ({"SR": noise(), "HR": noise()}, {"view": (0, 0, 0.5)}, "a zoom of 1 or more"),
        ({"SR": noise(), "HR": noise()}, {"view": (0, 0)}, r"must be \(top, left, zoom\)"),
        ({"SR": noise(), "HR": noise()}, {"split": 50}, "split is 50"),
        ({"SR": noise()[:2], "HR": noise()}, {}, r"'SR' has shape \(2, 32, 48\)"),
        ({"SR": noise().numpy(), "HR": noise()}, {}, "'SR' is ndarray; a picture is a torch tensor"),
        ({"SR": noise(), "HR": noise()}, {"left": "LR"}, "no picture 'LR' to compare; choose among SR, HR"),
        ({"SR": noise(), "HR": noise()}, {"notes": {"sr": "1 dB"}}, "no picture 'sr'"),
        ({"SR": noise(), "HR": noise()}, {"limit_mb": 0.01}, r"above its limit of 0.01 MB.*; crop"),
    ],
)
def test_what_cannot_be_compared_is_named(images, options, says):
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare(images, **options)


def test_what_is_too_large_for_a_notebook_is_refused():
    images = {"SR": noise(256, 256), "HR": noise(256, 256, 1)}
    with pytest.raises(srlab.SrlabError, match=r"above its limit of 0\.1 MB.*; crop .*or raise limit_mb"):
        srlab.compare(images, limit_mb=0.1)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((512, 512), 512), ((32, 48), 528), ((500, 1), 2), ((3000, 100), 37), ((1, 500), 500), ((2000, 3000), 1680)],
)
def test_pictures_are_shown_in_squares_and_never_very_high(size, shown):
    assert shown_width(size[1], size[0]) == shown


def still_of(comparison):
    """What a page without scripts has."""
    return comparison.html.partition("</style>")[2].partition("<script>")[0]


def test_without_any_style_each_label_stands_with_its_own_picture_in_reading_order_and_no_key_is_promised():
    images = {"LR": noise(8, 12), "SR": noise(), "HR": noise(seed=1)}
    still = still_of(srlab.compare(images, left="HR", right="SR", notes={"SR": "a note"}))
    figures = re.findall(r"<figure.*?</figure>", still)
    bare = [re.sub(r"<(?!img)[^>]*>", "", re.sub(r' (?:style|class|src)="[^"]*"', "", figure)) for figure in figures]
    assert bare == ['HR<img alt="HR">', 'SR a note<img alt="SR">', 'LR 12×8 pixels, ×4<img alt="LR">']
    text = re.sub(r"<[^>]*>", "", still).lower()
    assert not [word for word in ("keys", "press", "scroll", "click", "shift", "space") if word in text]


def test_signs_of_markup_in_a_name_are_text():
    html = srlab.compare({'1<u>2"</script>': noise(), "HR": noise(seed=1)}).html
    assert "<u>" not in html
    assert html.lower().count("</script>") == 1


def test_it_shows_itself_and_saves_a_whole_page_that_is_not_overwritten_by_accident(tmp_path):
    comparison = srlab.compare({"SR": noise(), "HR": noise(seed=1)})
    assert comparison._repr_html_() == comparison.html
    assert repr(comparison).startswith("Comparison of SR, HR (48x32)")
    path = comparison.save(tmp_path / "new" / "page.html")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert comparison.html in page
    with pytest.raises(srlab.SrlabError, match=r"page\.html exists already"):
        comparison.save(path)
    comparison.save(path, force=True)


def test_three_full_photos_stay_near_a_megabyte(astronaut):
    lr = srlab.downsample(astronaut, 4)
    assert len(srlab.compare({"LR": lr, "bicubic": srlab.upsample(lr, 4), "HR": astronaut}).html) < 1_000_000
