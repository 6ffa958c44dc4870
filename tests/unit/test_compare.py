"""The comparison slider and the contact sheet, as far as they need no browser."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import srlab
from srlab import plots
from srlab.comparison.live import LiveScene
from srlab.comparison.sheet import draw_contact_sheet
from srlab.images import to_uint8

SOURCE = re.compile(r'src="data:image/webp;base64,([^"]+)"')


def noise(height=32, width=48, seed=0, channels=3):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))


def decoded(comparison):
    """Label -> the picture that the HTML carries."""
    found = re.findall(r'alt="([^"]*)" src="data:image/webp;base64,([^"]+)"', comparison.html)
    return {alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for alt, data in found}


def test_each_picture_is_in_the_html_once_and_without_loss():
    images = {"LR": noise(8, 12), "SR": noise(seed=1)[None], "HR": to_uint8(noise(seed=2))}
    comparison = srlab.compare(images, scores=None)
    assert len(SOURCE.findall(comparison.html)) == comparison.html.count("base64,") == 3
    pictures = decoded(comparison)
    assert np.array_equal(pictures["SR"], to_uint8(noise(seed=1)).permute(1, 2, 0).numpy())
    assert np.array_equal(pictures["HR"], images["HR"].permute(1, 2, 0).numpy())
    small = to_uint8(noise(8, 12)).permute(1, 2, 0).numpy()
    assert np.array_equal(pictures["LR"], small.repeat(4, 0).repeat(4, 1)), "LR is magnified by repeating pixels"
    assert comparison.notes == ("12×8 pixels, ×4", "", "")


def test_nothing_in_it_comes_from_outside_and_equal_content_gives_equal_html():
    images = {"a": noise(), "b": noise(seed=1)}
    first, second = (srlab.compare(images, scores=None).html for _ in range(2))
    assert first == second
    assert "http" not in first
    assert "import " not in first


def test_psnr_stands_beside_pictures_of_full_size_only():
    hr = noise(64, 64)
    images = {"LR": noise(16, 16), "SR": (hr + 0.1).clamp(0, 1), "same": hr, "HR": hr}
    notes = dict(zip(images, srlab.compare(images).notes, strict=True))
    assert notes["SR"] == f"{float(srlab.psnr(images['SR'], hr)):.2f} dB"
    assert notes["same"] == "identical"
    assert notes["LR"] == "16×16 pixels, ×4"
    assert notes["HR"] == ""


def test_texts_of_ones_own_replace_the_scores_and_grey_beside_rgb_is_fine():
    images = {"grey": noise(channels=1), "HR": noise(seed=1)}
    assert srlab.compare(images, scores={"grey": "LPIPS .21"}).notes == ("LPIPS .21", "")
    assert "dB" in srlab.compare(images).notes[0]


@pytest.mark.parametrize(
    ("images", "options", "says"),
    [
        ({"SR": noise()}, {}, "at least two pictures"),
        ({"SR": noise(30, 48), "HR": noise(32, 48)}, {}, "'SR' has 48x30 pixels and the largest picture 48x32"),
        ({"LR": noise(8, 24), "HR": noise(32, 48)}, {}, "'LR' has 24x8 pixels and the largest picture 48x32"),
        ({"SR": noise() * torch.nan, "HR": noise()}, {}, "'SR' contains NaN"),
        ({"SR": noise()[:2], "HR": noise()}, {}, r"'SR' has shape \(2, 32, 48\)"),
        ({"SR": noise().long(), "HR": noise()}, {}, "'SR' holds torch.int64"),
        ({"SR": noise(), "HR": noise()}, {"left": "LR"}, "no picture 'LR' to compare; choose among SR, HR"),
        ({"SR": noise(), "HR": noise()}, {"scores": {"sr": "1 dB"}}, "no picture 'sr'"),
        ({"SR": noise(), "HR": noise()}, {"scores": "ssim"}, "Unknown scores 'ssim'"),
        ({1: noise(), "HR": noise()}, {}, "1 is no text"),
        ({"SR": noise(), "HR": noise()}, {"limit_mb": 0.01}, r"above its limit of 0.01 MB; crop"),
    ],
)
def test_what_cannot_be_compared_is_named(images, options, says):
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare(images, **options)


def test_a_label_is_text_wherever_it_stands():
    label = """<b>"x"&</script>"""
    html = srlab.compare({label: noise(), "HR": noise(seed=1)}, caption=label).html
    assert label not in html
    assert html.count("</script>") == 1
    assert html.count("&lt;b&gt;&quot;x&quot;&amp;&lt;/script&gt;") == 3, "name, alternative text, caption"


def test_it_shows_itself_and_saves_a_whole_page_that_is_not_overwritten_by_accident(tmp_path):
    comparison = srlab.compare({"SR": noise(), "HR": noise(seed=1)})
    assert comparison._repr_html_() == comparison.html
    assert repr(comparison).startswith("Comparison of SR, HR (48x32)")
    path = comparison.save(tmp_path / "new" / "page.html")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert comparison.html in page
    with pytest.raises(srlab.SrlabError, match=r"page\.html is there already"):
        comparison.save(path)
    comparison.save(path, overwrite=True)


def test_a_photo_as_lr_bicubic_and_hr_stays_below_a_megabyte(astronaut):
    lr = srlab.Degradation()(astronaut, 4)
    comparison = srlab.compare({"LR": lr, "bicubic": srlab.upsample(lr, 4), "HR": astronaut})
    assert len(comparison.html) < 1_000_000


def test_the_function_is_not_hidden_by_its_package():
    import srlab.comparison
    import srlab.comparison.live

    assert callable(srlab.compare)
    assert callable(srlab.compare_live)


class Level(nn.Module):
    """A network whose picture is one grey level."""

    def __init__(self, level):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))

    def forward(self, lr):
        return self.level.expand(len(lr), 3, lr.shape[-2] * 4, lr.shape[-1] * 4)


def test_the_live_scene_mixes_two_networks_by_the_strength():
    scene = LiveScene({"photo": noise(96, 96)}, {"mix": Level(0.0)}, crop=64, mix=(Level(0.0), Level(1.0)))
    for alpha in (0, 0.25, 1):
        pictures = scene.update("photo", "mix", (8, 16), alpha)
        assert list(pictures) == ["LR", "bicubic", "mix", "HR"]
        assert {tuple(picture.shape) for picture in pictures.values()} == {(3, 64, 64)}
        assert torch.allclose(pictures["mix"], torch.tensor(float(alpha)))
        assert torch.equal(pictures["HR"], noise(96, 96)[:, 8:72, 16:80])


def test_the_live_scene_degrades_anew_for_each_strength_and_alike_for_the_same():
    models = {"nearest": lambda lr: srlab.upsample(lr, 4, "nearest")}
    scene = LiveScene(
        {"photo": noise(64, 64)}, models, crop=64, degradation=lambda s: srlab.Degradation(blur=s, noise=0.02)
    )
    sharp, again, soft = (scene.update("photo", "nearest", (0, 0), s)["nearest"] for s in (0.0, 0.0, 4.0))
    assert torch.equal(sharp, again)
    assert soft.std() < 0.8 * sharp.std()


def test_a_place_beyond_the_image_is_moved_back_into_it_and_frames_are_whole_pictures():
    scene = LiveScene({"photo": noise(96, 80)}, {"SR": Level(0.5)}, crop=64)
    content = scene.frames("photo", "SR", (999, -5))
    assert content["labels"] == ["LR", "bicubic", "SR", "HR"]
    hr = np.asarray(Image.open(io.BytesIO(content["frames"][3])))
    assert np.array_equal(hr, to_uint8(noise(96, 80))[:, 32:, :64].permute(1, 2, 0).numpy())
    assert content["notes"][0] == content["notes"][3] == ""
    assert content["notes"][2].endswith(" dB")
    assert 0 < scene.last_ms < 5000


def test_the_live_widget_follows_its_controls():
    pytest.importorskip("anywidget")
    box = srlab.compare_live({"photo": noise(96, 96)}, mix=(Level(0.0), Level(1.0)), crop=64)
    (alpha,), (top, _), slider = box.children[0].children, box.children[1].children, box.children[2]
    assert (alpha.description, alpha.min, alpha.max) == ("alpha", 0, 1)
    before = slider.content["frames"]
    alpha.value = 0.5
    assert slider.content["frames"][2] != before[2]
    assert slider.content["frames"][3] == before[3]
    top.value = 0
    assert slider.content["frames"][3] != before[3]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs models, or two networks"),
        ({"models": {"HR": Level(0.0)}}, "cannot be called 'HR'"),
        ({"models": {"SR": Level(0.0)}, "degradation": lambda s: srlab.Degradation(blur=s)}, "Say the range"),
        ({"mix": (Level(0.0), Level(1.0)), "degradation": lambda s: srlab.Degradation(blur=s)}, "One slider"),
        ({"models": {"SR": Level(0.0)}, "crop": 66}, "multiple of the scale 4, but is 66"),
        ({"models": {"SR": Level(0.0)}, "crop": 128}, "'photo' has 96x96 pixels"),
        ({"models": {"SR": lambda lr: lr}, "crop": 64}, "must upscale by 4"),
    ],
)
def test_what_cannot_be_shown_live_is_named(options, says):
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare_live({"photo": noise(96, 96)}, **options)


def test_the_contact_sheet_has_a_row_per_box_and_a_column_per_image():
    images = {"LR": noise(16, 16), "HR": noise(64, 64)}
    figure = draw_contact_sheet(images, {"eye": (8, 16, 16, 16), "ear": (0, 0, 8, 16)}, {"HR": "the truth"})
    filled = [axis for axis in figure.axes if axis.images]
    assert len(filled) == 2 * 2 + 1
    assert np.allclose(filled[-1].images[0].get_array(), plots.to_numpy(noise(64, 64))), "the whole, behind its boxes"
    assert len(filled[-1].patches) == 2
    assert [axis.get_title() for axis in filled if axis.get_title()] == ["LR", "HR\nthe truth"]
    assert np.allclose(filled[0].images[0].get_array(), plots.to_numpy(noise(16, 16)[:, 2:6, 4:8]))
    plt.close(figure)


def test_the_contact_sheet_is_shown_with_its_caption_and_written(tmp_path, capsys):
    path = tmp_path / "sheet.png"
    srlab.contact_sheet({"SR": noise(), "HR": noise()}, "Two pictures.", path=path)
    assert Image.open(path).format == "PNG"
    assert not plt.get_fignums()
    with pytest.raises(srlab.SrlabError, match=r"'eye' \(30, 0, 16, 16\) is not inside the image of 48x32"):
        srlab.contact_sheet({"SR": noise(), "HR": noise()}, "Outside.", {"eye": (30, 0, 16, 16)})
