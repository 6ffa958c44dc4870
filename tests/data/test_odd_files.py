"""Test odd image files: they are read as a viewer shows them, or rejected by name."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from PIL.PngImagePlugin import PngInfo

from srlab.cli.main import main
from srlab.data.datasets import load_images
from srlab.data.images import MAX_SCANS, read_image, to_uint8, write_image
from srlab.data.resampling import upsample
from srlab.errors import SrlabError
from srlab.upscale_files import upscale_file

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow on broken EXIF
NOISE = np.random.default_rng(7).integers(0, 256, (13, 18, 3), dtype=np.uint8)  # so every part of a file matters
GRAY = NOISE[..., 0]
ALPHA = NOISE[::-1, :, 1]
SMOOTH = np.dstack([*np.meshgrid(np.linspace(30, 220, 18), np.linspace(220, 60, 13)), np.full((13, 18), 90)])
SMOOTH = SMOOTH.astype(np.uint8)
COLORS = NOISE.reshape(-1, 3)[:16][GRAY >> 4]


def encoded(picture, kind, **options):
    """Return an image as the bytes of a file."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    made = Image.Exif()
    made[0x0112], made[0x0100] = orientation, 18  # the second: the width
    return made.tobytes()


def over_white(colors, alpha):
    share = alpha[..., None] / 255
    return np.rint(colors * share + 255 * (1 - share))


def in_gray(levels):
    return levels[..., None].repeat(3, axis=2)


PALETTE = Image.fromarray(GRAY >> 4)
PALETTE.putpalette(NOISE.reshape(-1, 3)[:16].tobytes())
XMP = PngInfo()
XMP.add_itxt("XML:com.adobe.xmp", "x" * 2_000_000, zip=True)
# File name -> bytes, its image, and the tolerance in levels.
READ = {
    "one-hidden.png": (encoded(PALETTE, "PNG", transparency=3), np.where((GRAY >> 4 == 3)[..., None], 255, COLORS), 0),
    "rgba.webp": (encoded(np.dstack([NOISE, ALPHA]), "WEBP", lossless=True, exact=True), over_white(NOISE, ALPHA), 1),
    "turned.jpg": (encoded(SMOOTH, "JPEG", quality=98, exif=exif(6)), np.rot90(SMOOTH, 3), 12),
    "inks.jpg": (encoded(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG", quality=98), SMOOTH, 12),
    "exif-damaged.jpg": (encoded(SMOOTH, "JPEG", quality=98, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), SMOOTH, 12),
    "jpeg-as.HEIC": (encoded(SMOOTH, "JPEG", quality=98), SMOOTH, 12),
    "png-without-extension": (encoded(NOISE, "PNG"), NOISE, 0),
    "scan.tif": (encoded(NOISE, "TIFF", compression="tiff_lzw"), NOISE, 0),
    "turned.tiff": (encoded(NOISE, "TIFF", tiffinfo={274: 6}), np.rot90(NOISE, 3), 0),
    "turned-lzw.tiff": (encoded(NOISE, "TIFF", tiffinfo={274: 6}, compression="tiff_lzw"), np.rot90(NOISE, 3), 0),
    "gray.tif": (encoded(GRAY, "TIFF"), in_gray(GRAY), 0),
    "deep.tif": (encoded(GRAY.astype(np.uint16) * 257, "TIFF", compression="tiff_lzw"), in_gray(GRAY), 0),
    "negative.tif": (encoded(GRAY.astype(np.uint16) * 257, "TIFF", tiffinfo={262: 0}), in_gray(255 - GRAY), 0),
    "rgba.tif": (encoded(np.dstack([NOISE, ALPHA]), "TIFF"), over_white(NOISE, ALPHA), 1),
    "windows.jfif": (encoded(SMOOTH, "JPEG", quality=98), SMOOTH, 12),
    "much-text.png": (encoded(NOISE, "PNG", pnginfo=XMP), NOISE, 0),
}
WHOLE = {
    "png": encoded(NOISE, "PNG"),
    "jpg": encoded(NOISE, "JPEG", quality=95),
    "webp": encoded(NOISE, "WEBP", lossless=True),
    "bmp": encoded(NOISE, "BMP"),
}
REFUSED = {
    "phone.heic": b"\0\0\0\x18ftypheic",
    "animation-as.png": encoded(NOISE, "GIF"),
    "floats.tif": encoded(GRAY.astype(np.float32) / 255, "TIFF"),
    "lab.tif": encoded(Image.new("LAB", (9, 9)), "TIFF"),
    **{f"cut.{kind}": content[: len(content) // 3] for kind, content in WHOLE.items()},
    "flipped.png": WHOLE["png"][:400] + bytes([WHOLE["png"][400] ^ 255]) + WHOLE["png"][401:],
    "empty.png": b"",
}


@pytest.mark.parametrize("name", READ)
def test_odd_file_matches_viewer(name, tmp_path):
    content, truth, tolerance = READ[name]
    (tmp_path / name).write_bytes(content)
    levels = to_uint8(read_image(tmp_path / name)).permute(1, 2, 0).numpy().astype(int)
    assert levels.shape == (*truth.shape[:2], 3)
    assert np.abs(levels - truth).max() <= tolerance


@pytest.mark.parametrize("name", REFUSED)
def test_broken_or_foreign_file_is_rejected(name, tmp_path):
    (tmp_path / name).write_bytes(REFUSED[name])
    with pytest.raises(SrlabError, match=name):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["raw.NEF", "tiff-as.png"])
def test_camera_raw_is_rejected_with_advice(name, tmp_path):
    """Check a file that begins like a TIFF; Pillow would read the preview of a camera raw."""
    (tmp_path / name).write_bytes(encoded(NOISE, "TIFF"))
    with pytest.raises(
        SrlabError, match=f"{name} is not a readable image.* Save a camera raw, .* as one of these first"
    ):
        read_image(tmp_path / name)


def test_limit_of_text_is_that_of_pillow_again(tmp_path):
    usual = PngImagePlugin.MAX_TEXT_CHUNK
    (tmp_path / "much-text.png").write_bytes(READ["much-text.png"][0])
    read_image(tmp_path / "much-text.png")
    assert PngImagePlugin.MAX_TEXT_CHUNK == usual == 1 << 20


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_first_page_of_a_scan_is_read(compression, tmp_path, capsys):
    pages = [Image.fromarray(np.full((4, 6 + page, 3), page, np.uint8)) for page in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:], compression=compression)
    assert read_image(tmp_path / "scan.tif").shape == (3, 4, 6)
    assert "all images but the first" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_text_does_not_take_the_place_of_what_is_read(mode, tmp_path):
    pixels, texts = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).convert(mode), PngInfo()
    for name in ("transparency", "gamma", "chromaticity", "dpi", "exif", "icc_profile"):
        texts.add_text(name, "text")
    pixels.save(tmp_path / "text.png", pnginfo=texts)
    pixels.save(tmp_path / "plain.png")
    assert torch.equal(read_image(tmp_path / "text.png"), read_image(tmp_path / "plain.png"))
    upscale_file(tmp_path / "text.png", tmp_path / "sr.png", lambda lr: upsample(lr, 2), 2)


def test_too_many_pixels_are_rejected(tmp_path, monkeypatch):
    (tmp_path / "bomb.png").write_bytes(WHOLE["png"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(SrlabError, match=r"bomb\.png cannot be read \(Image size \(234 pixels\) exceeds limit"):
        read_image(tmp_path / "bomb.png")


def tiff(*entries):
    """Return a gray TIFF of 16 x 16 pixels, whose only tile has more rows if the entries say so: tag, type, value."""
    rows = max([value for tag, _, value in entries if tag == 323], default=16)
    content = zlib.compress(bytes(16 * rows))
    entries = [(256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1), *entries]
    entries += [(324, 4, 0), (325, 4, len(content))]
    after = 8 + 2 + 12 * len(entries) + 4
    # Entries of type 17 are stored after the others, and then the tile.
    long = b"".join(struct.pack("<q", value) for _, kind, value in entries if kind == 17)
    places = iter(range(after, after + len(long), 8))
    offset = after + len(long)
    packed = b"".join(
        struct.pack("<HHII", tag, kind, 1, next(places) if kind == 17 else offset if tag == 324 else value)
        for tag, kind, value in entries
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4) + long + content


HUGE_TILES = {
    "huge": [(322, 4, 16), (323, 4, 1600)],
    "seen-only-by-libtiff": [(322, 4, 16), (323, 17, 1600), (323, 4, 16)],
    "twice": [(322, 4, 16), (323, 4, 16), (323, 4, 1600)],
    "bytes": [(322, 1, 16), (323, 4, 1600)],
}


@pytest.mark.parametrize("name", HUGE_TILES)
def test_small_tiff_cannot_have_huge_tiles(name, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for kind, entries in ((name, HUGE_TILES[name]), ("fine", [(322, 4, 16), (323, 4, 112)])):
        (tmp_path / f"{kind}.tif").write_bytes(tiff(*entries))
    assert read_image(tmp_path / "fine.tif").shape == (3, 16, 16)
    with pytest.raises(SrlabError, match=rf"{name}\.tif cannot be read \((Tile size|ambiguous)"):
        read_image(tmp_path / f"{name}.tif")


def test_palette_with_more_opacities_than_colors_is_rejected(tmp_path):
    photo = encoded(Image.new("P", (4, 4)), "PNG", transparency=b"\1")
    at = photo.index(b"tRNS")
    longer = b"tRNS" + bytes(300)
    chunk = struct.pack(">I", 300) + longer + struct.pack(">I", zlib.crc32(longer))
    (tmp_path / "a.png").write_bytes(photo[: at - 4] + chunk + photo[at + 9 :])
    with pytest.raises(SrlabError, match=r"a\.png cannot be read"):
        read_image(tmp_path / "a.png")


def test_tiff_whose_exif_data_cannot_be_read_ends_no_batch(tmp_path, monkeypatch, capsys):
    def seek(*_):
        raise ValueError("seek of closed file")  # Pillow's, for a pointer to bytes that are no EXIF data

    monkeypatch.setattr(Image.Exif, "get_ifd", seek)
    write_image(torch.from_numpy(NOISE).permute(2, 0, 1), tmp_path / "in" / "b.png")
    (tmp_path / "in" / "a.tif").write_bytes(tiff((322, 4, 16), (323, 4, 16)))
    options = ["-o", str(tmp_path / "out"), "--method", "nearest", "--scale", "1"]
    assert main(["upscale", str(tmp_path / "in"), *options]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert "Not kept in a.png: EXIF data" in capsys.readouterr().err


def test_jpeg_with_endless_scans_is_rejected(tmp_path):
    for progressive in (False, True):  # libjpeg decodes scan by scan in both
        photo = encoded(NOISE, "JPEG", progressive=progressive)
        scan = photo[photo.index(b"\xff\xda") : -2]
        (tmp_path / "scans.jpg").write_bytes(photo[:-2] + scan * MAX_SCANS + photo[-2:])
        with pytest.raises(SrlabError, match=r"scans\.jpg cannot be read \(more than 1000 scans\)"):
            read_image(tmp_path / "scans.jpg")
        (tmp_path / "video.jpg").write_bytes(photo + b"\xff\xda" * 2 * MAX_SCANS)  # it may follow a phone's photo
        assert read_image(tmp_path / "video.jpg").shape == (3, *NOISE.shape[:2])


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_odd_file_names(tmp_path, capsys):
    hr, sr = tmp_path / "hr", tmp_path / "sr"
    names = ["größe-画像-🦊.png", "  two  spaces .png", "\"double\" and 'single' and `back`.png", "CAPITALS.PNG"]
    names += ["<img src=x onerror=alert(1)>.png", "-rf --force.png", "100%s %d {name} {0}.png", "a..x4...png"]
    for place, name in enumerate(names):
        write_image(torch.from_numpy(NOISE[: place + 3]).permute(2, 0, 1), hr / name)
    assert len(load_images(hr)) == len(names)
    assert main(["upscale", str(hr), "-o", str(sr), "--method", "nearest", "--scale", "1"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--sr", str(sr), "--hr", str(hr), "--protocol", "face", "--metrics", "psnr"]) == 0
    said = capsys.readouterr().out
    assert said.count(" inf\n") == len(names) + 1  # the mean as well
