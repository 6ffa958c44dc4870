"""srlab.inference.photo: image files keep what they are, and a target is whole or not there."""

import shutil

import numpy as np
import psutil
import pytest
import torch
from PIL import ExifTags, Image, ImageCms
from skimage import data

from srlab.base.errors import SrlabError
from srlab.data.images import read_image, to_uint8
from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file, upscale_folder


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
def rgb():
    return np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def write(name, array, **options):
        Image.fromarray(array).save(tmp_path / name, **options)
        return tmp_path / name

    return write


def nothing_else_in(folder, *names):
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("suffix", [".PNG", ".tif", ".webp"])
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_pixels_are_those_of_the_upscaler_in_every_lossless_format(kind, suffix, rgb, save, tmp_path):
    levels = rgb[..., 0] if kind == "grey" else rgb
    target = run(save("lr.png", levels), tmp_path / "new" / f"sr{suffix}", tile=8, overlap=4)
    found = pixels(target)[..., 0] if (kind, suffix) == ("grey", ".webp") else pixels(target)  # it has no grey
    assert np.array_equal(found, enlarged(levels))
    nothing_else_in(target.parent, target.name)


# --- transparency ---


def disc(softness, kind):
    """Something that shows in the middle of black-transparent pixels, ``(64, 64, 4)``."""
    rows, columns = np.mgrid[:64, :64]
    alpha = np.clip((24 - np.hypot(rows - 31.5, columns - 31.5)) / softness, 0, 1)
    white = np.full((64, 64, 3), 255) if kind == "white" else data.astronaut()[100:164, 200:264]
    return np.dstack([white * (alpha > 0)[..., None], alpha * 255]).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("channels", "kind"), [([0, 3], "png"), ([0, 1, 2, 3], "tif"), ([0, 1, 2, 3], "webp")], ids=str
)
def test_alpha_is_enlarged_by_bicubic_interpolation_and_colours_that_show_stay(channels, kind, tmp_path):
    levels = disc(6, "photo")[..., channels]
    Image.fromarray(levels).save(tmp_path / "lr.png")
    sr = pixels(run(tmp_path / "lr.png", tmp_path / f"sr.{kind}", tile=6, overlap=4))
    shown = enlarged(levels)[..., -1] * sr[..., -1] > 0
    assert np.array_equal(sr[shown][:, : len(channels) - 1], enlarged(levels)[shown][:, :-1])
    truth = to_uint8(upsample(torch.from_numpy(levels[..., -1])[None, None] / 255, 2))[0, 0].numpy()
    assert np.abs(sr[..., -1].astype(int) - truth).max() <= 2  # Pillow rounds after each axis


@pytest.mark.parametrize(("softness", "kind", "most"), [(6, "white", 2), (1, "photo", 18)])
def test_what_is_hidden_gives_no_halo(softness, kind, most, tmp_path):
    """As Pillow enlarges RGBA, premultiplied; without care the edge is dark by up to 160 levels."""
    lr = Image.fromarray(disc(softness, kind))
    lr.save(tmp_path / "lr.png")

    def seen(image):
        canvas = Image.new("RGBA", image.size, "black" if kind == "white" else "white")
        return np.asarray(Image.alpha_composite(canvas, image))[..., :3].astype(int)

    truth = seen(lr.resize((256, 256), Image.Resampling.BICUBIC))
    made = upscale_file(
        tmp_path / "lr.png", tmp_path / "sr.png", lambda lr: upsample(lr, 4), 4, tile=32, progress=False
    )
    assert np.abs(seen(Image.open(made)) - truth).max() <= most


# --- kinds of files ---


def test_16_bits_of_grey_reach_the_upscaler_and_become_8(tmp_path):
    levels = np.random.default_rng(0).integers(0, 65536, (9, 12), dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "lr.png")
    seen = []
    sr = pixels(run(tmp_path / "lr.png", tmp_path / "sr.png", lambda lr: seen.append(lr) or double(lr)))
    assert np.abs(seen[0][0, 0].numpy() * 65535 - levels).max() < 0.01
    assert sr.dtype == np.uint8
    assert np.abs(sr - enlarged(levels) / 257).max() <= 0.51


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_exif_and_the_colour_profile_are_kept_but_for_what_was_true_of_the_small_photo(suffix, rgb, save, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x8298], exif[0x0112], exif[0x0100], exif[0x0101] = "A maker", "A person", 6, 34, 21
    of_size = {0xA002: 34, 0xA003: 21, 0x9214: (3, 4), 0xA214: (3, 4), 0xA005: {0x1001: 34}}
    exif[ExifTags.IFD.Exif] = {0x829D: 2.8} | of_size
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = save("lr.jpg", rgb, exif=exif, icc_profile=profile)
    with Image.open(run(source, tmp_path / f"sr{suffix}")) as sr:
        kept = sr.getexif()
        assert (kept[0x0112], kept[0x010F], kept[0x8298]) == (1, "A maker", "A person")
        assert kept.get_ifd(ExifTags.IFD.Exif) == ({} if suffix == ".tif" else {0x829D: 2.8})
        assert [kept.get(entry) for entry in (0x0100, 0x0101)] == ([42, 68] if suffix == ".tif" else [None] * 2)
        assert sr.info["icc_profile"] == profile
        lr = to_uint8(read_image(source)).permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(sr).astype(int) - enlarged(lr)).mean() < 8


def test_exif_that_a_jpeg_cannot_hold_does_not_cost_the_picture(rgb, save, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "a description" * 6000
    source = save("lr.png", rgb, exif=exif)
    for suffix, kept in ((".jpg", False), (".png", True)):
        with Image.open(run(source, tmp_path / f"sr{suffix}")) as sr:
            assert (0x010E in sr.getexif()) == kept


@pytest.mark.parametrize(("mode", "target", "kept"), [("LAB", "sr.png", 0), ("L", "sr.webp", 0), ("L", "sr.png", 1)])
def test_a_profile_that_is_not_one_of_the_result_is_left_out(mode, target, kept, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.new(mode, (4, 4)).save(tmp_path / "lr.tif", icc_profile=profile)
    with Image.open(run(tmp_path / "lr.tif", tmp_path / target)) as sr:
        assert ("icc_profile" in sr.info) == kept


# --- targets ---


def test_a_target_is_replaced_only_with_force_and_the_source_never(rgb, save, tmp_path):
    source, target = save("lr.png", rgb), tmp_path / "sr.png"
    target.write_bytes(b"mine")
    with pytest.raises(SrlabError, match=r"sr\.png exists already.*--force"):
        run(source, target)
    assert target.read_bytes() == b"mine"
    assert np.array_equal(pixels(run(source, target, force=True)), enlarged(rgb))
    (tmp_path / "link.png").symlink_to(source)
    for itself in ("lr.png", "link.png", "new/../lr.png"):
        with pytest.raises(SrlabError, match="would be replaced by its own enlargement"):
            run(source, tmp_path / itself, force=True)
    assert np.array_equal(pixels(source), rgb)


def test_what_a_target_cannot_hold_is_refused_before_the_work(rgb, save, tmp_path, monkeypatch):
    clear, tall = save("clear.png", np.dstack([rgb, rgb[..., 0]])), save("tall.png", np.zeros((8192, 1), np.uint8))

    def refused(source, name, said):
        with pytest.raises(SrlabError, match=said):
            run(source, tmp_path / name, None, force=True)

    refused(clear, "sr.jpg", r"has transparency, which sr\.jpg cannot hold; write a PNG or TIFF")
    refused(clear, "sr.gif", r"Cannot write sr\.gif: end its name in \.png, \.tif")
    refused(tall, "sr.webp", r"has 16384 enlarged pixels a side, which sr\.webp cannot hold; write a PNG")
    assert pixels(run(tall, tmp_path / "sr.png")).shape == (16384, 2)
    memory, disk = psutil.virtual_memory()._replace(available=1000), shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    refused(clear, "more.png", r"more\.png \(68x42 pixels\) needs 22.8 kB of memory, and 1 kB are free; cut")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    refused(clear, "more.png", r"more\.png \(68x42 pixels\) needs 11.4 kB, and the disk of .* too little free")


# --- failures on the way ---


@pytest.mark.parametrize("error", [KeyboardInterrupt, SrlabError])
def test_whatever_stops_the_work_leaves_no_files(error, rgb, save, tmp_path):
    calls = []

    def stopped(lr):
        calls.append(sorted(path.name for path in tmp_path.iterdir()))
        if len(calls) > 2:
            raise error("enough")
        return double(lr)

    with pytest.raises(error):
        run(save("lr.png", rgb), tmp_path / "sr.png", stopped, tile=12, overlap=2)
    assert calls[-1] == [".sr.png.part", "lr.png"]  # so a folder that takes none is found at once
    nothing_else_in(tmp_path, "lr.png")


def test_no_space_is_one_sentence(rgb, save, tmp_path):
    """A limit on file sizes stands for a full disk."""
    resource = pytest.importorskip("resource")
    source, before = save("lr.png", rgb), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(SrlabError, match=r"^Could not write .*sr\.tif \("):
            run(source, tmp_path / "sr.tif", lambda lr: torch.rand(1, 3, 2 * lr.shape[2], 2 * lr.shape[3]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    nothing_else_in(tmp_path, "lr.png")


# --- folders ---


def test_every_image_of_a_folder_becomes_a_png_and_a_stopped_one_goes_on(rgb, save, tmp_path):
    save("a.png", rgb)
    save("b.tif", rgb[..., 0])  # grey stays grey
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.png").write_text("hello")
    (tmp_path / "below").mkdir()
    out = tmp_path / "below" / "out"
    summary = upscale_folder(tmp_path, out, double, 2, progress=False)
    assert [path.name for path in summary.written] == ["a.png", "b.png"]
    assert [(path.name, reason) for path, reason in summary.skipped] == [
        ("notes.txt", "its name is not that of an image")
    ]
    assert [path.name for path, _ in summary.failed] == ["broken.png"]
    assert "not an image that can be read" in summary.failed[0][1]
    nothing_else_in(out, "a.png", "b.png")
    assert np.array_equal(pixels(out / "b.png"), enlarged(rgb[..., 0]))
    (out / "a.png").write_bytes(b"mine")
    (out / "b.png").unlink()
    summary = upscale_folder(tmp_path, out, double, 2, progress=False)
    assert ([path.name for path in summary.written], summary.present) == (["b.png"], [out / "a.png"])
    assert (out / "a.png").read_bytes() == b"mine"
    upscale_folder(tmp_path, out, double, 2, force=True, progress=False)
    assert np.array_equal(pixels(out / "a.png"), enlarged(rgb))


def test_a_folder_that_cannot_be_enlarged_whole_is_refused_before_the_work(rgb, save, tmp_path):
    def refused(target, said):
        with pytest.raises(SrlabError, match=said):
            upscale_folder(tmp_path, target, None, 2, force=True)

    refused(tmp_path / "out", "There are no images in")
    save("a.png", rgb)
    refused(tmp_path, "cannot go into the folder of their sources")
    save("a.tif", rgb)
    refused(tmp_path / "out", r"a\.png and a\.tif would both become a\.png")
    nothing_else_in(tmp_path, "a.png", "a.tif")
