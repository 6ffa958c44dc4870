"""PSNR and SSIM, and the protocol that says on what they are measured."""

from dataclasses import dataclass

import torch

from srlab.errors import SrlabError
from srlab.images import luma, quantize


@dataclass(frozen=True)
class Protocol:
    """What an image goes through before it is scored; two numbers compare only under the same protocol.

    Attributes
    ----------
    color
        ``"y"`` for the BT.601 luma plane, ``"rgb"`` for all three channels.
    crop
        Border pixels removed on each side.
    quantize
        Round to 8-bit levels first, as a saved file would be.
    """

    color: str = "y"
    crop: int = 4
    quantize: bool = True

    def __post_init__(self) -> None:
        if self.color not in ("y", "rgb") or self.crop < 0:
            raise SrlabError(f"A protocol has color 'y' or 'rgb' and a crop of 0 or more, but got {self}.")

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Prepare a batch for scoring.

        Parameters
        ----------
        image
            RGB ``(N, 3, H, W)`` or grey ``(N, 1, H, W)``, float in [0, 1]. The grey values of a grey file are
            scored as they are, as the published scripts do: its luma would be squeezed into 16-235, which
            makes every error smaller and flatters the PSNR by 1.32 dB.

        Returns
        -------
        torch.Tensor
            ``(N, C, H - 2 * crop, W - 2 * crop)``.
        """
        height, width = image.shape[-2:]
        if min(height, width) <= 2 * self.crop:
            raise SrlabError(f"An image of {width}x{height} pixels has nothing left after a crop of {self.crop}.")
        image = quantize(image) if self.quantize else image
        image = luma(image) if self.color == "y" and image.shape[1] == 3 else image
        return image[..., self.crop : height - self.crop, self.crop : width - self.crop]


PAPER = Protocol(color="y", crop=4)


def _prepared(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol) -> tuple[torch.Tensor, torch.Tensor]:
    if sr.shape != hr.shape:
        raise SrlabError(f"SR has shape {tuple(sr.shape)} but HR {tuple(hr.shape)}; they must be the same.")
    sr, hr = (x[None] if x.ndim == 3 else x for x in (sr, hr))
    if sr.ndim != 4 or sr.shape[1] not in (1, 3):
        raise SrlabError(f"Scoring needs RGB or grey images (N, C, H, W), but got a tensor of shape {tuple(sr.shape)}.")
    if not (sr.isfinite().all() and hr.isfinite().all()):
        raise SrlabError("An image contains NaN or infinity, so it cannot be scored.")
    if max(sr.max(), hr.max()) > 2:
        raise SrlabError("Images are scored in [0, 1], but one has values above 2; divide 8-bit levels by 255.")
    return protocol(sr.detach()), protocol(hr.detach())


def psnr(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol = PAPER) -> torch.Tensor:
    """Peak signal-to-noise ratio per image: ``10 log10(1 / MSE)`` with the peak at 1.

    The mean square error is taken per image; averaging PSNR over images is left to the caller, because
    pooling the errors of several images first gives another, lower number.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for grey.
    protocol
        What to measure on.

    Returns
    -------
    torch.Tensor
        ``(N,)``, decibels, float64; infinite for equal images.

    Raises
    ------
    SrlabError
        Shapes differ, a value is NaN or infinite, or the crop leaves nothing.
    """
    sr, hr = _prepared(sr, hr, protocol)
    mse = (sr.double() - hr.double()).square().mean(dim=(1, 2, 3))
    return -10 * mse.log10()


def ssim(sr: torch.Tensor, hr: torch.Tensor, protocol: Protocol = PAPER) -> torch.Tensor:
    """Structural similarity per image (Wang 2004): Gaussian 11x11 window of sigma 1.5, no padding.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for grey.
    protocol
        What to measure on.

    Returns
    -------
    torch.Tensor
        ``(N,)``, at most 1 (equal images), float64.

    Raises
    ------
    SrlabError
        As for `psnr`, or less than 11 pixels are left.
    """
    from pytorch_msssim import ssim as windowed_ssim

    sr, hr = _prepared(sr, hr, protocol)
    if min(sr.shape[-2:]) < 11:
        raise SrlabError(f"SSIM needs at least 11x11 pixels after the crop, but has {tuple(sr.shape[-2:])}.")
    # In float32 a variance is a small difference of large numbers; float64 keeps the fourth decimal right.
    return windowed_ssim(sr.double(), hr.double(), data_range=1.0, size_average=False)
