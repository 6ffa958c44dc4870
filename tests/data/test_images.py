"""srlab.data.images: a file becomes a tensor, or one clear sentence, and a tensor a file.

Odd files of any kind are in `test_odd_files.py`.
"""

import itertools
import math
import struct

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab.base.errors import SrlabError
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

NOISE = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def levels(image: torch.Tensor) -> np.ndarray:
    """The pixels as 8-bit levels (H, W, C)."""
    return (image * 255).round().permute(1, 2, 0).numpy().astype(int)


# --- Reading odd files ---------------------------------------------------------------------------------------


def test_colour_or_grey_comes_as_three_channels_and_grey_as_one_on_request(tmp_path):
    grey = Image.fromarray(NOISE[..., 0])
    pictures = {"rgb": Image.fromarray(NOISE), "grey": grey, "alpha": grey.convert("LA"), "bits": grey.convert("1")}
    pictures["deep"] = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
        expected = NOISE if name == "rgb" else np.asarray(picture.convert("L") if name == "bits" else grey)
        for keep in (False, True):
            found = read_image(str(tmp_path / f"{name}.png"), keep_grey=keep)
            assert found.dtype == torch.float32
            assert found.shape == (1 if name != "rgb" and keep else 3, *NOISE.shape[:2])
            assert found.is_contiguous()
            assert (levels(found) == expected.reshape(*NOISE.shape[:2], -1)).all()


def test_16_bits_and_floats_keep_what_8_bits_would_lose(tmp_path):
    Image.fromarray(np.array([[0, 255, 32768, 65535]], np.uint16)).save(tmp_path / "16.png")
    assert read_image(tmp_path / "16.png")[0, 0].tolist() == pytest.approx([0, 255 / 65535, 32768 / 65535, 1])
    Image.fromarray(np.array([[0, 0.123, 1]], np.float32)).save(tmp_path / "f.tif")
    assert read_image(tmp_path / "f.tif")[0, 0].tolist() == pytest.approx([0, 0.123, 1], abs=1e-7)


def profile_of_inks():
    """A small colour profile that is unlike Pillow's formula: every ink takes 63 of 255 levels of lightness."""
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", *65536 * np.eye(3, dtype=int).ravel())
    table += bytes(range(256)) * 4
    for used in itertools.product((0, 1), repeat=4):
        table += bytes([255 - 63 * sum(used), 128, 128])
    table += bytes(range(256)) * 3
    known = (132 + 12 + len(table), 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp", 0xF6D6, 0x10000, 0xD32D)
    header = struct.pack(">I4xI4s4s4s12x4s28x3I48x", *known)
    return header + struct.pack(">I4sII", 1, b"A2B0", len(header) + 16, len(table)) + table


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_inks_become_colours_through_their_profile(suffix, tmp_path):
    inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    for options, expected in (({}, [0, 255, 255]), ({"icc_profile": profile_of_inks()}, [185] * 3)):
        inks.save(tmp_path / f"inks{suffix}", **options)
        assert np.abs(levels(read_image(tmp_path / f"inks{suffix}"))[8, 8] - expected).max() <= 2


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "F", "I;16"])
def test_a_turned_tiff_that_pillow_could_map_into_memory_is_not_scrambled(tmp_path, mode):
    image = Image.fromarray(NOISE).convert("I" if mode == "I;16" else mode).convert(mode)
    image = Image.fromarray(np.asarray(image) / np.float32(255)) if mode == "F" else image  # floats are in [0, 1]
    image.save(tmp_path / "plain.tif")
    expected = levels(read_image(tmp_path / "plain.tif"))
    for orientation, quarters in ((3, 2), (6, 3), (8, 1)):
        image.save(tmp_path / "turned.tif", tiffinfo={0x0112: orientation})
        assert np.array_equal(levels(read_image(tmp_path / "turned.tif")), np.rot90(expected, quarters))


# --- Files that cannot be read -------------------------------------------------------------------------------


# --- Writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_write_then_read_is_bit_exact_and_clamped(tmp_path, suffix):
    image = torch.from_numpy(NOISE).permute(2, 0, 1)
    path = tmp_path / "new" / "deep" / f"a{suffix}"
    every = (torch.arange(256) / 255).expand(3, 2, 256)
    for given, expected in (
        (to_float(image), to_float(image)),
        (image[None], to_float(image)),
        (every, every),
        (torch.tensor([-0.2, 0.5, 1.2]).expand(3, 1, 3), torch.tensor([0, 128 / 255, 1]).expand(3, 1, 3)),
    ):
        assert write_image(given, str(path)) == path
        assert torch.equal(read_image(path), expected)
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.png").mkdir()
    for name, advice in (("file/a.png", "free"), ("folder.png", "free"), ("x" * 244 + ".png", "give it a shorter")):
        with pytest.raises(SrlabError, match=f"Could not write .*; {advice}") as caught:
            write_image(torch.ones(3, 4, 4), tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


def test_what_is_no_rgb_image_or_no_name_of_one_is_refused(tmp_path):
    for shape in ((1, 4, 4), (2, 3, 4, 4), (4, 4), (4, 4, 3), (4, 4, 4)):
        with pytest.raises(SrlabError, match="one RGB image"):
            write_image(torch.zeros(shape), tmp_path / "a.png")
    for name in ("a", "a.npy", "a.png.part"):
        with pytest.raises(SrlabError, match="Cannot tell the image format"):
            write_image(torch.zeros(3, 4, 4), tmp_path / name)
    for value, words in ((math.nan, "no numbers"), (255.0, "up to 255, .* divide it by 255"), (255, "torch.int64")):
        with pytest.raises(SrlabError, match=words):
            write_image(torch.full((3, 4, 4), value), tmp_path / "a.png")
    assert not any(tmp_path.iterdir())


def test_the_readers_home_is_found_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert write_image(torch.ones(3, 4, 4), "~/set/a.png") == tmp_path / "set" / "a.png"
    assert srlab.folder("~/set").names == srlab.image_set("~/set").names == ["a"]
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
    exact, image = torch.arange(256, dtype=torch.uint8), torch.rand(3)
    assert to_uint8(exact) is exact
    assert to_float(image) is image
    assert to_float(exact).dtype == torch.float32
    assert torch.equal(to_uint8(to_float(exact)), exact)
    assert torch.equal(quantize(to_float(exact)), to_float(exact))


def test_luma_of_a_known_colour_in_levels_as_rgb2ycbcr():
    known = {
        (0, 0, 0): 16,
        (255, 255, 255): 235,
        (255, 0, 0): 81.481,
        (0, 255, 0): 144.553,
        (0, 0, 255): 40.966,
        (200, 100, 50): 16 + (65.481 * 200 + 128.553 * 100 + 24.966 * 50) / 255,
    }
    for rgb, y in known.items():
        image = torch.tensor(rgb).view(3, 1, 1) / 255
        assert luma(image).item() * 255 == pytest.approx(y, abs=1e-4)
        assert luma(image.double()).dtype == torch.float64
        assert torch.equal(luma(image.expand(2, 3, 4, 5)), luma(image).expand(2, 1, 4, 5))


def test_levels_are_taken_as_the_image_that_they_stand_for():
    levels = torch.from_numpy(NOISE[:8, :12]).permute(2, 0, 1)[None]
    made = {
        "luma": luma,
        "resize": lambda image: resize(image, 0.5),
        "downsample": lambda image: srlab.downsample(image, 4),
        "upsample": lambda image: srlab.upsample(image, 2),
        "blur": lambda image: blur(image, 1.0),
        "degradation": lambda image: srlab.Degradation(jpeg=50)(image, 4),
        "noise": lambda image: gaussian_noise(image, 0.1, torch.Generator().manual_seed(0)),
        "jpeg": lambda image: jpeg(image, 50),
    }
    for name, make in made.items():
        assert torch.equal(make(levels), make(to_float(levels))), name
        if name != "jpeg":
            with pytest.raises(SrlabError, match=r"uint8 levels, but this one is torch\.int64"):
                make(levels.long())


def test_full_range_gives_a_grey_image_its_grey_values_back():
    grey = torch.linspace(0, 1, 20, dtype=torch.float64).view(1, 4, 5)
    assert torch.allclose(full_range(luma(grey.expand(3, -1, -1))), grey, atol=1e-12)


def test_mod_crop_cuts_the_bottom_and_the_right_and_needs_an_lr_pixel():
    for size, scale, left in (((9, 14), 4, (8, 12)), ((8, 12), 4, (8, 12)), ((4, 5), 4, (4, 4)), ((7, 9), 1, (7, 9))):
        image = torch.rand(2, 3, *size)
        assert torch.equal(mod_crop(image, scale), image[..., : left[0], : left[1]])
        assert mod_crop(image[0], scale).shape == (3, *left)
    for size in ((3, 9), (9, 3), (0, 0)):
        with pytest.raises(SrlabError, match="too small for scale 4"):
            mod_crop(torch.rand(3, *size), 4)


# --- Scales --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [-4, 0, 1.5, 4.0, float("nan"), "4"], ids=repr)
def test_a_scale_that_is_no_whole_number_is_refused_wherever_one_is_taken(scale, tmp_path):
    write_image(torch.rand(3, 16, 16), tmp_path / "set" / "HR" / "a.png")
    plain, hr = srlab.folder(tmp_path / "set" / "HR"), torch.rand(1, 3, 16, 16)
    for take in (
        lambda: srlab.image_set(tmp_path / "set", scale),
        lambda: srlab.image_set(tmp_path / "set" / "HR", scale),
        lambda: srlab.image_set("div2k", scale),  # before anything is downloaded
        lambda: srlab.benchmark(tmp_path / "set", scale),
        lambda: plain.with_lr(srlab.Degradation(), scale),
        lambda: srlab.PatchSampler(plain, scale, 16, 2),
        lambda: srlab.Degradation().reach(scale),
        lambda: srlab.Degradation(blur=1.0)(hr, scale),
        lambda: srlab.downsample(hr, scale),
        lambda: srlab.upsample(hr, scale),
        lambda: srlab.mod_crop(hr, scale),
        lambda: srlab.evaluate(lambda lr: lr, plain, scale, metrics=["psnr"]),
        lambda: srlab.upscale(lambda lr: lr, hr, scale, tile=8),
        lambda: srlab.upscale_file(tmp_path / "set" / "HR" / "a.png", tmp_path / "b.png", lambda lr: lr, scale),
        lambda: srlab.MSRResNet(1, 4, scale),
        lambda: srlab.SRResNet(1, 4, scale),
        lambda: srlab.RRDBNet(1, 4, 4, scale),
    ):
        with pytest.raises(SrlabError, match=f"scale must be a whole number of at least 1, but is {scale!r}"):
            take()
