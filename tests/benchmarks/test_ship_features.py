"""Features without a download: those that come with srlab say more than random ones, and their training learns."""

import json

import pytest
import torch

import srlab
from benchmarks.reference import ship, ship_features
from srlab.base import files
from srlab.data import datasets
from srlab.models.features import FeatureExtractor
from srlab.models.pretrained import OWN_WEIGHTS
from srlab.view import plots

pytestmark = pytest.mark.nightly

CROPS = {"astronaut": (48, 168, 96, 144), "chelsea": (80, 120, 96, 144)}


@pytest.fixture(scope="module")
def both(photos):
    return {backbone: FeatureExtractor("vgg6 relu3_2", backbone) for backbone in ("auto", "random")}


@pytest.fixture(scope="module")
def photos():
    return datasets.photos("validation")


def distance(features, image, wanted):
    with torch.no_grad():
        return (features(image)["relu3_2"] - features(wanted)["relu3_2"]).square().mean().item()


@pytest.mark.parametrize("name", CROPS)
def test_they_forgive_a_shift_a_tint_and_grain_more_than_a_blur_and_random_ones_do_not(both, photos, name):
    photo = plots.cut(srlab.mod_crop(photos[name], 4), CROPS[name])
    blurred = srlab.blur(photo, 1.5)
    error = (blurred - photo).square().mean().sqrt()
    grain = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    spoiled = {
        "shift": photo[..., (torch.arange(photo.shape[-1]) - 1).clamp(min=0)],
        "grain": photo + error * grain,
        "tint": photo + error * torch.tensor([1.22, 0.0, -1.22]).view(3, 1, 1),
    }
    cost = {
        backbone: {k: distance(net, v, photo) / distance(net, blurred, photo) for k, v in spoiled.items()}
        for backbone, net in both.items()
    }
    assert max(cost["auto"].values()) < 0.2
    assert min(cost["random"].values()) > 0.2
    assert cost["auto"]["shift"] < 0.1 * cost["random"]["shift"]


def test_what_comes_with_srlab_is_small_and_of_the_embedded_photos_alone():
    assert OWN_WEIGHTS.stat().st_size < ship_features.LIMIT
    photos = datasets.photos("train")
    made = json.loads(OWN_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert made["images"] == f"{photos.name} (12 images, {photos.fingerprint()})"
    assert made["steps"] == ship_features.STEPS
    weights, notes = files.read_safetensors(OWN_WEIGHTS)
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert notes["network"] == "vgg6"
    page = OWN_WEIGHTS.with_name("README.md").read_text(encoding="utf-8")
    assert "python -m benchmarks.reference.ship_features" in page
    assert ship.FEATURES in page


def test_a_puzzle_has_two_patches_of_each_photo_and_all_blurs_and_is_the_same_again():
    photos = datasets.photos("train").subset("grass", "page", "rocket")
    image, which, how = next(ship_features.puzzles(photos, seed=1))
    assert image.shape == (6, 3, 64, 64)
    assert which.tolist() == [0, 0, 1, 1, 2, 2]
    assert 0 <= how.min() <= how.max() < len(ship_features.BLURS)
    again = next(ship_features.puzzles(photos, seed=1))
    assert torch.equal(how, again[2])


def test_features_learn_in_a_few_steps_and_are_frozen_again():
    photos = datasets.photos("train").subset("grass", "page", "rocket")
    features = FeatureExtractor("vgg6 relu2_2", "random")
    before = [value.clone() for value in features.parameters()]
    random = torch.get_rng_state()
    log = ship_features.train_features(features, photos, 30)
    assert sum(row["which"] for row in log[-10:]) / 10 > 0.6 > sum(row["which"] for row in log[:5]) / 5
    assert not any(value.requires_grad for value in features.parameters())
    assert all(not torch.equal(old, new) for old, new in zip(before, features.parameters(), strict=True))
    assert (features.real, features.label) == (True, "vgg6 relu2_2 (30 steps)")
    assert torch.equal(random, torch.get_rng_state()), "it moves nobody's numbers"


def test_the_command_writes_what_the_features_read(tmp_path):
    file = tmp_path / "own.safetensors"
    ship_features.ship(2, file)
    features = FeatureExtractor("vgg6 conv3_1", file)
    assert (features.real, features.label) == (True, "vgg6 conv3_1 (own)")
    assert files.read_safetensors(file)[1]["source"] == "the course's own, 2 steps, seed 0"
