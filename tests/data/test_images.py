"""srlab.data.images: a file becomes a tensor, a tensor a file, and levels, luma and crops are what they are defined as.

Odd files of any kind are in `test_odd_files.py`.
"""

import math

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab.data.degradation import blur, gaussian_noise, jpeg
from srlab.data.images import (
    full_range,
    luma,
    mod_crop,
    quantize,
    read_image,
    to_float,
    to_uint8,
    write_image,
)
from srlab.data.resampling import resize
from srlab.errors import SrlabError

NOISE = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
LEVELS = torch.from_numpy(NOISE).permute(2, 0, 1)


# --- Files -----------------------------------------------------------------------------------------------------


def test_colour_or_grey_comes_as_three_channels_and_grey_as_one_on_request(tmp_path):
    grey, deep = Image.fromarray(NOISE[..., 0]), Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)
    pictures = {"rgb": Image.fromarray(NOISE), "grey": grey, "alpha": grey.convert("LA"), "deep": deep}
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
        for keep in (False, True):
            found = read_image(str(tmp_path / f"{name}.png"), keep_grey=keep)
            assert found.dtype == torch.float32
            assert found.is_contiguous()
            assert len(found) == (1 if name != "rgb" and keep else 3)
            expected = LEVELS if name == "rgb" else LEVELS[:1].expand_as(found)
            assert torch.equal(to_uint8(found), expected)


def test_16_bits_keep_what_8_bits_would_lose(tmp_path):
    Image.fromarray(np.array([[0, 255, 32768, 65535]], np.uint16)).save(tmp_path / "16.png")
    assert read_image(tmp_path / "16.png")[0, 0].tolist() == pytest.approx([0, 255 / 65535, 32768 / 65535, 1])


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_write_then_read_is_bit_exact_and_clamped(tmp_path, suffix):
    path = tmp_path / "new" / "deep" / f"a{suffix}"
    every = (torch.arange(256) / 255).expand(3, 2, 256)
    beyond = torch.tensor([-0.2, 0.5, 1.2]).expand(3, 1, 3)
    for given, expected in ((LEVELS[None], to_float(LEVELS)), (every, every), (beyond, quantize(beyond))):
        assert write_image(given, str(path)) == path
        assert torch.equal(read_image(path), expected)
        assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("image", "name", "said"),
    [
        *[(torch.zeros(shape), "a.png", "one RGB image") for shape in ((1, 4, 4), (2, 3, 4, 4), (4, 4, 3))],
        *[(torch.zeros(3, 4, 4), name, "Cannot tell the image format") for name in ("a", "a.npy")],
        (torch.full((3, 4, 4), math.nan), "a.png", "no numbers"),
        (torch.full((3, 4, 4), 255.0), "a.png", "up to 255, .* divide it by 255"),
        (torch.full((3, 4, 4), 255), "a.png", "torch.int64"),
    ],
)
def test_what_is_no_rgb_image_or_no_name_of_one_is_refused(image, name, said, tmp_path):
    with pytest.raises(SrlabError, match=said):
        write_image(image, tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_the_readers_home_is_found_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert write_image(torch.ones(3, 4, 4), "~/set/a.png") == tmp_path / "set" / "a.png"
    assert srlab.load_images("~/set").names == ["a"]
    assert srlab.upscale_file("~/set/a.png", "~/b.png", lambda lr: lr, 1, progress=False).parent == tmp_path
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(SrlabError, match=r"notes\.txt is neither a run folder nor a weights file"):
        srlab.read_generator("~/notes.txt")


# --- Levels, luma, crops -------------------------------------------------------------------------------------


def test_to_uint8_rounds_halves_up_clamps_and_gives_levels_back():
    for kind in (torch.float64, torch.float32):
        levels = torch.arange(255, dtype=torch.float64)
        assert to_uint8(((levels + 0.5) / 255).to(kind)).tolist() == list(range(1, 256))
        assert to_uint8(((levels + 0.4999) / 255).to(kind)).tolist() == list(range(255))
    assert to_uint8(torch.tensor([-3.0, -0.1, 1.1, 9.0])).tolist() == [0, 0, 255, 255]
    exact = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(exact)), exact)
    assert torch.equal(quantize(to_float(exact)), to_float(exact))


def test_luma_of_a_known_colour_in_levels_as_rgb2ycbcr_and_a_grey_image_has_its_values_back():
    known = {(0, 0, 0): 16, (255, 255, 255): 235, (255, 0, 0): 81.481, (0, 255, 0): 144.553, (0, 0, 255): 40.966}
    for rgb, y in known.items():
        assert luma(torch.tensor(rgb).view(3, 1, 1) / 255).item() * 255 == pytest.approx(y, abs=1e-4)
    grey = torch.linspace(0, 1, 20, dtype=torch.float64).view(1, 4, 5)
    assert torch.allclose(full_range(luma(grey.expand(2, 3, -1, -1))), grey, atol=1e-12)


def test_levels_are_taken_as_the_image_that_they_stand_for():
    levels = LEVELS[None, :, :8, :12]
    made = {
        "luma": luma,
        "resize": lambda image: resize(image, 0.5),
        "downsample": lambda image: srlab.downsample(image, 4),
        "upsample": lambda image: srlab.upsample(image, 2),
        "blur": lambda image: blur(image, 1.0),
        "noise": lambda image: gaussian_noise(image, 0.1, torch.Generator().manual_seed(0)),
        "jpeg": lambda image: jpeg(image, 50),
    }
    for name, make in made.items():
        assert torch.equal(make(levels), make(to_float(levels))), name
        if name != "jpeg":
            with pytest.raises(SrlabError, match=r"uint8 levels, but this one is torch\.int64"):
                make(levels.long())


def test_mod_crop_cuts_the_bottom_and_the_right_and_needs_an_lr_pixel():
    for size, scale, left in (((9, 14), 4, (8, 12)), ((8, 12), 4, (8, 12)), ((7, 9), 1, (7, 9))):
        image = torch.rand(2, 3, *size)
        assert torch.equal(mod_crop(image, scale), image[..., : left[0], : left[1]])
    for size in ((3, 9), (9, 3)):
        with pytest.raises(SrlabError, match="too small for scale 4"):
            mod_crop(torch.rand(3, *size), 4)


@pytest.mark.parametrize("scale", [0, 4.0, "4"], ids=repr)
def test_a_scale_that_is_no_whole_number_is_refused_wherever_one_is_taken(scale, tmp_path):
    write_image(torch.rand(3, 16, 16), tmp_path / "a.png")
    plain, hr = srlab.load_images(tmp_path), torch.rand(1, 3, 16, 16)
    for take in (
        lambda: srlab.load_images("div2k", scale),  # before anything is downloaded
        lambda: srlab.PatchSampler(plain, scale, 16, 2),
        lambda: srlab.downsample(hr, scale),
        lambda: srlab.evaluate(lambda lr: lr, plain, scale, metrics=["psnr"]),
        lambda: srlab.upscale(lambda lr: lr, hr, scale, tile=8),
        lambda: srlab.MSRResNet(1, 4, scale),
    ):
        with pytest.raises(SrlabError, match=f"scale must be a whole number of at least 1, but is {scale!r}"):
            take()
