"""Test srlab.data.datasets: the bundled photos, folders with and without LR, and one sentence per mistake."""

import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab import Degradation, ImageSet, load_images
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab.upscale_files import results_of_folder

BLIND = Degradation(blur=(0.2, 3.0), noise=(0.01, 0.08), jpeg=(30, 95))


def save(path, height=8, width=12, gray=False, seed=0):
    shape = (height, width) if gray else (height, width, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


def noise_set(*sizes):
    """Return noise images named a, b, c, d; b is gray."""
    random = torch.Generator().manual_seed(0)
    images = {
        name: torch.randint(256, (3, *size), generator=random, dtype=torch.uint8)
        for name, size in zip("abcd", sizes, strict=False)
    }
    return ImageSet.from_images("mine", images, gray={"b"} & images.keys())


def test_bundled_photos(astronaut):
    train, validation = srlab.bundled_photos("train"), srlab.bundled_photos("validation")
    assert len({image.numpy().tobytes() for image in train.hr + validation.hr}) == 16
    assert validation.names == ["astronaut", "chelsea", "text", "brick"]
    assert not set(train.names) & set(validation.names)
    assert torch.equal(validation["astronaut"], astronaut)
    assert train.gray | validation.gray == {"brick", "text", "camera", "grass", "gravel", "page"}


# --- ImageSet ------------------------------------------------------------------------------------------------


def test_parts_of_a_set_share_its_pixels(capsys):
    images = noise_set((33, 42), (32, 63), (20, 95))
    images.lr = ImageSet.from_images("lr", dict(zip("abc", (hr[:, :1, :1] for hr in images.hr), strict=True)))
    part = images.subset("b", "a")
    assert (part.names, part.gray, images.subset("a").gray) == (["b", "a"], {"b"}, frozenset())
    assert torch.equal(part["b"], images.hr[1][None] / 255)
    assert torch.equal(part.lr_of("b"), images.lr_of("b"))
    assert images.at_least(32).names == ["a", "b"]
    assert "Left out of mine" in (said := capsys.readouterr().out)
    assert said.endswith("32 x 32 pixels: c.\n")
    assert images.at_least(20) is images
    images.lr = part.lr = None
    for shared in (part, images.with_lr(Degradation(), 4)):
        for pixels in (shared.pixels, srlab.PatchSampler(part, patch=8, batch=1)._pixels, *shared.hr):
            assert pixels.untyped_storage().data_ptr() == images.pixels.data_ptr()


def test_fingerprint():
    reference, pixel, name = (noise_set((4, 5), (6, 3)) for _ in range(3))
    assert pixel.fingerprint() == reference.fingerprint() == "b1fae77192707b47"
    pixel.hr[1][2, 5, 2] += 1
    name.names[0] = "z"
    shape = ImageSet("mine", ["a", "b"], reference.pixels, [(5, 4), (6, 3)])
    assert len({images.fingerprint() for images in (reference, pixel, name, shape)}) == 4


def test_center_crop():
    images = noise_set((7, 10), (3, 9)).with_lr(Degradation(), 1).center_crop(4)
    assert torch.equal(images.hr[0], noise_set((7, 10)).hr[0][:, 1:5, 3:7])
    assert images.hr[1].shape == (3, 3, 4)
    assert (images.name, images.names, images.lr, images.gray) == ("mine center 4", ["a", "b"], None, {"b"})


def test_with_lr_makes_lr_once():
    images = noise_set((33, 42), (20, 23))
    for degradation in (Degradation(), Degradation("nearest")):
        pairs = images.with_lr(degradation, 4)
        for name, hr in pairs:
            assert torch.equal(pairs.lr_of(name), srlab.downsample(srlab.mod_crop(hr, 4), 4, degradation.method))
    assert images.lr_of("a") is None
    assert pairs.with_lr(BLIND, 4) is pairs
    twice = ImageSet.from_images("twice", dict.fromkeys("ab", images.hr[0]))
    one, again, other = (twice.with_lr(BLIND, 4, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.lr.pixels, again.lr.pixels)
    assert not torch.equal(one.lr.hr[0], other.lr.hr[0])
    assert not torch.equal(one.lr.hr[0], one.lr.hr[1])
    assert one.fingerprint() == twice.fingerprint()
    made = srlab.evaluate(lambda lr: srlab.upsample(lr, 4), twice, degradation=BLIND)
    assert made.equals(srlab.evaluate(lambda lr: srlab.upsample(lr, 4), one))


# --- Folders -------------------------------------------------------------------------------------------------

# Files, their image names, and the files that are left out.
TREES = {
    "color, gray and other files": ("b.png gray.JPG notes.gif sub.png/notes.gif", "b gray", ""),
    "images on several levels": ("a.png crops/b.png crops/old/c.png", "a crops-b crops-old-c", ""),
    "a folder per class, as FFHQ": ("0/face.png 0/other.png 1/face.png", "0-face 0-other 1-face", ""),
    "hidden files and recycle bins": ("a.png .b.png .Trash-1000/d.png #recycle/b.png x/@eaDir/d.png", "a", ""),
    "HR of several kinds": ("HR/a.png original/a.png b.png", "a", "2 images in set, set/original"),
    "HR and a folder without the mark LR": ("HR/a.png X4/a.png", "a", "1 images in set/X4"),
    "LR only": ("LR_bicubic/X4/ax4.png LR_bicubic/X4/bx4.png", "ax4 bx4", ""),
    "a scale in the name of an image": ("poster_x4.png vertex2.png", "poster_x4 vertex2", ""),
}


@pytest.mark.parametrize(("files", "names", "left_out"), TREES.values(), ids=TREES)
def test_nested_folders(tmp_path, capsys, files, names, left_out):
    for seed, name in enumerate(files.split()):
        save(tmp_path / "set" / name, gray="gray" in name, seed=seed)
    images = load_images(tmp_path / "set")
    assert (" ".join(images.names), images.lr, images.gray) == (names, None, {"gray"} & set(images.names))
    assert len({image.numpy().tobytes() for image in images.hr}) == len(images)
    assert capsys.readouterr().out == (f"Left out of set: {left_out}.\n" if left_out else "")


def test_tiff_files_in_a_folder_are_named(tmp_path, capsys):
    save(tmp_path / "a.png")
    for name in ("b.tif", "c.TIFF"):
        save(tmp_path / name)
    assert load_images(tmp_path).names == ["a"]
    assert list(results_of_folder(tmp_path, tmp_path / "sr")) == [tmp_path / "a.png"]
    assert capsys.readouterr().err == 2 * f"Left out: b.tif, c.TIFF in {tmp_path}. Save a TIFF as PNG first.\n"


def test_symlinked_folders(tmp_path):
    save(tmp_path / "one" / "a.png")
    save(tmp_path / "set" / "b" / "c.png")
    (tmp_path / "set" / "one").symlink_to("../one")
    (tmp_path / "set" / "b" / "loop").symlink_to("..")
    assert load_images(tmp_path / "set").names == ["b-c", "one-a"]


# Paths of HR, LR, and ignored images of another scale or kind; NAME is the image name.
NFC, NFD = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))  # macOS decomposes accents
PAIRS = {
    "this course": ("HR/NAME", "LRx4/NAME", "LRx2/NAME"),
    "EDSR": ("HR/NAME", "LR_bicubic/X4/NAMEx4", "LR_bicubic/X2/NAMEx2"),
    "DIV2K": ("DIV2K_valid_HR/NAME", "DIV2K_valid_LR_bicubic/X4/NAMEx4", "DIV2K_valid_LR_bicubic/X2/NAMEx2"),
    "SelfExSR": ("image_SRF_4/NAME_SRF_4_HR", "image_SRF_4/NAME_SRF_4_LR", ""),
    "RealSR": ("HR/NAME_HR", "LR/NAME_LR4", "LR/NAME_LR2"),
    "BasicSR": ("GTmod12/NAME", "LRbicx4/NAME", "original/NAME"),
    "LR below HR": ("NAME", "LRx4/NAME", "LRx2/NAME"),
    "accents": (f"HR/NAME{NFC}", f"LR/NAME{NFD}", ""),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_hr_and_lr(tmp_path, capsys, monkeypatch, name):
    hr, lr, other = PAIRS[name]
    for seed, image in enumerate(("4", "bird")):
        for number, (path, height, width) in enumerate(((hr, 17, 22), (lr, 4, 5), (other, 8, 11))):
            if path:
                save(tmp_path / "set" / f"{path.replace('NAME', image)}.png", height, width, seed=10 * number + seed)
    for cache_from in (100, 2) if name == "EDSR" else (100,):
        monkeypatch.setattr(datasets, "CACHE_FROM", cache_from)
        images = load_images(tmp_path / "set")
        assert len(images) == 2
        for seed, (name, image) in enumerate(images):
            assert image.shape[2:] == (17, 22)
            pixels = np.random.default_rng(10 + seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
            assert torch.equal(images.lr_of(name)[0].permute(1, 2, 0), torch.from_numpy(pixels) / 255)
        assert ("Left out of set: 2 images in set" in capsys.readouterr().out) == bool(other)


@pytest.mark.parametrize(("large", "small"), [("b", "a/deep"), ("", "small")])
def test_lr_images_without_a_mark_are_no_hr_images(tmp_path, large, small):
    for name in ("1.png", "2.jpg"):
        save(tmp_path / "set" / large / name, 17, 22)
        save(tmp_path / "set" / small / name, 4, 6)  # as MATLAB rounds
    for scale in (1, 4):
        with pytest.raises(SrlabError, match=f"The images in .*/set/{small} seem to be the LR images of others"):
            load_images(tmp_path / "set", scale)
    save(tmp_path / "set" / small / "3.png", 4, 5)  # no copy of another
    assert len(load_images(tmp_path / "set")) == 5


REFUSED = [
    (lambda path: srlab.bundled_photos("test"), "'test'.*train, validation"),
    (lambda path: noise_set((4, 5))["c"], "'c' not found in mine.* a"),
    (lambda path: noise_set((95, 99)).at_least(96), "No image in mine has at least 96 x 96 pixels"),
    (lambda path: noise_set((4, 5)).center_crop(0), "at least 1 pixel"),
    (lambda path: noise_set((3, 42)).with_lr(Degradation(), 4), "'a' of mine: .*42x3.*scale 4"),
    (lambda path: srlab.PatchSampler(noise_set((9, 9)).with_lr(Degradation(), 4), patch=8), "mine has LR images"),
    (lambda path: load_images(path / "nowhere"), "Cannot read the folder .*nowhere"),
    (lambda path: load_images(path / "empty"), r"No images found in .*empty.*\.png"),
    (lambda path: load_images(path / "twice"), r"several images named cat\."),
    (lambda path: load_images(path / "torn"), r"a\.png is damaged"),
    (lambda path: load_images(path / "unpaired"), "unpaired has no LR image for bird"),
    (lambda path: load_images(path / "unfit"), "'bird' in .* is 5x5, .* 1/4"),
]


@pytest.mark.parametrize(("call", "said"), REFUSED)
def test_unusable_set_is_rejected(tmp_path, call, said):
    (tmp_path / "empty").mkdir()
    for name in ("twice/cat.png", "twice/cat.jpg", "twice/dog.png", "torn/a.png"):
        save(tmp_path / name)
    (tmp_path / "torn" / "a.png").write_bytes((tmp_path / "torn" / "a.png").read_bytes()[:99])
    for name in ("unpaired/HR/baby.png", "unpaired/HR/bird.png", "unfit/HR/bird.png"):
        save(tmp_path / name, 17, 22)
    save(tmp_path / "unpaired" / "LRx4" / "baby.png", 4, 5)
    save(tmp_path / "unfit" / "LRx4" / "bird.png", 5, 5)
    with pytest.raises(SrlabError, match=said):
        call(tmp_path)
