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

BLIND = Degradation(blur=(0.2, 3.0), noise=(0.01, 0.08), jpeg=(30, 95))


def save(path, height=8, width=12, grey=False, seed=0):
    shape = (height, width) if grey else (height, width, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


def noise_set(*sizes):
    """Images of noise by the letters; b is grey."""
    random = torch.Generator().manual_seed(0)
    images = [torch.randint(256, (3, *size), generator=random, dtype=torch.uint8) for size in sizes]
    return datasets.ImageSet("mine", list("abcd")[: len(sizes)], images, grey=frozenset({"b"}))


# --- Embedded photos -----------------------------------------------------------------------------------------


def test_sixteen_photos_come_without_a_download_and_four_of_them_are_never_trained_on(astronaut):
    train, validation = datasets.photos("train"), datasets.photos("validation")
    assert len({image.numpy().tobytes() for image in train.hr + validation.hr}) == 16
    assert validation.names == ["astronaut", "chelsea", "text", "brick"]
    assert not set(train.names) & set(validation.names)
    assert torch.equal(validation["astronaut"], astronaut)
    assert validation.grey == {"brick", "text"}
    assert "camera" in train.grey
    assert "coffee" not in train.grey


# --- ImageSet ------------------------------------------------------------------------------------------------


def test_images_without_room_for_a_patch_are_left_out_with_a_word(capsys):
    images = noise_set((96, 96), (95, 200), (200, 95), (100, 300))
    assert images.at_least(96).names == ["a", "d"]
    assert capsys.readouterr().out == "Left out of mine, as they are smaller than 96 x 96 pixels: b, c.\n"
    assert images.at_least(90) is images
    assert capsys.readouterr().out == ""


def test_an_image_is_a_float_batch_of_one_and_a_subset_keeps_order_lr_and_grey():
    images = noise_set((4, 5), (6, 3))
    images = replace(images, lr=[image[:, :1, :1] for image in images.hr])
    assert torch.equal(images["b"], images.hr[1][None] / 255)
    assert [name for name, image in images if image.shape[0] == 1] == ["a", "b"]
    part = images.subset("b", "a")
    assert (part.names, part.grey, images.subset("a").grey) == (["b", "a"], {"b"}, frozenset())
    assert torch.equal(part.lr_of("b"), images.lr_of("b"))


def test_the_fingerprint_changes_with_a_pixel_a_name_and_a_shape_only():
    reference, pixel, name, shape = (noise_set((4, 5), (6, 3)) for _ in range(4))
    assert pixel.fingerprint() == reference.fingerprint()
    pixel.hr[1][2, 5, 2] += 1
    name.names[0] = "z"
    shape = replace(shape, hr=[shape.hr[0].reshape(3, 5, 4), shape.hr[1]])
    assert len({images.fingerprint() for images in (reference, pixel, name, shape)}) == 4


def test_a_centre_crop_takes_the_middle_and_keeps_what_is_smaller():
    images = noise_set((7, 10), (3, 9))
    middle = replace(images, lr=images.hr).center_crop(4)
    assert torch.equal(middle.hr[0], images.hr[0][:, 1:5, 3:7])
    assert middle.hr[1].shape == (3, 3, 4)
    assert (middle.name, middle.names, middle.lr, middle.grey) == ("mine centre 4", ["a", "b"], None, {"b"})


def test_a_set_holds_its_pixels_once_and_parts_and_samplers_take_them_as_they_are():
    images = noise_set((33, 42), (33, 42))
    for part in (images, images.subset("b"), images.with_lr(Degradation(), 4)):
        for pixels in (part.pixels, PatchSampler(replace(part, lr=None), patch=8, batch=1)._pixels, *part.hr):
            assert pixels.untyped_storage().data_ptr() == images.pixels.data_ptr()


def test_validation_and_training_see_the_same_pixels_of_a_set_that_was_changed():
    images = noise_set((33, 42))
    with pytest.raises(FrozenInstanceError):
        images.hr = []
    for white in (torch.full((3, 33, 42), 255, dtype=torch.uint8), torch.ones(33, 42, 3).byte().permute(2, 0, 1) * 255):
        changed = replace(images, hr=[white])
        assert changed["a"].min() == next(PatchSampler(changed, patch=8, batch=1))[1].min() == 1
        assert changed.fingerprint() != images.fingerprint()


# --- LR images made once -------------------------------------------------------------------------------------


def test_lr_made_once_is_the_degraded_multiple_of_the_scale_on_8_bit_levels():
    images = noise_set((33, 42), (34, 41)).with_lr(Degradation(), 4)
    assert all(lr.dtype == torch.uint8 and lr.shape == (3, 8, 10) for lr in images.lr)
    assert torch.equal(images.lr_of("b"), quantize(downsample(mod_crop(images["b"], 4), 4)))
    assert images.with_lr(BLIND, 4) is images  # what came with the set is kept


def test_a_random_degradation_gives_pairs_that_follow_from_the_seed_and_each_image_its_own_draw():
    images = noise_set((33, 42), (33, 42))
    images = replace(images, hr=[images.hr[0], images.hr[0]])
    one, again, other = (images.with_lr(BLIND, 4, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one.lr, again.lr, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one.lr, (*other.lr, one.lr[1]), strict=False))
    assert not torch.equal(one.lr[0], one.lr[1])
    assert (one.name, one.names, one.grey) == (images.name, images.names, images.grey)
    assert one.fingerprint() == images.fingerprint()
    scores = [evaluate(lambda lr: upsample(lr, 4), pairs) for pairs in (one, other)]
    made = evaluate(lambda lr: upsample(lr, 4), images, degradation=BLIND)  # on the fly
    assert [made.equals(table) for table in scores] == [True, False]


# --- Folders and benchmark sets --------------------------------------------------------------------------------


def test_a_folder_gives_its_images_by_name_and_leaves_other_files(tmp_path):
    save(tmp_path / "set" / "b.png", seed=1)
    save(tmp_path / "set" / "a.JPG", grey=True)
    save(tmp_path / "set" / ".hidden.png")
    (tmp_path / "set" / "notes.txt").write_text("no image")
    (tmp_path / "set" / "sub.png").mkdir()
    images = datasets.image_set(tmp_path / "set")
    assert (images.name, images.names, images.grey, images.lr) == ("set", ["a", "b"], {"a"}, None)
    assert [image.shape for image in images.hr] == [(3, 8, 12)] * 2


@pytest.mark.parametrize(
    ("files", "names", "left_out"),
    [
        (("a.png", "crops/b.png", "raw/c.png", ".thumbnails/d.png"), ["a"], "crops, raw"),
        (("a/1.png", "b/2.png", "b/c/3.png", "d/e/4.png", "d/.f/5.png"), ["a-1", "b-2"], "b/c, d/e"),
        (("0/face.png", "0/other.png", "1/face.png"), ["0-face", "0-other", "1-face"], ""),  # as FFHQ
    ],
)
def test_a_folder_of_folders_gives_the_images_of_all_and_what_is_left_out_is_named(
    tmp_path, capsys, files, names, left_out
):
    for number, name in enumerate(files):
        save(tmp_path / "mine" / name, seed=number)
    (tmp_path / "mine" / "no images").mkdir()
    images = datasets.image_set(tmp_path / "mine")
    assert images.names == names
    assert len({image.numpy().tobytes() for image in images.hr}) == len(names)
    said = f"mine has images in these folders, too, which are left out: {left_out}. To take"
    assert capsys.readouterr().out.startswith(said) if left_out else capsys.readouterr().out == ""


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
        (lambda path: noise_set((4, 5))["c"], "'c' in mine.* a"),
        (lambda path: replace(noise_set((4, 5)), names=["a", "b"]), "mine has 2 names and 1 HR images"),
        (lambda path: replace(noise_set((4, 5)), lr=[]), "mine has 1 names and 0 LR images"),
        (lambda path: replace(noise_set((4, 5), (4, 5)), names=["a", "a"]), "several images named a;"),
        (lambda path: noise_set((95, 99)).at_least(96), "No image of mine is 96 pixels"),
        (lambda path: noise_set((4, 5)).center_crop(0), "at least 1 pixel"),
        (lambda path: noise_set((3, 42)).with_lr(Degradation(), 4), "'a' of mine: .*42x3.*scale 4"),
        (lambda path: PatchSampler(noise_set((9, 9)).with_lr(Degradation(), 4), patch=8), "mine brings LR images"),
        (lambda path: datasets.image_set(path / "nowhere"), "no folder .*nowhere"),
        (lambda path: datasets.image_set(path / "empty"), r"no images in .*empty.*\.png"),
        (lambda path: datasets.image_set(path / "twice"), "several images named cat;"),
        (lambda path: datasets.image_set(path / "torn"), r"a\.png is damaged"),
        (lambda path: datasets.image_set(path / "line"), "a file named 'cat.nback', which is no line of text"),
        (lambda path: datasets.image_set(path / "unpaired"), "LRx4 has no LR image for bird;"),
        (lambda path: datasets.image_set(path / "unfit"), "'bird' in .* is 5x5, .* 1/4"),
    ],
)
def test_what_is_amiss_is_one_sentence_that_names_it(tmp_path, ask, said):
    (tmp_path / "empty").mkdir()
    for name in ("twice/cat.png", "twice/cat.jpg", "twice/dog.png", "torn/a.png", "line/cat\nback.png"):
        save(tmp_path / name)
    (tmp_path / "torn" / "a.png").write_bytes((tmp_path / "torn" / "a.png").read_bytes()[:99])
    for name in ("unpaired/HR/baby.png", "unpaired/HR/bird.png", "unfit/HR/bird.png"):
        save(tmp_path / name, 17, 22)
    save(tmp_path / "unpaired" / "LRx4" / "baby.png", 4, 5)
    save(tmp_path / "unfit" / "LRx4" / "bird.png", 5, 5)
    with pytest.raises(SrlabError, match=said):
        ask(tmp_path)
