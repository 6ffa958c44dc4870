"""srlab.data.datasets: the embedded photos, folders and benchmark sets, and one clear sentence for each thing amiss."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data import datasets
from srlab.data.degradation import Degradation
from srlab.data.images import mod_crop, quantize
from srlab.data.patches import PatchSampler
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.scoring import evaluate


def save(path, height=8, width=12, grey=False, seed=0):
    shape = (height, width) if grey else (height, width, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


# --- Embedded photos -----------------------------------------------------------------------------------------


def test_sixteen_photos_come_without_a_download_and_four_of_them_are_never_trained_on(astronaut):
    train, validation = datasets.photos("train"), datasets.photos("validation")
    assert len({image.numpy().tobytes() for image in train.hr + validation.hr}) == 16
    assert all(image.dtype == torch.uint8 and image.shape[0] == 3 for image in train.hr + validation.hr)
    assert validation.names == ["astronaut", "chelsea", "text", "brick"]
    assert not set(train.names) & set(validation.names)
    assert torch.equal(validation["astronaut"], astronaut)
    assert validation.grey == {"brick", "text"}
    assert "camera" in train.grey
    assert "coffee" not in train.grey
    assert all(torch.equal(train[name][:, 0], train[name][:, 2]) for name in train.grey)


# --- ImageSet ------------------------------------------------------------------------------------------------


def small_set():
    images = [torch.full((3, 4, 5), 10, dtype=torch.uint8), torch.full((3, 6, 3), 20, dtype=torch.uint8)]
    return datasets.ImageSet("two", ["a", "b"], images, grey=frozenset({"b"}))


def test_images_without_room_for_a_patch_are_left_out_with_a_word(capsys):
    hr = [torch.zeros(3, *size, dtype=torch.uint8) for size in ((96, 96), (95, 200), (200, 95), (100, 300))]
    images = datasets.ImageSet("mine", ["a", "b", "c", "d"], hr)
    assert images.at_least(96).names == ["a", "d"]
    assert capsys.readouterr().out == "Left out of mine, as they are smaller than 96 x 96 pixels: b, c.\n"
    assert images.at_least(90) is images
    assert capsys.readouterr().out == ""
    with pytest.raises(SrlabError, match="No image of mine is 101 pixels wide and high"):
        images.at_least(101)


def test_an_image_is_a_float_batch_of_one_and_a_subset_keeps_order_lr_and_grey():
    images = small_set()
    images = replace(images, lr=[image[:, :1, :1] for image in images.hr])
    assert torch.equal(images["b"], torch.full((1, 3, 6, 3), 20 / 255))
    assert [name for name, image in images if image.shape[0] == 1] == ["a", "b"]
    part = images.subset("b", "a")
    assert (part.names, part.grey, images.subset("a").grey) == (["b", "a"], {"b"}, frozenset())
    assert torch.equal(part.lr_of("b"), images.lr_of("b"))


def test_the_fingerprint_changes_with_a_pixel_a_name_and_a_shape_only():
    reference = small_set().fingerprint()
    assert small_set().fingerprint() == reference
    pixel, name, shape = small_set(), small_set(), small_set()
    pixel.hr[1][2, 5, 2] += 1
    name.names[0] = "z"
    shape = replace(shape, hr=[shape.hr[0].reshape(3, 5, 4), shape.hr[1]])
    assert len({reference, pixel.fingerprint(), name.fingerprint(), shape.fingerprint()}) == 4


def test_a_centre_crop_takes_the_middle_and_keeps_what_is_smaller():
    image = torch.arange(3 * 7 * 10, dtype=torch.uint8).view(3, 7, 10)
    images = datasets.ImageSet("set", ["a"], [image], [image[:, :1, :2]], frozenset({"a"})).center_crop(4)
    assert torch.equal(images.hr[0], image[:, 1:5, 3:7])
    assert (images.name, images.names, images.lr, images.grey) == ("set centre 4", ["a"], None, {"a"})
    assert datasets.ImageSet("set", ["a"], [image]).center_crop(8).hr[0].shape == (3, 7, 8)


def test_a_set_holds_its_pixels_once_and_parts_and_samplers_take_them_as_they_are():
    images = textured_set()
    for part in (images, images.subset("image 1"), images.with_lr(Degradation(), 4)):
        for pixels in (part.pixels, PatchSampler(replace(part, lr=None), patch=8, batch=1)._pixels, *part.hr):
            assert pixels.untyped_storage().data_ptr() == images.pixels.data_ptr()


def test_validation_and_training_see_the_same_pixels_of_a_set_that_was_changed():
    images = textured_set(1)
    with pytest.raises(FrozenInstanceError):
        images.hr = []
    for white in (torch.full((3, 33, 42), 255, dtype=torch.uint8), torch.ones(33, 42, 3).byte().permute(2, 0, 1) * 255):
        changed = replace(images, hr=[white])
        assert changed["image 0"].min() == next(PatchSampler(changed, patch=8, batch=1))[1].min() == 1
        assert changed.fingerprint() != images.fingerprint()


# --- LR images made once -------------------------------------------------------------------------------------

BLIND = Degradation(blur=(0.2, 3.0), noise=(0.01, 0.08), jpeg=(30, 95))


def textured_set(count=3, height=33, width=42):
    random = torch.Generator().manual_seed(0)
    images = [torch.randint(256, (3, height, width), generator=random, dtype=torch.uint8) for _ in range(count)]
    return datasets.ImageSet("noise", [f"image {i}" for i in range(count)], images, grey=frozenset({"image 1"}))


def test_lr_made_once_is_the_degraded_multiple_of_the_scale_on_8_bit_levels():
    images = textured_set().with_lr(Degradation(), 4)
    assert all(lr.dtype == torch.uint8 and lr.shape == (3, 8, 10) for lr in images.lr)
    expected = quantize(downsample(mod_crop(textured_set()["image 2"], 4), 4))
    assert torch.equal(images.lr_of("image 2"), expected)
    assert images.with_lr(BLIND, 4) is images  # what came with the set is kept


def test_a_random_degradation_gives_pairs_that_follow_from_the_seed_and_each_image_its_own_draw():
    images = textured_set()
    images = replace(images, hr=[images.hr[0], images.hr[0], images.hr[2]])
    one, again, other = (images.with_lr(BLIND, 4, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.lr, again.lr, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one.lr, other.lr, strict=True))
    assert not torch.equal(one.lr[0], one.lr[1])
    assert images.lr is None
    assert (one.name, one.names, one.grey) == (images.name, images.names, images.grey)
    assert one.fingerprint() == images.fingerprint()
    assert torch.equal(one.subset("image 2").lr_of("image 2"), one.lr_of("image 2"))
    assert one.center_crop(16).lr is None


def test_scores_on_pairs_made_once_are_those_of_degrading_on_the_fly():
    images = textured_set()
    tables = [evaluate(lambda lr: upsample(lr, 4), images.with_lr(BLIND, 4, seed=seed)) for seed in (0, 1)]
    made = evaluate(lambda lr: upsample(lr, 4), images, degradation=BLIND)
    assert [made.equals(table) for table in tables] == [True, False]


# --- Folders and benchmark sets --------------------------------------------------------------------------------


def test_a_folder_gives_its_images_by_name_and_leaves_other_files(tmp_path):
    save(tmp_path / "set" / "b.png", seed=1)
    save(tmp_path / "set" / "a.JPG", grey=True)
    save(tmp_path / "set" / "below" / "c.png")
    save(tmp_path / "set" / ".hidden.png")
    (tmp_path / "set" / "notes.txt").write_text("no image")
    (tmp_path / "set" / "sub.png").mkdir()
    images = datasets.image_set(tmp_path / "set")
    assert (images.name, images.names, images.grey, images.lr) == ("set", ["a", "b"], {"a"}, None)
    assert [image.shape for image in images.hr] == [(3, 8, 12)] * 2


def test_folders_beside_images_are_left_out_with_a_word_and_an_empty_or_hidden_one_without(tmp_path, capsys):
    for name in ("a.png", "crops/b.png", "raw/c.png", ".thumbnails/d.png"):
        save(tmp_path / "mine" / name)
    (tmp_path / "mine" / "notes").mkdir()
    assert datasets.image_set(tmp_path / "mine").names == ["a"]
    assert "mine has images in these folders, too, which are left out: crops, raw. To take" in capsys.readouterr().out
    assert datasets.folder(tmp_path / "mine" / "crops").names == ["b"]
    assert capsys.readouterr().out == ""


def test_images_deeper_than_one_level_are_left_out_with_a_word(tmp_path, capsys):
    for name in ("a/1.png", "b/2.png", "b/c/3.png", "d/e/4.png"):
        save(tmp_path / "deep" / name)
    assert datasets.image_set(tmp_path / "deep").names == ["a-1", "b-2"]
    assert "which are left out: b/c, d/e. To take all, put" in capsys.readouterr().out


def test_a_folder_of_folders_gives_the_images_of_all(tmp_path):
    for number, name in enumerate(("00000/face.png", "00000/other.png", "01000/face.png", "notes/readme.txt/x.png")):
        save(tmp_path / name, seed=number)
    images = datasets.folder(tmp_path)
    assert images.names == ["00000-face", "00000-other", "01000-face"]
    assert torch.equal(images["01000-face"], datasets.folder(tmp_path / "01000")["face"])


@pytest.fixture
def benchmark(tmp_path):
    for number, name in enumerate(("baby", "bird")):
        save(tmp_path / "Set" / "HR" / f"{name}.png", 17, 22, seed=number)
        save(tmp_path / "Set" / "LRx4" / f"{name}.png", 4, 5, seed=10 + number)
    return tmp_path / "Set"


@pytest.mark.parametrize("names", [("HR", "LRx4"), ("GTmod12", "LRbicx4")])
def test_a_benchmark_pairs_hr_and_lr_by_name(benchmark, names):
    hr, lr = (benchmark / name for name in names)
    (benchmark / "LRx4" / "baby.png").rename(benchmark / "LRx4" / "babyx4.png")  # as in DIV2K
    (benchmark / "HR").rename(hr)
    (benchmark / "LRx4").rename(lr)
    for images in (datasets.benchmark(benchmark), datasets.image_set(str(benchmark))):
        assert (images.name, images.names) == ("Set", ["baby", "bird"])
        assert torch.equal(images["bird"], datasets.folder(hr)["bird"])
        assert torch.equal(images.lr_of("bird"), datasets.folder(lr)["bird"])
        assert torch.equal(images.lr_of("baby"), datasets.folder(lr)["babyx4"])
    assert datasets.image_set(benchmark, scale=2).lr_of("baby") is None
    with pytest.raises(SrlabError, match=rf"give .*{names[0]}\."):  # HR and LR are never mixed into one set
        datasets.folder(benchmark)


# --- What is amiss ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda path: datasets.photos("test"), "'test'.*train, validation"),
        (lambda path: small_set()["c"], "'c' in two.*a, b"),
        (lambda path: small_set().subset("c"), "'c' in two.*a, b"),
        (lambda path: replace(small_set(), names=["a"]), "two has 1 names and 2 HR images"),
        (lambda path: replace(small_set(), lr=[]), "two has 2 names and 0 LR images"),
        (lambda path: replace(small_set(), names=["a", "a"]), "several images named a;"),
        (lambda path: PatchSampler(textured_set().with_lr(Degradation(), 4), patch=8), "noise brings LR images"),
        (lambda path: small_set().center_crop(0), "at least 1 pixel"),
        (lambda path: textured_set(1, height=3).with_lr(Degradation(), 4), "'image 0' of noise: .*42x3.*scale 4"),
        (lambda path: datasets.image_set(path / "nowhere"), "no folder .*nowhere"),
        (lambda path: datasets.image_set(path / "empty"), r"no images in .*empty.*\.png"),
        (lambda path: datasets.image_set(path / "twice"), "several images named cat;"),
        (lambda path: datasets.image_set(path / "torn"), r"a\.png is damaged"),
        (lambda path: datasets.image_set(path / "line"), "a file named 'cat.nback', which is no line of text"),
        (lambda path: datasets.benchmark(path / "twice"), "no folder .*HR"),
        (lambda path: datasets.image_set(path / "unpaired"), "LRx4 has no LR image for bird;"),
        *[
            (lambda path, side=side: datasets.image_set(path / f"side{side}"), rf"'bird' in .* is 5x{side}, .* 1/4")
            for side in (5, 17)
        ],
    ],
)
def test_what_is_amiss_is_one_sentence_that_names_it(tmp_path, ask, said):
    (tmp_path / "empty").mkdir()
    for name in ("twice/cat.png", "twice/cat.jpg", "twice/dog.png", "torn/a.png", "line/cat\nback.png"):
        save(tmp_path / name)
    whole = (tmp_path / "torn" / "a.png").read_bytes()
    (tmp_path / "torn" / "a.png").write_bytes(whole[: len(whole) // 2])
    for name in ("baby", "bird"):
        save(tmp_path / "unpaired" / "HR" / f"{name}.png")
    save(tmp_path / "unpaired" / "LRx4" / "baby.png", 2, 3)
    for side in (5, 17):
        save(tmp_path / f"side{side}" / "HR" / "bird.png", 17, 22)
        save(tmp_path / f"side{side}" / "LRx4" / "bird.png", side, 5)
    with pytest.raises(SrlabError, match=said):
        ask(tmp_path)
