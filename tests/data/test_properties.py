"""What holds for every input, tried with what hypothesis makes up: always the same, so that a failure repeats."""

import math
import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from srlab.base.errors import SrlabError
from srlab.base.files import read_safetensors, sweep_parts, write_atomic, write_safetensors
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation, blur
from srlab.data.images import to_uint8
from srlab.data.patches import PatchSampler
from srlab.data.resampling import DOWNSAMPLERS, KERNELS, resize, resize_matrix
from srlab.evaluation.metrics import Protocol, psnr, ssim
from srlab.inference.tiling import upscale, upscale_tiles
from srlab.models import SRResNet

seeds = st.integers(0, 2**32)


def few(count):
    return settings(max_examples=count, deadline=None, derandomize=True, database=None)


def randoms(seed):
    return torch.Generator().manual_seed(seed)


def on_levels(image):
    return torch.equal(image, to_uint8(image).float() / 255)


def pictures(seed, *shape):
    """8-bit levels, so that nothing is lost in rounding."""
    return torch.randint(256, shape, generator=randoms(seed)) / 255


def pairs(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: tuple(sorted(pair)))


# --- Degradation --------------------------------------------------------------------------------------------

degradations = st.builds(
    Degradation,
    method=st.sampled_from(sorted(DOWNSAMPLERS)),
    blur=st.just(0.0) | st.floats(0, 4) | pairs(0, 4),
    anisotropic=st.booleans(),
    noise=st.just(0.0) | pairs(0, 0.2),
    photons=st.just(0.0) | pairs(1, 500),
    jpeg=st.just(0.0) | pairs(1, 100),
)
calm = st.builds(
    Degradation,
    method=st.sampled_from(sorted(DOWNSAMPLERS)),
    blur=st.floats(0, 4),
    jpeg=st.just(0.0) | st.floats(1, 100),
)


@few(40)
@given(degradations, seeds, st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
def test_any_degradation_gives_8_bit_levels_of_the_right_size_and_the_same_for_the_same_seed(
    degradation, seed, scale, count, rows, columns
):
    hr = pictures(seed, count, 3, rows * scale, columns * scale)
    before = hr.clone()
    lr = degradation(hr, scale, randoms(seed))
    assert lr.shape == (count, 3, rows, columns)
    assert lr.dtype == torch.float32
    assert on_levels(lr)
    assert torch.equal(hr, before)
    assert torch.equal(lr, degradation(hr, scale, randoms(seed)))


@few(25)
@given(calm, seeds, st.integers(1, 4), st.integers(2, 4), st.integers(1, 9))
def test_what_is_not_random_treats_a_batch_as_it_treats_each_image(degradation, seed, scale, count, side):
    hr = pictures(seed, count, 3, side * scale, (side + 1) * scale)
    alone = torch.cat([degradation(image[None], scale) for image in hr])
    if degradation.jpeg == 0:  # a sum in another order may fall on the other side of a half
        assert (degradation(hr, scale) - alone).abs().max() < 1.01 / 255
    if degradation.blur == 0:
        assert torch.equal(degradation(hr, scale), alone)


@few(40)
@given(st.sampled_from(sorted(DOWNSAMPLERS)), pairs(0, 4), st.booleans(), st.integers(0, 255), st.integers(1, 5), seeds)
def test_a_plain_area_stays_as_it_is_under_blur_and_any_resampling(method, sigmas, anisotropic, level, scale, seed):
    hr = torch.full((2, 3, 3 * scale, 2 * scale), level / 255)
    lr = Degradation(method, blur=sigmas, anisotropic=anisotropic)(hr, scale, randoms(seed))
    assert to_uint8(lr).unique().tolist() == [level]


@few(30)
@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, math.pi), seeds)
def test_blur_keeps_the_range_and_mirrors_with_the_image(along, across, angle, seed):
    image = pictures(seed, 1, 3, 9, 8)
    blurred = blur(image, along, across, angle)
    assert blurred.min() >= image.min() - 1e-5
    assert blurred.max() <= image.max() + 1e-5
    assert torch.allclose(blur(image.flip(-1, -2), along, across, angle), blurred.flip(-1, -2), atol=1e-5)
    assert torch.allclose(blur(image.flip(-1), along, across, -angle), blurred.flip(-1), atol=1e-5)


# --- Resampling ---------------------------------------------------------------------------------------------

kernels = st.sampled_from(sorted(KERNELS))


@few(60)
@given(
    st.integers(1, 40),
    st.sampled_from([1, 2, 3, 4, 5, 8, 1 / 2, 1 / 3, 1 / 4, 1 / 8, 0.7, 1.9]),
    kernels,
    st.booleans(),
)
@example(1, 1 / 8, "lanczos", True)
def test_each_row_of_a_resize_matrix_sums_to_1_and_a_mirrored_line_becomes_a_mirrored_line(
    size, factor, kernel, antialias
):
    matrix = resize_matrix(size, factor, kernel, antialias)
    assert matrix.shape == (math.ceil(size * factor), size)
    assert torch.allclose(matrix.sum(dim=1), torch.ones(len(matrix), dtype=torch.float64), atol=1e-12)
    # Elsewhere the last sample lies beyond the end of the line, and a box at its edge takes what is right of it.
    if math.isclose(size * factor, round(size * factor)) and kernel != "box":
        assert torch.allclose(matrix.flip(0, 1), matrix, atol=1e-9)


@few(20)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), kernels, seeds)
def test_enlarging_and_turning_may_change_places(height, width, scale, kernel, seed):
    image = pictures(seed, 1, 3, height, width)
    turned = resize(image.transpose(-1, -2), scale, kernel)
    assert torch.allclose(turned, resize(image, scale, kernel).transpose(-1, -2), atol=1e-5)


# --- Tiles --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    network = SRResNet(1, 4, scale=2).eval()
    nn.init.constant_(network.tail.bias, 0.5)  # in the middle, or clamping would hide most of the picture
    return network


@few(15)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(5, 40), st.integers(0, 9), seeds)
def test_tiles_of_any_size_give_the_whole_image(network, height, width, tile, more, seed):
    lr = pictures(seed, 1, 3, height, width)
    whole = upscale(network, lr)
    assert torch.allclose(upscale(network, lr, tile=tile, overlap=network.radius + more), whole, atol=1e-5)


@few(40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(3, 40), st.integers(0, 9), st.integers(1, 3))
def test_every_pixel_is_the_core_of_exactly_one_tile(height, width, tile, overlap, scale):
    """Each pixel is its own place, so that one that is lost, or taken from elsewhere, is seen."""
    places = torch.arange(height * width, dtype=torch.float64).view(1, 1, height, width) / (height * width)
    looked_at = torch.zeros(height, width)

    def nearest(lr):
        return lr.repeat_interleave(scale, -2).repeat_interleave(scale, -1)

    def read(top, bottom, left, right):
        assert bottom - top <= tile + 2 * overlap
        assert right - left <= tile + 2 * overlap
        looked_at[top:bottom, left:right] += 1
        return places[..., top:bottom, left:right]

    sr = torch.zeros_like(nearest(places))
    for top, left, found, part in upscale_tiles(nearest, read, (height, width), scale, tile, overlap):
        assert found == scale
        sr[..., top : top + part.shape[-2], left : left + part.shape[-1]] += part
    assert torch.equal(sr, nearest(places))
    assert looked_at.min() >= 1
    if overlap == 0:
        assert looked_at.max() == 1


# --- Patches ------------------------------------------------------------------------------------------------

sides = st.integers(8, 15)
sets = st.lists(st.tuples(sides, sides), min_size=1, max_size=4)


def labelled(sizes):
    """Images of which each pixel is found nowhere else: image, row and column are its colours."""
    images = []
    for number, (height, width) in enumerate(sizes):
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        images.append(torch.stack([torch.full_like(rows, number), rows, columns]).to(torch.uint8))
    return ImageSet("labelled", [str(number) for number in range(len(sizes))], images)


def streams_equal(one, other, count=3):
    return all(torch.equal(a, b) for _ in range(count) for a, b in zip(next(one), next(other), strict=True))


@few(40)
@given(sets, st.integers(1, 8), st.integers(1, 6), st.sampled_from(["all", "flip", "none"]), seeds)
def test_every_patch_is_a_cut_of_one_image_in_one_of_its_orientations(sizes, patch, batch, augment, seed):
    images = labelled(sizes)
    sampler = PatchSampler(images, 1, patch, batch, augment=augment, seed=seed)
    _, hr = next(sampler)
    assert hr.shape == (batch, 3, patch, patch)
    for levels in to_uint8(hr):
        number, top, left = (int(plane.min()) for plane in levels)
        cut = images.hr[number][:, top : top + patch, left : left + patch]
        assert cut.shape == levels.shape
        allowed = [cut, cut.flip(-1)]
        if augment == "all":
            allowed += [cut.flip(-2), cut.flip(-1, -2)]
            allowed += [one.transpose(-1, -2) for one in allowed]
        assert any(torch.equal(levels, one) for one in (allowed[:1] if augment == "none" else allowed))


@few(20)
@given(sets, seeds, st.integers(0, 4), st.sampled_from([0.0, 10.0]), degradations)
def test_a_saved_sampler_goes_on_with_the_same_stream(sizes, seed, before, rotate, degradation):
    options = {"scale": 2, "patch": 4, "batch": 2, "rotate": rotate, "degradation": degradation}
    one, other = (PatchSampler(labelled(sizes), seed=start, **options) for start in (seed, seed + 1))
    for _ in range(before):
        next(one)
    other.load_state_dict(one.state_dict())
    assert streams_equal(one, other)


@few(20)
@given(sets, seeds, st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.0, 10.0]))
def test_the_shares_of_all_processes_are_the_whole_batch(sizes, seed, world, each, rotate):
    options = {"scale": 2, "patch": 4, "batch": world * each, "seed": seed, "rotate": rotate}
    whole = PatchSampler(labelled(sizes), **options)
    shares = [PatchSampler(labelled(sizes), **options) for _ in range(world)]
    for rank, sampler in enumerate(shares):
        sampler.share(rank, world)
    for _ in range(2):
        batches = [next(share) for share in shares]
        for part, truth in zip(zip(*batches, strict=True), next(whole), strict=True):
            assert torch.equal(torch.stack(part, dim=1).flatten(0, 1), truth)


# --- Metrics ------------------------------------------------------------------------------------------------

protocols = st.builds(Protocol, color=st.sampled_from(["y", "rgb"]), crop=st.integers(0, 4), quantize=st.booleans())


@few(30)
@given(protocols, seeds, st.sampled_from([1, 3]), st.integers(19, 24), st.floats(0, 1))
def test_scores_are_symmetric_in_range_and_best_for_equal_images(protocol, seed, channels, side, strength):
    hr = pictures(seed, 2, channels, side, side + 1)
    sr = (hr + strength * (pictures(seed + 1, *hr.shape) - 0.5)).clamp(0, 1)
    assert torch.allclose(psnr(sr, hr, protocol), psnr(hr, sr, protocol), rtol=1e-9)
    assert torch.allclose(ssim(sr, hr, protocol), ssim(hr, sr, protocol), rtol=1e-9)
    assert (ssim(sr, hr, protocol).abs() <= 1 + 1e-9).all()
    assert (psnr(hr, hr.clone(), protocol) == math.inf).all()
    assert torch.allclose(ssim(hr, hr.clone(), protocol), torch.ones(2, dtype=torch.float64))
    alone = torch.cat([psnr(sr[:1], hr[:1], protocol), psnr(sr[1:], hr[1:], protocol)])
    assert torch.equal(psnr(sr, hr, protocol), alone)


@few(40)
@given(protocols, st.integers(1, 200), st.integers(0, 55), st.sampled_from([1, 3]))
def test_a_shift_by_so_many_levels_has_the_psnr_of_its_formula(protocol, shift, level, channels):
    hr = torch.full((1, channels, 12, 11), level / 255)
    expected = 20 * math.log10(255 / shift)
    if protocol.color == "y" and channels == 3:
        expected += 20 * math.log10(255 / 219)  # the luma is squeezed into 16 to 235
    assert psnr(hr + shift / 255, hr, protocol).item() == pytest.approx(expected, abs=1e-3)


@few(20)
@given(protocols, seeds, seeds)
def test_what_lies_in_the_cropped_border_does_not_count(protocol, seed, other):
    hr, sr = pictures(seed, 1, 3, 20, 21), pictures(seed + 1, 1, 3, 20, 21)
    border = torch.ones(20, 21, dtype=torch.bool)
    border[protocol.crop : 20 - protocol.crop, protocol.crop : 21 - protocol.crop] = False
    changed = torch.where(border, pictures(other + 2, 1, 3, 20, 21), sr)
    assert torch.equal(psnr(changed, hr, protocol), psnr(sr, hr, protocol))
    assert torch.equal(ssim(changed, hr, protocol), ssim(sr, hr, protocol))


# --- Checkpoints and files ----------------------------------------------------------------------------------

KINDS = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool)
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def tensors(draw):
    kind, shape, seed = draw(st.sampled_from(KINDS)), draw(shapes), draw(seeds)
    return torch.randint(256, shape, generator=randoms(seed)).to(kind)


notes = st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts | st.lists(st.integers()), max_size=3)
states = st.dictionaries(texts.filter(lambda text: text != "__metadata__"), tensors(), max_size=4)


def same(one, other):
    return set(one) == set(other) and all(
        one[key].dtype == other[key].dtype and torch.equal(one[key], other[key]) for key in one
    )


@few(25)
@given(states, notes)
def test_tensors_of_any_kind_and_notes_come_back_as_they_were(state, notes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        write_safetensors(path, state, notes)
        read, said = read_safetensors(path)
        assert same(read, state)
        assert said == notes
        first = path.read_bytes()
        write_safetensors(path, dict(reversed(state.items())), notes)
        assert path.read_bytes() == first


STATE = {"a": torch.arange(6.0).view(2, 3), "b/c": torch.tensor(3), "d": torch.tensor([True])}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of a file, and a path to write others to."""
    path = tmp_path_factory.mktemp("written") / "a.safetensors"
    write_safetensors(path, STATE, {"step": 7})
    return path.read_bytes(), path


@few(60)
@given(st.integers(0, 2**31))
def test_a_file_cut_anywhere_is_refused(written, place):
    content, path = written
    path.write_bytes(content[: place % len(content)])
    with pytest.raises(SrlabError, match=r"a\.safetensors"):
        read_safetensors(path)


# Any name that a file can have on Linux: bytes but for "/" and zero, up to what leaves room for the ending of a part.
file_names = (
    st.binary(min_size=1, max_size=200).map(lambda name: os.fsdecode(name.replace(b"/", b"_").replace(b"\0", b"_")))
).filter(lambda name: name not in (".", ".."))


@few(30)
@given(file_names, st.binary(max_size=50))
@example("a\nb", b"x")
@example(".a.1.part", b"mine")
@example("%s{0}[1]*?", b"x")
@example("-rf", b"x")
def test_a_file_of_any_name_is_written_whole_and_alone(name, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_atomic(path, b"before")
        write_atomic(path, content)
        assert [file.name for file in Path(folder).iterdir()] == [name]
        assert path.read_bytes() == content


@few(30)
@given(st.lists(file_names, min_size=1, max_size=5, unique=True))
def test_sweeping_takes_parts_and_nothing_else(names):
    with tempfile.TemporaryDirectory() as folder:
        kept = [name for name in names if not (name.startswith(".") and name.endswith(".part"))]
        for name in kept:
            (Path(folder) / name).write_bytes(b"mine")
        (Path(folder) / ".run.safetensors.123.part").write_bytes(b"half")
        sweep_parts(Path(folder))
        assert sorted(file.name for file in Path(folder).iterdir()) == sorted(kept)
