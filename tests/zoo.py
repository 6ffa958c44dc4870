"""Odd image files, each with what must come of it: the picture in it, or a refusal.

All are small, and the same at each call. Truths are the 8-bit levels that an image viewer shows.
"""

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageCms

HEIGHT, WIDTH = 13, 18
LOSSY = 12  # levels by which a decoded JPEG may differ from what was encoded
INKS = 45  # the same for ways from CMYK or Lab to RGB, which are matters of taste


@dataclass(frozen=True)
class Entry:
    """A file of the zoo.

    Attributes
    ----------
    name
        Of the file.
    write
        Writes it to a path.
    size
        (height, width) of the picture, upright; None: it must be refused.
    truth
        ``(H, W, 3)`` levels, where they are known.
    tolerance
        Levels by which a reader may miss them.
    in_folder
        "left out" or "refused" where a folder of images does not have it, although it can be read by its name; where
        a data set refuses it, `srlab upscale` goes on without it.
    label
        For the name of the test, where the name of the file is not fit for that.
    """

    name: str
    write: Callable[[Path], object]
    size: tuple[int, int] | None
    truth: np.ndarray | None = None
    tolerance: int = 0
    in_folder: str = ""
    label: str = ""


# --- Pictures -------------------------------------------------------------------------------------------------


def smooth(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """An RGB picture that JPEG hardly changes, with another colour in each corner."""
    down, right = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    planes = [30 + 190 * down + 0 * right, 220 - 160 * right + 0 * down, 60 + 120 * down * right]
    return np.dstack([plane.round().astype(np.uint8) for plane in planes])


def noise(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """An RGB picture that cannot be compressed, so that any part of its file matters."""
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def grey() -> np.ndarray:
    return noise()[..., 0]


def in_rgb(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels[..., None], 3, axis=2).astype(np.uint8)


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return np.rint(colours * share + 255 * (1 - share)).astype(np.uint8)


# --- Files ----------------------------------------------------------------------------------------------------


def encoded(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """A picture as the bytes of a file, by Pillow."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(picture: np.ndarray, photometric: str = "rgb") -> bytes:
    """A picture as the bytes of a TIFF that Pillow does not write."""
    file = io.BytesIO()
    tifffile.imwrite(file, picture, photometric=photometric)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand; `colour` is its colour type, `extra` are chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def packed(levels: np.ndarray, bits: int) -> list[bytes]:
    """Rows of samples with so few bits, the first of a byte in its high bits."""
    rows = []
    for row in levels:
        digits = "".join(f"{level:0{bits}b}" for level in row)
        digits += "0" * (-len(digits) % 8)
        rows.append(int(digits, 2).to_bytes(len(digits) // 8, "big"))
    return rows


def bytes_of(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def flipped(content: bytes) -> bytes:
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    return bytes(damaged)


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


# --- The kinds ------------------------------------------------------------------------------------------------


def read_as(name: str, content: bytes, truth: np.ndarray, tolerance: int = 0, **more: object) -> Entry:
    return Entry(name, bytes_of(content), truth.shape[:2], truth, tolerance, **more)


def refused(name: str, content: bytes, **more: object) -> Entry:
    return Entry(name, bytes_of(content), None, **more)


def greys() -> list[Entry]:
    """Grey of 1 to 8 bits, in any format."""
    found = []
    for bits in (1, 2, 4, 8):
        levels = grey() >> (8 - bits)
        truth = in_rgb(levels.astype(int) * 255 // (2**bits - 1))
        content = png(WIDTH, HEIGHT, bits, 0, packed(levels, bits))
        found.append(read_as(f"grey-{bits}-bit.png", content, truth))
    levels = smooth()[..., 1]
    return [*found, read_as("grey.jpg", encoded(levels, "JPEG"), in_rgb(levels), LOSSY)]


def palettes() -> list[Entry]:
    """Palettes, with and without transparency."""
    colours, indices = noise(4, 4).reshape(16, 3), grey() >> 4
    truth, image = colours[indices], Image.fromarray(indices)
    image.putpalette(colours.tobytes())
    alpha = np.arange(16, dtype=np.uint8) * 17
    hidden = np.where((indices == 3)[..., None], 255, truth).astype(np.uint8)
    with_alpha = image.copy()
    with_alpha.putalpha(Image.fromarray(alpha[indices]))
    return [
        read_as("palette.png", encoded(image, "PNG"), truth),
        read_as("palette-one-hidden.png", encoded(image, "PNG", transparency=3), hidden),
        read_as(
            "palette-alpha.png",
            encoded(image, "PNG", transparency=alpha.tobytes()),
            over_white(truth, alpha[indices]),
            1,
        ),
        read_as(
            "palette-and-alpha.tif",
            encoded(with_alpha.convert("PA"), "TIFF"),
            over_white(truth, alpha[indices]),
            1,
        ),
        refused("palette-missing.png", png(WIDTH, HEIGHT, 8, 3, packed(indices, 8))),
    ]


def alphas() -> list[Entry]:
    """An alpha channel or a hidden colour."""
    colours, alpha = noise(), noise()[::-1, :, 1]
    rgba, la = np.dstack([colours, alpha]), np.dstack([grey(), alpha])
    truth, grey_truth = over_white(colours, alpha), over_white(in_rgb(grey()), alpha)
    key = tuple(int(level) for level in colours[2, 3])
    hidden = np.where((colours == key).all(axis=2)[..., None], 255, colours).astype(np.uint8)
    level = int(grey()[2, 3])
    hidden_grey = in_rgb(np.where(grey() == level, 255, grey()))
    return [
        read_as("rgba.png", encoded(rgba, "PNG"), truth, 1),
        read_as("rgba.tif", encoded(rgba, "TIFF"), truth, 1),
        read_as("rgba.webp", encoded(rgba, "WEBP", lossless=True, exact=True), truth, 1),
        read_as("grey-alpha.png", encoded(la, "PNG"), grey_truth, 1),
        read_as("rgb-hidden-colour.png", encoded(colours, "PNG", transparency=key), hidden),
        read_as("grey-hidden-level.png", encoded(grey(), "PNG", transparency=level), hidden_grey),
        read_as("rgba-nothing-shows.png", encoded(rgba * np.uint8([1, 1, 1, 0]), "PNG"), np.full_like(colours, 255)),
    ]


def inks() -> list[Entry]:
    """CMYK, YCbCr and Lab."""
    truth = smooth()
    cmyk = Image.fromarray(truth).convert("CMYK")
    lab = ImageCms.profileToProfile(
        Image.fromarray(truth), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    return [
        read_as("cmyk.tif", encoded(cmyk, "TIFF"), truth),
        read_as("cmyk.jpg", encoded(cmyk, "JPEG", quality=98), truth, LOSSY),
        read_as("ycbcr.jpg", encoded(Image.fromarray(truth).convert("YCbCr"), "JPEG", quality=98), truth, LOSSY),
        read_as("lab.tif", encoded(lab, "TIFF"), truth, INKS),
        read_as("lossy.webp", encoded(truth, "WEBP", quality=98), truth, LOSSY),
        read_as("rgb-lzw.tif", encoded(noise(), "TIFF", compression="tiff_lzw"), noise()),
    ]


def depths() -> list[Entry]:
    """More than 8 bits a channel."""
    deep = grey().astype(np.uint16) * 257
    off = deep - (deep % 13).astype(np.uint16)  # between two 8-bit levels
    truth, rgb = in_rgb(np.rint(off / 257)), noise().astype(np.uint16) * 257
    rgba = np.dstack([rgb, np.full((HEIGHT, WIDTH), 65535, np.uint16)])
    rows, rows_with_alpha = ([row.astype(">u2").tobytes() for row in pixels] for pixels in (rgb, rgba))
    return [
        read_as("grey-16-bit.png", encoded(off, "PNG"), truth),
        read_as("grey-16-bit.tif", encoded(off, "TIFF"), truth),
        read_as("grey-16-bit-big-endian.tif", encoded(Image.fromarray(off.astype(">u2")), "TIFF"), truth),
        read_as("rgb-16-bit.png", png(WIDTH, HEIGHT, 16, 2, rows), noise()),
        read_as("rgb-16-bit.tif", tiff(rgb), noise()),
        read_as("rgba-16-bit.png", png(WIDTH, HEIGHT, 16, 6, rows_with_alpha), noise(), 1),
        refused("grey-8-in-32-bit.tif", encoded(Image.fromarray(grey().astype(np.int32)), "TIFF")),
        refused("grey-32-bit.tif", encoded(Image.fromarray(off.astype(np.int32) * 1000), "TIFF")),
    ]


def floats() -> list[Entry]:
    """Pixels that are floats."""
    values = grey().astype(np.float32) / 255
    beyond, bad, endless = 2 * values - 0.5, values.copy(), values.copy()
    bad[3, 4], endless[3, 4] = np.nan, np.inf
    clipped = np.rint(beyond.clip(0, 1) * 255)
    return [
        read_as("float.tif", encoded(values, "TIFF"), in_rgb(grey())),
        read_as("float-beyond-1.tif", encoded(beyond, "TIFF"), in_rgb(clipped), 1),
        refused("float-to-255.tif", encoded(255 * values, "TIFF")),
        refused("float-nan.tif", encoded(bad, "TIFF")),
        refused("float-infinite.tif", encoded(endless, "TIFF")),
        refused("rgb-float.tif", tiff(noise().astype(np.float32) / 255)),
        refused("double.tif", tiff(values.astype(np.float64), "minisblack")),
    ]


def turned() -> list[Entry]:
    """Each EXIF orientation."""
    found = []
    turns = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a[::-1].transpose(1, 0, 2),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: a.transpose(1, 0, 2)[::-1],
    } | {1: lambda a: a}
    for number, turn in turns.items():
        exif = Image.Exif()
        exif[0x0112] = number
        content = encoded(smooth(), "JPEG", quality=98, exif=exif)
        found.append(read_as(f"orientation-{number}.jpg", content, turn(smooth()), LOSSY))
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix, form, options in ((".png", "PNG", {}), (".webp", "WEBP", {"lossless": True}), (".tif", "TIFF", {})):
        content = encoded(noise(), form, exif=exif, **options)
        found.append(read_as(f"orientation-6{suffix}", content, turns[6](noise())))
    garbage = encoded(smooth(), "JPEG", quality=98, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    exif[0x0100] = WIDTH
    wrong = exif.tobytes().replace(b"\1\0\0\4", b"\1\0\0\x10")  # the width as a number of 64 bits, which EXIF lacks
    return [
        *found,
        read_as("exif-damaged.jpg", garbage, smooth(), LOSSY),
        read_as(
            "exif-of-another-type.jpg", encoded(smooth(), "JPEG", quality=98, exif=wrong), turns[6](smooth()), LOSSY
        ),
    ]


def profiles() -> list[Entry]:
    """A colour profile, also a damaged one."""
    cmyk = Image.fromarray(smooth()).convert("CMYK")
    srgb = profile("sRGB")
    return [
        read_as("profile-cut.png", encoded(noise(), "PNG", icc_profile=srgb[:50]), noise()),
        read_as("profile-garbage.webp", encoded(noise(), "WEBP", lossless=True, icc_profile=b"x" * 99), noise()),
        refused("cmyk-with-srgb.tif", encoded(cmyk, "TIFF", icc_profile=srgb)),
        refused("cmyk-profile-garbage.jpg", encoded(cmyk, "JPEG", icc_profile=b"x" * 300)),
    ]


def several() -> list[Entry]:
    """Several images in one file: the first counts."""
    later = [Image.fromarray(255 - noise()), Image.fromarray(noise()[::-1])]
    content = encoded(noise(), "TIFF", save_all=True, append_images=later)
    return [read_as("pages.tif", content, noise())]


def sizes() -> list[Entry]:
    """A single pixel, a line, less than the scale."""
    return [
        read_as(f"{width}x{height}.png", encoded(noise(height, width), "PNG"), noise(height, width))
        for width, height in ((1, 1), (2000, 1), (3, 3))
    ]


def bombs() -> list[Entry]:
    """A header that promises far more pixels than there are."""
    jpeg = encoded(noise(), "JPEG")
    start = jpeg.index(b"\xff\xc0") + 5
    return [
        refused("bomb.png", png(60000, 60000, 8, 2, [b"\0" * 99])),
        refused("bomb.jpg", jpeg[:start] + struct.pack(">HH", 14000, 14000) + jpeg[start + 4 :]),
        refused("no-pixels.png", png(0, 0, 8, 2, [])),
    ]


def broken() -> list[Entry]:
    """Cut short, with a wrong byte, or empty."""
    files = {
        "png": encoded(noise(), "PNG"),
        "jpg": encoded(noise(40, 50), "JPEG", quality=95),
        "webp": encoded(noise(), "WEBP", lossless=True),
        "tif": encoded(noise(), "TIFF", compression="tiff_adobe_deflate"),
        "bmp": encoded(noise(), "BMP"),
    }
    found = [
        refused(f"cut-at-{percent}-percent.{suffix}", content[: percent * len(content) // 100])
        for suffix, content in files.items()
        for percent in (2, 30, 90)
    ]
    found += [refused(f"flipped.{suffix}", flipped(files[suffix])) for suffix in ("png", "tif")]
    return [*found, refused("empty.png", b""), refused("two-bytes.jpg", b"\xff\xd8")]


def strangers() -> list[Entry]:
    """Another thing than its name says."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="red"/></svg>'
    return [
        read_as("jpeg-as.png", encoded(smooth(), "JPEG", quality=98), smooth(), LOSSY),
        read_as("png-as.jpg", encoded(noise(), "PNG"), noise()),
        read_as("bmp-as.png", encoded(noise(), "BMP"), noise()),
        refused("text-as.jpg", b"These are not the pixels you are looking for.\n"),
        refused("html-as.png", b"<!doctype html><html><body>404 Not Found</body></html>"),
        refused("svg-as.png", svg),
    ]


def names() -> list[Entry]:
    """An odd name."""
    content = encoded(noise(), "PNG")
    odd = {
        "unicode": "größe-画像-🦊.png",
        "spaces": "  two  spaces .png",
        "quotes": "\"double\" and 'single' and `back`.png",
        "newline": "new\nline.png",
        "html": "<img src=x onerror=alert(1)>.png",
        "dash": "-rf --force.png",
        "percent": "100%s %d {name} {0}.png",
        "dots": "a..x4...png",
        "capitals": "CAPITALS.PNG",
        "bytes": os.fsdecode(b"caf\xe9.png"),  # from before UTF-8
    }
    # In a folder a name must be a line of text, because it becomes one in tables.
    more = {"newline": {"in_folder": "refused"}, "bytes": {"in_folder": "refused"}}
    found = [read_as(name, content, noise(), label=label, **more.get(label, {})) for label, name in odd.items()]
    return [*found, read_as(".hidden.png", content, noise(), in_folder="left out")]


def no_files() -> list[Entry]:
    """No file, but something like it."""
    content = encoded(noise(), "PNG")

    def link(path: Path) -> None:
        real = path.parents[1] / "elsewhere" / "real.png"
        real.parent.mkdir()
        real.write_bytes(content)
        path.symlink_to(real)

    entries = {
        "dangling.png": lambda path: path.symlink_to(path.with_name("gone.png")),
        "folder.png": lambda path: path.mkdir(),
    }
    return [
        Entry("link.png", link, (HEIGHT, WIDTH), noise()),
        *(Entry(name, write, None) for name, write in entries.items()),
    ]


def zoo() -> list[Entry]:
    """Return all of them."""
    kinds = (greys, palettes, alphas, inks, depths, floats, turned, profiles, several, sizes, bombs, broken, strangers)
    return [entry for kind in (*kinds, names, no_files) for entry in kind()]
