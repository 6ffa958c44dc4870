"""Compare two distributions of patches, those of SR and those of photos, wherever a patch is from.

PSNR compares each pixel with the one at the same place. Here the place of a patch does not matter: a stone in the wrong
place costs nothing, and a smooth stone in the right place does. `srlab.evaluation.metrics.lr_consistency` tells whether
SR shows what LR shows.
"""

from functools import cache

import torch
import torch.nn.functional as F

from srlab.devices import convolutions, pick_device
from srlab.evaluation.metrics import FACE, TooSmall, prepared
from srlab.models.features import FeatureExtractor

PATCH = 32  # pixels: of a patch whose features are compared; neighbours overlap by half
FEWEST = 100  # patches, below which chance decides


def patch_distance(sr: torch.Tensor, hr: torch.Tensor, features: FeatureExtractor | None = None) -> torch.Tensor:
    """Compute the distance between the patches of SR and those of HR: a KID of small patches (Bińkowski et al. 2018).

    A patch of 32 x 32 pixels is described by the mean of each feature map over it. The distance is the squared maximum
    mean discrepancy with the kernel ``(x y / d + 1)^3``, without bias. Features count from HR's mean, in units of
    HR's spread, so distances of different photos are alike in kind, though not in size: of a photo that is the same
    everywhere, such as gravel, anything else is far away.

    It needs an HR, but not of the same place, nor of the same size: other photos of the same subject will do. On the
    embedded validation photos HR moved by half a stride has -.2 to 0, the shipped SRGAN .8 to 1.7, the network trained
    with MSE 1.6 to 2.6, bicubic 2.9 to 8. White noise hardly helps (MSE lifted to SRGAN's sharpness 1.5 to 2.6), and
    sharpening makes it worse where it overshoots (MSE sharpened to HR's gradient 1.9 to 33; on bricks, whose edges are
    hard, .5). On gravel: the other half of the photo .3, good GANs .2 to .8, MSE 530, bicubic 7,000. Faint patterns
    of the grid escape it, see `srlab.checkerboard`.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1]; C = 3 for RGB, 1 for gray. HR may have another size than SR.
    features
        Extractor with one layer, on the device that computes (default: ``vgg6 relu2_2``, which comes with srlab).

    Returns
    -------
    torch.Tensor
        ``(N,)``, no unit, float64; about 0, also below it, for two parts of one population; without meaning where HR is
        the same everywhere. By chance alone it varies by .1 to .5 with 200 patches, which 256 x 256 pixels have.

    Raises
    ------
    SrlabError
        As for `srlab.evaluation.metrics.prepared`; `TooSmall` with less than 100 patches.
    """
    features = features or _patch_features()
    pairs = zip(*(_described(image, features) for image in (sr, hr)), strict=True)
    return torch.stack([_discrepancy(found, wanted) for found, wanted in pairs]).to(sr.device)


@cache
def _patch_features() -> FeatureExtractor:
    return FeatureExtractor("vgg6 relu2_2").to(pick_device())


def _described(image: torch.Tensor, features: FeatureExtractor) -> torch.Tensor:
    """Return the mean features of the patches of each image, ``(N, patches, features)``, float64."""
    image = prepared(image, image, FACE)[0].expand(-1, 3, -1, -1)
    with torch.no_grad(), convolutions():
        (maps,) = features(image.to(features.mean.device)).values()
    window = PATCH // (image.shape[-1] // maps.shape[-1])
    rows, columns = ((length - window) // (window // 2) + 1 for length in maps.shape[-2:])
    if min(rows, columns) < 1 or rows * columns < FEWEST:
        height, width = image.shape[-2:]
        raise TooSmall(f"An image of {width}x{height} pixels has less than the {FEWEST} patches that a distance needs.")
    return F.avg_pool2d(maps, window, window // 2).flatten(2).mT.double()


def _discrepancy(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    mean = wanted.mean(dim=0)
    spread = (wanted - mean).square().mean().sqrt()
    found, wanted = (found - mean) / spread, (wanted - mean) / spread
    alike = [_kernel(patches, patches) for patches in (found, wanted)]
    # A patch compared with itself would make each population look more alike than it is.
    inside = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in alike]
    return inside[0] + inside[1] - 2 * _kernel(found, wanted).mean()


def _kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a @ b.mT / a.shape[1] + 1) ** 3
