"""The comparison slider, its live twin and the contact sheet, as far as they need no browser."""

import base64
import io
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import srlab
from srlab.data.images import to_uint8
from srlab.view import plots
from srlab.view.contact_sheet import draw_contact_sheet
from srlab.view.live import LiveScene
from srlab.view.slider import encode, shown_width


def noise(height=32, width=48, seed=0, channels=3):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))


def array(picture):
    return to_uint8(picture).permute(1, 2, 0).numpy()


def decoded(comparison):
    """Label -> the picture that the HTML carries."""
    found = re.findall(r'alt="([^"]*)" src="data:image/webp;base64,([^"]+)"', comparison.html)
    return {alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for alt, data in found}


# --- The slider ----------------------------------------------------------------------------------------------


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
        ({"SR": noise(), "HR": noise()}, {"limit_mb": 0.01}, r"above its limit of 0.01 MB; crop"),
    ],
)
def test_what_cannot_be_compared_is_named(images, options, says):
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare(images, **options)


def test_what_is_too_large_is_known_before_it_is_encoded_and_a_preview_is_its_mean(monkeypatch):
    pixels = []

    def spy(picture, effort):
        pixels.append(picture[0].numel())
        return encode(picture, effort=0)  # which is a tenth of the time

    monkeypatch.setattr("srlab.view.slider.encode", spy)
    images = {"SR": noise(1030, 1027), "HR": noise(1030, 1027, 1)}
    with pytest.raises(
        srlab.SrlabError, match=r"about 8\.\d MB .*limit of 3 MB; crop .*preview=True, or raise limit_mb"
    ):
        srlab.compare(images, limit_mb=3)
    assert sum(pixels) < 2 * 1030 * 1027 / 12, "a sixteenth is enough"
    comparison = srlab.compare(images, limit_mb=3, preview=True)
    mean = images["HR"][:, :1030, :1026].unfold(1, 2, 2).unfold(2, 2, 2).mean((-1, -2))
    off = decoded(comparison)["HR"].astype(int) - array(mean)
    assert np.abs(off).max() <= 1
    assert np.count_nonzero(off) < 0.001 * off.size, "but for what is rounded the other way"
    assert comparison.notes == srlab.compare(images, limit_mb=99).notes, "scores of the whole pictures"
    said = "Preview: 1/2 of 1027×1030 pixels"
    assert still_of(comparison).count(said) == 1
    assert json.dumps(said)[1:-1] in comparison.html
    assert "Preview" not in srlab.compare({"SR": noise(), "HR": noise()}, preview=True).html.partition("<script>")[0]


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


# --- Its live twin -------------------------------------------------------------------------------------------


class Level(nn.Module):
    """A network whose picture is one grey level."""

    def __init__(self, level):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))

    def forward(self, lr):
        return self.level.expand(len(lr), 3, lr.shape[-2] * 4, lr.shape[-1] * 4)


def test_the_live_scene_mixes_two_networks_by_the_strength_and_cuts_at_the_place():
    scene = LiveScene({"photo": noise(96, 96)}, {"mix": Level(0.0)}, crop=64, mix=(Level(0.0), Level(1.0)))
    for alpha in (0, 0.25, 1):
        pictures = scene.pictures("photo", "mix", (0.25, 0.6), alpha)
        assert list(pictures) == ["LR", "bicubic", "mix", "HR"]
        assert {tuple(picture.shape) for picture in pictures.values()} == {(3, 64, 64)}
        assert torch.allclose(pictures["mix"], torch.tensor(float(alpha)))
        assert torch.equal(pictures["HR"], noise(96, 96)[:, 8:72, 16:80]), "on the grid of LR pixels"
    last = scene.pictures("photo", "mix", (1, 1))["HR"]
    assert torch.equal(last, noise(96, 96)[:, 32:, 32:])


def test_the_live_scene_degrades_anew_for_each_strength_and_alike_for_the_same():
    models = {"nearest": lambda lr: srlab.upsample(lr, 4, "nearest")}
    scene = LiveScene(
        {"photo": noise(64, 64)}, models, crop=64, degradation=lambda s: srlab.Degradation(blur=s, noise=0.02)
    )
    sharp, again, soft = (scene.pictures("photo", "nearest", (0, 0), s)["nearest"] for s in (0.0, 0.0, 4.0))
    assert torch.equal(sharp, again)
    assert soft.std() < 0.8 * sharp.std()


def test_the_live_widget_follows_its_controls():
    box = srlab.compare_live({"photo": noise(96, 96), "b": noise(68, 72)}, mix=(Level(0.0), Level(1.0)), crop=64)
    (image, alpha), (down, _), slider = box.children[0].children, box.children[1].children, box.children[2]
    assert (alpha.description, alpha.min, alpha.max) == ("alpha", 0, 1)
    assert slider.content["labels"] == ["LR", "bicubic", "mix", "HR"]
    assert [note[-3:] for note in slider.content["notes"]] == ["", " dB", " dB", ""]
    for control, value, changes in ((alpha, 0.5, 2), (down, 0, 3), (image, "b", 3)):
        before = slider.content["frames"]
        control.value = value
        assert slider.content["frames"][changes] != before[changes]
        assert (slider.content["frames"][3] == before[3]) == (control is alpha)
    hr = np.asarray(Image.open(io.BytesIO(slider.content["frames"][3])))
    assert np.array_equal(hr, array(noise(68, 72))[:64, 4:68])
    assert repr(box) == "Live comparison: needs a running kernel."


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs models, or two networks"),
        ({"models": {"HR": Level(0.0)}}, "cannot be called LR, bicubic or HR"),
        ({"mix": (Level(0.0), Level(1.0)), "degradation": lambda s: srlab.Degradation(blur=s)}, "One slider"),
        ({"models": {"SR": Level(0.0)}, "crop": 66}, "multiple of the scale 4 .*up to 96 pixels.* but is 66"),
        ({"models": {"SR": lambda lr: lr}, "crop": 64}, "must upscale by 4"),
    ],
)
def test_what_cannot_be_shown_live_is_named(options, says):
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare_live({"photo": noise(96, 96)}, **options)


# --- The contact sheet ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", [(5, 18, 13, 10), (9, 9, 1, 2)])  # off the grid of LR, and within one of its pixels
def test_the_contact_sheet_has_a_row_per_box_a_column_per_image_and_the_same_part_in_each(box):
    images = {"LR": noise(16, 16), "HR": noise(64, 64)}
    figure = draw_contact_sheet(images, {"eye": box, "ear": (0, 0, 8, 16)})
    filled = [axis for axis in figure.axes if axis.images]
    plt.close(figure)
    assert len(filled) == 2 * 2 + 1
    assert np.allclose(filled[-1].images[0].get_array(), plots.to_numpy(images["HR"])), "the whole, behind its boxes"
    assert len(filled[-1].patches) == 2
    assert [axis.get_title() for axis in filled if axis.get_title()] == ["LR", "HR"]
    part = slice(box[0], box[0] + box[2]), slice(box[1], box[1] + box[3])
    lr, hr = (np.asarray(axis.images[0].get_array()) for axis in filled[:2])
    assert np.allclose(lr, plots.to_numpy(images["LR"]).repeat(4, 0).repeat(4, 1)[part])
    assert np.allclose(hr, plots.to_numpy(images["HR"])[part])


def test_the_contact_sheet_takes_8_bit_and_closes_its_figure():
    before = plt.get_fignums()
    srlab.contact_sheet({"SR": to_uint8(noise()), "HR": noise()}, "Two pictures.")
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("images", "boxes", "says"),
    [
        ({}, None, "no pictures to show"),
        ({"SR": noise() * torch.nan, "HR": noise()}, None, "'SR' has NaN"),
        ({"SR": noise()}, {"eye": (30, 0, 16, 16)}, r"'eye' \(30, 0, 16, 16\).* is not inside the image of 48x32"),
        ({"SR": noise()}, {"eye": (-1, 0, 16, 16)}, "is not inside"),
    ],
)
def test_what_no_contact_sheet_can_show_is_named(images, boxes, says):
    before = plt.get_fignums()
    with pytest.raises(srlab.SrlabError, match=says):
        draw_contact_sheet(images, boxes)
    assert plt.get_fignums() == before
