"""Test srlab.upscale_files: properties of image files are kept, and targets are complete or missing."""

import errno
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from srlab import upscale_files as upscaling
from srlab.data.images import read_image, to_uint8
from srlab.data.resampling import upsample
from srlab.errors import SrlabError
from srlab.upscale_files import upscale_file, upscale_files
from tests.conftest import make_link

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
        assert "_x2.png: all images but the first.\n" in capsys.readouterr().err
        read_image(tmp_path / f"lr.{suffix}")
        assert capsys.readouterr().err == f"Not used: all images but the first (lr.{suffix}).\n"


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


ALPHA = np.zeros((21, 34), np.uint8)
ALPHA[5:15, 6:30], ALPHA[5:15, 30] = 255, 99
HIDDEN = np.where(ALPHA[..., None] > 0, RGB, (0, 255, 0)).astype(np.uint8)  # what is hidden could be anything


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparency_is_upscaled_and_kept(suffix, save, tmp_path, capsys):
    palette = Image.fromarray(RGB).quantize(16)
    palette.save(tmp_path / "palette.png", transparency=3)
    cases = {
        save("color.png", np.dstack([HIDDEN, ALPHA])): (RGB, ALPHA),
        save("gray.png", np.dstack([RGB[..., 0], ALPHA])): (RGB[..., 0], ALPHA),
        tmp_path / "palette.png": (
            np.asarray(palette.convert("RGB")),
            (np.asarray(palette) != 3).astype(np.uint8) * 255,
        ),
    }
    for source, (colors, alpha) in cases.items():
        with Image.open(run(source, tmp_path / f"{source.stem}_x2.{suffix}")) as sr:
            assert sr.mode == ("LA" if colors.ndim == 2 and suffix == "png" else "RGBA")
            found = np.asarray(sr.convert("RGBA"))
        assert np.array_equal(found[..., 3], enlarged(alpha))
        wanted = enlarged(colors[..., None] if colors.ndim == 2 else colors)
        seen = found[..., 3] > 0
        assert (np.abs(found[..., :3].astype(int) - wanted)[seen] == 0).all()
    assert capsys.readouterr().err == ""


def test_hidden_colors_do_not_reach_the_edges(save, tmp_path):
    def blur(lr):
        return upsample(lr, 2, "bicubic")

    one = np.where(ALPHA[..., None] > 0, np.uint8((200, 20, 90)), np.uint8((0, 255, 0)))
    sr = pixels(run(save("lr.png", np.dstack([one, ALPHA])), tmp_path / "sr.png", blur))
    assert (sr[sr[..., 3] > 0][:, :3] == (200, 20, 90)).all()


def test_network_leaves_no_trace_where_all_is_opaque_or_hidden(save, tmp_path):
    def noisy(lr):
        return double(lr) * 0.8 + 0.1

    sr = pixels(run(save("lr.png", np.dstack([HIDDEN, ALPHA])), tmp_path / "sr.png", noisy))[..., 3]
    assert (sr[12:28, 14:56] == 255).all()
    assert (sr[:8].max(), sr[32:].max()) == (0, 0)
    assert sr[20, 60] not in (0, 255)


def test_jpeg_shows_transparency_as_white_and_names_it(save, tmp_path, capsys):
    source = save("lr.png", np.dstack([np.full_like(RGB, 40), ALPHA]))
    sr = pixels(run(source, tmp_path / "sr.jpg")).astype(int)
    assert np.abs(sr[:8] - 255).max() < 3
    assert np.abs(sr[14:26, 16:54] - 40).max() < 3
    assert capsys.readouterr().err == "Not kept in sr.jpg: transparency, now white.\n"


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


def loaded(exif):
    """Return EXIF data as from a file, which Pillow needs to write a TIFF."""
    read = Image.Exif()
    read.load(exif.tobytes())
    return read


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


def segment(marker, content):
    return bytes((255, marker)) + (len(content) + 2).to_bytes(2) + content


@pytest.mark.parametrize(
    ("name", "options", "target", "lost"),
    [
        ("lr.jpg", {"dpi": (300, 300), "progressive": True}, "sr.jpg", ""),
        ("lr.jpg", {"dpi": (300, 300), "comment": b"noon", "xmp": b"<x/>"}, "sr.png", ""),
        ("lr.png", {"dpi": (300, 300)}, "sr.jpg", ""),
        ("lr.bmp", {"dpi": (300, 300)}, "sr.jpg", ""),
        ("lr.tif", {"dpi": (300, 300), "compression": "tiff_lzw"}, "sr.png", ""),
        ("lr.webp", {}, "sr.jpg", ""),
        ("lr.jpg", {"dpi": (300, 300)}, "sr.webp", "resolution"),
        ("lr.png", {"dpi": (204, 98)}, "sr.png", "resolution"),
        ("lr.png", {"exif": camera_exif(bytes(70_000))}, "sr.jpg", "EXIF data"),  # a JPEG has room for 64 KiB
        ("lr.tif", {"exif": loaded(camera_exif())}, "sr.png", "EXIF data"),
    ],
)
def test_metadata_that_cannot_be_kept_is_named(name, options, target, lost, save, tmp_path, capsys):
    with Image.open(run(save(name, RGB, **options), tmp_path / target)) as sr:
        kept = sr.info.get("dpi", (0, 0))
    if "dpi" in options and "resolution" not in lost:
        assert kept == pytest.approx((300, 300), abs=0.1)
    assert capsys.readouterr().err == (f"Not kept in {target}: {lost}.\n" if lost else "")


def test_gamma_and_primaries_are_kept_in_a_png(save, tmp_path, capsys):
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", 100_000))
    chunks.add(b"cHRM", struct.pack(">8I", *range(10_000, 90_000, 10_000)))
    source = save("linear.png", RGB, pnginfo=chunks)
    with Image.open(run(source, tmp_path / "sr.png")) as sr:
        assert (sr.info["gamma"], sr.info["chromaticity"][7]) == (1, 0.8)
    assert capsys.readouterr().err == ""
    run(source, tmp_path / "sr.jpg")
    assert capsys.readouterr().err == "Not kept in sr.jpg: gamma, primaries.\n"
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", 45_455))  # as nearly every PNG, and as a viewer assumes
    run(save("usual.png", RGB, pnginfo=chunks), tmp_path / "usual.jpg")
    assert capsys.readouterr().err == ""


def test_exif_of_turned_photo_keeps_its_preview(save, tmp_path):
    preview = segment(0xE1, b"preview")
    for order in "<>":
        exif = camera_exif()
        exif.endian = order
        whole = exif.tobytes() + preview  # as in an IFD that Pillow does not write
        with Image.open(run(save("lr.jpg", RGB, exif=whole), tmp_path / f"sr{ord(order)}.jpg")) as sr:
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


def test_existing_file_is_never_overwritten(save, tmp_path):
    source, target = save("lr.png", RGB), tmp_path / "sr.png"
    target.write_bytes(b"mine")
    make_link(tmp_path / "link.png", source)
    for name in ("sr.png", "lr.png", "link.png", "../" + tmp_path.name + "/lr.png"):
        with pytest.raises(SrlabError, match=f"{name} already exists. Move it elsewhere"):
            run(source, tmp_path / name)
        with pytest.raises(SrlabError, match=f"{name} already exists. Move it elsewhere"):
            upscale_files([source], tmp_path / name, double, 2)
    assert np.array_equal(pixels(source), RGB)
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("shape", "name", "words"),
    [
        ((21, 34), "sr.tif", r"sr\.tif does not have a valid extension\. Use \.png, \.jpg"),
        ((8192, 1), "sr.webp", r"16384 upscaled pixels per side, which sr\.webp cannot store\. Write a PNG"),
        ((1000, 1000), "sr.png", r"2000x2000 pixels\) needs 0.032 GB of memory, but only 0.02 GB are free"),
    ],
)
def test_unsupported_output_is_rejected_before_decoding(shape, name, words, save, tmp_path, monkeypatch):
    memory = psutil.virtual_memory()._replace(available=20_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    source = save("lr.png", np.zeros(shape, np.uint8))
    source.write_bytes(source.read_bytes()[:50])  # it cannot be decoded
    with pytest.raises(SrlabError, match=words):
        run(source, tmp_path / name, None)


def test_other_scale_than_the_upscalers_is_rejected(save, tmp_path):
    with pytest.raises(SrlabError, match=r"is not 1 times larger\. Pass the scale"):
        upscale_file(save("lr.png", RGB), tmp_path / "sr.png", double, 1)
    assert names_in(tmp_path) == ["lr.png"]


# --- several images, and folders ---


def upscale_all(sources, target=None):
    upscale_files(sources, target, double, 2)


def results(folder):
    """Return the paths of all PNGs that are twice as large as the images."""
    found = {path.relative_to(folder).as_posix(): pixels(path).shape for path in folder.rglob("*.png")}
    return sorted(path for path, shape in found.items() if shape == (42, 68, 3))


@pytest.fixture
def tree(save, tmp_path):
    """Create photos in a folder with subfolders, and next to it."""
    for place in ("album/2023 Norway/b.jpg", "album/b.png", "a.jpg", "c.png", "other/a.png", "album/.hidden/d.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        save(place, RGB)
    (tmp_path / "album" / "2023 Norway" / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    return tmp_path


TREE = ["album/2023 Norway/b.png", "album/b.png"]
# Sources, target, results.
PLACES = [
    ("a.jpg", None, ["a_x2.png"]),
    ("a.jpg", "new", ["new/a.png"]),
    ("a.jpg", "new/large.png", ["new/large.png"]),
    ("a.jpg", ".", ["a_x2.png"]),
    ("a.jpg c.png", None, ["a_x2.png", "c_x2.png"]),
    ("a.jpg c.png a.jpg", "new", ["new/a.png", "new/c.png"]),
    ("album", None, ["album_x2/2023 Norway/b.png", "album_x2/b.png"]),
    ("album", "new", ["new/2023 Norway/b.png", "new/b.png"]),
    ("album", "album", ["album/2023 Norway/b_x2.png", "album/b_x2.png"]),
    ("album", "album/new", ["album/new/2023 Norway/b.png", "album/new/b.png"]),
    ("album c.png", None, ["album_x2/2023 Norway/b.png", "album_x2/b.png", "c_x2.png"]),
    ("album c.png", "new", ["new/album/2023 Norway/b.png", "new/album/b.png", "new/c.png"]),
]


@pytest.mark.parametrize(("sources", "target", "made"), PLACES)
def test_results_have_their_places_and_are_not_upscaled_again(sources, target, made, tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    upscale_all(sources.split(), target)
    assert results(tree) == made
    said = capsys.readouterr()
    assert sorted(said.out.split(".png\n")[:-1]) == sorted(
        str(Path(tree if name.startswith("album_x2") else "", name[:-4])) for name in made
    )
    named = "Left out of album: 2023 Norway/phone.HEIC (only .png, "
    assert said.err.count(named) == ("album" in sources)
    if target != "new/large.png":
        upscale_all(sources.split(), target)
        assert results(tree) == made
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("Kept, because it exists: ") == 1
        assert all(Path(name).name in said.err for name in sorted(made)[:3])


def test_second_run_of_a_pattern_leaves_results_out(tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    for _ in range(2):
        upscale_all([path for path in names_in(tree) if path != "other"])
        assert results(tree) == ["a_x2.png", "album_x2/2023 Norway/b.png", "album_x2/b.png", "c_x2.png"]
    assert (
        "Left out: a_x2.png, album_x2/2023 Norway/b.png, album_x2/b.png and 1 more (named like results of srlab"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("sources", "results"),
    [
        (["."], ["photos_x4/~/b.png"]),
        (["~"], ["photos/~_x4/b.png"]),
        (["~/b.png"], ["photos/~/b_x4.png"]),
        (["~/b.png", "~/new.png"], ["photos/~/b_x4.png", "home/new_x4.png"]),
    ],
)
def test_folder_called_like_the_home_folder_does_not_lead_there(sources, results, tmp_path, monkeypatch):
    """Only a path that doesn't exist as it is typed leads into the home folder."""
    for place in ("photos/~/b.png", "home/b.png", "home/new.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), 99 if "~" in place else 0).save(tmp_path / place)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "photos")
    before = {*tmp_path.rglob("*.png")}
    upscale_files(sources, None, lambda lr: upsample(lr, 4), 4)
    assert {*tmp_path.rglob("*.png")} - before == {tmp_path / result for result in results}
    assert pixels(tmp_path / results[0]).max() == 99


def test_images_with_the_same_result_are_told_apart(tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    for _ in range(2):
        with pytest.raises(SrlabError, match="1 of 3 images failed"):
            upscale_all(["a.jpg", "other/a.png", "c.png"], "new")
        assert results(tree) == ["new/a.png", "new/c.png"]
        assert "failed other/a.png: a.jpg has the same result, new/a.png. Rename" in capsys.readouterr().err


def test_image_that_fails_does_not_end_a_batch(tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    (tree / "a.jpg").write_text("hello", encoding="utf-8")
    with pytest.raises(SrlabError, match="2 of 3 images failed, for the reasons above"):
        upscale_all(["a.jpg", "gone.png", "c.png"])
    assert results(tree) == ["c_x2.png"]
    said = capsys.readouterr().err
    assert "failed a.jpg: a.jpg is not a readable image" in said
    assert "failed gone.png: gone.png not found. Check the path. To name a result, use -o." in said


@pytest.mark.skipif(os.name == "nt", reason="Windows limits the whole path")
def test_photo_whose_result_has_too_long_a_name_does_not_end_a_batch(tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    long = "n" * 251 + ".png"
    (tree / "c.png").rename(tree / long)
    with pytest.raises(SrlabError, match="1 of 2 images failed"):
        upscale_all([long, "a.jpg"])
    assert (tree / "a_x2.png").is_file()
    assert f"failed {long}: " in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_disk_that_takes_nothing_ends_a_batch(number, tree, monkeypatch):
    monkeypatch.chdir(tree)
    upscaled = []

    def second_is_refused(_):
        if len(upscaled) == 2:
            raise OSError(number, os.strerror(number))

    def counted(lr):
        upscaled.append(lr)
        return double(lr)

    monkeypatch.setattr(os, "fsync", second_is_refused)
    with pytest.raises(SrlabError, match=f"Could not write c_x2.png .{os.strerror(number)}"):
        upscale_files(["a.jpg", "c.png", "other", "album"], None, counted, 2)
    assert results(tree) == ["a_x2.png"]
    assert len(upscaled) == 2


def test_lack_of_memory_is_about_one_image(tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    real, failed = upscaling.encoded, []

    def encoded(image, *rest, **options):
        if max(image.size) > 1 and not failed:
            failed.append(image)
            raise MemoryError
        return real(image, *rest, **options)

    monkeypatch.setattr(upscaling, "encoded", encoded)
    with pytest.raises(SrlabError, match="1 of 2 images failed"):
        upscale_all(["a.jpg", "c.png"])
    assert results(tree) == ["c_x2.png"]
    assert (
        "failed a.jpg: Out of memory for a.jpg, upscaled (MemoryError). Crop or downscale it" in capsys.readouterr().err
    )


def test_unusable_target_or_source_is_rejected(tree, monkeypatch):
    monkeypatch.chdir(tree)
    (tree / "empty").mkdir()
    (tree / "file").touch()
    for sources, target, words in (
        ("empty", None, "No images found in empty. Their names must end in .png"),
        ("album", "c.png", "c.png is not a folder. Pass a folder for the results of several images"),
        ("a.jpg c.png", "large.png", "large.png is not a folder"),
        ("a.jpg c.png", "file", "file is not a folder"),
        ("a.jpg", "sr.gif", "sr.gif does not have a valid extension. Use .png"),
        ("a.jpg", "sr.tif", "sr.tif does not have a valid extension. Use .png"),
    ):
        with pytest.raises(SrlabError, match=words):
            upscale_all(sources.split(), target)
    assert results(tree) == []
