"""Test srlab.data.images: reading and writing files, and the definitions of levels, luma and crops.

For odd files, see `test_odd_files.py`.
"""

import math

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab.data.degradation import blur, gaussian_noise, jpeg
from srlab.data.images import full_range, luma, mod_crop, quantize, read_image, to_float, to_uint8, write_image
from srlab.errors import SrlabError

NOISE = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
LEVELS = torch.from_numpy(NOISE).permute(2, 0, 1)


# --- Files -----------------------------------------------------------------------------------------------------


def test_color_and_gray_channels(tmp_path):
    gray, deep = Image.fromarray(NOISE[..., 0]), Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)
    pictures = {"rgb": Image.fromarray(NOISE), "gray": gray, "alpha": gray.convert("LA"), "deep": deep}
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
        for keep in (False, True):
            found = read_image(str(tmp_path / f"{name}.png"), keep_gray=keep)
            assert (found.dtype, found.is_contiguous()) == (torch.float32, True)
            expected = LEVELS if name == "rgb" else LEVELS[:1].expand(1 if keep else 3, -1, -1)
            assert torch.equal(to_uint8(found), expected)
    Image.fromarray(np.array([[0, 255, 32768, 65535]], np.uint16)).save(tmp_path / "16.png")
    assert read_image(tmp_path / "16.png")[0, 0].tolist() == pytest.approx([0, 255 / 65535, 32768 / 65535, 1])


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_written_image_is_read_exactly(tmp_path, suffix, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = tmp_path / "new" / "deep" / f"a{suffix}"
    every = (torch.arange(256) / 255).expand(3, 2, 256)
    beyond = torch.tensor([-0.2, 0.5, 1.2]).expand(3, 1, 3)
    for given, expected in ((LEVELS[None], to_float(LEVELS)), (every, every), (beyond, quantize(beyond))):
        assert write_image(given, f"~/new/deep/a{suffix}") == path
        assert torch.equal(read_image(path), expected)
        assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert srlab.load_images("~/new/deep").names == ["a"]


REFUSED = [
    *[(torch.zeros(shape), "a.png", "one RGB image") for shape in ((1, 4, 4), (2, 3, 4, 4), (4, 4, 3), (3, 0, 4))],
    *[(torch.zeros(3, 4, 4), name, "valid extension") for name in ("a", "a.npy", "a.tif")],
    (torch.zeros(3, 1, 16384), "a.webp", "cannot store 16384 pixels per side"),
    (torch.full((3, 4, 4), math.nan), "a.png", "contains NaN or infinity"),
    (torch.full((3, 4, 4), 255.0), "a.png", "values from 255 to 255, but floats must be in .*Divide levels by 255"),
    (torch.tensor([0.0] * 47 + [200]).view(3, 4, 4), "a.png", "values from 0 to 200"),  # a night photo
    (torch.full((3, 4, 4), -1.0), "a.png", "values from -1 to -1"),
    (torch.full((3, 4, 4), 255), "a.png", "torch.int64"),
]


@pytest.mark.parametrize(("image", "name", "said"), REFUSED)
def test_unwritable_image_is_rejected(image, name, said, tmp_path):
    with pytest.raises(SrlabError, match=said):
        write_image(image, tmp_path / name)
    assert not any(tmp_path.iterdir())


# --- Levels, luma, crops -------------------------------------------------------------------------------------


def test_to_uint8_rounds_half_up():
    for kind in (torch.float64, torch.float32):
        levels = torch.arange(255, dtype=torch.float64)
        assert to_uint8(((levels + 0.5) / 255).to(kind)).tolist() == list(range(1, 256))
        assert to_uint8(((levels + 0.4999) / 255).to(kind)).tolist() == list(range(255))


def test_luma_of_colors_and_gray():
    known = {(0, 0, 0): 16, (255, 255, 255): 235, (255, 0, 0): 81.481, (0, 255, 0): 144.553, (0, 0, 255): 40.966}
    for rgb, y in known.items():
        assert luma(torch.tensor(rgb).view(3, 1, 1) / 255).item() * 255 == pytest.approx(y, abs=1e-4)
    gray = torch.linspace(0, 1, 20, dtype=torch.float64).view(1, 4, 5)
    assert torch.allclose(full_range(luma(gray.expand(2, 3, -1, -1))), gray, atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        luma,
        lambda image: srlab.downsample(image, 4),
        lambda image: srlab.upsample(image, 2),
        lambda image: blur(image, 1.0),
        lambda image: gaussian_noise(image, 0.1, torch.Generator().manual_seed(0)),
        lambda image: jpeg(image, 50),
    ],
)
def test_levels_give_the_same_as_floats(make):
    levels = LEVELS[None, :, :8, :12]
    assert torch.equal(make(levels), make(to_float(levels)))
    with pytest.raises(SrlabError, match=r"torch\.int64"):
        make(levels.long())


def test_mod_crop():
    for size, scale, left in (((9, 14), 4, (8, 12)), ((8, 12), 4, (8, 12)), ((7, 9), 1, (7, 9))):
        image = torch.rand(2, 3, *size)
        assert torch.equal(mod_crop(image, scale), image[..., : left[0], : left[1]])
    for size in ((3, 9), (9, 3)):
        with pytest.raises(SrlabError, match="too small for scale 4"):
            mod_crop(torch.rand(3, *size), 4)


@pytest.mark.parametrize("scale", [0, -4])
def test_scale_below_one_is_rejected(scale):
    hr = torch.rand(1, 3, 16, 16)
    photos = srlab.ImageSet.from_images("one", {"a": to_uint8(hr)[0]})
    for take in (
        lambda: mod_crop(hr, scale),
        lambda: srlab.evaluate(lambda lr: lr, photos, scale, metrics=["psnr"]),
    ):
        with pytest.raises(SrlabError, match=f"scale must be at least 1, but is {scale}"):
            take()
    for take in (
        lambda: next(srlab.PatchSampler(photos, scale, 16, 2)),
        lambda: srlab.downsample(hr, scale),
        lambda: srlab.upsample(hr, scale),
        lambda: srlab.upscale(lambda lr: lr, hr, scale, tile=8),
        lambda: srlab.MSRResNet(1, 4, scale),
    ):
        with pytest.raises((SrlabError, ZeroDivisionError)):
            take()
