"""PSNR, SSIM and MS-SSIM, and the protocol: what they are measured on."""

from dataclasses import dataclass

import torch
from pytorch_msssim import ms_ssim as multi_scale_ssim
from pytorch_msssim import ssim as windowed_ssim

from srlab.data.images import LOWEST, luma, quantize
from srlab.data.resampling import DOWNSAMPLERS, downsample
from srlab.errors import SrlabError


class TooSmall(SrlabError):
    """An image has too few pixels for the window of a metric; a table has NaN there."""


@dataclass(frozen=True)
class Protocol:
    """Preparation of an image before it is scored; two scores compare only under the same protocol.

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
    grey
        What ``color="y"`` scores for a gray file: its ``"values"``, as in tables made with MATLAB, or its ``"luma"``,
        as in scripts that read every file as RGB, such as BasicSR's and IMDN's. The luma is between 16 and 235, which
        makes errors smaller and raises the PSNR by 1.32 dB (by .094 dB on Set14, with one gray file of fourteen).
    """

    color: str = "y"
    crop: int = 4
    quantize: bool = True
    resampler: str = "bicubic"
    grey: str = "values"

    def __post_init__(self) -> None:
        if self.color not in ("y", "rgb") or self.crop < 0:
            raise SrlabError(f"A protocol has color 'y' or 'rgb' and a crop of 0 or more, but got {self}.")
        if self.resampler not in DOWNSAMPLERS:
            raise SrlabError(f"Unknown resampler '{self.resampler}'; choose one of {', '.join(DOWNSAMPLERS)}.")
        if self.grey not in ("values", "luma"):
            raise SrlabError(f"A protocol scores the 'values' or the 'luma' of a gray file, but got '{self.grey}'.")

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Prepare a batch for scoring.

        Parameters
        ----------
        image
            RGB ``(N, 3, H, W)`` or gray ``(N, 1, H, W)``, float in [0, 1].

        Returns
        -------
        torch.Tensor
            ``(N, C, H - 2 * crop, W - 2 * crop)``.
        """
        height, width = image.shape[-2:]
        if min(height, width) <= 2 * self.crop:
            raise SrlabError(f"An image of {width}x{height} pixels has nothing left after a crop of {self.crop}.")
        image = quantize(image) if self.quantize else image
        if self.color == "y" and (image.shape[1] == 3 or self.grey == "luma"):
            image = luma(image.expand(-1, 3, -1, -1))
        return image[..., self.crop : height - self.crop, self.crop : width - self.crop]


# The protocol of SRGAN, ESRGAN and nearly every table of x4 results.
PAPER = Protocol(color="y", crop=4)
# The same in tables made with BasicSR or IMDN's script.
BASICSR = Protocol(color="y", crop=4, grey="luma")
# The protocol of blind face SR.
FACE = Protocol(color="rgb", crop=0)
# The protocol of the SRGAN content-loss study. Its column "SSIM" is probably MS-SSIM: under this protocol bicubic on
# Set5 scores 26.71 dB (26.70 when rounded), an SSIM of .774 and an MS-SSIM of .955, while the study reports "SSIM"
# .935 beside 23.13 dB for a network trained with MSE: far above bicubic's SSIM in spite of a much larger error.
STUDY = Protocol(color="rgb", crop=0, quantize=False)
PROTOCOLS = {"paper": PAPER, "basicsr": BASICSR, "face": FACE, "study": STUDY}
MS_SSIM_SIDE = 161  # pixels: after four halvings an 11x11 window must still fit


def prepared(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol) -> tuple[torch.Tensor, torch.Tensor]:
    """Check a pair of batches and apply the protocol to both: the first step of every metric.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray.
    protocol
        Protocol of the metric.

    Returns
    -------
    tuple of torch.Tensor
        SR and HR, each ``(N, C, H, W)``, without gradient.

    Raises
    ------
    SrlabError
        Shapes differ, a value is NaN or infinite or above 2, an image is in [-1, 1], or the crop leaves nothing.
    """
    if sr.shape != hr.shape:
        raise SrlabError(f"SR has shape {tuple(sr.shape)} but HR {tuple(hr.shape)}; they must be the same.")
    sr, hr = (x[None] if x.ndim == 3 else x for x in (sr, hr))
    if sr.ndim != 4 or sr.shape[1] not in (1, 3):
        raise SrlabError(f"Scoring needs RGB or gray images (N, C, H, W), but got a tensor of shape {tuple(sr.shape)}.")
    if not (sr.isfinite().all() and hr.isfinite().all()):
        raise SrlabError("An image contains NaN or infinity, so it cannot be scored.")
    if max(sr.max(), hr.max()) > 2:
        raise SrlabError("Images are scored in [0, 1], but one has values above 2; divide 8-bit levels by 255.")
    if min(sr.min(), hr.min()) < LOWEST:
        raise SrlabError(
            "Images are scored in [0, 1], but one goes down to -0.5 or less; from [-1, 1] take (x + 1) / 2, and clamp "
            "the overshoot of a network."
        )
    return protocol(sr.detach()), protocol(hr.detach())


def psnr(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol = PAPER) -> torch.Tensor:
    """Compute the peak signal-to-noise ratio per image: ``10 log10(1 / MSE)`` with the peak at 1.

    The mean squared error is per image. Average PSNR over images afterwards: an average of the errors of several images
    gives another, lower number.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray.
    protocol
        Protocol of the metric.

    Returns
    -------
    torch.Tensor
        ``(N,)``, decibels, float64; infinite for equal images.

    Raises
    ------
    SrlabError
        As for `prepared`.
    """
    sr, hr = prepared(sr, hr, protocol)
    mse = (sr.double() - hr.double()).square().mean(dim=(1, 2, 3))
    return -10 * mse.log10()


def lr_consistency(sr: torch.Tensor, lr: torch.Tensor, resampler: str = "bicubic") -> torch.Tensor:
    """Compute the PSNR of downscaled SR against LR: whether SR still shows what LR shows.

    It needs no HR, so it works for any upscaled image. Every photo that could have become this LR scores the same, so a
    generator may invent whatever disappears when SR is downscaled; a low value means that it changed what was known. SR
    is rounded to 8 bits, downscaled, and rounded again, like LR, and all channels of all pixels count. On the embedded
    validation photos: bicubic 36 to 42 dB, the network trained with MSE 43 to 52, the bundled SRGAN 41 to 47.

    Parameters
    ----------
    sr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray.
    lr
        The same, a whole number of times smaller, made only with the resampler: noise, blur or JPEG count as errors of
        SR.
    resampler
        Key of `srlab.DOWNSAMPLERS`.

    Returns
    -------
    torch.Tensor
        ``(N,)``, decibels, float64; higher is better, infinite for equal images.

    Raises
    ------
    SrlabError
        As for `prepared`, an unknown resampler, or LR is not a whole number of times smaller.
    """
    sr, lr = (prepared(image, image, FACE)[0] for image in (sr, lr))
    (height, width), (small_height, small_width) = sr.shape[-2:], lr.shape[-2:]
    scale = height // small_height
    if (height, width) != (scale * small_height, scale * small_width):
        raise SrlabError(
            f"SR of {width}x{height} pixels is not a whole multiple of LR, which has {small_width}x{small_height}."
        )
    return psnr(downsample(sr, scale, resampler), lr, FACE)


def ssim(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol = PAPER) -> torch.Tensor:
    """Compute the structural similarity per image (Wang 2004): Gaussian 11x11 window of sigma 1.5, no padding.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray.
    protocol
        Protocol of the metric.

    Returns
    -------
    torch.Tensor
        ``(N,)``, at most 1 (equal images), float64.

    Raises
    ------
    SrlabError
        As for `psnr`; `TooSmall` if less than 11 pixels are left.
    """
    sr, hr = prepared(sr, hr, protocol)
    if min(sr.shape[-2:]) < 11:
        raise TooSmall(f"SSIM needs at least 11x11 pixels after the crop, but has {tuple(sr.shape[-2:])}.")
    # In float32 a variance is a small difference of large numbers; float64 keeps the fourth decimal right.
    return windowed_ssim(sr.double(), hr.double(), data_range=1.0, size_average=False)


def ms_ssim(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol = PAPER) -> torch.Tensor:
    """Compute the multi-scale structural similarity per image (Wang, Simoncelli and Bovik 2003): five scales.

    It ignores much of what x4 loses, because four of its five scales are coarser than the image: never compare it with
    SSIM. If a side is not a multiple of 16, pytorch-msssim pads it with zeros.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray.
    protocol
        Protocol of the metric.

    Returns
    -------
    torch.Tensor
        ``(N,)``, from 0 to 1 (equal images), float64.

    Raises
    ------
    SrlabError
        As for `psnr`; `TooSmall` if less than 161 pixels are left along a side.
    """
    sr, hr = prepared(sr, hr, protocol)
    if min(sr.shape[-2:]) < MS_SSIM_SIDE:
        raise TooSmall(
            f"MS-SSIM halves an image four times and needs at least {MS_SSIM_SIDE} pixels a side after the crop, "
            f"but has {tuple(sr.shape[-2:])}; use ssim for small images."
        )
    return multi_scale_ssim(sr.double(), hr.double(), data_range=1.0, size_average=False)
