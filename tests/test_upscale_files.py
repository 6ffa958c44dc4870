"""Test srlab.upscale_files: properties of image files are kept, and targets are complete or missing."""

import struct
import zlib

import numpy as np
import psutil
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from srlab.data.images import read_image, to_uint8
from srlab.data.resampling import upsample
from srlab.errors import SrlabError
from srlab.upscale_files import upscale_file, upscale_folder

RGB = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def double(lr):
    return upsample(lr, 2, "nearest")


def run(source, target, upscaler=double, **options):
    return upscale_file(source, target, upscaler, 2, label="", **options)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def enlarged(levels):
    return levels.repeat(2, axis=0).repeat(2, axis=1)


@pytest.fixture
def save(tmp_path):
    def write(name, array, **options):
        Image.fromarray(array).save(tmp_path / name, **options)
        return tmp_path / name

    return write


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".PNG", ".webp"])
@pytest.mark.parametrize("levels", [RGB[..., 0], RGB], ids=["gray", "color"])
def test_lossless_formats_keep_pixels(levels, suffix, save, tmp_path):
    target = run(save("lr.png", levels), tmp_path / "new" / f"sr{suffix}", tile=8, overlap=4)
    with Image.open(target) as image:
        assert np.array_equal(image.convert("L" if levels.ndim == 2 else "RGB"), enlarged(levels))
        assert image.mode == ("L" if levels.ndim == 2 and suffix != ".webp" else "RGB")  # WebP has no gray
    assert names_in(target.parent) == [target.name]


def test_first_of_several_images_is_used_with_a_message(tmp_path, capsys):
    one, two = (Image.fromarray(np.full((9, 12, 3), level, np.uint8)) for level in (90, 200))
    for suffix, kind in {"webp": "WEBP", "png": "PNG", "jpg": "MPO"}.items():
        one.save(tmp_path / f"lr.{suffix}", kind, save_all=True, append_images=[two])
        assert np.abs(pixels(run(tmp_path / f"lr.{suffix}", tmp_path / f"{suffix}_x2.png")) - 90.0).max() <= 2
        assert "_x2.png: all but the first of 2 images.\n" in capsys.readouterr().err
        read_image(tmp_path / f"lr.{suffix}")
        assert capsys.readouterr().err == f"lr.{suffix} contains 2 images; the first one is used.\n"


def test_loss_of_16_bits_is_named(save, tmp_path, capsys):
    deep = RGB.astype(np.uint16) * 257
    with (tmp_path / "color.png").open("wb") as file:  # Pillow writes no 16-bit color
        file.write(b"\x89PNG\r\n\x1a\n")
        PngImagePlugin.putchunk(file, b"IHDR", struct.pack(">2I5B", 34, 21, 16, 2, 0, 0, 0))
        rows = b"".join(bytes(1) + row.astype(">u2").tobytes() for row in deep)
        PngImagePlugin.putchunk(file, b"IDAT", zlib.compress(rows))
        PngImagePlugin.putchunk(file, b"IEND", b"")
    for source, levels in {save("gray.png", deep[..., 0]): RGB[..., 0], tmp_path / "color.png": RGB}.items():
        assert np.array_equal(pixels(run(source, tmp_path / f"{source.stem}_x2.png")), enlarged(levels))
        assert capsys.readouterr().err == f"Not kept in {source.stem}_x2.png: the lower 8 of 16 bits.\n"
    run(save("usual.png", RGB), tmp_path / "8.png")
    assert capsys.readouterr().err == ""


# --- transparency ---


def test_transparency_becomes_white_and_is_named(save, tmp_path, capsys):
    alpha = np.where(RGB[..., 0] > 90, 255, 0).astype(np.uint8)
    palette = Image.fromarray(RGB).quantize(16)
    palette.save(tmp_path / "palette.png", transparency=3)
    shown = np.where(np.asarray(palette)[..., None] == 3, 255, np.asarray(palette.convert("RGB")))
    cases = {
        save("color.png", np.dstack([RGB, alpha])): np.where(alpha[..., None], RGB, 255),
        save("gray.png", np.dstack([RGB[..., 0], alpha])): np.where(alpha, RGB[..., 0], 255),
        tmp_path / "palette.png": shown,
    }
    for source, levels in cases.items():
        assert np.array_equal(pixels(run(source, tmp_path / "sr.png", force=True)), enlarged(levels))
        assert capsys.readouterr().err == "Not kept in sr.png: transparency (now white).\n"


OPAQUE = np.full((21, 34), 255, np.uint8)


@pytest.mark.parametrize("colors", [RGB, RGB[..., 0]], ids=["RGBA", "gray and alpha"])
def test_opaque_alpha_is_left_out(colors, save, tmp_path, capsys):
    source = save("lr.png", np.dstack([colors, OPAQUE]))
    assert np.array_equal(pixels(run(source, tmp_path / "sr.png")), enlarged(colors))
    Image.fromarray(RGB).quantize(16).save(source, transparency=255)  # no pixel has that color
    assert Image.open(run(source, tmp_path / "palette.png")).mode == "RGB"
    assert capsys.readouterr().err == ""


# --- metadata ---


def camera_exif(comment=b""):
    """Return EXIF data of a camera that was turned."""
    exif = Image.Exif()
    exif.update({ExifTags.Base.Make: "A maker", ExifTags.Base.Orientation: 6})
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.FNumber: 2.8, ExifTags.Base.UserComment: comment}
    exif[ExifTags.IFD.GPSInfo] = {1: "N"}
    return exif


@pytest.mark.parametrize("kind", ["jpg", "webp"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_metadata_is_kept(suffix, kind, save, tmp_path, capfd):
    source = save(f"lr.{kind}", RGB, exif=camera_exif(), icc_profile=SRGB)
    with Image.open(run(source, tmp_path / f"sr{suffix}")) as sr:
        assert sr.info["icc_profile"] == SRGB
        lr = to_uint8(read_image(source)).permute(1, 2, 0).numpy()  # upright
        assert np.abs(np.asarray(sr).astype(int) - enlarged(lr)).mean() < 8
        kept = sr.getexif()
        assert kept.get(ExifTags.Base.Orientation, 1) == 1
        assert kept[ExifTags.Base.Make] == "A maker"
        assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] == 2.8
        assert kept.get_ifd(ExifTags.IFD.GPSInfo) == {1: "N"}
    assert "EXIF data" not in capfd.readouterr().err


IPTC = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x06caption"[:18]
TEXTS = PngImagePlugin.PngInfo()
TEXTS.add_text("Author", "A. Li")
TEXTS.add_itxt("XML:com.adobe.xmp", "<x/>")
TEXTS.add(b"tIME", bytes(7))
TEXTS.add(b"prVt", b"of a program")


def segment(marker, content):
    return bytes((255, marker)) + (len(content) + 2).to_bytes(2) + content


@pytest.mark.parametrize(
    ("name", "options", "end", "target", "lost"),
    [
        ("lr.jpg", {"dpi": (300, 300), "progressive": True}, b"", "sr.jpg", ""),
        ("lr.jpg", {"dpi": (300, 300)}, bytes(9), "sr.png", ""),
        ("lr.png", {"dpi": (300, 300)}, b"", "sr.jpg", ""),
        ("lr.bmp", {"dpi": (300, 300)}, b"", "sr.jpg", ""),
        ("lr.webp", {}, b"", "sr.jpg", ""),
        ("lr.jpg", {"dpi": (300, 300)}, b"", "sr.webp", "resolution"),
        ("lr.png", {"dpi": (204, 98)}, b"", "sr.png", "resolution"),
        ("lr.png", {"exif": camera_exif(bytes(70_000))}, b"", "sr.jpg", "EXIF data"),  # a JPEG has room for 64 KiB
        ("lr.jpg", {"xmp": b"<x/>", "comment": b"noon"}, b"", "sr.jpg", "XMP, comment"),
        ("lr.jpg", {"extra": segment(0xED, IPTC) + segment(0xEB, b"JP\0")}, b"", "sr.jpg", "IPTC, APP11 JP"),
        ("lr.jpg", {}, b"ftypmp42", "sr.jpg", "data after the image"),
        ("lr.webp", {"xmp": b"<x/>"}, b"", "sr.webp", "XMP"),
        ("lr.png", {"pnginfo": TEXTS}, b"", "sr.png", "Author, XMP, tIME, prVt"),
    ],
)
def test_everything_but_pixels_is_kept_or_named(name, options, end, target, lost, save, tmp_path, capsys):
    source = save(name, RGB, **options)
    source.write_bytes(source.read_bytes() + end)
    with Image.open(run(source, tmp_path / target)) as sr:
        kept = sr.info.get("dpi", (0, 0))
    if "dpi" in options and "resolution" not in lost:
        assert kept == pytest.approx((300, 300), abs=0.1)
    assert capsys.readouterr().err == (f"Not kept in {target}: {lost}.\n" if lost else "")


def test_exif_of_turned_photo_keeps_its_preview(save, tmp_path):
    preview = segment(0xE1, b"preview")
    for order in "<>":
        exif = camera_exif()
        exif.endian = order
        whole = exif.tobytes() + preview  # as in an IFD that Pillow does not write
        with Image.open(run(save("lr.jpg", RGB, exif=whole), tmp_path / "sr.jpg", force=True)) as sr:
            assert sr.size == (42, 68)
            assert sr.getexif()[ExifTags.Base.Orientation] == 1
            assert (len(sr.info["exif"]), sr.info["exif"].endswith(preview)) == (len(whole), True)


def test_photo_with_damaged_exif_is_turned_once(save, tmp_path, capfd):
    exif = Image.Exif()
    exif.update({ExifTags.Base.Orientation: 6, ExifTags.Base.ImageWidth: 18})
    damaged = exif.tobytes().replace(b"\1\0\0\4", b"\1\0\0\x10")  # a 64-bit width, which EXIF does not have
    with Image.open(run(save("lr.jpg", RGB, exif=damaged), tmp_path / "sr.jpg")) as sr:
        assert (sr.size, dict(sr.getexif())) == ((42, 68), {})
    assert "The EXIF data of lr.jpg are damaged and were left out." in capfd.readouterr().err


@pytest.mark.parametrize(
    ("mode", "space", "target", "kept"),
    [
        ("L", "GRAY", "sr.png", 1),
        ("L", "GRAY", "sr.webp", 0),
        ("CMYK", "CMYK", "sr.png", 0),
        ("RGB", "RGB ", "sr.webp", 1),
    ],
)
def test_mismatched_color_profile_is_dropped(mode, space, target, kept, tmp_path, capsys):
    Image.new(mode, (4, 4)).save(tmp_path / "lr.jpg", icc_profile=SRGB[:16] + space.encode() + SRGB[20:])
    with Image.open(run(tmp_path / "lr.jpg", tmp_path / target)) as sr:
        assert ("icc_profile" in sr.info) == kept
    assert ("color profile" in capsys.readouterr().err) != kept


# --- targets ---


def test_target_is_overwritten_only_with_force_source_never(save, tmp_path):
    source, target = save("lr.png", RGB), tmp_path / "sr.png"
    target.write_bytes(b"mine")
    with pytest.raises(SrlabError, match=r"sr\.png already exists.*--force"):
        run(source, target)
    assert target.read_bytes() == b"mine"
    assert np.array_equal(pixels(run(source, target, force=True)), enlarged(RGB))
    (tmp_path / "link.png").symlink_to(source)
    for itself in ("lr.png", "link.png", "new/../lr.png"):
        with pytest.raises(SrlabError, match="The result would overwrite"):
            run(source, tmp_path / itself, force=True)
    assert np.array_equal(pixels(source), RGB)


@pytest.mark.parametrize(
    ("shape", "name", "words"),
    [
        ((21, 34), "sr.tif", r"sr\.tif does not have a valid extension\. Use \.png, \.jpg"),
        ((8192, 1), "sr.webp", r"16384 upscaled pixels per side, which sr\.webp cannot store\. Write a PNG"),
        ((1000, 1000), "sr.png", r"2000x2000 pixels\) needs 0.032 GB of memory, but only 0.02 GB are free"),
    ],
)
def test_unsupported_output_is_rejected_before_upscaling(shape, name, words, save, tmp_path, monkeypatch):
    memory = psutil.virtual_memory()._replace(available=20_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(SrlabError, match=words):
        run(save("lr.png", np.zeros(shape, np.uint8)), tmp_path / name, None)


def test_other_scale_than_the_upscalers_is_rejected(save, tmp_path):
    with pytest.raises(SrlabError, match=r"is not 1 times larger\. Pass the scale"):
        upscale_file(save("lr.png", RGB), tmp_path / "sr.png", double, 1)
    assert names_in(tmp_path) == ["lr.png"]


# --- folders ---


def test_unusable_folder_is_rejected(save, tmp_path):
    def refused(target, words):
        with pytest.raises(SrlabError, match=words):
            upscale_folder(tmp_path, target, double, 2)

    refused(tmp_path / "out", "No images found in")
    refused(save("a.png", RGB), "results cannot be written to .*a.png. Choose a folder")
    refused(tmp_path, "Choose a folder other than that of the images")
    save("a.bmp", RGB)
    refused(tmp_path / "out", "several images named a. Rename them")
    assert names_in(tmp_path) == ["a.bmp", "a.png"]
