"""Odd image files: the picture that a viewer shows is read, or the file is refused by its name.

There is one decoder, `read_pixels`; what it makes of more bits, CMYK and turned TIFFs is in `test_images`.
"""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from srlab.base.errors import SrlabError
from srlab.cli.main import main
from srlab.data.datasets import folder
from srlab.data.images import read_image, to_uint8, write_image

HEIGHT, WIDTH = 13, 18
LOSSY = 12  # levels by which a decoded JPEG may differ from what was encoded
NOISE = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)  # so any part of a file matters
GREY = NOISE[..., 0]
DOWN, RIGHT = np.linspace(0, 1, HEIGHT)[:, None], np.linspace(0, 1, WIDTH)[None]
SMOOTH = np.dstack([30 + 190 * DOWN + 0 * RIGHT, 220 - 160 * RIGHT + 0 * DOWN, 60 + 120 * DOWN * RIGHT]).astype(
    np.uint8
)


def encoded(picture, kind, **options):
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, kind, **options)
    return file.getvalue()


def png(width, height, depth, colour, rows):
    """A PNG written by hand, with a colour type that Pillow does not write."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def turned(orientation, picture=SMOOTH, kind="JPEG", **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture, kind, exif=exif, **options)


def of_another_type():
    """EXIF whose width is a number of 64 bits, which EXIF lacks."""
    exif = Image.Exif()
    exif[0x0112], exif[0x0100] = 6, WIDTH
    return exif.tobytes().replace(b"\1\0\0\4", b"\1\0\0\x10")


def over_white(colours, alpha):
    share = alpha[..., None] / 255
    return np.rint(colours * share + 255 * (1 - share))


def palette():
    """A picture of 16 colours, and its indices."""
    indices = GREY >> 4
    image = Image.fromarray(indices)
    image.putpalette(NOISE.reshape(-1, 3)[:16].tobytes())
    return image, indices


FLOATS = GREY.astype(np.float32) / 255
DEEP = GREY.astype(np.uint16) * 257
ALPHA = NOISE[::-1, :, 1]
KEY = tuple(int(level) for level in NOISE[2, 3])
CMYK = Image.fromarray(SMOOTH).convert("CMYK")
SRGB, LAB = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
PROFILE = ImageCms.ImageCmsProfile(SRGB).tobytes()
COLOURS = NOISE.reshape(-1, 3)[:16][GREY >> 4]
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}

# Name of the file -> its bytes, the picture in it, and levels by which a reader may miss them.
READ = {
    "one-hidden.png": (
        encoded(palette()[0], "PNG", transparency=3),
        np.where((GREY >> 4 == 3)[..., None], 255, COLOURS),
        0,
    ),
    "palette-alpha.png": (
        encoded(palette()[0], "PNG", transparency=bytes(range(0, 256, 17))),
        over_white(COLOURS, (GREY >> 4) * 17),
        1,
    ),
    "rgba.webp": (
        encoded(np.dstack([NOISE, ALPHA]), "WEBP", lossless=True, exact=True),
        over_white(NOISE, ALPHA),
        1,
    ),
    "hidden-colour.png": (
        encoded(NOISE, "PNG", transparency=KEY),
        np.where((NOISE == KEY).all(axis=2)[..., None], 255, NOISE),
        0,
    ),
    "lab.tif": (
        encoded(ImageCms.profileToProfile(Image.fromarray(SMOOTH), SRGB, LAB, outputMode="LAB"), "TIFF"),
        SMOOTH,
        45,  # ways from Lab to RGB are matters of taste
    ),
    "lzw.tif": (encoded(NOISE, "TIFF", compression="tiff_lzw"), NOISE, 0),
    "16-bit-big-endian.tif": (encoded(Image.fromarray(DEEP.astype(">u2")), "TIFF"), GREY[..., None], 0),
    "rgb-16-bit.png": (
        png(WIDTH, HEIGHT, 16, 2, [row.astype(">u2").tobytes() for row in NOISE.astype(np.uint16) * 257]),
        NOISE,
        0,
    ),
    "float-beyond-1.tif": (encoded(2 * FLOATS - 0.5, "TIFF"), (255 * (2 * FLOATS - 0.5)).clip(0, 255)[..., None], 1),
    **{f"turned-{k}.jpg": (turned(k, quality=98), turn(SMOOTH), LOSSY) for k, turn in TURNS.items()},
    "turned.webp": (turned(6, NOISE, "WEBP", lossless=True), TURNS[6](NOISE), 0),
    "exif-damaged.jpg": (
        encoded(SMOOTH, "JPEG", quality=98, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"),
        SMOOTH,
        LOSSY,
    ),
    "exif-of-another-type.jpg": (
        encoded(SMOOTH, "JPEG", quality=98, exif=of_another_type()),
        TURNS[6](SMOOTH),
        LOSSY,
    ),
    "profile-cut.png": (encoded(NOISE, "PNG", icc_profile=PROFILE[:50]), NOISE, 0),
    "pages.tif": (encoded(NOISE, "TIFF", save_all=True, append_images=[Image.fromarray(255 - NOISE)]), NOISE, 0),
    "1x1.png": (encoded(NOISE[:1, :1], "PNG"), NOISE[:1, :1], 0),
    "jpeg-as.png": (encoded(SMOOTH, "JPEG", quality=98), SMOOTH, LOSSY),
}
WHOLE = {
    "png": encoded(NOISE, "PNG"),
    "jpg": encoded(NOISE, "JPEG", quality=95),
    "webp": encoded(NOISE, "WEBP", lossless=True),
    "tif": encoded(NOISE, "TIFF", compression="tiff_adobe_deflate"),
}
REFUSED = {
    **{f"cut.{kind}": content[: len(content) // 3] for kind, content in WHOLE.items()},
    "flipped.png": WHOLE["png"][:400] + bytes([WHOLE["png"][400] ^ 255]) + WHOLE["png"][401:],
    "empty.png": b"",
    "html-as.png": b"<!doctype html><html><body>404 Not Found</body></html>",
    "bomb.png": png(60000, 60000, 8, 2, [b"\0" * 99]),
    "no-pixels.png": png(0, 0, 8, 2, []),
    "palette-missing.png": png(WIDTH, HEIGHT, 8, 3, [row.tobytes() for row in GREY]),
    "cmyk-with-srgb.tif": encoded(CMYK, "TIFF", icc_profile=PROFILE),
    "cmyk-profile-garbage.jpg": encoded(CMYK, "JPEG", icc_profile=b"x" * 300),
    "8-in-32-bit.tif": encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"),
    "32-bit.tif": encoded(Image.fromarray(DEEP.astype(np.int32) * 1000), "TIFF"),
    "float-to-255.tif": encoded(255 * FLOATS, "TIFF"),
    "float-nan.tif": encoded(FLOATS * np.float32("nan"), "TIFF"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow on broken EXIF
@pytest.mark.parametrize("name", READ)
def test_the_picture_that_a_viewer_shows_is_read(name, tmp_path):
    content, truth, tolerance = READ[name]
    (tmp_path / name).write_bytes(content)
    levels = to_uint8(read_image(tmp_path / name)).permute(1, 2, 0).numpy().astype(int)
    assert levels.shape == (*truth.shape[:2], 3)
    assert np.abs(levels - truth).max() <= tolerance


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_whole_picture_is_refused_by_its_name(name, tmp_path):
    (tmp_path / name).write_bytes(REFUSED[name])
    with pytest.raises(SrlabError) as refusal:
        read_image(tmp_path / name)
    assert name in str(refusal.value)


def test_a_broken_file_ends_a_command_in_one_sentence(tmp_path, capsys):
    good, bad = tmp_path / "good" / "a.png", tmp_path / "bad" / "a.png"
    for path, content in ((good, WHOLE["png"]), (bad, REFUSED["cut.png"])):
        path.parent.mkdir()
        path.write_bytes(content)
    for command in (
        ["upscale", str(bad), str(tmp_path / "sr.png"), "--method", "nearest"],
        ["evaluate", "--sr", str(bad.parent), "--hr", str(good.parent)],
        ["evaluate", "--sr", str(good.parent), "--hr", str(bad.parent)],
    ):
        assert main(command) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("srlab: ")
        assert str(bad) in said.err
        assert said.err.count("\n") == 1
    assert not (tmp_path / "sr.png").exists()


ODD_NAMES = [
    "größe-画像-🦊.png",
    "  two  spaces .png",
    "\"double\" and 'single' and `back`.png",
    "<img src=x onerror=alert(1)>.png",
    "-rf --force.png",
    "100%s %d {name} {0}.png",
    "a..x4...png",
    "CAPITALS.PNG",
]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_odd_names_go_through_every_door(tmp_path, capsys):
    hr, sr = tmp_path / "hr", tmp_path / "sr"
    for place, name in enumerate(ODD_NAMES):
        write_image(torch.from_numpy(NOISE[: place + 3]).permute(2, 0, 1), hr / name)
    (hr / ".hidden.png").write_bytes(b"left out")
    assert len(folder(hr)) == len(ODD_NAMES)
    assert main(["upscale", str(hr), str(sr), "--method", "nearest", "--scale", "1"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--sr", str(sr), "--hr", str(hr), "--protocol", "face", "--json"]) == 0
    assert [row["psnr"] for row in json.loads(capsys.readouterr().out)["images"]] == ["inf"] * len(ODD_NAMES)


def test_a_link_is_read_and_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "real.png").write_bytes(WHOLE["png"])
    (tmp_path / "link.png").symlink_to(tmp_path / "elsewhere" / "real.png")
    assert read_image(tmp_path / "link.png").shape == (3, HEIGHT, WIDTH)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    for name in ("folder.png", "dangling.png"):
        with pytest.raises(SrlabError, match=name):
            read_image(tmp_path / name)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(WHOLE["png"])
    path.chmod(0)
    with pytest.raises(SrlabError, match=r"secret\.png may not be read by you"):
        read_image(path)
