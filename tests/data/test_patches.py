"""srlab.data.patches: the same seed gives the same batches, and a batch is what the images and the settings say."""

import hashlib
import math

import pytest
import torch

from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.patches import PatchSampler
from srlab.data.resampling import downsample


def image_set(*images):
    return ImageSet("tiny", [f"image{i}" for i in range(len(images))], list(images))


def random_set(*sizes):
    random = torch.Generator().manual_seed(0)
    sizes = sizes or ((30, 25), (21, 40))
    return image_set(*[torch.randint(0, 256, (3, *size), generator=random, dtype=torch.uint8) for size in sizes])


def numbered(height, width):
    """An image in which every pixel has another value."""
    return torch.arange(height * width, dtype=torch.uint8).view(1, height, width).repeat(3, 1, 1)


def batches(sampler, count=3):
    return [next(sampler) for _ in range(count)]


def same(one, other):
    return all(
        torch.equal(a, b) for pair, twin in zip(one, other, strict=True) for a, b in zip(pair, twin, strict=True)
    )


# --- Seeds and states ----------------------------------------------------------------------------------------

NOISY = Degradation(blur=(0.2, 2.0), noise=(0.0, 0.1))


@pytest.mark.parametrize("settings", [{}, {"rotate": 10.0, "degradation": NOISY}])
def test_the_same_seed_gives_the_same_batches(settings):
    one, other = (PatchSampler(random_set(), 4, 16, 3, seed=5, **settings) for _ in range(2))
    assert same(batches(one), batches(other))


@pytest.mark.parametrize(
    ("augment", "digest"), [("all", "64965e9e0187715e"), ("flip", "9ade8311e0a645c7"), ("none", "1b303d717d54ef4e")]
)
def test_a_seed_gives_the_patches_that_it_gave_in_earlier_versions(augment, digest):
    """Or a run would go on with other ones after an update."""
    found = hashlib.sha256()
    for _, hr in batches(PatchSampler(random_set(), 4, 16, 3, augment=augment, seed=5)):
        found.update((hr * 255).byte().numpy())
    assert found.hexdigest().startswith(digest)


def test_another_seed_gives_other_batches():
    one, other = (PatchSampler(random_set(), 4, 16, 3, seed=seed) for seed in (5, 6))
    assert not same(batches(one), batches(other))


def test_no_two_batches_of_a_stream_are_the_same():
    first, second = batches(PatchSampler(random_set(), 4, 16, 3), 2)
    assert not torch.equal(first[1], second[1])


@pytest.mark.parametrize("settings", [{}, {"rotate": 10.0, "degradation": NOISY}])
def test_a_saved_state_goes_on_with_the_same_batches(settings):
    sampler = PatchSampler(random_set(), 4, 16, 3, seed=5, **settings)
    batches(sampler, 2)
    state = {key: value.clone() for key, value in sampler.state_dict().items()}
    rest = batches(sampler)
    other = PatchSampler(random_set(), 4, 16, 3, seed=99, **settings)
    other.load_state_dict(state)
    assert same(batches(other), rest)


def test_global_random_numbers_do_not_matter_and_are_not_used():
    torch.manual_seed(1)
    first = batches(PatchSampler(random_set(), 4, 16, 3, degradation=NOISY))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert same(batches(PatchSampler(random_set(), 4, 16, 3, degradation=NOISY)), first)
    assert torch.equal(torch.get_rng_state(), before)


# --- What a batch is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_lr_is_hr_downsampled_and_both_are_on_8_bit_levels(scale):
    lr, hr = next(PatchSampler(random_set(), scale, 2 * scale, 5))
    assert lr.shape == (5, 3, 2, 2)
    assert hr.shape == (5, 3, 2 * scale, 2 * scale)
    assert torch.equal(lr, (downsample(hr, scale) * 255).add(0.5 + 2e-5).floor().clamp(0, 255) / 255)
    assert lr.dtype == hr.dtype == torch.float32
    assert torch.equal(hr * 255, (hr * 255).round())


def test_lr_is_made_by_the_given_degradation():
    lr, hr = next(PatchSampler(random_set(), 4, 16, 5, degradation=Degradation(method="nearest")))
    assert torch.equal(lr, Degradation(method="nearest")(hr, 4))
    assert not torch.equal(lr, Degradation()(hr, 4))


def orientations(window):
    """The eight of them, by name: turned by 0 to 3 quarters, then perhaps transposed."""
    turned = {f"{90 * k} degrees": window.rot90(k, (-2, -1)) for k in range(4)}
    return turned | {f"{name}, transposed": view.transpose(-2, -1) for name, view in turned.items()}


def places(image, patch):
    """``{pixels: (image row, column, orientation)}`` of every sub-window of an image, found without any cleverness."""
    found = {}
    for top in range(image.shape[1] - patch + 1):
        for left in range(image.shape[2] - patch + 1):
            window = image[:, top : top + patch, left : left + patch]
            for name, view in orientations(window).items():
                found[tuple(view.flatten().tolist())] = (top, left, name)
    return found


def found_places(sampler, known):
    hr = (next(sampler)[1] * 255).round().long()
    return [known[tuple(patch.flatten().tolist())] for patch in hr]  # KeyError: a patch that is in no image


def test_patches_are_sub_windows_in_all_eight_orientations_equally_often():
    known = places(numbered(6, 7), 4)
    assert len(known) == 3 * 4 * 8
    found = found_places(PatchSampler(image_set(numbered(6, 7)), 2, 4, 4000), known)
    counts = [[place[2] for place in found].count(name) for name in orientations(torch.zeros(3, 4, 4))]
    assert min(counts) > 400  # of 500 expected, with a standard deviation of 21
    assert max(counts) < 600


def test_without_augment_patches_are_plain_crops():
    found = found_places(PatchSampler(image_set(numbered(6, 7)), 2, 4, 500, augment="none"), places(numbered(6, 7), 4))
    assert {place[2] for place in found} == {"0 degrees"}


def test_flip_mirrors_left_to_right_only():
    found = found_places(PatchSampler(image_set(numbered(6, 7)), 2, 4, 500, augment="flip"), places(numbered(6, 7), 4))
    mirrored = torch.arange(4.0).view(1, 2, 2).flip(2)
    names = {
        name for name, view in orientations(torch.arange(4.0).view(1, 2, 2)).items() if torch.equal(view, mirrored)
    }
    assert {place[2] for place in found} == {"0 degrees"} | names
    assert len(names) == 1


@pytest.mark.parametrize("augment", ["all", "flip", "none"])
def test_every_position_occurs_corners_included(augment):
    sampler = PatchSampler(image_set(numbered(6, 7)), 2, 4, 1000, augment=augment)
    found = {place[:2] for place in found_places(sampler, places(numbered(6, 7), 4))}
    assert found == {(top, left) for top in range(3) for left in range(4)}


def test_an_image_of_just_the_patch_size_is_taken_whole():
    found = found_places(PatchSampler(image_set(numbered(4, 4)), 2, 4, 20, augment="none"), places(numbered(4, 4), 4))
    assert {place[:2] for place in found} == {(0, 0)}


def test_images_are_equally_likely_whatever_their_size():
    sizes = ((8, 8), (100, 90), (8, 60))
    images = [torch.full((3, *size), value, dtype=torch.uint8) for value, size in enumerate(sizes)]
    hr = (next(PatchSampler(image_set(*images), 4, 8, 3000))[1] * 255).round()
    assert all(len(patch.unique()) == 1 for patch in hr)  # no patch reaches into the neighbour in the buffer
    counts = torch.bincount(hr[:, 0, 0, 0].long(), minlength=3)
    assert counts.min() > 850  # of 1000 expected, with a standard deviation of 26


# --- Rotation ------------------------------------------------------------------------------------------------


def test_a_rotated_white_image_has_no_black_corners():
    white = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    lr, hr = next(PatchSampler(image_set(white), 4, 24, 50, rotate=10))
    assert hr.min() == lr.min() == 1


def test_black_corners_are_those_of_the_study():
    white = torch.full((3, 24, 24), 255, dtype=torch.uint8)  # no larger than the patch: it is cut before it is turned
    _, hr = next(PatchSampler(image_set(white), 4, 24, 50, rotate=10, black_corners=True))
    assert set(hr.unique().tolist()) == {0, 1}
    assert 0 < (hr == 0).float().mean() < 0.1
    assert hr[..., 8:16, 8:16].min() == 1
    corners = hr[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).any(dim=1).float().mean() > 0.8


@pytest.mark.parametrize("patch", [16, 24])
def test_a_ramp_is_turned_about_the_centre_by_at_most_the_angle(patch):
    size, slope = 80, 3
    ramp = (torch.arange(size) * slope).to(torch.uint8)
    image = torch.stack([ramp.expand(size, size), ramp.expand(size, size).T, torch.zeros(size, size).byte()])
    sampler = PatchSampler(image_set(image), 4, patch, 300, augment="none", rotate=10, seed=1)
    hr = next(sampler)[1].double() * 255

    # A plane fitted to each channel: value = mean + down * y + right * x, with x and y from the centre.
    axis = torch.arange(patch) - (patch - 1) / 2
    down = (hr * axis.double()[:, None]).sum((2, 3)) / (patch * axis.double().square().sum())
    right = (hr * axis.double()).sum((2, 3)) / (patch * axis.double().square().sum())
    mean = hr.mean((2, 3))
    plane = mean[..., None, None] + down[..., None, None] * axis[:, None] + right[..., None, None] * axis
    assert (hr - plane).abs().max() <= 1  # still a ramp, up to rounding: no corner is filled up

    angles = torch.atan2(down[:, 0], right[:, 0])
    turned = torch.stack([-angles.sin(), angles.cos()], 1)  # the other ramp, were it a rotation and no mirror image
    assert torch.allclose(torch.stack([right[:, 1], down[:, 1]], 1) / slope, turned, atol=0.02)
    assert angles.abs().max() <= math.radians(10.3)
    assert angles.max() > math.radians(9)
    assert angles.min() < math.radians(-9)
    assert angles.abs().median() == pytest.approx(math.radians(5), abs=math.radians(1))  # uniform

    centres = mean[:, :2] / slope - (sampler.window - 1) / 2  # where the window began: whole pixels
    assert (centres - centres.round()).abs().max() < 0.1


def test_the_window_needed_for_rotation_counts_for_the_smallest_image():
    PatchSampler(random_set((24, 24)), 4, 24, 2)
    with pytest.raises(SrlabError, match="smaller than the patch of 28"):
        PatchSampler(random_set((24, 24)), 4, 24, 2, rotate=10)


# --- Refusals ------------------------------------------------------------------------------------------------


def test_an_image_smaller_than_the_patch_is_named_with_its_size():
    with pytest.raises(SrlabError, match="'image1' of tiny is 40x15 pixels"):
        PatchSampler(random_set((30, 25), (15, 40)), 4, 16, 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"patch": 18}, "patch of 18.*multiple of the scale 4"),
        ({"patch": 0}, "patch of 0"),
        ({"scale": 0}, "scale 0"),
        ({"batch": 0}, "at least 1, but is 0"),
        ({"batch": -2}, "at least 1, but is -2"),
        ({"rotate": -1}, "rotate=-1"),
        ({"rotate": 90}, "rotate=90"),
        ({"augment": "rotate"}, "augment 'rotate'; choose all, flip or none"),
        ({"augment": True}, "augment 'True'; choose all, flip or none"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(SrlabError, match=words):
        PatchSampler(random_set(), **({"patch": 16, "batch": 2} | settings))


# --- Several processes ---------------------------------------------------------------------------------------


def shares_of(world, *arguments, **options):
    """A sampler for each of several processes."""
    samplers = [PatchSampler(*arguments, **options) for _ in range(world)]
    for rank, sampler in enumerate(samplers):
        sampler.share(rank, world)
    return samplers


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(SrlabError, match="A batch of 3 does not divide among 2 processes"):
        PatchSampler(random_set(), 4, 16, 3).share(0, 2)


@pytest.mark.parametrize("rotate", [0, 10])
def test_two_processes_share_the_batch_of_one_in_turn(rotate):
    settings = {"scale": 4, "patch": 16, "batch": 6, "rotate": rotate}
    whole = PatchSampler(random_set((40, 40)), **settings)
    shares = shares_of(2, random_set((40, 40)), **settings)
    for _ in range(3):
        lr, hr = next(whole)
        for rank, share in enumerate(shares):
            share_lr, share_hr = next(share)
            assert torch.equal(share_hr, hr[rank::2])
            assert torch.equal(share_lr, lr[rank::2])


def test_the_noise_differs_between_processes_and_between_steps():
    flat = image_set(torch.full((3, 20, 20), 128, dtype=torch.uint8))
    noisy = Degradation(noise=0.1)
    ranks = shares_of(2, flat, 4, 16, 2, noisy)
    lrs = [next(sampler)[0] for _ in range(2) for sampler in ranks]
    assert not any(torch.equal(a, b) for i, a in enumerate(lrs) for b in lrs[:i])


# --- For the manifest ----------------------------------------------------------------------------------------


def test_everything_that_decides_the_batches_is_described():
    reference = PatchSampler(random_set(), 4, 16, 2)
    assert reference.describe() == PatchSampler(random_set(), 4, 16, 2).describe()
    changes = (
        {"scale": 2},
        {"patch": 12},
        {"batch": 4},
        {"augment": "none"},
        {"black_corners": True},
        {"rotate": 1.0},
        {"seed": 1},
    )
    changes += ({"degradation": Degradation(noise=0.1)}, {"images": random_set((30, 25))})
    for change in changes:
        settings = {"images": random_set(), "scale": 4, "patch": 16, "batch": 2} | change
        assert PatchSampler(**settings).describe() != reference.describe(), change
