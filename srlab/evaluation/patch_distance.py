"""Compare the distribution of patches in SR with that in photos, regardless of where a patch is.

PSNR compares each pixel with the one at the same location. Here the location does not matter: a stone in the wrong
place costs nothing, but a smooth stone in the right place does. To check that SR agrees with LR, use
`srlab.evaluation.metrics.lr_consistency`.
"""

from functools import cache

import torch
import torch.nn.functional as F

from srlab.devices import cudnn_settings, pick_device
from srlab.evaluation.metrics import TooSmall, prepared_image
from srlab.models.features import FeatureExtractor

PATCH = 32  # pixels per side of a patch; neighbors overlap by half
FEWEST = 100  # smallest number of patches; with fewer, chance dominates


def patch_distance(sr: torch.Tensor, hr: torch.Tensor, features: FeatureExtractor | None = None) -> torch.Tensor:
    """Compute the distance between the patches of SR and those of HR: a KID of small patches (Bińkowski et al. 2018).

    A patch of 32 x 32 pixels is described by the mean of each feature map over it. The distance is the unbiased squared
    maximum mean discrepancy with the kernel ``(x y / d + 1)^3``. Features are centered on HR's mean, in units of HR's
    spread. HR may have another size, and may show another region of the same subject.

    The scale of the distance depends on the photo: for uniform texture such as gravel, everything else is far away, and
    if HR is constant the distance has no meaning. White noise hardly lowers it, and sharpening raises it where it
    overshoots. It misses faint periodic artifacts, see `srlab.checkerboard`.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray.
    features
        Extractor with one layer, on the device to compute on (default: the bundled ``vgg6 relu2_2``).

    Returns
    -------
    torch.Tensor
        ``(N,)``, no unit, float64; about 0, possibly below, for two samples of one distribution. By chance it varies by
        .1 to .5 with 200 patches (256 x 256 pixels); fewer than 100 patches raise `TooSmall`.
    """
    features = features or _patch_features()
    pairs = zip(*(_described(image, features) for image in (sr, hr)), strict=True)
    return torch.stack([_discrepancy(found, wanted) for found, wanted in pairs]).to(sr.device)


@cache
def _patch_features() -> FeatureExtractor:
    return FeatureExtractor("vgg6 relu2_2").to(pick_device())


def _described(image: torch.Tensor, features: FeatureExtractor) -> torch.Tensor:
    """Return the mean features of the patches of each image, ``(N, patches, features)``, float64."""
    image = prepared_image(image).expand(-1, 3, -1, -1)
    height, width = image.shape[-2:]
    rows, columns = ((length - PATCH) // (PATCH // 2) + 1 for length in (height, width))
    if min(rows, columns) < 1 or rows * columns < FEWEST:
        raise TooSmall(f"An image of {width}x{height} pixels has fewer than the {FEWEST} patches that are needed.")
    with torch.no_grad(), cudnn_settings(tf32=False):
        (maps,) = features(image.to(features.mean.device)).values()
    window = PATCH // (width // maps.shape[-1])
    return F.avg_pool2d(maps, window, window // 2).flatten(2).mT.double()


def _discrepancy(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    mean = wanted.mean(dim=0)
    spread = (wanted - mean).square().mean().sqrt()
    found, wanted = (found - mean) / spread, (wanted - mean) / spread
    alike = [_kernel(patches, patches) for patches in (found, wanted)]
    # Comparing patches with themselves would bias the similarity within each set upward.
    inside = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in alike]
    return inside[0] + inside[1] - 2 * _kernel(found, wanted).mean()


def _kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a @ b.mT / a.shape[1] + 1) ** 3
