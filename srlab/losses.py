"""Losses as pure functions: content losses, hybrids, and adversarial losses over logits.

The adversarial losses take logits of a discriminator. In the equations below C(x) is the logit, D(x) = sigmoid(C(x)), x
is an HR image and y = G(lr) an SR image; each loss is the mean over all logits. All losses have shape ``()``.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

from srlab.errors import SrlabError
from srlab.models.features import FeatureExtractor


def charbonnier(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the mean of ``sqrt(d^2 + 1e-8)``, a smooth L1 loss (Lai et al. 2017, section 3.2)."""
    return ((sr - hr).square() + 1e-8).sqrt().mean()


Labels = float | torch.Tensor
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# Distances between two images or feature maps, by their names in recipes: (sr, hr) -> ().
PIXEL_LOSSES: dict[str, Criterion] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "charbonnier": charbonnier,
}


def content_loss(
    features: FeatureExtractor,
    sr: torch.Tensor,
    hr: torch.Tensor,
    criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = F.mse_loss,
    relative: bool = False,
    max_shift: int = 0,
) -> torch.Tensor:
    """Compute the distance between the feature maps of SR and HR (Ledig et al. 2017, equation 5), summed over layers.

    The criterion also averages over the channels, while the paper sums over them. The features of HR have no graph,
    because nothing before them is trained.

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)`` in [0, 1].
    criterion
        ``F.mse_loss`` as in SRGAN, or ``F.l1_loss`` as in ESRGAN.
    relative
        Divide each layer's distance by the distance of HR's maps from zero. Then 1 means that none of HR's features is
        present, whatever the network, layer and weights, so losses over different features are comparable.
    max_shift
        First crop `max_shift` rows and columns from both images, a random number of them at the top and at the left.
        Features are on a grid of blocks of pixels; this shifts the grid, so that no pattern can hide in it.
    """
    if max_shift:
        sr, hr = _shifted((sr, hr), max_shift)
    with torch.no_grad():
        wanted = features(hr)
    found = features(sr)
    total = sr.new_zeros(())
    for layer in features.layers:
        distance = criterion(found[layer], wanted[layer])
        if relative:
            distance = distance / criterion(wanted[layer], torch.zeros_like(wanted[layer])).clamp(min=1e-12)
        total = total + distance
    return total


def _shifted(images: Sequence[torch.Tensor], max_shift: int) -> list[torch.Tensor]:
    """Crop all images at the same random place, to sides that are shorter by `max_shift`.

    The place is drawn on the device, because a GPU that repeats a recorded step would repeat a number of Python's.
    """
    height, width = (side - max_shift for side in images[0].shape[-2:])
    down, right = torch.randint(max_shift + 1, (2, 1), device=images[0].device)
    rows, columns = (torch.arange(side, device=images[0].device) for side in (height, width))
    return [image.index_select(-2, down + rows).index_select(-1, right + columns) for image in images]


def hybrid(*parts: tuple[float, torch.Tensor]) -> torch.Tensor:
    """Compute a weighted sum of losses, such as ``hybrid((0.7, pixel), (0.3, content))`` in the content-loss study.

    The weights are finite, 0 or more, and not all 0.
    """
    weights = [weight for weight, _ in parts]
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights):
        raise SrlabError(
            f"The weights of a hybrid loss must be 0 or more and not all 0, but are {', '.join(map(str, weights))}."
        )
    # Leave out parts with weight 0, because 0 * inf would be NaN.
    return torch.stack([weight * loss for weight, loss in parts if weight]).sum()


class Adversary(NamedTuple):
    """The losses of D and G, both from the logits of HR and of SR.

    Attributes
    ----------
    d_loss
        ``d_loss(real, fake, yes, no)``, with the targets for real and for fake.
    g_loss
        ``g_loss(real, fake)``.
    relativistic
        Whether G's loss uses the logits of HR, too.
    """

    d_loss: Callable[[torch.Tensor, torch.Tensor, Labels, Labels], torch.Tensor]
    g_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    relativistic: bool = False


def discriminator_loss(
    real: torch.Tensor, fake: torch.Tensor, kind: str = "vanilla", labels: tuple[Labels, Labels] = (1.0, 0.0)
) -> torch.Tensor:
    """Compute the loss of D.

    ============================ ====================================================== ===========================
    kind                         loss of D                                              source
    ============================ ====================================================== ===========================
    vanilla                      ``-log D(x) - log(1 - D(y))``                          Goodfellow 2014, equation 1
    lsgan                        ``(C(x) - 1)^2 / 2 + C(y)^2 / 2``                      Mao 2017, equation 9
    hinge                        ``max(0, 1 - C(x)) + max(0, 1 + C(y))``                Lim and Ye 2017
    rgan (relativistic)          ``-log sigmoid(C(x) - C(y))``                          Jolicoeur-Martineau 2019
    ragan (relativistic average) ``-log sigmoid(C(x) - mean C(y))``                     Wang 2018 (ESRGAN),
                                 ``- log(1 - sigmoid(C(y) - mean C(x)))``               equation 1
    ============================ ====================================================== ===========================

    Parameters
    ----------
    real, fake
        Logits of HR and SR, of any shape; the same shape for "rgan". Detach SR before passing it to D. Otherwise you
        compute a gradient through G that nothing uses.
    kind
        A key of `ADVERSARIAL`.
    labels
        Targets for real and fake in [0, 1], for example from `smooth_labels`. ``(0.9, 0)`` is one-sided smoothing
        (Salimans 2016). "rgan" compares pairs and uses only the first target; "hinge" has no labels.
    """
    return _adversary(kind).d_loss(real, fake, *labels)


def generator_loss(real: torch.Tensor, fake: torch.Tensor, kind: str = "vanilla") -> torch.Tensor:
    """Compute the adversarial loss of G.

    ============================ ====================================================== ===========================
    kind                         loss of G                                              source
    ============================ ====================================================== ===========================
    vanilla                      ``-log D(y)``, non-saturating                          Ledig 2017, equation 6
    lsgan                        ``(C(y) - 1)^2 / 2``                                   Mao 2017, equation 9
    hinge                        ``-C(y)``                                              Lim and Ye 2017
    rgan (relativistic)          ``-log sigmoid(C(y) - C(x))``                          Jolicoeur-Martineau 2019
    ragan (relativistic average) ``-log(1 - sigmoid(C(x) - mean C(y)))``                Wang 2018 (ESRGAN),
                                 ``- log sigmoid(C(y) - mean C(x))``                    equation 2
    ============================ ====================================================== ===========================

    Parameters
    ----------
    real, fake
        Logits of HR and SR from the current D; those of SR with the graph to G. Only "rgan" and "ragan" read those of
        HR, which need no graph, because G does not change them.
    kind
        A key of `ADVERSARIAL`.
    """
    return _adversary(kind).g_loss(real, fake)


def _adversary(kind: str) -> Adversary:
    if kind not in ADVERSARIAL:
        raise SrlabError(f"'{kind}' is not an adversarial loss. Use one of {', '.join(ADVERSARIAL)}.")
    return ADVERSARIAL[kind]


def _hinge(real: torch.Tensor, fake: torch.Tensor, yes: Labels, no: Labels) -> torch.Tensor:
    if not ((torch.as_tensor(yes) == 1).all() and (torch.as_tensor(no) == 0).all()):
        raise SrlabError("The hinge loss has no labels to smooth or to flip. Use another loss.")
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def _cross_entropy(logits: torch.Tensor, label: Labels) -> torch.Tensor:
    # new_full writes the number on the device; with as_tensor the CPU would wait for a copy.
    label = label.to(logits) if isinstance(label, torch.Tensor) else logits.new_full((), label)
    return F.binary_cross_entropy_with_logits(logits, label.expand_as(logits))


# Adversarial losses by their names in recipes.
ADVERSARIAL = {
    "vanilla": Adversary(
        lambda real, fake, yes, no: _cross_entropy(real, yes) + _cross_entropy(fake, no),
        lambda real, fake: _cross_entropy(fake, 1.0),
    ),
    "lsgan": Adversary(
        lambda real, fake, yes, no: ((real - yes).square().mean() + (fake - no).square().mean()) / 2,
        lambda real, fake: (fake - 1).square().mean() / 2,
    ),
    "hinge": Adversary(_hinge, lambda real, fake: -fake.mean()),
    "rgan": Adversary(
        lambda real, fake, yes, no: _cross_entropy(real - fake, yes),
        lambda real, fake: _cross_entropy(fake - real, 1.0),
        relativistic=True,
    ),
    "ragan": Adversary(
        lambda real, fake, yes, no: _cross_entropy(real - fake.mean(), yes) + _cross_entropy(fake - real.mean(), no),
        lambda real, fake: _cross_entropy(real - fake.mean(), 0.0) + _cross_entropy(fake - real.mean(), 1.0),
        relativistic=True,
    ),
}


def smooth_labels(logits: torch.Tensor, real: float = 1.0, flip: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw targets for D that keep it from becoming too confident: one-sided label smoothing and random label flips.

    Parameters
    ----------
    logits
        Logits of real or fake; the targets have their shape, device and dtype.
    real
        Target for real images, usually 0.9. The target for fakes stays 0, because smoothing it would reward bad images
        (Salimans et al. 2016, section 3.4).
    flip
        Probability of flipping a label.

    Returns
    -------
    tuple of torch.Tensor
        Targets for real and for fake.
    """
    if not (0 <= real <= 1 and 0 <= flip <= 1):
        raise SrlabError(f"real and flip must be from 0 to 1, but are {real} and {flip}.")
    swapped = torch.rand(2, *logits.shape, device=logits.device) < flip
    yes, no = torch.full_like(logits, real), torch.zeros_like(logits)
    return torch.where(swapped[0], no, yes), torch.where(swapped[1], yes, no)
