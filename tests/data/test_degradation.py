"""srlab.data.degradation against definitions written out slowly, other libraries, and statistics."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage

from srlab.base.errors import SrlabError
from srlab.data import datasets
from srlab.data.degradation import Degradation, blur, blur_until, gaussian_noise, jpeg
from srlab.data.images import mod_crop, quantize, to_uint8
from srlab.data.resampling import DOWNSAMPLERS, KERNELS, downsample, resize, resize_matrix, upsample
from srlab.evaluation.metrics import psnr

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")),
]


def seeded(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def noise_image(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=seeded(seed))


@pytest.fixture(scope="module")
def photo(astronaut) -> torch.Tensor:
    """Part of a face with strong edges, 120 x 144 pixels, which divide by 2, 3, 4 and 8."""
    return astronaut[..., 40:160, 160:304].contiguous()


# --- A reference straight from the definition ----------------------------------------------------------------


def keys(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


REFERENCE = {  # name -> (kernel, half width)
    "box": (lambda x: float(-0.5 <= x < 0.5), 0.5),
    "bilinear": (lambda x: max(0.0, 1 - abs(x)), 1),
    "bicubic": (keys, 2),
    "lanczos": (lambda x: sinc(x) * sinc(x / 3) if abs(x) < 3 else 0.0, 3),
}


def reflect(index: int, size: int) -> int:
    while not 0 <= index < size:
        index = -1 - index if index < 0 else 2 * size - 1 - index
    return index


def slow_axis(x: np.ndarray, factor: float, kernel: str, antialias: bool) -> np.ndarray:
    """Resize the first axis: for every output sample, the weighted mean of the input samples around it."""
    function, half = REFERENCE[kernel]
    stretch = 1 / factor if antialias and factor < 1 else 1.0
    out = []
    for i in range(math.ceil(len(x) * factor)):
        centre = (i + 0.5) / factor - 0.5
        total, weights = np.zeros(x.shape[1:]), 0.0
        for tap in range(math.ceil(centre - half * stretch), math.floor(centre + half * stretch) + 1):
            weight = function((tap - centre) / stretch)
            total += weight * x[reflect(tap, len(x))]
            weights += weight
        out.append(total / weights)
    return np.stack(out)


def slow_resize(
    image: torch.Tensor,
    factor: float,
    kernel: str = "bicubic",
    antialias: bool = True,
    rounded: Callable[[np.ndarray], np.ndarray] = lambda levels: levels,
) -> np.ndarray:
    """Resize (..., H, W) in float64."""
    rows = rounded(slow_axis(np.moveaxis(image.double().numpy(), -2, 0), factor, kernel, antialias))
    columns = rounded(slow_axis(np.moveaxis(np.moveaxis(rows, 0, -2), -1, 0), factor, kernel, antialias))
    return np.moveaxis(columns, 0, -1)


def to_levels(levels: np.ndarray) -> np.ndarray:
    """What MATLAB stores after each axis of an 8-bit image: halves are rounded up."""
    return np.clip(np.floor(levels + 0.5 + 1e-9), 0, 255)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("kernel", list(KERNELS))
@pytest.mark.parametrize(
    ("size", "factor"),
    [
        *(
            ((24, 36), 1 / 4),
            ((23, 37), 1 / 4),
            ((20, 19), 1 / 3),
            ((17, 9), 0.4),
            ((6, 9), 4),
            ((7, 5), 3),
            ((5, 8), 1.7),
        ),
        ((4, 5), 1 / 8),  # the kernel is wider than the image, which is mirrored more than once
        ((7, 8), 1),
    ],
)
def test_resize_equals_the_definition(size, factor, kernel, antialias):
    image = noise_image(2, *size)
    expected = slow_resize(image, factor, kernel, antialias)
    result = resize(image, factor, kernel, antialias)
    assert result.shape == (2, math.ceil(size[0] * factor), math.ceil(size[1] * factor))
    assert np.abs(result.numpy() - expected).max() < 2e-6
    assert np.abs(resize(image.double(), factor, kernel, antialias).numpy() - expected).max() < 1e-12


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_downsample_has_the_uint8_pixels_of_the_definition_on_a_whole_photo_borders_included(astronaut, scale):
    image = astronaut[..., : 512 // scale * scale, : 512 // scale * scale]
    # On integer levels the weights of scales 2, 4 and 8 make every float64 sum exact, so a half is a half.
    expected = slow_resize((image * 255).round(), 1 / scale, rounded=to_levels)
    gap = np.abs(to_uint8(downsample(image, scale)).numpy() - expected)
    assert gap.max() <= 1
    assert (gap > 0).mean() < 5e-5  # float32 cannot tell a half from its nearest neighbours


def test_downsample_has_the_pixels_of_the_benchmark_files_that_matlab_made(benchmark_dir):
    """Not at the border: the files at hand were mirrored there in another way."""
    images = datasets.benchmark(benchmark_dir / "Set5")
    for name, hr in images:
        gap = downsample(mod_crop(hr, 4), 4) - images.lr_of(name)
        assert not gap[..., 2:-2, 2:-2].any(), name


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_nearest_picks_one_pixel_of_a_block_and_repeats_it(scale):
    image = quantize(noise_image(1, 3, 5 * scale, 7 * scale))
    first = (scale - 1) // 2
    assert torch.equal(downsample(image, scale, "nearest"), image[..., first::scale, first::scale])
    repeated = image.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    assert torch.equal(upsample(image, scale, "nearest"), repeated)
    with pytest.raises(SrlabError, match="Unknown upsampler 'area'; choose one of nearest, bilinear, bicubic, lanczos"):
        upsample(image, scale, "area")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_does_not_change_a_pixel(photo, dtype):
    with torch.autocast("cpu", dtype=dtype):
        inside = downsample(photo, 4), upsample(photo, 2), blur(photo, 1.5)
    outside = downsample(photo, 4), upsample(photo, 2), blur(photo, 1.5)
    for x, y in zip(inside, outside, strict=True):
        assert x.dtype == torch.float32
        assert torch.equal(x, y)


@pytest.mark.parametrize(("size", "factor"), [((2100, 12), 1 / 4), ((12, 1030), 1 / 3), ((300, 9), 4), ((9, 301), 3)])
def test_a_large_image_cut_into_bands_equals_one_dense_product(size, factor):
    image = noise_image(1, *size).double()
    rows, columns = (resize_matrix(length, factor) for length in size)
    assert torch.allclose(resize(image, factor), rows @ image @ columns.T, atol=1e-13)


def test_resize_passes_the_gradient_even_after_a_first_call_under_inference_mode():
    with torch.inference_mode():
        resize(torch.rand(1, 3, 44, 52), 1 / 4)
    image = noise_image(1, 3, 44, 52).requires_grad_()
    resize(image, 1 / 4).sum().backward()
    assert image.grad.sum().item() == pytest.approx(3 * 11 * 13, rel=1e-5)  # each output's weights sum to 1


@pytest.mark.parametrize("device", DEVICES)
def test_gpu_and_cpu_give_the_same_pixels_and_stay_on_their_device(photo, device):
    lr = downsample(photo.to(device), 4)
    assert lr.device.type == device
    assert (lr.cpu() - downsample(photo, 4)).abs().max() <= 1.01 / 255
    assert BLIND(photo.to(device), 4, seeded(0, device)).device.type == device
    assert BLIND(photo.to(device), 4, seeded(0, "cpu")).device.type == device


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: resize(torch.rand(1, 3, 8, 8), 0.5, "mitchell"), "'mitchell'.*bicubic"),
        *[(lambda f=f: resize(torch.rand(1, 3, 8, 8), f), "must be positive") for f in (-0.25, math.nan)],
        *[(lambda s=s: downsample(torch.rand(1, 3, 8, 8), s), "whole number") for s in (0, 2.5)],
        (lambda: downsample(torch.rand(1, 3, 9, 8), 4), r"do not divide by scale 4; use srlab\.mod_crop"),
        (lambda: downsample(torch.rand(1, 3, 8, 9), 4), "do not divide by scale 4"),
        (lambda: downsample(torch.rand(1, 3, 8, 8), 4, "cubic"), "'cubic'.*bicubic-aliased"),
        (lambda: Degradation("cubic"), "'cubic'.*bicubic"),
        (lambda: jpeg(torch.rand(2, 3, 16, 16), torch.tensor([50, 0])), "quality must be from 1 to 100"),
        (lambda: jpeg(torch.rand(2, 3, 16, 16), 101), "quality must be from 1 to 100"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_there_is(ask, said):
    with pytest.raises(SrlabError, match=said):
        ask()


# --- Blur ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.4, 1.0, 16.0])
def test_blur_equals_scipy_with_mirrored_borders(photo, sigma):
    photo, along = photo[..., :40, :48], (0, 0, sigma, sigma)  # 16: the kernel is larger than the photo
    expected = ndimage.gaussian_filter(photo.double().numpy(), along, mode="reflect", radius=math.ceil(3 * sigma))
    assert np.abs(blur(photo, sigma).numpy() - expected).max() < 1e-4


def test_a_photo_is_blurred_until_its_squared_error_is_the_one_asked_for(photo):
    for error in (0.0005, 0.002):
        assert (blur_until(photo, error) - photo).square().mean().item() == pytest.approx(error, rel=0.01)


def test_each_image_of_a_batch_has_its_own_blur_and_a_bound_of_the_sigmas_only_spares_a_look_at_them(photo):
    batch = torch.cat([photo, photo.flip(-1), 1 - photo])
    sigma = torch.tensor([0.0, 1.5, 3.0])
    blurred = blur(batch, sigma)
    assert torch.allclose(blurred[:1], batch[:1], atol=1e-7)
    for image in (1, 2):
        along = (0, float(sigma[image]), float(sigma[image]))
        expected = ndimage.gaussian_filter(batch[image].double().numpy(), along, mode="reflect", radius=9)
        assert np.abs(blurred[image].numpy() - expected).max() < 1e-5
    assert torch.allclose(blur(batch, sigma, largest=4.0), blurred, atol=1e-6)
    assert torch.equal(blur(photo, 0), photo)


# --- Noise and JPEG ------------------------------------------------------------------------------------------


def test_gaussian_noise_has_the_standard_deviation_of_each_image_and_no_bias():
    image = torch.full((3, 3, 128, 128), 0.5)
    sigma = torch.tensor([0.0, 0.02, 0.1])
    noise = gaussian_noise(image, sigma, seeded()) - image
    assert noise.std(dim=(1, 2, 3)).tolist() == pytest.approx(sigma.tolist(), rel=0.02)
    assert noise.mean(dim=(1, 2, 3)).abs().max() < 0.002
    assert gaussian_noise(image, 0.05, seeded()).sub(image).std().item() == pytest.approx(0.05, rel=0.02)


def test_jpeg_of_higher_quality_is_closer_and_each_image_has_its_own(photo):
    qualities = (5, 20, 40, 60, 80, 95, 100)
    coded = [jpeg(photo, quality) for quality in qualities]
    scores = [psnr(image, photo).item() for image in coded]
    assert scores == sorted(scores)
    assert scores[0] < 30 < 40 < scores[-1]
    assert all(torch.equal(image, to_uint8(image).float() / 255) for image in coded)
    together = jpeg(photo.expand(len(coded), -1, -1, -1), torch.tensor([float(quality) for quality in qualities]))
    assert torch.equal(together, torch.cat(coded))


# --- Pipelines -----------------------------------------------------------------------------------------------

BLIND = Degradation(blur=(0.2, 3), noise=(0, 0.05), jpeg=(30, 95))
RANDOM = [
    Degradation(noise=0.02),
    Degradation(blur=(0.5, 2)),
    Degradation(jpeg=(30, 90)),
    BLIND,
]


@pytest.fixture(scope="module")
def batch(photo) -> torch.Tensor:
    return photo.repeat(4, 1, 1, 1)


def test_the_default_pipeline_is_downsampling_alone_and_stages_come_in_the_order_of_the_docstring(photo):
    for method in DOWNSAMPLERS:
        assert torch.equal(Degradation(method)(photo, 4), downsample(photo, 4, method))
    assert torch.equal(Degradation()(photo, 4), downsample(photo, 4))
    lr = Degradation(blur=1.2, noise=0.03, jpeg=40)(photo, 4, seeded())
    expected = gaussian_noise(downsample(blur(photo, 1.2), 4), 0.03, seeded())
    assert torch.equal(lr, jpeg(expected, 40))


def test_it_is_described_by_its_attributes_as_json_reads_them_back():
    degradation = Degradation(blur=[0.2, 3], jpeg=(60, 60))
    described = degradation.describe()
    assert described == {"method": "bicubic", "blur": [0.2, 3.0], "noise": 0.0, "jpeg": 60.0}
    assert json.loads(json.dumps(described)) == described
    assert Degradation(**described) == degradation


@pytest.mark.parametrize(
    "degradation",
    [Degradation(blur=1.5), Degradation(blur=(1.5, 1.5)), Degradation(jpeg=50)],
)
def test_a_pipeline_that_draws_nothing_needs_no_generator_and_repeats(photo, degradation):
    assert torch.equal(degradation(photo, 4), degradation(photo, 4))


@pytest.mark.parametrize("degradation", RANDOM)
def test_the_seed_decides_and_nothing_else_and_every_image_draws_its_own(batch, degradation):
    with pytest.raises(SrlabError, match=r"random; give it a torch\.Generator"):
        degradation(batch, 4)
    before = torch.get_rng_state()
    first, again, other = (degradation(batch, 4, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert all(not torch.equal(first[0], image) for image in first[1:])
    generator = seeded()
    assert not torch.equal(degradation(batch, 4, generator), degradation(batch, 4, generator))


def test_a_strength_that_is_a_pair_is_drawn_within_the_pair():
    grey = torch.full((200, 3, 16, 16), 0.5)
    lr = Degradation(noise=(0.02, 0.08))(grey, 2, seeded())
    drawn = (lr - 0.5).std(dim=(1, 2, 3))
    assert drawn.min() > 0.02 * 0.8
    assert drawn.max() < 0.08 * 1.2
    assert drawn.mean().item() == pytest.approx(0.05, abs=0.004)
    assert drawn.std().item() == pytest.approx(0.06 / 12**0.5, rel=0.15)  # uniform


@pytest.mark.parametrize(
    ("name", "strength"),
    [("noise", math.nan)]
    + [("jpeg", value) for value in (-3, 101, (0, 90), (90, 50))]
    + [("blur", value) for value in (-1, (1, 2, 3), "strong", (0.2, math.inf))],
)
def test_bad_strengths_are_refused_when_the_pipeline_is_made(name, strength):
    with pytest.raises(SrlabError, match=f"{name}="):
        Degradation(**{name: strength})
