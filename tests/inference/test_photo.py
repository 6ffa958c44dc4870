"""srlab.inference.photo: image files keep what they are, and a target is whole or not there."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image, ImageCms
from skimage import data
from torch import nn

from srlab.base.errors import SrlabError
from srlab.data.images import read_image, to_uint8
from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file, upscale_folder
from srlab.inference.tiling import upscale
from srlab.models import SRResNet
from srlab.models.weights import load_shipped


def double(lr):
    return upsample(lr, 2, "nearest")


def bicubic(lr):
    return upsample(lr, 2)


def run(source, target, upscaler=double, **options):
    return upscale_file(source, target, upscaler, 2, progress=False, **options)


def pixels(path):
    return pyvips.Image.new_from_file(str(path), revalidate=True).numpy()


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


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".webp", ".PNG"])
def test_pixels_are_those_of_the_upscaler_in_every_lossless_format(suffix, rgb, save, tmp_path):
    target = run(save("lr.png", rgb), tmp_path / "new" / f"sr{suffix}", tile=8, overlap=4)
    assert np.array_equal(pixels(target)[..., :3], enlarged(rgb))
    nothing_else_in(target.parent, target.name)


def test_a_network_gives_what_it_gives_for_the_tensor(astronaut, save, tmp_path):
    torch.manual_seed(0)
    network = SRResNet(1, 4, scale=2).eval()
    nn.init.constant_(network.tail.bias, 0.5)
    lr = to_uint8(astronaut[0, :, 60:130, 200:300])
    source = save("lr.png", lr.permute(1, 2, 0).numpy())
    whole, tiled = run(source, tmp_path / "whole.png", network), run(source, tmp_path / "tiled.png", network, tile=40)
    truth = to_uint8(upscale(network, lr[None] / 255))[0].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels(whole), truth)
    assert np.abs(pixels(tiled).astype(int) - truth).max() <= 1


# --- transparency ---


def test_alpha_is_enlarged_by_bicubic_interpolation_and_colours_that_show_stay(rgb, save, tmp_path):
    alpha = np.random.default_rng(1).integers(1, 256, rgb.shape[:2], dtype=np.uint8)
    for kind in ("png", "tif", "webp"):
        source = save(f"lr.{kind}", np.dstack([rgb, alpha]), **({"lossless": True} if kind == "webp" else {}))
        for tile in (None, 6):
            sr = pixels(run(source, tmp_path / f"sr.{kind}", tile=tile, overlap=4, force=True))
            shown = sr[..., 3] > 0  # WebP keeps no others
            assert np.array_equal(sr[shown, :3], enlarged(rgb)[shown])
            truth = to_uint8(upsample(torch.from_numpy(alpha)[None, None] / 255, 2))[0, 0].numpy()
            assert np.abs(sr[..., 3].astype(int) - truth).max() <= 1


def disc(softness, kind):
    """Something that shows in the middle of black-transparent pixels, ``(64, 64, 4)``."""
    rows, columns = np.mgrid[:64, :64]
    alpha = np.clip((24 - np.hypot(rows - 31.5, columns - 31.5)) / softness, 0, 1)
    white = np.full((64, 64, 3), 255) if kind == "white" else data.astronaut()[100:164, 200:264]
    return np.dstack([white * (alpha > 0)[..., None], alpha * 255]).round().astype(np.uint8)


@pytest.mark.parametrize(("softness", "kind", "most"), [(6, "white", 2), (1, "photo", 18)])
def test_what_is_hidden_gives_no_halo(softness, kind, most, tmp_path):
    """As Pillow enlarges RGBA, premultiplied; without care the edge is dark by up to 160 levels."""
    lr = Image.fromarray(disc(softness, kind))
    lr.save(tmp_path / "lr.png")

    def seen(image):
        canvas = Image.new("RGBA", image.size, "black" if kind == "white" else "white")
        return np.asarray(Image.alpha_composite(canvas, image))[..., :3].astype(int)

    truth = seen(lr.resize((256, 256), Image.Resampling.BICUBIC))
    upscalers = [(lambda lr: upsample(lr, 4), most)]
    if kind == "white":
        upscalers.append((load_shipped()["SRGAN"], most + 3))
    for upscaler, limit in upscalers:
        made = upscale_file(tmp_path / "lr.png", tmp_path / "sr.png", upscaler, 4, force=True, tile=32, progress=False)
        assert np.abs(seen(Image.open(made)) - truth).max() <= limit


@pytest.mark.parametrize("bands", [2, 4])
def test_hidden_colours_of_16_bits_and_grey_give_no_halo(bands, tmp_path):
    levels = (disc(6, "white")[..., [0, 3] if bands == 2 else [0, 1, 2, 3]].astype(np.uint16)) * 257
    source = tmp_path / "lr.png"
    pyvips.Image.new_from_array(levels).copy(interpretation="grey16" if bands == 2 else "rgb16").pngsave(str(source))
    sr = pixels(run(source, tmp_path / "sr.png", bicubic)).astype(int)
    assert sr[..., -1].max() == 65535
    assert sr[..., :-1][sr[..., -1] > 600].min() > 65000


# --- kinds of files ---


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_16_bits_a_channel_stay_16_bits(bands, suffix, tmp_path):
    levels = np.random.default_rng(0).integers(0, 65536, (9, 12, bands), dtype=np.uint16)
    kind = "grey16" if bands < 3 else "rgb16"
    source = tmp_path / f"lr{suffix}"
    pyvips.Image.new_from_array(levels).copy(interpretation=kind).write_to_file(str(source))
    sr = pyvips.Image.new_from_file(str(run(source, tmp_path / f"sr{suffix}")))
    assert (sr.format, sr.bands, sr.interpretation) == ("ushort", bands, kind)
    colours = bands - (bands in (2, 4))
    got = sr.numpy().reshape(18, 24, bands)[..., :colours].astype(int)
    assert np.abs(got - enlarged(levels)[..., :colours]).max() <= (1 if colours == 1 else 0)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("with_profile", [False, True])
def test_cmyk_pixels_are_those_that_the_rest_of_srlab_reads(suffix, with_profile, tmp_path):
    """Evaluating a CMYK file and upscaling it start from the same pixels."""
    inks = np.random.default_rng(0).integers(0, 256, (9, 14, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A maker", 6
    source = tmp_path / f"lr{suffix}"
    profile = {"icc_profile": pyvips.Operation.call("profile_load", "cmyk")} if with_profile else {}
    Image.fromarray(inks, "CMYK").save(source, exif=exif, **profile)
    target = run(source, tmp_path / "sr.png")
    lr = to_uint8(read_image(source)).permute(1, 2, 0).numpy()
    assert lr.shape == (14, 9, 3)
    assert np.array_equal(pixels(target), enlarged(lr))
    with Image.open(target) as sr:
        assert "icc_profile" not in sr.info  # the profile of the inks says nothing of RGB
        assert suffix == ".tif" or sr.getexif()[0x010F] == "A maker"
    if with_profile:
        naive = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB").transpose(Image.Transpose.ROTATE_270))
        assert np.abs(lr.astype(int) - naive).mean() > 5


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_exif_and_the_colour_profile_are_kept(suffix, rgb, save, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x8298], exif[0x0112] = "A maker", "A person", 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = save("lr.jpg", rgb, exif=exif, icc_profile=profile)
    with Image.open(run(source, tmp_path / f"sr{suffix}")) as sr:
        kept = sr.getexif()
        assert kept.get(0x0112, 1) == 1
        assert suffix == ".tif" or (kept[0x010F], kept[0x8298]) == ("A maker", "A person")
        assert sr.info["icc_profile"] == profile
        assert sr.size == (42, 68)
        lr = to_uint8(read_image(source)).permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(sr).astype(int) - enlarged(lr)).mean() < 8


def test_that_a_tiff_loses_the_exif_is_said_where_there_is_some(rgb, save, tmp_path, capsys):
    exif = Image.Exif()
    exif[0x8298] = "A person"
    for target, options, lines in (("sr.tif", {}, 0), ("sr.tif", {"exif": exif}, 1), ("sr.png", {"exif": exif}, 0)):
        source = save("lr.webp", rgb, **options)
        run(source, tmp_path / target, force=True)
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", lines)
        assert lines == 0 or said.err.startswith(f"The EXIF entries of {source} are not kept in TIFF")


# --- targets ---


def test_a_target_is_replaced_only_with_force_and_the_source_never(rgb, save, tmp_path):
    source, target = save("lr.png", rgb), tmp_path / "sr.png"
    target.write_bytes(b"mine")
    with pytest.raises(SrlabError, match=r"sr\.png exists already.*--force"):
        run(source, target)
    assert target.read_bytes() == b"mine"
    assert np.array_equal(pixels(run(source, target, force=True)), enlarged(rgb))
    (tmp_path / "link.png").symlink_to(source)
    (tmp_path / "hard.png").hardlink_to(source)
    (tmp_path / "beside").symlink_to(tmp_path)
    for itself in ("lr.png", "link.png", "hard.png", "beside/lr.png", "new/../lr.png"):
        with pytest.raises(SrlabError, match="would be replaced by its own enlargement"):
            run(source, tmp_path / itself, force=True)
    assert np.array_equal(pixels(source), rgb)
    nothing_else_in(tmp_path, "lr.png", "sr.png", "link.png", "hard.png", "beside")


def test_done_again_with_another_source_or_upscaler_a_target_is_new(rgb, save, tmp_path):
    """The library remembers what it loaded by the name of the file."""
    target = tmp_path / "sr.png"
    for levels, upscaler in ((rgb, double), (255 - rgb, double), (255 - rgb, lambda lr: 1 - double(lr))):
        run(save("lr.png", levels), target, upscaler, force=True)
        assert np.array_equal(pixels(target), enlarged(rgb if upscaler is not double else levels))


def test_a_format_that_cannot_hold_the_image_is_refused_before_the_work(rgb, save, tmp_path):
    clear, deep = save("clear.png", np.dstack([rgb, rgb[..., 0]])), tmp_path / "deep.png"
    pyvips.Image.new_from_array(np.full((4, 4, 3), 40_000, np.uint16)).copy(interpretation="rgb16").pngsave(str(deep))
    (tmp_path / "folder.png").mkdir()
    for source, name, said in (
        (clear, "sr.jpg", r"has transparency, which sr\.jpg cannot hold; write a PNG or TIFF"),
        (deep, "sr.jpeg", "has 16 bits a channel, which .* cannot hold; write a PNG or TIFF"),
        (deep, "sr.webp", "has 16 bits a channel, which .* cannot hold; write a PNG or TIFF"),
        (clear, "sr.gif", r"Cannot write sr\.gif: end its name in \.png, \.tif"),
        (clear, "folder.png", "is a folder"),
    ):
        with pytest.raises(SrlabError, match=said):
            run(source, tmp_path / name, None, force=True)


@pytest.mark.parametrize(("name", "side"), [("sr.jpeg", 65500), ("sr.webp", 16383)])
def test_a_side_beyond_what_the_format_holds_is_refused_before_the_work(name, side, save, tmp_path):
    for turned in (False, True):
        levels = np.zeros((1, side // 2 + 1), np.uint8)
        source = save("lr.png", levels.T if turned else levels)
        with pytest.raises(SrlabError, match=rf"has \d+ enlarged pixels a side, which {name} cannot hold; write a PNG"):
            run(source, tmp_path / name, None)
    source = save("lr.png", np.zeros((1, side // 2), np.uint8))
    assert pixels(run(source, tmp_path / name)).shape[1] == side // 2 * 2


def test_a_result_beyond_the_disk_is_refused_before_the_work(rgb, save, tmp_path):
    said = r"sr\.png \(34000000x21000000 pixels\) needs .* GB, and the disk of .* too little free"
    with pytest.raises(SrlabError, match=said):
        upscale_file(save("lr.png", rgb), tmp_path / "new" / "sr.png", None, 10**6)
    nothing_else_in(tmp_path, "lr.png")


# --- failures on the way ---


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SrlabError])
def test_whatever_stops_the_work_leaves_no_files(error, rgb, save, tmp_path):
    calls = []

    def stopped(lr):
        calls.append(sorted(path.name for path in tmp_path.iterdir()))
        if len(calls) > 2:
            raise error("enough")
        return double(lr)

    with pytest.raises(error):
        run(save("lr.png", rgb), tmp_path / "sr.png", stopped, tile=12, overlap=2)
    assert calls[-1] == [f".sr.png.{os.getpid()}.part", f".sr.png.pixels.{os.getpid()}.part", "lr.png"]
    nothing_else_in(tmp_path, "lr.png")


@pytest.mark.parametrize("room", [4 * 21 * 34 * 3 + 10, 1000])
def test_no_space_is_one_sentence(room, rgb, save, tmp_path):
    """A limit on file sizes stands for a full disk: it stops the PNG, which noise makes large, then the pixels."""
    resource = pytest.importorskip("resource")
    source, before = save("lr.png", rgb), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(SrlabError, match=r"^Could not write .*sr\.png \("):
            run(source, tmp_path / "sr.png", lambda lr: torch.rand(1, 3, 2 * lr.shape[2], 2 * lr.shape[3]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    nothing_else_in(tmp_path, "lr.png")


def test_a_full_temporary_folder_is_not_called_a_damaged_photo(rgb, save, tmp_path, monkeypatch):
    """libvips decodes what is larger than 100 MB into a file there."""

    def full(image):
        raise pyvips.Error("unable to call", "wbuffer_write: write failed\nsystem error: No space left on device")

    monkeypatch.setattr(pyvips.Image, "numpy", full)
    with pytest.raises(SrlabError, match=r"could not be decoded into .*, which is full; free some space there"):
        run(save("lr.png", rgb), tmp_path / "sr.png")
    nothing_else_in(tmp_path, "lr.png")


def test_what_a_killed_process_left_is_removed_and_nothing_else(rgb, save, tmp_path):
    dead = 2**31 - 1  # a number that no process has
    kept = [f".sr.png.pixels.{os.getppid()}.part", f".other.png.pixels.{dead}.part"]
    for name in (f".sr.png.pixels.{dead}.part", *kept):
        (tmp_path / name).touch()
    run(save("lr.png", rgb), tmp_path / "sr.png")
    nothing_else_in(tmp_path, "lr.png", "sr.png", *kept)


# --- folders ---


def test_every_image_of_a_folder_becomes_a_png(rgb, save, tmp_path):
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
    assert Image.open(out / "b.png").mode == "L"
    assert np.array_equal(pixels(out / "b.png"), enlarged(rgb[..., 0]))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow on broken EXIF
def test_no_file_however_odd_ends_a_folder(rgb, tmp_path):
    tiny = struct.pack("<2sIHHI", b"BM", 30, 0, 0, 26) + struct.pack("<IHHHH", 12, 1, 1, 1, 24) + bytes(4)
    for length in range(0, 31, 2):
        (tmp_path / f"{length}.bmp").write_bytes(tiny[:length])
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    for place in range(6, len(exif.tobytes())):
        broken = bytearray(exif.tobytes())
        broken[place] ^= 7
        Image.fromarray(rgb[:4, :4]).convert("CMYK").save(tmp_path / f"exif{place}.jpg", exif=bytes(broken))
    summary = upscale_folder(tmp_path, tmp_path / "out", double, 2, progress=False)
    assert {"30.png", "exif6.png"} <= {path.name for path in summary.written}
    assert {"0.bmp", "28.bmp"} <= {path.name for path, _ in summary.failed}
    assert len(summary.written) + len(summary.failed) == len(list(tmp_path.glob("*.*")))


def test_a_folder_that_cannot_be_enlarged_whole_is_refused_before_the_work(rgb, save, tmp_path):
    def refused(target, said):
        with pytest.raises(SrlabError, match=said):
            upscale_folder(tmp_path, target, None, 2, force=True)

    refused(tmp_path / "out", "There are no images in")
    save("a.png", rgb)
    (tmp_path / "in_the_way").write_bytes(b"mine")
    refused(tmp_path / "in_the_way", "in_the_way is a file, but the results of a folder go into a folder")
    for itself in (".", "new/..", "../" + tmp_path.name):
        refused(Path(f"{tmp_path}/{itself}"), "cannot go into the folder of their sources")
    save("a.tif", rgb)
    refused(tmp_path / "out", r"a\.png and a\.tif would both become a\.png")
    nothing_else_in(tmp_path, "a.png", "a.tif", "in_the_way")


def test_a_folder_that_was_stopped_goes_on_with_what_is_missing(rgb, save, tmp_path):
    save("a.png", rgb)
    save("b.png", rgb)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    summary = upscale_folder(tmp_path, out, double, 2, progress=False)
    assert [path.name for path in summary.written] == ["b.png"]
    assert (summary.present, summary.failed) == ([out / "a.png"], [])
    assert (out / "a.png").read_bytes() == b"mine"
    summary = upscale_folder(tmp_path, out, double, 2, force=True, progress=False)
    assert [path.name for path in summary.written] == ["a.png", "b.png"]
    assert np.array_equal(pixels(out / "a.png"), enlarged(rgb))
