"""Test srlab.data.patch_sampler: the same seed gives the same batches, which match the images and settings."""

import hashlib
import itertools

import pytest
import torch

from srlab import Degradation, ImageSet, PatchSampler, downsample
from srlab.errors import SrlabError

NOISY = Degradation(blur=(0.2, 2.0), noise=(0.0, 0.1))


def image_set(*images):
    return ImageSet.from_images("tiny", {f"image{i}": image for i, image in enumerate(images)})


def random_set(*sizes):
    random = torch.Generator().manual_seed(0)
    sizes = sizes or ((30, 25), (21, 40))
    return image_set(*[torch.randint(0, 256, (3, *size), generator=random, dtype=torch.uint8) for size in sizes])


# --- Seeds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("augment", "digest"),
    [("all", "64965e9e0187715e"), ("flip", "9ade8311e0a645c7"), ("none", "1b303d717d54ef4e")],
)
def test_patches_of_seed_are_fixed(augment, digest):
    """Compare hashes; otherwise a run could resume with other patches after an update."""
    sampler, found = PatchSampler(random_set(), 4, 16, 3, seed=5, augment=augment), hashlib.sha256()
    for _ in range(3):
        found.update((next(sampler)[1] * 255).byte().numpy())
    assert found.hexdigest().startswith(digest)


def test_random_lr_and_the_state_of_a_seed_are_fixed():
    sampler, found = PatchSampler(random_set(), 4, 16, 3, NOISY, seed=5), hashlib.sha256()
    for _ in range(3):
        for patches in next(sampler):
            found.update((patches * 255).round().byte().numpy())
    found.update(sampler.state_dict()["generator"].numpy())
    assert found.hexdigest().startswith("bcfc3f78052b02b0")


def test_batches_depend_only_on_the_seed_and_the_state():
    options = {"patch": 16, "batch": 2, "degradation": NOISY}
    before = torch.get_rng_state()
    one, same, other = (PatchSampler(random_set(), seed=seed, **options) for seed in (5, 5, 6))
    first, again, different = next(one)[0], next(same)[0], next(other)[0]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, different)
    other.load_state_dict(one.state_dict())
    assert all(all(map(torch.equal, next(one), next(other))) for _ in range(3))


def test_noise_differs_between_patches_and_steps():
    flat = image_set(torch.full((3, 20, 20), 128, dtype=torch.uint8))
    sampler = PatchSampler(flat, 4, 16, 2, Degradation(noise=0.1))
    lrs = torch.cat([next(sampler)[0] for _ in range(2)])
    assert len(lrs.unique(dim=0)) == 4


# --- Content of a batch --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "method"), [(2, "bicubic"), (3, "nearest"), (8, "bicubic")])
def test_lr_is_degraded_hr(scale, method):
    lr, hr = next(PatchSampler(random_set((64, 56), (48, 72)), scale, 6 * scale, 5, Degradation(method)))
    assert (lr.shape, hr.shape) == ((5, 3, 6, 6), (5, 3, 6 * scale, 6 * scale))
    assert torch.equal(lr[..., 2:-2, 2:-2], downsample(hr, scale, method)[..., 2:-2, 2:-2])
    assert lr.dtype == hr.dtype == torch.float32
    assert torch.equal(hr * 255, (hr * 255).round())


@pytest.mark.parametrize("degradation", [Degradation(), Degradation("lanczos"), Degradation(blur=1.5)], ids=str)
@pytest.mark.parametrize("augment", ["none", "flip"])
def test_lr_patch_matches_lr_of_whole_image(degradation, augment):
    """Compare patches on the LR grid. If only the patch were downscaled, its border pixels would differ."""
    images, side = random_set((32, 36)), 16
    whole = images["image0"], degradation(images["image0"], 4)
    known = {}
    for top, left in itertools.product(range(0, 17, 4), range(0, 21, 4)):
        hr = whole[0][0, :, top : top + side, left : left + side]
        lr = whole[1][0, :, top // 4 : (top + side) // 4, left // 4 : (left + side) // 4]
        known |= {hr.numpy().tobytes(): lr, hr.flip(2).numpy().tobytes(): lr.flip(2)}
    lrs, hrs = next(PatchSampler(images, 4, side, 400, degradation, augment))
    found = [(lr, known[key]) for lr, hr in zip(lrs, hrs, strict=True) if (key := hr.numpy().tobytes()) in known]
    assert len(found) > 5, "a sixteenth of all patches is on the grid"
    levels_off = 255 * max((lr - expected).abs().max() for lr, expected in found)
    assert levels_off < (1.1 if degradation.blur[1] else 0.1)  # a convolution sums in another order


@pytest.mark.parametrize(("augment", "orientations"), [("all", 8), ("flip", 2), ("none", 1)])
def test_locations_and_orientations_are_uniform(augment, orientations):
    """Count twelve locations of a 4x4 window; its corners show where it is and how it is rotated."""
    numbered = torch.arange(6 * 7, dtype=torch.uint8).view(1, 6, 7).repeat(3, 1, 1)
    hr = next(PatchSampler(image_set(numbered), 2, 4, 500 * orientations, augment=augment))[1] * 255
    corners = hr[:, 0, [0, 0, -1], [0, -1, 0]].round().long()
    counts = (corners - corners.amin(1, keepdim=True)).unique(dim=0, return_counts=True)[1]
    assert len(counts) == orientations
    assert 400 < counts.min() <= counts.max() < 600  # with a standard deviation of 21
    assert hr.amin((1, 2, 3)).unique().tolist() == [7 * top + left for top in range(3) for left in range(4)]


def test_images_are_uniform():
    sizes = ((8, 8), (100, 90), (8, 60))
    images = [torch.full((3, *size), value, dtype=torch.uint8) for value, size in enumerate(sizes)]
    hr = (next(PatchSampler(image_set(*images), 4, 8, 3000))[1] * 255).round()
    assert all(len(patch.unique()) == 1 for patch in hr)  # no patch crosses into the next image in the buffer
    counts = torch.bincount(hr[:, 0, 0, 0].long(), minlength=3)
    assert counts.min() > 850  # of 1000 expected, with a standard deviation of 26


def test_describe():
    usual = {"images": random_set(), "scale": 4, "patch": 16, "batch": 2}
    changes = [{"scale": 2}, {"patch": 12}, {"batch": 4}, {"augment": "none"}, {"seed": 1}]
    changes += [{"degradation": Degradation(noise=0.1)}, {"images": random_set((30, 25))}]
    described = [str(PatchSampler(**usual | change).describe()) for change in ({}, *changes)]
    assert len(set(described)) == len(described)
    assert described[0] == str(PatchSampler(**usual).describe())


# --- Pairs -----------------------------------------------------------------------------------------------------


def oriented(image):
    """Yield the eight orientations of an image (3, H, W)."""
    for turned in (image, image.transpose(1, 2)):
        yield from (turned, turned.flip(1), turned.flip(2), turned.flip(1, 2))


@pytest.mark.parametrize(("scale", "augment"), [(4, "all"), (2, "flip"), (3, "none")])
def test_lr_patches_are_parts_of_given_lr_images(scale, augment):
    """Use noise as LR, which no degradation would make; HR has rows and columns that LR does not cover."""
    images, sizes = random_set((30, 25), (21, 40)), [(30 // scale, 25 // scale), (21 // scale, 40 // scale)]
    small = random_set(*sizes)
    images.lr = ImageSet.from_images("lr", {f"image{k}": small.hr[k] for k in (1, 0)})  # in another order
    known, side = {}, 2 * scale
    for hr, lr in zip(images.hr, small.hr, strict=True):
        for top, left in itertools.product(range(lr.shape[1] - 1), range(lr.shape[2] - 1)):
            large = hr[:, scale * top : scale * top + side, scale * left : scale * left + side]
            both = zip(oriented(large), oriented(lr[:, top : top + 2, left : left + 2]), strict=True)
            known |= {one.numpy().tobytes(): other for one, other in both}
    lrs, hrs = ((255 * x).round().byte() for x in next(PatchSampler(images, scale, side, 20000, augment=augment)))
    assert all(torch.equal(lr, known[hr.numpy().tobytes()]) for lr, hr in zip(lrs, hrs, strict=True))
    orientations = {"all": 8, "flip": 2, "none": 1}[augment]
    assert len(hrs.unique(dim=0)) == orientations * len(known) / 8  # each place and orientation


def test_given_bicubic_lr_equals_lr_made_from_the_same_patches(monkeypatch):
    """Compare also at the borders of the images. Only a transposed patch differs, by roundings in another order."""
    images, windows = random_set((64, 56), (32, 72)), []
    given = PatchSampler(images.with_lr(Degradation(), 4), patch=16, batch=500)
    made = PatchSampler(images, patch=16, batch=500)
    draw = given._draw_windows
    monkeypatch.setattr(given, "_draw_windows", lambda: windows.append(draw()) or windows[-1])
    monkeypatch.setattr(made, "_draw_windows", lambda: windows[-1][:1])
    (lr, hr), (made_lr, made_hr) = next(given), next(made)
    assert torch.equal(hr, made_hr)
    transposed = windows[0][0][-1] > 0
    assert torch.equal(lr[~transposed], made_lr[~transposed])
    assert 255 * (lr - made_lr).abs().max() < 1.1


def test_pairs_are_drawn_again_from_a_state_and_described():
    pairs = random_set().with_lr(Degradation(), 4)
    one, other = (PatchSampler(pairs, patch=16, batch=2, seed=seed) for seed in (5, 6))
    next(one)
    other.load_state_dict(one.state_dict())
    assert all(all(map(torch.equal, next(one), next(other))) for _ in range(3))
    darker = ImageSet("tiny", pairs.names, pairs.pixels, pairs.sizes)
    darker.lr = ImageSet("tiny", pairs.names, pairs.lr.pixels // 2, pairs.lr.sizes)
    made = PatchSampler(random_set(), patch=16, batch=2)
    described = [PatchSampler(images, patch=16, batch=2).describe()["images"] for images in (pairs, darker)]
    assert len({str(one) for one in (*described, made.describe()["images"])}) == 3


def without(name, images):
    small = images.lr.subset(*(other for other in images.names if other != name))
    return ImageSet("tiny", images.names, images.pixels, images.sizes, lr=small)


def test_images_smaller_than_a_patch_are_left_out(capsys):
    few, large = random_set((30, 25), (15, 40)), random_set((30, 25))
    one, other = (next(PatchSampler(images, patch=16, batch=3)) for images in (few, large))
    assert all(map(torch.equal, one, other))
    assert capsys.readouterr().out == "Left out of tiny because they are smaller than 16 x 16 pixels: image1.\n"


# --- Your own degradation, and invalid settings ----------------------------------------------------------------


def test_any_function_can_degrade():
    """Compare with srlab's own; without a margin, the mirrored borders of its blur would differ."""
    blurred = Degradation(blur=(1.0, 2.0))

    def mine(hr, scale, generator):
        return blurred(hr, scale, generator)

    expected, plain = (next(PatchSampler(random_set(), 4, 16, 3, kind))[0] for kind in (blurred, mine))
    mine.reach = blurred.reach
    sampler = PatchSampler(random_set(), 4, 16, 3, mine)
    assert torch.equal(next(sampler)[0], expected)
    assert not torch.equal(plain, expected)
    assert sampler.describe()["degradation"] == {"function": "mine"}


PAIRS = random_set().with_lr(Degradation(), 4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"images": random_set((15, 40))}, "No image in tiny has at least 16 x 16 pixels"),
        ({"images": image_set()}, "tiny has no images"),
        ({"patch": 18}, "multiple of the scale 4, but is 18"),
        ({"batch": 0}, "at least 1, but is 0"),
        ({"augment": "rotate"}, "'rotate' is not a valid augment. Use all, flip or none"),
        ({"images": PAIRS, "scale": 2}, "LR image 'image0' of tiny is 6x7, which is not 1/2 of its HR image, 25x30"),
        ({"images": without("image1", PAIRS)}, "tiny has no pair for image1. Use the same names in HR and LRx4"),
        ({"images": PAIRS, "degradation": NOISY}, "tiny has LR images, which are not degraded again. To"),
        ({"images": PAIRS, "degradation": lambda hr, scale, generator: hr}, "which are not degraded again"),
        ({"degradation": lambda hr, scale, generator: hr}, r"\(16, 16\) pixels instead of \(4, 4\)"),
    ],
)
def test_invalid_sampler_settings_are_rejected(settings, words):
    def use():
        next(PatchSampler(**({"images": random_set(), "patch": 16, "batch": 3} | settings)))

    with pytest.raises(SrlabError, match=words):
        use()
