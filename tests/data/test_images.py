"""srlab.data.images: every kind of file becomes the same kind of tensor, or one clear sentence."""

import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from srlab.base.errors import SrlabError
from srlab.data.images import (
    full_range,
    luma,
    mod_crop,
    quantize,
    read_image,
    read_levels,
    to_float,
    to_uint8,
    write_image,
)

GREEN, WHITE, BLUE = (10, 200, 30), (255, 255, 255), (0, 0, 255)
NOISE = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def levels(image: torch.Tensor) -> np.ndarray:
    """The pixels as 8-bit levels (H, W, C)."""
    return (image * 255).round().permute(1, 2, 0).numpy().astype(int)


# --- Reading odd files ---------------------------------------------------------------------------------------


def palette(transparent: bool) -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([*GREEN, *BLUE])
    image.putdata([0, 1])
    if transparent:
        image.info["transparency"] = 1
    return image


def with_alpha(*pixels: tuple[int, ...]) -> Image.Image:
    return Image.fromarray(np.array([pixels], np.uint8))


CMYK = Image.new("RGB", (2, 1), GREEN).convert("CMYK")
GREY_16 = np.array([[0, 255, 32768, 65535]], np.uint16)
KINDS = {  # what is written -> the pixels of its first row, and whether it is grey
    "rgb.png": (Image.fromarray(NOISE), NOISE[0], False),
    "grey.png": (Image.fromarray(NOISE[..., 0]), NOISE[0, :, 0], True),
    # Opaque, invisible, one fifth: over white.
    "alpha.png": (with_alpha((*GREEN, 255), (*GREEN, 0), (*GREEN, 51)), [GREEN, WHITE, (206, 244, 210)], False),
    "grey alpha.png": (with_alpha((100, 255), (100, 0)), [100, 255], True),
    "palette.png": (palette(False), [GREEN, BLUE], False),
    "transparent.png": (palette(True), [GREEN, WHITE], False),
    "cmyk.tif": (CMYK, [GREEN, GREEN], False),
    "16 bit.png": (Image.fromarray(GREY_16), [0, 1, 128, 255], True),
    "float.tif": (Image.fromarray(np.array([[0, 0.25, 1]], np.float32)), [0, 64, 255], True),
    "one bit.png": (Image.fromarray(np.array([[False, True]])), [0, 255], True),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_any_kind_is_read_as_a_viewer_shows_it(tmp_path, name):
    image, row, grey = KINDS[name]
    image.save(tmp_path / name)
    row = np.array(row, int).reshape(len(row), -1)
    for keep in (False, True):
        for path in (tmp_path / name, str(tmp_path / name)):
            found = read_image(path, keep_grey=keep)
            assert found.dtype == torch.float32
            assert found.shape == (1 if grey and keep else 3, image.height, image.width)
            assert found.is_contiguous()
            assert np.abs(levels(found)[0] - row).max() <= (1 if "alpha" in name else 0)
            assert torch.equal(read_levels(path, keep_grey=keep), to_uint8(found))


def test_16_bits_and_floats_keep_what_8_bits_would_lose(tmp_path):
    Image.fromarray(GREY_16).save(tmp_path / "16.png")
    assert read_image(tmp_path / "16.png")[0, 0].tolist() == pytest.approx([0, 255 / 65535, 32768 / 65535, 1])
    Image.fromarray(np.array([[0, 0.123, 1]], np.float32)).save(tmp_path / "f.tif")
    assert read_image(tmp_path / "f.tif")[0, 0].tolist() == pytest.approx([0, 0.123, 1], abs=1e-7)


TURNS = {1: 0, 3: 2, 6: 3, 8: 1}  # EXIF orientation -> quarters


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "F", "I;16"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_exif_orientation_is_applied_to_a_tiff_of_any_kind(tmp_path, mode, compression, orientation):
    image = Image.fromarray(NOISE).convert("I" if mode == "I;16" else mode).convert(mode)
    image.save(tmp_path / "plain.tif")
    image.save(tmp_path / "turned.tif", compression=compression, tiffinfo={0x0112: orientation})
    expected = np.rot90(levels(read_image(tmp_path / "plain.tif")), TURNS[orientation])
    assert np.array_equal(levels(read_image(tmp_path / "turned.tif")), expected)


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_of_a_jpeg_is_applied(tmp_path, orientation):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "r.jpg", quality=100, exif=exif)
    expected, image = np.rot90(pixels, TURNS[orientation]), levels(read_image(tmp_path / "r.jpg"))
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() <= 2


# --- Files that cannot be read -------------------------------------------------------------------------------


def refuse(path, match: str) -> None:
    with pytest.raises(SrlabError, match=match) as caught:
        read_image(path)
    message = str(caught.value)
    assert str(path) in message  # it names the file
    assert "\n" not in message  # in one sentence
    assert message.endswith(".")


def no_numbers(path, value):
    pixels = np.full((4, 5), 0.5, np.float32)
    pixels[2, 3] = value
    Image.fromarray(pixels).save(path, format="TIFF")


def flipped_byte(path):
    Image.fromarray(NOISE).save(path, format="PNG")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no image file"),
        (lambda path: path.mkdir(), "no image file"),
        (lambda path: path.write_bytes(b""), "not an image"),
        (lambda path: path.write_bytes(b"not an image\n"), "not an image"),
        (lambda path: path.write_bytes(bytes(100)), "not an image"),
        (flipped_byte, "damaged or cut short"),
        (lambda path: no_numbers(path, np.nan), "no numbers"),
        (lambda path: no_numbers(path, -np.inf), "no numbers"),
        (lambda path: CMYK.save(path, format="TIFF", icc_profile=b"damaged"), "profile.*save it as RGB first"),
        (lambda path: CMYK.save(path, format="TIFF", icc_profile=SRGB), "profile.*save it as RGB first"),
    ],
)
def test_a_file_without_a_picture_is_named(tmp_path, make, said):
    make(tmp_path / "a.png")
    refuse(tmp_path / "a.png", said)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_file_cut_anywhere_never_raises_anything_but_a_clear_sentence(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(NOISE.repeat(4, axis=0)).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 30, 29):
        path.write_bytes(whole[:length])
        refuse(path, "damaged or cut short|not an image")


def test_what_pillow_refuses_is_a_sentence(tmp_path, monkeypatch):
    def convert(*args, **kwargs):
        raise ValueError("conversion from LAB to RGB not supported")

    Image.fromarray(NOISE).save(tmp_path / "a.png")
    with monkeypatch.context() as other:
        other.setattr(Image.Image, "convert", convert)
        refuse(tmp_path / "a.png", "LAB")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    refuse(tmp_path / "a.png", "decompression bomb")


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


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_or_an_interrupt_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch, existing, error):
    path, old = tmp_path / "a.png", torch.full((3, 4, 4), 0.2)
    if existing:
        write_image(old, path)

    def fail(handle):
        raise error

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        with pytest.raises((SrlabError, KeyboardInterrupt), match=r"a\.png .*No space left|^$"):
            write_image(torch.ones(3, 4, 4), path)
    assert [p.name for p in tmp_path.iterdir()] == (["a.png"] if existing else [])
    if existing:
        assert torch.equal(read_image(path), quantize(old))


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "folder.png", tmp_path / ("x" * 300 + ".png")):
        with pytest.raises(SrlabError, match="Could not write") as caught:
            write_image(torch.ones(3, 4, 4), path)
        assert str(path) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


def test_what_is_no_rgb_image_or_no_name_of_one_is_refused(tmp_path):
    for shape in ((1, 4, 4), (2, 3, 4, 4), (4, 4), (4, 4, 3), (4, 4, 4)):
        with pytest.raises(SrlabError, match="one RGB image"):
            write_image(torch.zeros(shape), tmp_path / "a.png")
    for name in ("a", "a.npy", "a.png.part"):
        with pytest.raises(SrlabError, match="Cannot tell the image format"):
            write_image(torch.zeros(3, 4, 4), tmp_path / name)


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


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        (WHITE, 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        (BLUE, 40.966),
        ((128, 128, 128), 16 + 219 * 128 / 255),
        ((200, 100, 50), 16 + (65.481 * 200 + 128.553 * 100 + 24.966 * 50) / 255),
    ],
)
def test_luma_of_a_known_colour_in_levels_as_rgb2ycbcr(rgb, y):
    image = torch.tensor(rgb).view(3, 1, 1) / 255
    assert luma(image).item() * 255 == pytest.approx(y, abs=1e-4)
    assert luma(image.double()).dtype == torch.float64
    assert torch.equal(luma(image.expand(2, 3, 4, 5)), luma(image).expand(2, 1, 4, 5))


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
