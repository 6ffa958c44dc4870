"""srlab.data.images: every kind of file becomes the same kind of tensor, or one clear sentence."""

import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from srlab.base.errors import SrlabError
from srlab.data.images import full_range, luma, mod_crop, quantize, read_image, to_float, to_uint8, write_image

GREEN = (10, 200, 30)


def levels(image: torch.Tensor) -> np.ndarray:
    """The pixels as 8-bit levels (H, W, C)."""
    return (image * 255).round().permute(1, 2, 0).numpy().astype(int)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


# --- Reading odd files ---------------------------------------------------------------------------------------


def test_reads_rgb_png_exactly_as_float32_in_0_1(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.dtype == torch.float32
    assert image.shape == (3, 9, 13)
    assert image.is_contiguous()
    assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)


def test_reads_a_path_given_as_a_string(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_image(str(tmp_path / "a.png")).shape == (3, 9, 13)


@pytest.mark.parametrize("channels", [3, 1])
def test_grey_file_becomes_three_equal_channels_or_stays_one_when_asked(tmp_path, pixels, channels):
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    image = read_image(tmp_path / "grey.png", keep_grey=channels == 1)
    assert image.shape == (channels, 9, 13)
    assert all(np.array_equal(levels(image)[..., c], pixels[..., 0]) for c in range(channels))


def test_keep_grey_leaves_a_colour_file_alone(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", keep_grey=True).shape[0] == 3


def test_alpha_is_laid_over_white(tmp_path):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, :3] = GREEN
    rgba[0, :, 3] = (255, 0, 51)  # opaque, invisible, one fifth
    Image.fromarray(rgba).save(tmp_path / "a.png")
    image = levels(read_image(tmp_path / "a.png"))
    assert tuple(image[0, 0]) == GREEN
    assert tuple(image[0, 1]) == (255, 255, 255)
    assert np.abs(image[0, 2] - [206, 244, 210]).max() <= 1


@pytest.mark.parametrize("keep_grey", [False, True])
def test_grey_with_alpha_is_laid_over_white_and_still_counts_as_grey(tmp_path, keep_grey):
    Image.fromarray(np.array([[[100, 255], [100, 0]]], np.uint8)).save(tmp_path / "la.png")
    image = read_image(tmp_path / "la.png", keep_grey=keep_grey)
    assert image.shape == (1 if keep_grey else 3, 1, 2)
    assert levels(image)[0, :, 0].tolist() == [100, 255]


def palette_image(transparent: bool) -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([*GREEN, 0, 0, 255])
    image.putdata([0, 1])
    if transparent:
        image.info["transparency"] = 1
    return image


@pytest.mark.parametrize(
    ("transparent", "second"), [(False, (0, 0, 255)), (True, (255, 255, 255))], ids=["opaque", "transparent"]
)
def test_palette_file_shows_its_colours_and_a_transparent_entry_white(tmp_path, transparent, second):
    palette_image(transparent).save(tmp_path / "p.png")
    image = levels(read_image(tmp_path / "p.png"))
    assert tuple(image[0, 0]) == GREEN
    assert tuple(image[0, 1]) == second


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    Image.new("RGB", (16, 16), GREEN).convert("CMYK").save(tmp_path / "c.jpg", quality=100)
    with Image.open(tmp_path / "c.jpg") as image:
        assert image.mode == "CMYK"
    image = levels(read_image(tmp_path / "c.jpg"))
    assert image.shape == (16, 16, 3)
    assert np.abs(image - GREEN).max() <= 3


def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 255, 32768, 65535]], np.uint16)).save(tmp_path / "16.png")
    image = read_image(tmp_path / "16.png", keep_grey=True)
    assert image[0, 0].tolist() == pytest.approx([0, 255 / 65535, 32768 / 65535, 1])
    assert read_image(tmp_path / "16.png").shape == (3, 1, 4)


def test_float_tiff_is_taken_as_already_in_0_1(tmp_path):
    Image.fromarray(np.array([[0, 0.25, 1]], np.float32)).save(tmp_path / "f.tif")
    assert read_image(tmp_path / "f.tif", keep_grey=True)[0, 0].tolist() == [0, 0.25, 1]


def test_1_bit_file_is_black_and_white(tmp_path):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "b.png")
    assert read_image(tmp_path / "b.png").unique().tolist() == [0, 1]
    assert read_image(tmp_path / "b.png", keep_grey=True).shape == (1, 1, 2)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_of_a_jpeg_is_applied(tmp_path, orientation, turns):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "r.jpg", quality=100, exif=exif)
    expected = np.rot90(pixels, turns)
    image = levels(read_image(tmp_path / "r.jpg"))
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() <= 2


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "F", "I;16"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_orientation_of_a_tiff_of_any_kind_is_applied(tmp_path, mode, compression, orientation):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 9, 3), dtype=np.uint8))
    image = image.convert(mode) if mode != "I;16" else image.convert("I").convert(mode)
    image.save(tmp_path / "plain.tif")
    image.save(tmp_path / "turned.tif", compression=compression, tiffinfo={0x0112: orientation})
    turns = {3: 2, 6: 3, 8: 1}[orientation]
    expected = np.rot90(levels(read_image(tmp_path / "plain.tif")), turns)
    assert np.array_equal(levels(read_image(tmp_path / "turned.tif")), expected)


# --- Files that cannot be read -------------------------------------------------------------------------------


def refuse(path, match: str) -> None:
    with pytest.raises(SrlabError, match=match) as caught:
        read_image(path)
    message = str(caught.value)
    assert str(path) in message  # it names the file
    assert "\n" not in message  # in one sentence
    assert message.endswith(".")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_float_tiff_with_values_that_are_no_numbers_is_refused(tmp_path, value):
    pixels = np.full((4, 5), 0.5, np.float32)
    pixels[2, 3] = value
    Image.fromarray(pixels).save(tmp_path / "f.tif")
    refuse(tmp_path / "f.tif", "no numbers")


@pytest.mark.parametrize("profile", [b"damaged", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()])
def test_a_cmyk_file_with_a_profile_that_is_none_for_cmyk_is_refused(tmp_path, profile):
    Image.new("CMYK", (4, 4)).save(tmp_path / "c.tif", icc_profile=profile)
    refuse(tmp_path / "c.tif", "colour profile.*save it as RGB first")


def test_missing_file_is_named(tmp_path):
    refuse(tmp_path / "none.png", "no image file")


def test_directory_is_no_image_file(tmp_path):
    refuse(tmp_path, "no image file")


@pytest.mark.parametrize("content", [b"", b"not an image\n", bytes(100)], ids=["empty", "text", "zeros"])
def test_file_that_is_no_image_is_named(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    refuse(tmp_path / "a.png", "not an image")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_truncated_file_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refuse(path, "damaged or cut short|not an image")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_file_cut_anywhere_never_raises_anything_but_a_clear_sentence(tmp_path, pixels, suffix):
    whole = tmp_path / f"whole{suffix}"
    Image.fromarray(pixels).save(whole)
    data = whole.read_bytes()
    part = tmp_path / f"part{suffix}"
    for length in range(0, len(data) - 30, 7):
        part.write_bytes(data[:length])
        refuse(part, "damaged or cut short|not an image")


def test_png_with_a_flipped_byte_is_refused(tmp_path, pixels):
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    refuse(path, "damaged or cut short")


def test_colours_that_pillow_cannot_turn_into_rgb_are_refused(tmp_path, pixels, monkeypatch):
    def convert(*args, **kwargs):
        raise ValueError("conversion from LAB to RGB not supported")

    Image.fromarray(pixels).save(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "convert", convert)
    refuse(tmp_path / "a.png", "LAB")


def test_decompression_bomb_is_refused(tmp_path, pixels, monkeypatch):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    refuse(tmp_path / "a.png", "decompression bomb")


# --- Writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_write_then_read_is_bit_exact(tmp_path, pixels, suffix):
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    path = write_image(image, tmp_path / f"a{suffix}")
    assert path == tmp_path / f"a{suffix}"
    assert torch.equal(read_image(path), image)


def test_all_256_levels_survive_a_png(tmp_path):
    image = (torch.arange(256) / 255).expand(3, 2, 256)
    assert torch.equal(read_image(write_image(image, tmp_path / "a.png")), image)


def test_write_takes_uint8_a_batch_of_one_and_a_string_path(tmp_path, pixels):
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    write_image(image[None], str(tmp_path / "a.png"))
    assert np.array_equal(levels(read_image(tmp_path / "a.png")), pixels)


def test_write_clamps_values_outside_0_1(tmp_path):
    image = torch.tensor([-0.2, 0.5, 1.2]).expand(3, 1, 3)
    assert levels(read_image(write_image(image, tmp_path / "a.png")))[0, :, 0].tolist() == [0, 128, 255]


def test_write_makes_missing_folders_and_leaves_only_the_file(tmp_path):
    write_image(torch.zeros(3, 4, 4), tmp_path / "new" / "deep" / "a.png")
    assert [p.name for p in (tmp_path / "new" / "deep").iterdir()] == ["a.png"]


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch, existing):
    path = tmp_path / "a.png"
    old = torch.full((3, 4, 4), 0.2)
    if existing:
        write_image(old, path)

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SrlabError, match="No space left") as caught:
        write_image(torch.ones(3, 4, 4), path)
    monkeypatch.undo()
    assert str(path) in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == (["a.png"] if existing else [])
    if existing:
        assert torch.equal(read_image(path), quantize(old))


def test_an_interrupt_while_writing_leaves_no_part(tmp_path, monkeypatch):
    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_image(torch.ones(3, 4, 4), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "folder.png", tmp_path / ("x" * 300 + ".png")):
        with pytest.raises(SrlabError, match="Could not write") as caught:
            write_image(torch.ones(3, 4, 4), path)
        assert str(path) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 3, 4, 4), (4, 4), (4, 4, 3), (4, 4, 4)])
def test_write_refuses_what_is_not_one_rgb_image(tmp_path, shape):
    with pytest.raises(SrlabError, match="one RGB image"):
        write_image(torch.zeros(shape), tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a", "a.npy", "a.png.part"])
def test_write_refuses_a_name_without_an_image_format(tmp_path, name):
    with pytest.raises(SrlabError, match="Cannot tell the image format"):
        write_image(torch.zeros(3, 4, 4), tmp_path / name)


# --- Levels --------------------------------------------------------------------------------------------------


def test_to_uint8_rounds_every_half_up():
    halves = (torch.arange(255, dtype=torch.float64) + 0.5) / 255
    assert to_uint8(halves.float()).tolist() == list(range(1, 256))
    assert to_uint8(halves).tolist() == list(range(1, 256))


def test_to_uint8_rounds_just_below_a_half_down():
    below = (torch.arange(255, dtype=torch.float64) + 0.4999) / 255
    assert to_uint8(below.float()).tolist() == list(range(255))


def test_to_uint8_clamps_and_passes_uint8_unchanged():
    assert to_uint8(torch.tensor([-3.0, -0.1, 1.1, 9.0])).tolist() == [0, 0, 255, 255]
    exact = torch.arange(256, dtype=torch.uint8)
    assert to_uint8(exact) is exact


def test_levels_survive_the_way_to_float_and_back():
    exact = torch.arange(256, dtype=torch.uint8)
    assert to_float(exact).dtype == torch.float32
    assert torch.equal(to_uint8(to_float(exact)), exact)
    assert torch.equal(quantize(to_float(exact)), to_float(exact))


def test_to_float_passes_floats_unchanged():
    image = torch.rand(3)
    assert to_float(image) is image


# --- Luma ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((128, 128, 128), 16 + 219 * 128 / 255),
        ((200, 100, 50), 16 + (65.481 * 200 + 128.553 * 100 + 24.966 * 50) / 255),
    ],
)
def test_luma_of_a_known_colour_in_levels_as_rgb2ycbcr(rgb, y):
    image = torch.tensor(rgb).view(3, 1, 1) / 255
    assert luma(image).shape == (1, 1, 1)
    assert luma(image).item() * 255 == pytest.approx(y, abs=1e-4)
    assert luma(image.double()).dtype == torch.float64


def test_luma_works_on_batches_and_keeps_the_channel_axis():
    batch = torch.rand(2, 3, 4, 5)
    assert luma(batch).shape == (2, 1, 4, 5)
    assert torch.equal(luma(batch)[1], luma(batch[1]))


def test_full_range_gives_a_grey_image_its_grey_values_back():
    grey = torch.linspace(0, 1, 20, dtype=torch.float64).view(1, 4, 5)
    assert torch.allclose(full_range(luma(grey.expand(3, -1, -1))), grey, atol=1e-12)


# --- mod_crop ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scale", "left"), [((9, 14), 4, (8, 12)), ((8, 12), 4, (8, 12)), ((4, 5), 4, (4, 4)), ((7, 9), 1, (7, 9))]
)
def test_mod_crop_cuts_the_bottom_and_the_right(size, scale, left):
    image = torch.rand(2, 3, *size)
    assert torch.equal(mod_crop(image, scale), image[..., : left[0], : left[1]])
    assert mod_crop(image[0], scale).shape == (3, *left)


@pytest.mark.parametrize("size", [(3, 9), (9, 3), (0, 0)])
def test_mod_crop_refuses_an_image_smaller_than_the_scale(size):
    with pytest.raises(SrlabError, match="too small for scale 4"):
        mod_crop(torch.rand(3, *size), 4)
