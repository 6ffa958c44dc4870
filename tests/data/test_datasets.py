"""srlab.data.datasets: the embedded photos, folders and benchmark sets, and one clear sentence for each thing amiss."""

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data import datasets
from srlab.data.degradation import Degradation
from srlab.data.images import mod_crop, quantize
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.scoring import evaluate


@pytest.fixture(scope="module")
def photos():
    return datasets.photos()


def save(path, height=8, width=12, grey=False, seed=0):
    shape = (height, width) if grey else (height, width, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


# --- Embedded photos -----------------------------------------------------------------------------------------


def test_sixteen_photos_come_without_a_download(photos):
    assert len(photos) == len(set(photos.names)) == 16
    assert all(image.dtype == torch.uint8 and image.shape[0] == 3 for image in photos.hr)


def test_training_and_validation_photos_are_disjoint_and_together_all(photos):
    train, validation = datasets.photos("train").names, datasets.photos("validation").names
    assert validation == ["astronaut", "chelsea", "text", "brick"]
    assert not set(train) & set(validation)
    assert sorted(train + validation) == sorted(photos.names)


def test_no_two_photos_are_the_same(photos):
    assert len({photos.subset(name).hr[0].numpy().tobytes() for name in photos.names}) == 16


def test_the_astronaut_is_the_photo_of_scikit_image(photos, astronaut):
    assert torch.equal(photos["astronaut"], astronaut)


def test_grey_photos_are_noted_and_have_three_equal_channels(photos):
    assert {"brick", "text", "camera"} <= photos.grey
    assert not {"astronaut", "chelsea", "coffee"} & photos.grey
    assert all(torch.equal(photos[name][:, 0], photos[name][:, 2]) for name in photos.grey)


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(SrlabError, match=r"'test'.*all, train, validation"):
        datasets.photos("test")


# --- ImageSet ------------------------------------------------------------------------------------------------


def small_set():
    images = [torch.full((3, 4, 5), 10, dtype=torch.uint8), torch.full((3, 6, 3), 20, dtype=torch.uint8)]
    return datasets.ImageSet("two", ["a", "b"], images, grey=frozenset({"b"}))


def test_an_image_is_a_float_batch_of_one():
    assert torch.equal(small_set()["b"], torch.full((1, 3, 6, 3), 20 / 255))
    assert [name for name, image in small_set() if image.shape[0] == 1] == ["a", "b"]


def test_an_unknown_name_is_refused_with_the_set_and_the_known_names():
    for ask in (small_set().__getitem__, small_set().subset):
        with pytest.raises(SrlabError, match=r"'c' in two.*a, b"):
            ask("c")


def test_a_subset_keeps_order_lr_and_grey():
    images = small_set()
    images.lr = [image[:, :1, :1] for image in images.hr]
    part = images.subset("b", "a")
    assert part.names == ["b", "a"]
    assert part.grey == {"b"}
    assert torch.equal(part.lr_of("b"), images.lr_of("b"))
    assert images.subset("a").grey == frozenset()


def test_the_fingerprint_changes_with_a_pixel_a_name_and_a_shape_only():
    reference = small_set().fingerprint()
    assert small_set().fingerprint() == reference
    pixel, name, shape = small_set(), small_set(), small_set()
    pixel.hr[1][2, 5, 2] += 1
    name.names[0] = "z"
    shape.hr[0] = shape.hr[0].reshape(3, 5, 4)
    assert len({reference, pixel.fingerprint(), name.fingerprint(), shape.fingerprint()}) == 4


def test_a_centre_crop_takes_the_middle_and_keeps_what_is_smaller():
    image = torch.arange(3 * 7 * 10, dtype=torch.uint8).view(3, 7, 10)
    images = datasets.ImageSet("set", ["a"], [image], [image[:, :1, :2]], frozenset({"a"})).center_crop(4)
    assert torch.equal(images.hr[0], image[:, 1:5, 3:7])
    assert (images.name, images.names, images.lr, images.grey) == ("set centre 4", ["a"], None, {"a"})
    assert datasets.ImageSet("set", ["a"], [image]).center_crop(8).hr[0].shape == (3, 7, 8)
    with pytest.raises(SrlabError, match="at least 1 pixel"):
        images.center_crop(0)


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


def test_a_random_degradation_gives_pairs_that_follow_from_the_seed():
    one, again, other = (textured_set().with_lr(BLIND, 4, seed=seed).lr for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_image_gets_a_draw_of_its_own():
    images = textured_set(2)
    images.hr[1] = images.hr[0]
    first, second = images.with_lr(BLIND, 4).lr
    assert not torch.equal(first, second)


def test_scores_on_pairs_made_once_are_those_of_degrading_on_the_fly_with_the_seed():
    images = textured_set()
    made = evaluate(lambda lr: upsample(lr, 4), images.with_lr(BLIND, 4, seed=3))
    assert made.equals(evaluate(lambda lr: upsample(lr, 4), images, degradation=BLIND, seed=3))
    assert not made.equals(evaluate(lambda lr: upsample(lr, 4), images, degradation=BLIND, seed=4))


def test_lr_made_once_leaves_the_rest_of_the_set_and_the_set_it_was_made_from():
    images = textured_set()
    made = images.with_lr(BLIND, 4)
    assert images.lr is None
    assert (made.name, made.names, made.grey) == (images.name, images.names, images.grey)
    assert made.fingerprint() == images.fingerprint()
    part = made.subset("image 2", "image 0")
    assert torch.equal(part.lr_of("image 2"), made.lr_of("image 2"))
    assert made.center_crop(16).lr is None


def test_lr_that_came_with_the_set_is_kept():
    images = textured_set().with_lr(Degradation(), 4)
    assert images.with_lr(BLIND, 4) is images


def test_an_image_too_small_for_its_lr_is_named():
    images = textured_set(1, height=3)
    with pytest.raises(SrlabError, match=r"'image 0' of noise: .*42x3.*scale 4"):
        images.with_lr(Degradation(), 4)


# --- Folders -------------------------------------------------------------------------------------------------


def test_a_folder_gives_its_images_by_name_and_leaves_other_files(tmp_path):
    save(tmp_path / "set" / "b.png", seed=1)
    save(tmp_path / "set" / "a.JPG", seed=2)
    (tmp_path / "set" / "notes.txt").write_text("no image")
    (tmp_path / "set" / "sub.png").mkdir()
    images = datasets.folder(tmp_path / "set")
    assert (images.name, images.names) == ("set", ["a", "b"])
    assert images.hr[1].shape == (3, 8, 12)


def test_grey_files_of_a_folder_are_noted(tmp_path):
    save(tmp_path / "a.png", grey=True)
    save(tmp_path / "b.png")
    images = datasets.folder(tmp_path)
    assert images.grey == {"a"}
    assert images["a"].shape == (1, 3, 8, 12)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(SrlabError, match=r"no folder .*nowhere"):
        datasets.folder(tmp_path / "nowhere")


def test_an_empty_folder_is_named_with_the_endings_it_needs(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SrlabError, match=r"no images in .*empty.*\.png"):
        datasets.folder(tmp_path / "empty")


def test_a_damaged_file_is_named(tmp_path):
    save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SrlabError, match=r"torn\.png"):
        datasets.folder(tmp_path)


def test_two_images_that_differ_in_their_ending_only_are_refused(tmp_path):
    for name in ("cat.png", "cat.jpg", "dog.png"):
        save(tmp_path / name)
    with pytest.raises(SrlabError, match="several images named cat;"):
        datasets.folder(tmp_path)


def test_a_folder_of_folders_gives_the_images_of_all(tmp_path):
    for number, name in enumerate(("00000/face.png", "00000/other.png", "01000/face.png", "notes/readme.txt/x.png")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        save(tmp_path / name, seed=number)
    images = datasets.folder(tmp_path)
    assert images.names == ["00000-face", "00000-other", "01000-face"]
    assert torch.equal(images["01000-face"], datasets.folder(tmp_path / "01000")["face"])


def test_images_beside_folders_are_the_set(tmp_path):
    for name in ("one.png", "below/two.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path / name)
    assert datasets.folder(tmp_path).names == ["one"]


def test_hr_and_lr_are_never_mixed_into_one_set(tmp_path):
    for name in ("HR/one.png", "LRx4/one.png"):
        (tmp_path / name).parent.mkdir()
        save(tmp_path / name)
    with pytest.raises(SrlabError, match=r"give .*HR\."):
        datasets.folder(tmp_path)


# --- Benchmark sets ------------------------------------------------------------------------------------------


@pytest.fixture
def benchmark(tmp_path):
    for number, name in enumerate(("baby", "bird")):
        save(tmp_path / "Set" / "HR" / f"{name}.png", 17, 22, seed=number)
        save(tmp_path / "Set" / "LRx4" / f"{name}.png", 4, 5, seed=10 + number)
    return tmp_path / "Set"


def test_a_benchmark_pairs_hr_and_lr_by_name(benchmark):
    images = datasets.benchmark(benchmark)
    assert images.name == "Set"
    assert images.lr_of("bird").shape == (1, 3, 4, 5)
    assert torch.equal(images.lr_of("bird"), datasets.folder(benchmark / "LRx4")["bird"])


def test_the_folder_names_of_basicsr_are_known_too(benchmark):
    wanted = datasets.benchmark(benchmark)
    (benchmark / "HR").rename(benchmark / "GTmod12")
    (benchmark / "LRx4").rename(benchmark / "LRbicx4")
    found = datasets.benchmark(benchmark)
    assert found.names == wanted.names
    assert torch.equal(found.lr_of("bird"), wanted.lr_of("bird"))
    (benchmark / "LRbicx4" / "bird.png").unlink()
    with pytest.raises(SrlabError, match="LRbicx4 has no LR image for bird;"):
        datasets.benchmark(benchmark)


def test_a_benchmark_without_an_lr_folder_has_no_lr(benchmark):
    assert datasets.benchmark(benchmark, scale=2).lr is None
    assert datasets.benchmark(benchmark, scale=2).lr_of("baby") is None


def test_a_missing_lr_image_is_named(benchmark):
    (benchmark / "LRx4" / "bird.png").unlink()
    with pytest.raises(SrlabError, match="LRx4 has no LR image for bird;"):
        datasets.benchmark(benchmark)


@pytest.mark.parametrize("size", [(4, 6), (5, 5), (17, 22)])
def test_an_lr_image_of_the_wrong_size_is_named(benchmark, size):
    save(benchmark / "LRx4" / "bird.png", *size)
    with pytest.raises(SrlabError, match=f"'bird'.*{size[1]}x{size[0]}.*1/4"):
        datasets.benchmark(benchmark)


def test_a_benchmark_without_an_hr_folder_is_refused(benchmark):
    with pytest.raises(SrlabError, match=r"no folder .*HR"):
        datasets.benchmark(benchmark / "LRx4")


# --- A folder of either kind ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HR", "GTmod12"])
def test_a_folder_with_hr_inside_is_read_as_a_benchmark(benchmark, name):
    if name != "HR":
        (benchmark / "HR").rename(benchmark / name)
    images = datasets.image_set(str(benchmark))
    assert images.names == ["baby", "bird"]
    assert torch.equal(images.lr_of("bird"), datasets.folder(benchmark / "LRx4")["bird"])
    assert datasets.image_set(benchmark, scale=2).lr is None


def test_a_plain_folder_is_read_as_such(benchmark):
    images = datasets.image_set(benchmark / "HR")
    assert (images.name, images.names, images.lr) == ("HR", ["baby", "bird"], None)


def test_a_missing_folder_of_either_kind_is_named(tmp_path):
    with pytest.raises(SrlabError, match=r"no folder .*nowhere"):
        datasets.image_set(tmp_path / "nowhere")
