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

# Files, their image names, and what is left out.
TREES = {
    "color and gray": ("b.png gray.JPG", "b gray", ""),
    "other files": ("b.png c.jfif notes.gif old.tga", "b c", "notes.gif, old.tga (only .png,"),
    "subfolders": ("a.png crops/2024/a.jpg sub.png/c.tif", "a crops/2024/a sub.png/c", ""),
    "hidden files and recycle bins": ("a.png .b.png .Trash-1000/d.png #recycle/b.png @eaDir/d.png", "a", ""),
    "HR": ("HR/a.png HR/.b.png", "a", ""),
    "next to HR": (
        "HR/a.png HR/old/a.png LR/a.png b.png",
        "a old/a",
        "LR, b.png (not in HR).",
    ),
    "HR next to LRx4": ("a.png LRx4/a.png", "a", "LRx4/a.png (named like LR images or results of"),
    "pairs in a subfolder": ("x/HR/a.png x/LRx4/a.png", "x/HR/a", "x/LRx4/a.png (named like LR images or"),
    "as DIV2K": ("HR_a/1.png DIV2K_LR_x/X4/1.png X2/1.png", "HR_a/1", "DIV2K_LR_x/X4/1.png, X2/1.png (named like LR"),
    "results": ("a.png a_x4.png b/c.png b_x2/c.png", "a b/c", "a_x4.png, b_x2/c.png (named like LR images or"),
    "LR only": ("1_LR.png 2_LR.png", "1_LR 2_LR", ""),
    "a scale in the name of an image": ("poster_x4.png vertex2.png", "poster_x4 vertex2", ""),
}


@pytest.mark.parametrize(("files", "names", "left_out"), TREES.values(), ids=TREES)
def test_folder_of_images(tmp_path, capsys, files, names, left_out):
    for seed, name in enumerate(files.split()):
        save(tmp_path / "set" / name, gray="gray" in name, seed=seed)
    images = load_images(tmp_path / "set")
    assert (" ".join(images.names), images.lr, images.gray) == (names, None, {"gray"} & set(images.names))
    first = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)  # the first file is always read
    assert torch.equal(images.hr[0], torch.from_numpy(first).permute(2, 0, 1))
    said = capsys.readouterr().out
    assert said.startswith(f"Left out of set: {left_out}" if left_out else "")
    assert said.count("\n") == bool(left_out)


def test_links_to_folders_are_read_once(tmp_path):
    save(tmp_path / "disk" / "a.png")
    save(tmp_path / "set" / "b.png")
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "disk")
    (tmp_path / "set" / "circle").symlink_to(tmp_path / "set")
    assert load_images(tmp_path / "set").names == ["b", "linked/a"]


def test_folder_below_too_many_others_is_not_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "DEEPEST", 2)
    for folder in (".", "a", "a/b", "a/b/c"):
        save(tmp_path / folder / "x.png")
    assert load_images(tmp_path).names == ["a/b/x", "a/x", "x"]
    assert "c" in capsys.readouterr().out


@pytest.mark.parametrize("cache_from", [100, 2])
def test_what_is_not_used_from_files_is_named_once(tmp_path, capsys, monkeypatch, cache_from):
    monkeypatch.setattr(datasets, "CACHE_FROM", cache_from)
    (tmp_path / "set").mkdir()
    one = Image.new("RGB", (12, 8))
    for index in range(9):
        one.save(tmp_path / "set" / f"PXL_{index}.jpg", "MPO", save_all=True, append_images=[one])
    one.convert("RGBA").save(tmp_path / "set" / "opaque.png")
    Image.new("RGBA", (12, 8), (9, 9, 9, 9)).save(tmp_path / "set" / "logo.png")
    load_images(tmp_path / "set")
    line = "Not used: all images but the first (PXL_0.jpg, PXL_1.jpg, PXL_2.jpg and 6 more); "
    line += "transparency, now white (logo.png).\n"
    assert [text for text in capsys.readouterr().err.splitlines(True) if "Not used" in text] == [line]


NFC, NFD = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))  # macOS decomposes accents


@pytest.mark.parametrize("cache_from", [100, 2])
def test_pairs_of_hr_and_lr(tmp_path, capsys, monkeypatch, cache_from):
    monkeypatch.setattr(datasets, "CACHE_FROM", cache_from)
    for seed, (hr, lr) in enumerate((("4", "4"), (f"bird{NFC}", f"bird{NFD}"))):
        save(tmp_path / "set" / "HR" / f"{hr}.png", 17, 22, seed=seed)
        save(tmp_path / "set" / "LRx4" / f"{lr}.png", 4, 5, seed=10 + seed)
        save(tmp_path / "set" / "LRx2" / f"{hr}.png", 8, 11, seed=20 + seed)
    images = load_images(tmp_path / "set")
    assert images.names == ["4", f"bird{NFC}"]
    for seed, (name, image) in enumerate(images):
        assert image.shape[2:] == (17, 22)
        pixels = np.random.default_rng(10 + seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        assert torch.equal(images.lr_of(name)[0].permute(1, 2, 0), torch.from_numpy(pixels) / 255)
    said = capsys.readouterr().out
    assert "Left out of set: LRx2 (not in HR or LRx4).\n" in said
    assert load_images(tmp_path / "set", scale=2).lr.sizes == [(8, 11)] * 2


@pytest.mark.parametrize(("hr", "lr"), [("NAME_HR", "NAME_LR"), ("NAME", "NAMEx4"), ("NAME-gt", "NAME-lq4")])
def test_hr_and_lr_in_one_folder_are_rejected(tmp_path, hr, lr):
    for name in ("1", "2"):
        save(tmp_path / "set" / f"{hr.replace('NAME', name)}.png", 17, 22)
        save(tmp_path / "set" / f"{lr.replace('NAME', name)}.png", 4, 5)
    mixed = lr.replace("NAME", "1")
    with pytest.raises(SrlabError, match=f"set mixes HR .* such as {mixed}. Put them into two folders, HR and LRx4"):
        load_images(tmp_path / "set")


REFUSED = [
    (lambda path: srlab.bundled_photos("test"), "'test'.*train, validation"),
    (lambda path: noise_set((4, 5))["c"], "'c' not found in mine.* a"),
    (lambda path: noise_set((95, 99)).at_least(96), "No image in mine has at least 96 x 96 pixels"),
    (lambda path: noise_set((4, 5)).center_crop(0), "at least 1 pixel"),
    (lambda path: noise_set((3, 42)).with_lr(Degradation(), 4), "'a' of mine: .*42x3.*scale 4"),
    (lambda path: load_images(path / "nowhere"), "Cannot read the folder .*nowhere"),
    (lambda path: load_images(path / "empty"), r"No images found in .*empty. Their names must end in \.png"),
    (lambda path: load_images(path / "twice"), r"several images named cat\."),
    (lambda path: load_images(path / "torn"), r"a\.png cannot be read .*Replace the file if it is damaged"),
    (
        lambda path: load_images(path / "unpaired"),
        "unpaired has no pair for bird, owl. Use the same names in HR and LRx4",
    ),
    (lambda path: load_images(path / "unfit"), "'bird' of unfit is 5x5, .* 1/4"),
]


@pytest.mark.parametrize(("call", "said"), REFUSED)
def test_unusable_set_is_rejected(tmp_path, call, said):
    save(tmp_path / "empty" / ".sub" / "a.png")
    for name in ("twice/cat.png", "twice/cat.jpg", "twice/dog.png", "torn/a.png"):
        save(tmp_path / name)
    (tmp_path / "torn" / "a.png").write_bytes((tmp_path / "torn" / "a.png").read_bytes()[:99])
    for name in ("unpaired/HR/baby.png", "unpaired/HR/bird.png", "unfit/HR/bird.png"):
        save(tmp_path / name, 17, 22)
    for name in ("baby", "owl"):
        save(tmp_path / "unpaired" / "LRx4" / f"{name}.png", 4, 5)
    save(tmp_path / "unfit" / "LRx4" / "bird.png", 5, 5)
    with pytest.raises(SrlabError, match=said):
        call(tmp_path)
