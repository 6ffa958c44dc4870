"""The exercise of lab 03 about the first weights before a pixel shuffle, which need not leave a checkerboard."""

import torch
import torch.nn.functional as F

from srlab.exercises._steps import Answer, Exercise, Wrong, near, sample, tensor


def icnr(weight: torch.Tensor, factor: int) -> torch.Tensor:
    """Start a convolution before ``PixelShuffle(factor)`` without a checkerboard (Aitken et al. 2017).

    Parameters
    ----------
    weight
        ``(C * factor**2, inputs, k, k)``, drawn at random; left as it is.
    factor
        Of the pixel shuffle.

    Returns
    -------
    torch.Tensor
        ``(C * factor**2, inputs, k, k)``; C of these kernels, each for all channels that land in one cell.
    """
    places = factor**2
    return weight[::places].repeat_interleave(places, dim=0)


_FEATURES = 3
_ORDER = (
    "Each kernel is there often enough, but not in the right places: the channels of one cell lie beside each other, "
    "and your copies lie apart. For a factor of 2, which channels does PixelShuffle lay out in the first cell?"
)
_RUNS = "A cell has factor**2 places, factor along each axis, and your copies come in runs of {}."
_RANDOM = "The places of a cell still come from different kernels, so the checkerboard is there from the first step on."
_ZERO = "All is zero. There is no checkerboard, and no picture either. Which kernels may stay as they were drawn?"
_SAME = "All features have the same kernel now. It is the places of one cell that should agree, not the features."
_MEAN = (
    "Each kernel is a mean of several that were drawn at random, and so it is smaller than they were: means of four "
    "have half the size. Take one of the kernels as it is."
)
_OTHER = "These are not kernels that came in. Take some of them as they are."


def _weight(factor: int) -> torch.Tensor:
    return sample(_FEATURES * factor**2, 2, 3, 3, low=-1, seed=factor)


def _given(answer: Answer, factor: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What an answer makes of random weights, and these."""
    weight = _weight(factor)
    given = weight.clone()
    shape = tuple(weight.shape)
    result = tensor(answer(given, factor), shape, "The convolution has as many kernels as before.")
    if not torch.equal(given, weight):
        raise Wrong("The weights that came in were changed in place. Give back new ones.")
    if result.dtype != weight.dtype:
        raise Wrong(f"The weights are {weight.dtype}, but the result is {result.dtype}.")
    return result, weight


def _is_flat(weight: torch.Tensor, factor: int) -> bool:
    """Whether all pixels of a cell agree, whatever the picture."""
    picture = F.conv2d(sample(1, weight.shape[1], 5, 6, seed=9), weight, padding=1)
    cells = F.pixel_shuffle(picture, factor).unfold(2, factor, factor).unfold(3, factor, factor)
    return near(cells, cells[..., :1, :1].expand_as(cells), 1e-5)


def _flat_cells(answer: Answer) -> None:
    for factor in (2, 3):
        result, _ = _given(answer, factor)
        if _is_flat(result, factor):
            continue
        places = factor**2
        if _is_flat(result.reshape(places, _FEATURES, *result.shape[1:]).transpose(0, 1).reshape_as(result), factor):
            raise Wrong(_ORDER)
        for run in (factor, _FEATURES):
            runs = result.reshape(-1, run, *result.shape[1:])
            if near(runs, runs[:, :1].expand_as(runs)):
                raise Wrong(_RUNS.format(run))
        raise Wrong(_RANDOM)


def _own_kernels(answer: Answer) -> None:
    for factor in (2, 3):
        result, weight = _given(answer, factor)
        places = factor**2
        kernels = result[::places]
        if not result.any():
            raise Wrong(_ZERO)
        if any(near(one, other) for i, one in enumerate(kernels) for other in kernels[:i]):
            raise Wrong(_SAME)
        if all(any(near(kernel, drawn) for drawn in weight) for kernel in kernels):
            continue
        means = weight.unflatten(0, (_FEATURES, places)).mean(1), weight.unflatten(0, (places, _FEATURES)).mean(0)
        raise Wrong(_MEAN if any(near(kernels, mean) for mean in means) else _OTHER)


EXERCISES = {
    "srgan.icnr": Exercise(
        icnr,
        (
            ("all places of a cell begin alike", _flat_cells),
            ("each feature with a kernel of its own, as it was drawn", _own_kernels),
        ),
        "medium",
        (
            "PixelShuffle makes one cell of one feature out of factor**2 channels. If these have the same kernel, the "
            "cell is one colour. Which channels are they?",
            "They lie beside each other: the first factor**2 channels are the first feature. torch has repeat, which "
            "lays copies of the whole behind each other, and repeat_interleave, which repeats each entry on its own.",
        ),
    ),
}
