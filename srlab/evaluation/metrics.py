"""PSNR, SSIM and LR consistency, and the protocol that prepares images for them.

Images are ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1], with C = 3 for RGB and 1 for gray. Metrics return one
float64 per image, ``(N,)``. They reject images of different shapes, and values that are NaN or far outside [0, 1].
"""

from dataclasses import dataclass

import torch
from pytorch_msssim import ssim as windowed_ssim

from srlab.data.images import check_range, luma, quantize, to_float
from srlab.data.resampling import DOWNSAMPLERS, downsample
from srlab.errors import SrlabError


class TooSmall(SrlabError):
    """The error for images that are smaller than the window of a metric; tables contain NaN for them."""


@dataclass(frozen=True)
class Protocol:
    """The preparation of images before they are scored. Compare scores only if their protocols are equal.

    Attributes
    ----------
    color
        ``"y"`` for the BT.601 luma plane, ``"rgb"`` for all three channels.
    crop
        Border pixels removed on each side.
    quantize
        Round to 8-bit levels first, as in a saved file.
    resampler
        Downsampler from HR to LR for sets without LR: a key of `srlab.DOWNSAMPLERS`.
    gray
        What ``color="y"`` scores for a gray file: its ``"values"``, as in tables made with MATLAB, or its ``"luma"``,
        as in scripts that read every file as RGB, such as BasicSR's and IMDN's. The range of the luma is only 16 to
        235, which makes errors smaller and raises the PSNR by 1.32 dB.
    """

    color: str = "y"
    crop: int = 4
    quantize: bool = True
    resampler: str = "bicubic"
    gray: str = "values"

    def __post_init__(self) -> None:
        if self.color not in ("y", "rgb") or self.crop < 0:
            raise SrlabError(f"A protocol must have color 'y' or 'rgb' and a crop of 0 or more, but got {self}.")
        if self.resampler not in DOWNSAMPLERS:
            raise SrlabError(f"'{self.resampler}' is not a resampler. Use one of {', '.join(DOWNSAMPLERS)}.")
        if self.gray not in ("values", "luma"):
            raise SrlabError(f"A protocol's gray must be 'values' or 'luma', but is '{self.gray}'.")

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Prepare ``(N, C, H, W)`` for scoring: return ``(N, C, H - 2 * crop, W - 2 * crop)``."""
        height, width = image.shape[-2:]
        if min(height, width) <= 2 * self.crop:
            raise SrlabError(f"An image of {width}x{height} pixels has nothing left after a crop of {self.crop}.")
        image = quantize(image) if self.quantize else image
        if self.color == "y" and (image.shape[1] == 3 or self.gray == "luma"):
            image = luma(image.expand(-1, 3, -1, -1))
        return image[..., self.crop : height - self.crop, self.crop : width - self.crop]


# The protocol of SRGAN, ESRGAN and nearly every table of x4 results.
PAPER = Protocol(color="y", crop=4)
# The same for tables made with BasicSR or IMDN's script.
BASICSR = Protocol(color="y", crop=4, gray="luma")
# The whole image with all channels, for most metrics other than PSNR and SSIM; also the protocol of blind face SR.
WHOLE_RGB = Protocol(color="rgb", crop=0)
# The protocol of the SRGAN content-loss study. Its column "SSIM" is probably MS-SSIM: it reports .935 with 23.13 dB on
# Set5 for a network trained with MSE, while bicubic scores 26.71 dB, an SSIM of .774 and an MS-SSIM of .955 with this
# protocol. An SSIM this far above bicubic's would contradict the much larger error.
STUDY = Protocol(color="rgb", crop=0, quantize=False)
PROTOCOLS = {"paper": PAPER, "basicsr": BASICSR, "face": WHOLE_RGB, "study": STUDY}


def prepared(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol) -> tuple[torch.Tensor, torch.Tensor]:
    """Check a pair of batches and apply the protocol to both, as the first step of every metric.

    Both results are ``(N, C, H, W)``, without gradients.
    """
    if sr.shape != hr.shape:
        raise SrlabError(f"SR has shape {tuple(sr.shape)} and HR {tuple(hr.shape)}, but they must be the same.")
    return prepared_image(sr, protocol), prepared_image(hr, protocol)


def prepared_image(image: torch.Tensor, protocol: Protocol = WHOLE_RGB) -> torch.Tensor:
    """Check one batch and apply the protocol to it: ``(N, C, H, W)``, without gradients."""
    image = image[None] if image.ndim == 3 else image
    if image.ndim != 4 or image.shape[1] not in (1, 3):
        shape = tuple(image.shape)
        raise SrlabError(f"Scoring needs RGB or gray images (N, C, H, W), but got a tensor of shape {shape}.")
    check_range(image, "An image to score")
    return protocol(to_float(image.detach()))


def psnr(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol = PAPER) -> torch.Tensor:
    """Compute the peak signal-to-noise ratio per image: ``10 log10(1 / MSE)`` with the peak at 1.

    Average the PSNR over images afterwards: the PSNR of an averaged MSE is lower.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray.
    protocol
        Preparation of both images.

    Returns
    -------
    torch.Tensor
        ``(N,)``, decibels, float64; infinite for equal images.
    """
    sr, hr = prepared(sr, hr, protocol)
    mse = (sr.double() - hr.double()).square().mean(dim=(1, 2, 3))
    return -10 * mse.log10()


def lr_consistency(sr: torch.Tensor, lr: torch.Tensor, resampler: str = "bicubic") -> torch.Tensor:
    """Compute the PSNR in dB between downscaled SR and LR: whether SR agrees with its input.

    It needs no HR. All HR images that downscale to this LR get the same score, so hallucinated detail costs nothing if
    it disappears when SR is downscaled; a low value means that known content has changed. SR is rounded to 8 bits,
    downscaled and rounded again. All channels of all pixels count.

    Parameters
    ----------
    lr
        LR image, smaller by an integer factor. It must be made only with the resampler: noise, blur or JPEG would count
        as errors of SR.
    resampler
        Key of `srlab.DOWNSAMPLERS`.
    """
    sr, lr = (prepared_image(image) for image in (sr, lr))
    (height, width), (small_height, small_width) = sr.shape[-2:], lr.shape[-2:]
    scale = height // small_height
    if (height, width) != (scale * small_height, scale * small_width):
        raise SrlabError(
            f"SR of {width}x{height} pixels must be an integer multiple of LR, which has {small_width}x{small_height}."
        )
    return psnr(downsample(sr, scale, resampler), lr, WHOLE_RGB)


def ssim(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol = PAPER) -> torch.Tensor:
    """Compute the structural similarity per image (Wang 2004), at most 1.

    The window is Gaussian, 11x11 pixels with sigma 1.5, without padding. Fewer than 11 pixels per side after the crop
    raise `TooSmall`.
    """
    sr, hr = prepared(sr, hr, protocol)
    if min(sr.shape[-2:]) < 11:
        raise TooSmall(f"SSIM needs at least 11x11 pixels after the crop, but got {tuple(sr.shape[-2:])}.")
    # A variance is a small difference of large numbers; in float32 the fourth decimal would be wrong.
    return windowed_ssim(sr.double(), hr.double(), data_range=1.0, size_average=False)
