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
from srlab.data.images import to_uint8
from srlab.evaluation import perception
from srlab.view import plots
from srlab.view.comparison import markup
from srlab.view.comparison.live import LiveScene
from srlab.view.comparison.pictures import encode
from srlab.view.comparison.sheet import draw_contact_sheet

SOURCE = re.compile(r'src="data:image/webp;base64,([^"]+)"')


def noise(height=32, width=48, seed=0, channels=3):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))


def decoded(comparison):
    """Label -> the picture that the HTML carries."""
    found = re.findall(r'alt="([^"]*)" src="data:image/webp;base64,([^"]+)"', comparison.html)
    return {alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for alt, data in found}


def test_each_picture_is_in_the_html_and_the_page_once_and_without_loss(tmp_path):
    images = {"LR": noise(8, 12), "SR": noise(seed=1)[None], "HR": to_uint8(noise(seed=2))}
    comparison = srlab.compare(images, scores=None)
    assert len(SOURCE.findall(comparison.html)) == comparison.html.count("base64,") == 3
    pictures = decoded(comparison)
    assert np.array_equal(pictures["SR"], to_uint8(noise(seed=1)).permute(1, 2, 0).numpy())
    assert np.array_equal(pictures["HR"], images["HR"].permute(1, 2, 0).numpy())
    small = to_uint8(noise(8, 12)).permute(1, 2, 0).numpy()
    assert np.array_equal(pictures["LR"], small.repeat(4, 0).repeat(4, 1)), "LR is magnified by repeating pixels"
    assert comparison.notes == ("12×8 pixels, ×4", "", "")
    page = comparison.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("base64,") == 3


@pytest.mark.parametrize("effort", [0, 4])
def test_a_photo_loses_no_level_at_any_effort(astronaut, effort):
    crop = astronaut[0, :, 64:128, 160:240]
    shown = np.asarray(Image.open(io.BytesIO(encode(crop, effort))))
    assert np.array_equal(shown, to_uint8(crop).permute(1, 2, 0).numpy())


def test_values_a_little_outside_of_0_and_1_are_cut_off():
    images = {"SR": noise() * 1.4 - 0.2, "HR": noise()}
    assert np.array_equal(decoded(srlab.compare(images))["SR"], to_uint8(images["SR"]).permute(1, 2, 0).numpy())


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


def test_numbers_of_ones_own_become_texts():
    images = {name: noise(seed=seed) for seed, name in enumerate("abcd")}
    scores = {"a": 24.12345, "b": torch.tensor([0.21349]), "c": 3, "d": np.float32(0.5)}
    assert srlab.compare(images, scores=scores).notes == ("24.12", "0.2135", "3", "0.5")


class Apart(nn.Module):
    """In place of LPIPS: the mean difference of two pictures that come in [0, 1]."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, sr, hr, normalize):
        assert normalize
        return (sr - hr).abs().mean(dim=(1, 2, 3), keepdim=True)


@pytest.mark.parametrize(
    ("scores", "note"),
    [
        ("lpips", "LPIPS 0.200"),
        (("psnr", "lpips"), "PSNR, LPIPS 0.200"),
        (["lpips", "psnr"], "LPIPS 0.200, PSNR"),
        (("psnr",), "PSNR"),
        (None, ""),
        ((), ""),
    ],
)
def test_scores_are_those_that_were_asked_for(scores, note, monkeypatch):
    monkeypatch.setattr(perception, "load_lpips", lambda weights: {"auto": Apart()}[weights])
    hr = torch.full((3, 64, 64), 51 / 255)
    images = {"LR": hr[:, ::4, ::4], "SR": hr + 51 / 255, "HR": hr}
    note = note.replace("PSNR", f"{float(srlab.psnr(images['SR'], hr)):.2f} dB")
    assert srlab.compare(images, scores=scores).notes == ("16×16 pixels, ×4", note, "")


def test_without_its_weights_lpips_is_left_out(monkeypatch):
    monkeypatch.setattr(perception, "load_lpips", lambda weights: None)  # which says so
    images = {"SR": noise(64, 64), "HR": noise(64, 64)}
    assert srlab.compare(images, scores=("psnr", "lpips")).notes == ("identical", "")
    assert srlab.compare(images, scores="lpips").notes == ("", "")


@pytest.mark.parametrize("side", [1, 8, 30])
def test_pictures_too_small_to_score_are_shown_without_a_note(side, monkeypatch):
    monkeypatch.setattr(perception, "load_lpips", lambda weights: Apart())
    images = {"SR": noise(side, side), "HR": noise(side, side)}
    assert srlab.compare(images, scores="lpips").notes == ("", "")
    assert srlab.compare(images).notes == ("identical" if side > 8 else "", "")


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
        (
            {"SR": noise() * 255, "HR": noise()},
            {"scores": None},
            r"'SR' has values up to 25\d.*divide .* by 255",
        ),
        ({"SR": noise().numpy(), "HR": noise()}, {}, "'SR' is a numpy.ndarray; a picture is a torch tensor"),
        ({"SR": noise(), "HR": None}, {}, "'HR' is None; a picture is a torch tensor"),
        ([noise(), noise()], {}, "with their labels, .* not as a builtins.list"),
        ({"SR": noise(), "HR": noise()}, {"scores": ("psnr", "ssim")}, "Unknown scores 'ssim'"),
        ({"SR": noise(), "HR": noise()}, {"scores": 5}, "Unknown scores '5'"),
        ({"SR": noise(), "HR": noise()}, {"scores": {"SR": None}}, "The score of 'SR' is None"),
        ({"SR": noise(), "HR": noise()}, {"width": 0}, "at least 1 CSS pixel, but 0 was given"),
        ({"SR": noise(), "HR": noise()}, {"width": -300}, "at least 1 CSS pixel, but -300"),
        ({"SR": noise(), "HR": noise()}, {"width": "100%"}, "at least 1 CSS pixel, but '100%'"),
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
    assert comparison.save(tmp_path / "old.HTM").is_file()


@pytest.mark.parametrize("name", ["c.pdf", "c", "c.html.gz"])
def test_a_page_is_saved_under_no_ending_but_html(name, tmp_path):
    with pytest.raises(srlab.SrlabError, match=rf"{name} does not end in \.html or \.htm"):
        srlab.compare({"SR": noise(), "HR": noise()}).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_script_and_style_come_without_indentation_and_whole_lines_of_comment():
    for text in (markup.script(), markup.style()):
        assert not re.search(r"^(\s|//|/\*)", text, flags=re.MULTILINE)
        assert all(line.count("`") % 2 == 0 for line in text.splitlines()), "text over several lines would change"
    assert "mountSlider" in markup.script()
    assert "// the script ran twice" in markup.script(), "a comment behind code stays with its line"


def test_a_photo_as_lr_bicubic_and_hr_stays_below_a_megabyte(astronaut):
    lr = srlab.Degradation()(astronaut, 4)
    comparison = srlab.compare({"LR": lr, "bicubic": srlab.upsample(lr, 4), "HR": astronaut})
    assert len(comparison.html) < 1_000_000


def test_three_full_photos_of_another_kind_stay_below_a_megabyte_too():
    from skimage import data

    hr = torch.from_numpy(data.immunohistochemistry()).permute(2, 0, 1)[None].float() / 255
    bicubic = srlab.upsample(srlab.Degradation()(hr, 4), 4).clamp(0, 1)
    blurred = nn.functional.avg_pool2d(bicubic, 5, stride=1, padding=2, count_include_pad=False)
    sharpened = (bicubic + 0.5 * (bicubic - blurred)).clamp(0, 1)
    comparison = srlab.compare({"bicubic": bicubic, "sharpened": sharpened, "HR": hr}, scores=None)
    assert len(comparison.html) < 1_000_000


def test_the_function_is_not_hidden_by_its_package():
    import srlab.view.comparison
    import srlab.view.comparison.live

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
        ({"models": {"SR": Level(0.0)}, "crop": 66}, "multiple of the scale 4 and at least 16, but is 66"),
        ({"models": {"SR": Level(0.0)}, "crop": 128}, "'photo' has 96x96 pixels"),
        ({"models": {"SR": lambda lr: lr}, "crop": 64}, "must upscale by 4"),
    ],
)
def test_what_cannot_be_shown_live_is_named(options, says):
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare_live({"photo": noise(96, 96)}, **options)


@pytest.mark.parametrize(
    ("strength", "crop", "channels", "says"),
    [
        (("a", 1, 0, 0.1), 64, 3, "lowest before highest"),
        (("a", 0, 1), 64, 3, "label, lowest, highest, step"),
        (None, 8, 3, "at least 16"),
        (None, 64, 1, r"one RGB image \(3, H, W\)"),
    ],
)
def test_a_range_a_crop_or_an_image_that_cannot_be_is_one_sentence(strength, crop, channels, says):
    models = {"bicubic x4": lambda lr: srlab.upsample(lr, 4)}
    with pytest.raises(srlab.SrlabError, match=says):
        srlab.compare_live({"photo": noise(96, 96)[:channels]}, models, strength=strength, crop=crop)


def test_the_contact_sheet_has_a_row_per_box_and_a_column_per_image():
    images = {"LR": noise(16, 16), "HR": noise(64, 64)}
    figure = draw_contact_sheet(images, {"eye": (8, 16, 16, 16), "ear": (0, 0, 8, 16)}, {"HR": "the truth"})
    filled = [axis for axis in figure.axes if axis.images]
    assert len(filled) == 2 * 2 + 1
    assert np.allclose(filled[-1].images[0].get_array(), plots.to_numpy(noise(64, 64))), "the whole, behind its boxes"
    assert len(filled[-1].patches) == 2
    assert [axis.get_title() for axis in filled if axis.get_title()] == ["LR", "HR\nthe truth"]
    squares = plots.to_numpy(noise(16, 16)[:, 2:6, 4:8]).repeat(4, 0).repeat(4, 1)
    assert np.allclose(filled[0].images[0].get_array(), squares)
    plt.close(figure)


@pytest.mark.parametrize("box", [(5, 18, 13, 10), (9, 9, 1, 2), (63, 63, 1, 1)])
def test_a_box_off_the_grid_of_lr_or_within_one_of_its_pixels_shows_the_same_part_in_lr(box):
    images = {"LR": noise(16, 16), "HR": noise(64, 64)}
    figure = draw_contact_sheet(images, {"eye": box})
    lr, hr = (np.asarray(axis.images[0].get_array()) for axis in figure.axes[1:] if axis.images and axis.get_title())
    plt.close(figure)
    top, left, height, width = box
    rows, columns = slice(top, top + height), slice(left, left + width)
    assert np.allclose(lr, plots.to_numpy(images["LR"]).repeat(4, 0).repeat(4, 1)[rows, columns])
    assert np.allclose(hr, plots.to_numpy(images["HR"])[rows, columns])


def test_the_contact_sheet_takes_8_bit_and_a_single_picture():
    for boxes in (None, {"all": (0, 0, 32, 48)}):
        figure = draw_contact_sheet({"HR": to_uint8(noise())}, boxes)
        drawn = next(axis for axis in figure.axes if axis.images).images[0].get_array()
        plt.close(figure)
        assert np.allclose(drawn, to_uint8(noise()).permute(1, 2, 0) / 255)


def test_the_contact_sheet_is_shown_with_its_caption_and_written(tmp_path):
    path = tmp_path / "sheet.png"
    srlab.contact_sheet({"SR": noise(), "HR": noise()}, "Two pictures.", path=path)
    assert Image.open(path).format == "PNG"
    assert not plt.get_fignums()


def test_a_file_is_not_replaced_by_a_contact_sheet_unless_asked(tmp_path):
    images, path = {"SR": noise(), "HR": noise()}, tmp_path / "sheet.png"
    path.write_bytes(b"mine")
    with pytest.raises(srlab.SrlabError, match=r"sheet\.png is there already"):
        srlab.contact_sheet(images, "Two pictures.", path=path)
    assert path.read_bytes() == b"mine"
    srlab.contact_sheet(images, "Two pictures.", path=path, overwrite=True)
    assert Image.open(path).format == "PNG"
    with pytest.raises(srlab.SrlabError, match=r"sheet\.jpg does not end in \.png"):
        srlab.contact_sheet(images, "Two pictures.", path=tmp_path / "sheet.jpg")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("images", "options", "says"),
    [
        ({}, {}, "no pictures to show"),
        ({"SR": noise() * torch.nan, "HR": noise()}, {}, "'SR' contains NaN"),
        ({"SR": noise() * 255, "HR": noise()}, {}, "'SR' has values up to"),
        ({"SR": noise(30, 48), "HR": noise()}, {}, "'SR' has 48x30 pixels and the largest picture 48x32"),
        ({"SR": noise()}, {"boxes": {"eye": (30, 0, 16, 16)}}, r"'eye' \(30, 0, 16, 16\) is not inside .* of 48x32"),
        ({"SR": noise()}, {"boxes": {"eye": (-1, 0, 16, 16)}}, r"'eye' \(-1, 0, 16, 16\) is not inside"),
        ({"SR": noise()}, {"boxes": {"eye": (0, 0, 0, 16)}}, "'eye' .* must be at least 1 pixel high and wide"),
        ({"SR": noise()}, {"boxes": {"eye": (0, 0, 16)}}, "'eye' is .top, left, height, width. in whole pixels"),
        ({"SR": noise()}, {"boxes": {"eye": (0, 0.5, 16, 16)}}, "in whole pixels, but"),
        ({"SR": noise()}, {"notes": {"sr": "25 dB"}}, "no picture 'sr' for a note; choose among SR"),
        ({"SR": noise()}, {"width": 0}, "inches above 0, but 0"),
    ],
)
def test_what_no_contact_sheet_can_show_is_named(images, options, says):
    with pytest.raises(srlab.SrlabError, match=says):
        draw_contact_sheet(images, **options)
    assert not plt.get_fignums()
