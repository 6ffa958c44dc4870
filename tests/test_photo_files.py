"""srlab.photo_files: image files keep what they are, and a target is whole or not there."""

import struct

import numpy as np
import psutil
import pytest
import torch
from PIL import ExifTags, Image, ImageCms
from skimage import data

from srlab.data.images import read_image, to_uint8
from srlab.data.resampling import upsample
from srlab.errors import SrlabError
from srlab.photo_files import upscale_file, upscale_folder

RGB = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF, GPS, INTEROP = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop


def double(lr):
    return upsample(lr, 2, "nearest")


def run(source, target, upscaler=double, **options):
    return upscale_file(source, target, upscaler, 2, progress=False, **options)


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


@pytest.mark.parametrize("suffix", [".PNG", ".tif", ".webp"])
@pytest.mark.parametrize("kind", ["gray", "color"])
def test_pixels_are_those_of_the_upscaler_in_every_lossless_format(kind, suffix, save, tmp_path):
    levels = RGB[..., 0] if kind == "gray" else RGB
    target = run(save("lr.png", levels), tmp_path / "new" / f"sr{suffix}", tile=8, overlap=4)
    found = pixels(target)[..., 0] if (kind, suffix) == ("gray", ".webp") else pixels(target)  # WebP has no gray
    assert np.array_equal(found, enlarged(levels))
    assert names_in(target.parent) == [target.name]


def test_16_bits_of_gray_reach_the_upscaler_and_become_8(save, tmp_path):
    levels, seen = np.random.default_rng(0).integers(0, 65536, (9, 12), dtype=np.uint16), []
    sr = pixels(run(save("lr.png", levels), tmp_path / "sr.png", lambda lr: seen.append(lr) or double(lr)))
    assert np.abs(seen[0][0, 0].numpy() * 65535 - levels).max() < 0.01
    assert sr.dtype == np.uint8
    assert np.abs(sr - enlarged(levels) / 257).max() <= 0.51


# --- transparency ---


def disc(softness, kind):
    """A disc with a soft edge among transparent black pixels, ``(64, 64, 4)``."""
    rows, columns = np.mgrid[:64, :64]
    alpha = np.clip((24 - np.hypot(rows - 31.5, columns - 31.5)) / softness, 0, 1)
    white = np.full((64, 64, 3), 255) if kind == "white" else data.astronaut()[100:164, 200:264]
    return np.dstack([white * (alpha > 0)[..., None], alpha * 255]).round().astype(np.uint8)


@pytest.mark.parametrize(("channels", "kind"), [([0, 3], "png"), ([0, 1, 2, 3], "tif"), ([0, 1, 2, 3], "webp")])
def test_alpha_is_upscaled_by_bicubic_interpolation_and_colors_that_show_stay(channels, kind, save, tmp_path):
    levels = disc(6, "photo")[..., channels]
    sr = pixels(run(save("lr.png", levels), tmp_path / f"sr.{kind}", tile=6, overlap=4))
    shown = enlarged(levels)[..., -1] * sr[..., -1] > 0
    assert np.array_equal(sr[shown][:, : len(channels) - 1], enlarged(levels)[shown][:, :-1])
    truth = to_uint8(upsample(torch.from_numpy(levels[..., -1])[None, None] / 255, 2))[0, 0].numpy()
    assert np.abs(sr[..., -1].astype(int) - truth).max() <= 2  # Pillow rounds after each axis


@pytest.mark.parametrize(("softness", "kind", "most"), [(6, "white", 2), (1, "photo", 18)])
def test_hidden_colors_cause_no_halo(softness, kind, most, save, tmp_path):
    """As Pillow upscales RGBA, premultiplied; without care the edge is dark by up to 160 levels."""
    levels = disc(softness, kind)

    def seen(image):
        canvas = Image.new("RGBA", image.size, "black" if kind == "white" else "white")
        return np.asarray(Image.alpha_composite(canvas, image))[..., :3].astype(int)

    truth = seen(Image.fromarray(levels).resize((256, 256), Image.Resampling.BICUBIC))
    made = upscale_file(save("lr.png", levels), tmp_path / "sr.png", lambda lr: upsample(lr, 4), 4, progress=False)
    assert np.abs(seen(Image.open(made)) - truth).max() <= most


def palette(levels):
    """A palette image that declares a transparent color which no pixel has."""
    image = Image.fromarray(levels).quantize(16)
    image.info["transparency"] = 255
    return image


OPAQUE = {
    "RGBA": lambda: Image.fromarray(np.dstack([RGB, np.full_like(RGB[..., 0], 255)])),
    "gray and alpha": lambda: Image.fromarray(np.dstack([RGB[..., 0], np.full_like(RGB[..., 0], 255)])),
    "palette": lambda: palette(RGB),
}


@pytest.mark.parametrize("kind", OPAQUE)
def test_an_alpha_channel_that_hides_nothing_is_left_out(kind, tmp_path):
    OPAQUE[kind]().save(tmp_path / "lr.png")
    assert Image.open(run(tmp_path / "lr.png", tmp_path / "sr.jpg")).size == (68, 42)
    assert Image.open(run(tmp_path / "lr.png", tmp_path / "sr.png")).mode in ("RGB", "L")


# --- metadata ---


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_metadata_is_kept_except_what_was_true_of_the_small_photo(suffix, save, tmp_path, capfd):
    exif = Image.Exif()
    exif.update({0x010F: "A maker", 0x8298: "A person", 0x0112: 6, 0x0100: 34, 0x0101: 21})
    of_size = {0xA002: 34, 0xA003: 21, 0x9214: (3, 4), 0xA214: (3, 4)}
    exif[EXIF] = {0x829D: 2.8, INTEROP: {1: "R03", 0x1001: 34}} | of_size  # R03 marks Adobe RGB
    exif[GPS] = {1: "N"}
    source = save("lr.jpg", RGB, exif=exif, icc_profile=SRGB)
    with Image.open(run(source, tmp_path / f"sr{suffix}")) as sr:
        kept, tiff = sr.getexif(), suffix == ".tif"
        assert (kept[0x0112], kept[0x010F], kept[0x8298]) == (1, "A maker", "A person")
        assert kept.get_ifd(EXIF).get(0x829D) == (None if tiff else 2.8)
        assert kept.get_ifd(INTEROP) == ({} if tiff else {1: "R03"})
        assert kept.get_ifd(GPS) == ({} if tiff else {1: "N"})
        assert not of_size.keys() & kept.get_ifd(EXIF).keys()
        assert [kept.get(entry) for entry in (0x0100, 0x0101)] == ([42, 68] if tiff else [None] * 2)
        assert sr.info["icc_profile"] == SRGB
        lr = to_uint8(read_image(source)).permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(sr).astype(int) - enlarged(lr)).mean() < 8
    lines = capfd.readouterr().err
    assert ("sr.tif does not keep all metadata" in lines and "FNumber" in lines) if tiff else lines == ""


def exif_bytes(entry, kind, size, value):
    """EXIF with a maker and an entry of any type, as Pillow itself would not write it."""
    data = struct.pack("<4sIH", b"II*\0", 8, 2) + struct.pack("<HHI4s", 0x010F, 2, 4, b"Me!\0")
    data += struct.pack("<HHI", entry, kind, len(value) // size)
    return (
        b"Exif\0\0"
        + data
        + (value.ljust(4, b"\0") + bytes(4) if len(value) <= 4 else struct.pack("<II", 38, 0) + value)
    )


ODD = {  # an entry with its type, the size of that, and the value; and the formats that cannot store it
    "software as a number": ((0x0131, 11, 4, struct.pack("<f", 1.5)), {".jpg", ".png", ".tif", ".webp"}),
    "software as a ratio": ((0x0131, 5, 8, struct.pack("<II", 3, 2)), {".jpg", ".png", ".tif", ".webp"}),
    "resolution of 0/0": ((0x011A, 5, 8, struct.pack("<II", 0, 0)), {".tif"}),
    "resolution of 1/0": ((0x011A, 5, 8, struct.pack("<II", 1, 0)), {".tif"}),
    "a long description": ((0x010E, 2, 1, b"x" * 70000), {".jpg"}),
}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize(("entry", "lost"), ODD.values(), ids=ODD)
def test_an_entry_that_a_format_cannot_store_costs_that_entry_and_a_line(entry, lost, suffix, save, tmp_path, capfd):
    source = save("lr.png", RGB, exif=exif_bytes(*entry))
    with Image.open(run(source, tmp_path / f"sr{suffix}")) as sr:
        kept = sr.getexif()
    assert kept[0x010F] == "Me!"
    assert (f"sr{suffix} does not keep all metadata: {ExifTags.TAGS[entry[0]]}." in capfd.readouterr().err) == (
        suffix in lost
    )
    assert entry[0] in kept or suffix in lost


@pytest.mark.parametrize(
    ("mode", "space", "target", "kept"),
    [
        ("L", b"GRAY", "sr.png", 1),
        ("L", b"GRAY", "sr.webp", 0),
        ("CMYK", b"CMYK", "sr.png", 0),
        ("RGB", b"RGB ", "sr.jpg", 1),
    ],
)
def test_a_profile_of_other_colors_than_the_result_is_left_out(mode, space, target, kept, tmp_path, capsys):
    Image.new(mode, (4, 4)).save(tmp_path / "lr.tif", icc_profile=SRGB[:16] + space + SRGB[20:])
    with Image.open(run(tmp_path / "lr.tif", tmp_path / target)) as sr:
        assert ("icc_profile" in sr.info) == kept
    assert ("color profile" in capsys.readouterr().err) != kept


# --- targets ---


def test_a_target_is_replaced_only_with_force_and_the_source_never(save, tmp_path):
    source, target = save("lr.png", RGB), tmp_path / "sr.png"
    target.write_bytes(b"mine")
    with pytest.raises(SrlabError, match=r"sr\.png exists already.*--force"):
        run(source, target)
    assert target.read_bytes() == b"mine"
    assert np.array_equal(pixels(run(source, target, force=True)), enlarged(RGB))
    (tmp_path / "link.png").symlink_to(source)
    for itself in ("lr.png", "link.png", "new/../lr.png"):
        with pytest.raises(SrlabError, match="would be replaced by its own enlargement"):
            run(source, tmp_path / itself, force=True)
    assert np.array_equal(pixels(source), RGB)


def test_what_a_target_or_the_memory_cannot_store_is_refused_before_the_work(save, tmp_path, monkeypatch):
    clear, tall = save("clear.png", np.dstack([RGB, RGB[..., 0]])), save("tall.png", np.zeros((8192, 1), np.uint8))
    for source, name, words in (
        (clear, "sr.jpg", r"has transparency, which sr\.jpg cannot store; write a PNG or TIFF"),
        (clear, "sr.gif", r"Cannot write sr\.gif: end its name in \.png, \.tif"),
        (tall, "sr.webp", r"has 16384 upscaled pixels per side, which sr\.webp cannot store; write a PNG"),
    ):
        with pytest.raises(SrlabError, match=words):
            run(source, tmp_path / name, None)
    assert pixels(run(tall, tmp_path / "sr.png")).shape == (16384, 2)
    memory = psutil.virtual_memory()._replace(available=20_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    wide = save("wide.png", np.zeros((1000, 1000), np.uint8))
    with pytest.raises(
        SrlabError, match=r"sr2\.png \(2000x2000 pixels\) needs 0.032 GB of memory, and 0.02 GB are free"
    ):
        run(wide, tmp_path / "sr2.png", None)


def test_a_failure_leaves_no_files_and_a_folder_without_permission_is_found_before_the_work(save, tmp_path):
    calls = []

    def stopped(lr):
        calls.append(names_in(tmp_path))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(save("lr.png", RGB), tmp_path / "sr.png", stopped)
    assert (calls, names_in(tmp_path)) == ([[".sr.png.part", "lr.png"]], ["lr.png"])


# --- folders ---


def test_every_image_of_a_folder_becomes_a_png_and_a_stopped_folder_resumes(save, tmp_path):
    save("a.png", RGB, exif=exif_bytes(*ODD["software as a ratio"][0]))
    save("b.tif", RGB[..., 0])  # gray stays gray
    (tmp_path / "broken.png").write_text("hello")
    out = tmp_path / "below" / "out"
    summary = upscale_folder(tmp_path, out, double, 2, progress=False)
    assert [path.name for path in summary.written] == ["a.png", "b.png"]
    ((failed, reason),) = summary.failed
    assert (failed.name, "not an image that can be read" in reason) == ("broken.png", True)
    assert names_in(out) == ["a.png", "b.png"]
    assert np.array_equal(pixels(out / "b.png"), enlarged(RGB[..., 0]))
    (out / "a.png").write_bytes(b"mine")
    (out / "b.png").unlink()
    summary = upscale_folder(tmp_path, out, double, 2, progress=False)
    assert ([path.name for path in summary.written], summary.present) == (["b.png"], [out / "a.png"])
    assert (out / "a.png").read_bytes() == b"mine"
    upscale_folder(tmp_path, out, double, 2, force=True, progress=False)
    assert np.array_equal(pixels(out / "a.png"), enlarged(RGB))


def test_a_folder_that_cannot_be_upscaled_whole_is_refused_before_the_work(save, tmp_path):
    def refused(target, words):
        with pytest.raises(SrlabError, match=words):
            upscale_folder(tmp_path, target, None, 2, force=True)

    refused(tmp_path / "out", "There are no images in")
    refused(save("a.png", RGB), "results cannot go into .*a.png; choose another folder")
    refused(tmp_path, "choose another folder than that of the images")
    save("a.tif", RGB)
    refused(tmp_path / "out", "several images named a; names must differ")
    assert names_in(tmp_path) == ["a.png", "a.tif"]
