"""Test srlab.data.degradation and resampling against slow definitions, other libraries, and statistics."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from srlab.data import datasets
from srlab.data.degradation import Degradation, blur, convolve, gaussian_noise, jpeg
from srlab.data.images import mod_crop, quantize, to_uint8
from srlab.data.resampling import DOWNSAMPLERS, KERNELS, downsample, resize, upsample
from srlab.errors import SrlabError
from srlab.evaluation.metrics import psnr

BLIND = Degradation(blur=(0.2, 3), noise=(0, 0.05), jpeg=(30, 95))


def seeded(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


@pytest.fixture(scope="module")
def photo(astronaut) -> torch.Tensor:
    """Return a crop of a face with strong edges, 120 x 144 pixels, divisible by 2, 3, 4 and 8."""
    return astronaut[..., 40:160, 160:304].contiguous()


# --- Resizing: a reference straight from the definition --------------------------------------------------------


def keys(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


REFERENCE = {  # name -> (kernel, half width)
    "box": (lambda x: float(-0.5 <= x < 0.5), 0.5),
    "bilinear": (lambda x: max(0.0, 1 - abs(x)), 1),
    "bicubic": (keys, 2),
    "lanczos": (lambda x: np.sinc(x) * np.sinc(x / 3) if abs(x) < 3 else 0.0, 3),
}


def slow_resize(image, factor, kernel="bicubic", antialias=True, rounded=lambda levels: levels):
    """Resize (..., H, W) in float64: each output sample is the weighted mean of the input samples around it."""
    function, half = REFERENCE[kernel]
    stretch = 1 / factor if antialias and factor < 1 else 1.0
    image = image.double().numpy()
    for axis in (-2, -1):
        x, out = np.moveaxis(image, axis, 0), []
        mirror = np.concatenate([np.arange(len(x)), np.arange(len(x))[::-1]])
        for i in range(math.ceil(len(x) * factor)):
            center = (i + 0.5) / factor - 0.5
            taps = range(math.ceil(center - half * stretch), math.floor(center + half * stretch) + 1)
            weights = [function((tap - center) / stretch) for tap in taps]
            samples = [x[mirror[tap % len(mirror)]] for tap in taps]
            out.append(sum(w * s for w, s in zip(weights, samples, strict=True)) / sum(weights))
        image = np.moveaxis(rounded(np.stack(out)), 0, axis)
    return image


# Height, width and factor; the kernel may be wider than the image, so that it is mirrored more than once.
SIZES = [(24, 36, 1 / 4), (17, 9, 0.4), (6, 9, 4), (5, 8, 1.7), (7, 8, 1), (4, 5, 1 / 8)]
SIZES += [(1100, 3, 1 / 4), (3, 300, 3)]  # processed in bands


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("kernel", list(KERNELS))
def test_resize_matches_definition(kernel, antialias):
    for height, width, factor in SIZES:
        image = torch.rand(2, height, width, generator=seeded())
        expected = slow_resize(image, factor, kernel, antialias)
        for kind, most in ((torch.float32, 2e-6), (torch.float64, 1e-12)):
            result = resize(image.to(kind), factor, kernel, antialias).numpy()
            assert result.shape == expected.shape
            assert np.abs(result - expected).max() < most


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_downsample_matches_definition_in_uint8(astronaut, scale):
    def to_levels(levels):
        """Round as MATLAB does after each axis of an 8-bit image: halves up."""
        return np.clip(np.floor(levels + 0.5 + 1e-9), 0, 255)

    image = astronaut[..., : 512 // scale * scale, : 512 // scale * scale]
    # With integer levels and scales 2, 4 and 8, every float64 sum is exact, so a half is exactly a half.
    expected = slow_resize((image * 255).round(), 1 / scale, rounded=to_levels)
    gap = np.abs(to_uint8(downsample(image, scale)).numpy() - expected)
    assert gap.max() <= 1
    assert (gap > 0).mean() < 5e-5  # float32 rounding can move a half


def test_downsample_matches_matlab(benchmark_dir):
    """Compare except at the border, where the reference files were padded differently."""
    images = datasets.load_images(benchmark_dir / "Set5")
    for name, hr in images:
        gap = downsample(mod_crop(hr, 4), 4) - images.lr_of(name)
        assert not gap[..., 2:-2, 2:-2].any(), name


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_nearest_downsampling(scale):
    image = quantize(torch.rand(1, 3, 5 * scale, 7 * scale))
    first = (scale - 1) // 2
    assert torch.equal(downsample(image, scale, "nearest"), image[..., first::scale, first::scale])
    repeated = image.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    assert torch.equal(upsample(image, scale, "nearest"), repeated)


def test_autocast_and_inference_mode_do_not_affect_degradation(photo):
    for change, strength in ((downsample, 4), (upsample, 2), (blur, 1.5)):
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
            inside = change(photo, strength)
        assert torch.equal(inside, change(photo, strength))
    image = torch.rand(1, 3, 120, 144).requires_grad_()  # with the matrices that were made in inference mode
    resize(image, 1 / 4).sum().backward()
    assert image.grad.sum().item() == pytest.approx(3 * 30 * 36, rel=1e-5)  # each output's weights sum to 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu_matches_cpu(photo):
    lr = downsample(photo.cuda(), 4)
    assert lr.device.type == "cuda"
    assert (lr.cpu() - downsample(photo, 4)).abs().max() <= 1.01 / 255
    for device in ("cpu", "cuda"):
        assert BLIND(photo.cuda(), 4, seeded(0, device)).device.type == "cuda"


# --- Blur, noise, JPEG -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigmas", [[0.4], [16.0], [0.0, 1.5, 3.0]])
def test_blur_matches_scipy(photo, sigmas):
    batch = photo[..., :40, :48].repeat(len(sigmas), 1, 1, 1)  # 16: the kernel is larger than the photo
    blurred = blur(batch, torch.tensor(sigmas))
    for image, result, sigma in zip(batch.double().numpy(), blurred, sigmas, strict=True):
        radius = math.ceil(3 * max(sigmas))
        expected = ndimage.gaussian_filter(image, (0, sigma, sigma), mode="reflect", radius=radius) if sigma else image
        assert np.abs(result.numpy() - expected).max() < 1e-4
    assert torch.allclose(blur(batch, torch.tensor(sigmas), largest=20.0), blurred, atol=1e-6)


def test_convolve_uses_each_kernel_on_its_image(photo):
    batch, kernels = photo[..., :20, :26].repeat(2, 1, 1, 1), torch.rand(2, 5, 5, generator=seeded())
    for result, image, kernel in zip(convolve(batch, kernels), batch.double(), kernels.double(), strict=True):
        for channel, expected in zip(result, image, strict=True):
            assert np.abs(channel.numpy() - ndimage.correlate(expected.numpy(), kernel.numpy())).max() < 1e-5
    assert torch.equal(convolve(batch, kernels[0]), convolve(batch, kernels[:1].repeat(2, 1, 1)))


def test_jpeg(photo):
    qualities = torch.tensor([5.0, 20.0, 60.0, 100.0])
    coded = jpeg(photo.expand(4, -1, -1, -1), qualities)
    scores = psnr(coded, photo.expand(4, -1, -1, -1)).tolist()
    assert scores == sorted(scores)
    assert scores[0] < 30 < 40 < scores[-1]
    assert torch.equal(coded, quantize(coded))
    assert torch.equal(coded[1:2], jpeg(photo, 20))


# --- Pipelines -----------------------------------------------------------------------------------------------


def test_degradation_stage_order(photo):
    for method in DOWNSAMPLERS:
        assert torch.equal(Degradation(method)(photo, 4), downsample(photo, 4, method))
    assert torch.equal(Degradation()(photo, 4), downsample(photo, 4))
    assert torch.equal(Degradation(blur=(1.2, 1.2))(photo, 4), downsample(blur(photo, 1.2), 4))  # no random numbers
    lr = Degradation(blur=1.2, noise=0.03, jpeg=40)(photo, 4, seeded())
    expected = gaussian_noise(downsample(blur(photo, 1.2), 4), 0.03, seeded())
    assert torch.equal(lr, jpeg(expected, 40))


def test_describe():
    degradation = Degradation(blur=[0.2, 3], jpeg=(60, 60))
    assert (described := degradation.describe())["jpeg"] == 60
    assert Degradation(**json.loads(json.dumps(described))) == degradation


@pytest.mark.parametrize("made", [{"noise": 0.02}, {"blur": (0.5, 2)}, {"jpeg": (30, 90)}, BLIND.describe()])
def test_seed_is_reproducible_and_images_differ(photo, made):
    degradation, batch = Degradation(**made), photo.repeat(4, 1, 1, 1)
    before, generator = torch.get_rng_state(), seeded(1)
    first, second, again = (degradation(batch, 4, random) for random in (generator, generator, seeded(1)))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert all(not torch.equal(first[0], image) for image in first[1:])


def test_noise_has_zero_mean_and_a_uniform_strength():
    gray = torch.full((200, 3, 16, 16), 128 / 255)
    noise = Degradation(noise=(0.02, 0.08))(gray, 2, seeded()) - 128 / 255
    drawn = noise.std(dim=(1, 2, 3))
    assert abs(noise.mean()) < 0.001
    assert 0.02 * 0.8 < drawn.min() < drawn.max() < 0.08 * 1.2
    assert drawn.mean().item() == pytest.approx(0.05, abs=0.004)
    assert drawn.std().item() == pytest.approx(0.06 / 12**0.5, rel=0.15)  # uniform


IMAGE = torch.rand(1, 3, 9, 8)
REFUSED = [
    (lambda: resize(IMAGE, 0.5, "mitchell"), "'mitchell'.*bicubic"),
    (lambda: resize(IMAGE, -0.25), "must be positive"),
    (lambda: downsample(IMAGE, 4), r"scale 4.*mod_crop"),
    (lambda: downsample(IMAGE, 1, "cubic"), "'cubic'.*bicubic-aliased"),
    (lambda: upsample(IMAGE, 2, "area"), "'area'.*lanczos"),
    (lambda: convolve(IMAGE, torch.ones(4, 4)), "square with an odd side"),
    (lambda: convolve(IMAGE, torch.ones(3, 5)), "square with an odd side"),
    (lambda: jpeg(IMAGE, torch.tensor([0])), "1 to 100"),
    (lambda: Degradation("cubic"), "'cubic'.*bicubic"),
    (lambda: Degradation(noise=math.nan), "noise=nan"),
    (lambda: Degradation(blur=-1), "blur=-1"),
    (lambda: Degradation(blur=(1, 2, 3)), r"blur=\(1, 2, 3\)"),
    (lambda: Degradation(blur="strong"), "blur=strong"),
    (lambda: Degradation(jpeg=(90, 50)), r"jpeg=\(90, 50\)"),
    (lambda: Degradation(jpeg=(0, 90)), r"jpeg=\[0.0, 90.0\]"),
    (lambda: Degradation(noise=0.02)(IMAGE, 1), r"torch\.Generator"),
    (lambda: Degradation(jpeg=(30, 90))(IMAGE, 1), r"torch\.Generator"),
]


@pytest.mark.parametrize(("call", "said"), REFUSED)
def test_invalid_degradation_is_rejected(call, said):
    with pytest.raises(SrlabError, match=said):
        call()
