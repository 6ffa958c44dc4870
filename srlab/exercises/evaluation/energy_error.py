"""Lab 05: fine detail in the right place, as the error of the local energy."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.data.images import luma, quantize
from srlab.evaluation import perception
from srlab.exercises import Answer, Exercise, filled, sample


def energy_error(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """How far SR has another amount of fine detail than HR, place by place.

    The high-pass is the luma minus its 5x5 mean, ``F.avg_pool2d(y, 5, 1, 2, count_include_pad=False)``. Its energy map
    is the root mean square in each 16x16 block, from the top left, whole blocks only. The error is the mean absolute
    difference between the maps of SR and HR, divided by the mean of HR's. `srlab.evaluation.perception.energy_error`
    rounds to 8 bits first, and is the same otherwise.

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)`` in [0, 1]; at least 16x16 pixels.

    Returns
    -------
    torch.Tensor
        ``(N,)``; 0 for the same energy everywhere, 1 for a picture without any detail.
    """

    def energy(image: torch.Tensor) -> torch.Tensor:
        y = luma(image)
        detail = y - F.avg_pool2d(y, 5, 1, 2, count_include_pad=False)
        return F.avg_pool2d(detail.square(), 16).sqrt()

    picture = (1, 2, 3)
    wanted = energy(hr)
    return (energy(sr) - wanted).abs().mean(picture) / wanted.mean(picture)


def _picture(height: int, width: int) -> torch.Tensor:
    """An image in [0.15, 0.85] with texture that is strong at the left and weak at the right, over slow waves."""
    strength = torch.linspace(0.2, 0.05, width)
    waves = 0.1 * torch.linspace(0, 9, height).sin()[:, None]
    colors = torch.tensor([1.0, 0.8, 0.6]).view(3, 1, 1)
    return 0.5 + waves + colors * strength * sample(1, 3, height, width, low=-1)


def _misplaced(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """SR with the detail of HR at the left faded, and other detail at the right."""
    hr = _picture(height, width)
    faded = torch.linspace(0.3, 1.0, width)
    sr = 0.5 + faded * (hr - 0.5) + 0.1 * (1 - faded.flip(0)) * sample(1, 3, height, width, low=-1, seed=1)
    return sr, hr


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Three pictures, with more and less of the mistakes, and HR of three strengths."""
    sr, hr = _misplaced(48, 64)
    share, strength = (torch.tensor(numbers).view(3, 1, 1, 1) for numbers in ([1.0, 0.5, 0.2], [1.0, 0.7, 1.3]))
    return 0.5 + strength * (hr + share * (sr - hr) - 0.5), 0.5 + strength * (hr - 0.5)


def _observe(answer: Answer, sr: torch.Tensor, hr: torch.Tensor) -> dict[str, Any]:
    errors = filled(answer(sr, hr))
    if isinstance(errors, torch.Tensor):
        errors = errors.float()  # in float64 it is as good
    if len(sr) == 1 and isinstance(errors, float | torch.Tensor) and torch.as_tensor(errors).numel() == 1:
        errors = torch.as_tensor(errors).reshape(1)  # that pictures of a batch are kept apart is asked for later
    return {"the errors": errors}


def _high(image: torch.Tensor, size: int = 5) -> torch.Tensor:
    return image - F.avg_pool2d(image, size, 1, size // 2, count_include_pad=False)


def _detail(image: torch.Tensor) -> torch.Tensor:
    return _high(luma(image))


def _rms(detail: torch.Tensor, block: int = 16, **how: Any) -> torch.Tensor:
    return F.avg_pool2d(detail.square(), block, **how).sqrt()


_PICTURE = (1, 2, 3)


def _maps(energy: Callable[[torch.Tensor], torch.Tensor]) -> Answer:
    """Another map of energies, compared as it should be."""

    def error(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        return (energy(sr) - energy(hr)).abs().mean(_PICTURE) / energy(hr).mean(_PICTURE)

    return error


def _compared(how: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Answer:
    """The right maps, compared in another way."""
    return lambda sr, hr: how(_rms(_detail(sr)), _rms(_detail(hr)))


def _by_detail(how: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Answer:
    """The fine detail itself, compared in another way."""
    return lambda sr, hr: how(_detail(sr), _detail(hr))


def _padded(mode: str) -> Answer:
    return _maps(lambda image: _rms(luma(image) - F.avg_pool2d(F.pad(luma(image), (2, 2, 2, 2), mode), 5, 1)))


EXERCISE = Exercise(
    energy_error,
    level="medium",
    cases={
        "detail that is missing here and too much there": _misplaced(48, 64),
        "a picture that is no whole number of blocks": _misplaced(40, 56),
        "one error for each picture of a batch": _batch(),
        "0 for HR itself": (_misplaced(48, 64)[1], _misplaced(48, 64)[1]),
        "1 for a flat picture": (torch.full((1, 3, 48, 64), 0.5), _misplaced(48, 64)[1]),
    },
    observe=_observe,
    mistakes={
        "The energies are mean squares, in which the strongest blocks drown the others. Is a root missing?": _maps(
            lambda image: _rms(_detail(image)).square()
        ),
        "The difference is taken before the root. Finish the map of each image first, root and all.": [
            _compared(lambda a, b: (a.square() - b.square()).abs().sqrt().mean(_PICTURE) / b.mean(_PICTURE)),
            _compared(lambda a, b: (a.square() - b.square()).abs().mean(_PICTURE).sqrt() / b.mean(_PICTURE)),
            _compared(lambda a, b: (a.square() - b.square()).abs().mean(_PICTURE) / b.mean(_PICTURE)),
        ],
        "SR and HR are subtracted before the energy of each is known, so texture that is right but lies one pixel "
        "aside counts as wrong. Make the map of each image first; then compare two maps.": [
            _by_detail(lambda x, y: _rms(x - y).mean(_PICTURE) / _rms(y).mean(_PICTURE)),
            lambda sr, hr: _rms(luma(sr) - luma(hr)).mean(_PICTURE) / _rms(_detail(hr)).mean(_PICTURE),
        ],
        "In each block the mean is taken before the square, and a mean of ups and downs is next to nothing.": [
            _maps(lambda image: F.avg_pool2d(_detail(image), 16).abs()),
            _maps(lambda image: F.avg_pool2d(_detail(image), 16).square()),
        ],
        "A block's own mean is taken away, so these are standard deviations. The 5x5 mean is gone already.": _maps(
            lambda image: (F.avg_pool2d(_detail(image).square(), 16) - F.avg_pool2d(_detail(image), 16).square()).sqrt()
        ),
        "The fine detail is compared pixel by pixel. A texture that is right but lies one pixel aside then counts as "
        "wrong, and no detail at all is better; compare how much there is in each block.": [
            _maps(lambda image: _detail(image).abs()),
            _maps(_detail),
            _by_detail(lambda x, y: (x - y).abs().mean(_PICTURE) / y.abs().mean(_PICTURE)),
            _by_detail(lambda x, y: (x - y).abs().mean(_PICTURE)),
        ],
        "The absolute detail was averaged in each block. Energy is a root mean square.": _maps(
            lambda image: F.avg_pool2d(_detail(image).abs(), 16)
        ),
        "The energy of the whole picture is compared: detail in the wrong place makes up for detail that is missing.": [
            _maps(lambda image: _detail(image).square().mean(_PICTURE, keepdim=True).sqrt()),
            _compared(lambda a, b: a.mean(_PICTURE) / b.mean(_PICTURE)),
            _by_detail(lambda x, y: (x.square().mean(_PICTURE) / y.square().mean(_PICTURE)).sqrt()),
        ],
        "Blocks with too much detail make up for blocks with too little. What should be done to each difference before "
        "the mean is taken?": [
            _compared(lambda a, b: (a - b).mean(_PICTURE) / b.mean(_PICTURE)),
            _compared(lambda a, b: (a - b).mean(_PICTURE).abs() / b.mean(_PICTURE)),
        ],
        "The error is not divided by anything, so it is small for any picture with little detail.": _compared(
            lambda a, b: (a - b).abs().mean(_PICTURE)
        ),
        "The error is divided by the energy of SR. Then more detail looks better, whatever it is.": _compared(
            lambda a, b: (a - b).abs().mean(_PICTURE) / a.mean(_PICTURE)
        ),
        "Each block was divided by its own energy, so flat blocks, where there is next to nothing, count most.": (
            _compared(lambda a, b: ((a - b).abs() / b).mean(_PICTURE))
        ),
        "The differences were squared. Here their absolute values are averaged.": [
            _compared(lambda a, b: (a - b).square().mean(_PICTURE) / b.mean(_PICTURE)),
            _compared(lambda a, b: (a - b).square().mean(_PICTURE).sqrt() / b.mean(_PICTURE)),
        ],
        "The 5x5 mean has 4 pixels less than the luma along each side, so the two don't subtract. What does the third "
        "number in F.avg_pool2d(y, 5, 1, 2, ...) do?": _maps(
            lambda image: _rms(luma(image) - F.avg_pool2d(luma(image), 5, 1))
        ),
        "This is the energy of the 5x5 mean itself, of all but the fine detail. What is the luma without it?": _maps(
            lambda image: _rms(luma(image) - _detail(image))
        ),
        "That is a ratio of energies, in which blocks with too much make up for blocks with too little. Take the "
        "difference of the maps, and its absolute value.": [
            _compared(lambda a, b: (a / b).mean(_PICTURE)),
            _compared(lambda a, b: 1 - (a / b).mean(_PICTURE)),
        ],
        "That is still a map, with a value for each block. What makes one number of it?": [
            lambda sr, hr: _rms(_detail(sr)),
            lambda sr, hr: (_rms(_detail(sr)) - _rms(_detail(hr))).abs(),
            lambda sr, hr: (_rms(_detail(sr)) - _rms(_detail(hr))).abs() / _rms(_detail(hr)),
        ],
        "The values differ at the border of the image only. What does your 5x5 mean take for the pixels beyond it? The "
        "text leaves them out of the mean.": [
            *map(_padded, ("constant", "reflect", "replicate")),
            _maps(lambda image: _rms(luma(image)[..., 2:-2, 2:-2] - F.avg_pool2d(luma(image), 5, 1))),
        ],
        "The mean that is taken away should run over 5x5 pixels.": [
            _maps(lambda image, size=size: _rms(_high(luma(image), size))) for size in (3, 7, 9)
        ],
        "The blocks should have 16x16 pixels.": [
            _maps(lambda image, block=block: _rms(_detail(image), block)) for block in (4, 5, 8, 32)
        ],
        "The blocks overlap. Each pixel belongs to one block; what is the stride?": _maps(
            lambda image: _rms(_detail(image), stride=1)
        ),
        "Blocks that are cut off at the border count as well. Leave them out.": _maps(
            lambda image: _rms(_detail(image), ceil_mode=True)
        ),
        "This is measured on all three channels. Where does luma come in?": [
            _maps(lambda image: _rms(_high(image))),
            lambda sr, hr: (_rms(_high(sr)) - _rms(_high(hr))).abs().mean((2, 3)) / _rms(_high(hr)).mean((2, 3)),
            lambda sr, hr: ((_rms(_high(sr)) - _rms(_high(hr))).abs().mean((2, 3)) / _rms(_high(hr)).mean((2, 3))).mean(
                1
            ),
        ],
        "The mean of R, G and B is no luma: the eye sees green as much brighter than blue.": _maps(
            lambda image: _rms(_high(image.mean(1, keepdim=True)))
        ),
        "Nothing was taken away from the luma, so its brightness counts as energy.": _maps(
            lambda image: _rms(luma(image))
        ),
        "For a batch of three pictures one number came. Keep them apart; over which of the dimensions of a map, (N, 1, "
        "rows, columns), should your means run?": [
            _compared(lambda a, b: (a - b).abs().mean() / b.mean()),
            lambda sr, hr: energy_error(sr, hr).mean(),
        ],
        "Something was taken over all pictures of a batch together. Each has a mean difference and a mean of HR's map "
        "of its own.": [
            _compared(lambda a, b: (a - b).abs().mean(_PICTURE) / b.mean()),
            _compared(lambda a, b: (a - b).abs().mean() / b.mean(_PICTURE)),
        ],
        "For a batch of three pictures the error of the first came. What became of the others?": (
            lambda sr, hr: energy_error(sr, hr)[0]
        ),
        "The pictures are rounded to 8 bits before anything is measured, as in srlab's own metrics. Here the first "
        "step is the luma.": [
            perception.energy_error,
            lambda sr, hr: energy_error(quantize(sr), hr),
        ],
    },
    also_right=[
        lambda sr, hr: (
            (_rms(_detail(sr)) / _rms(_detail(hr)).mean(_PICTURE, keepdim=True))
            .sub(_rms(_detail(hr)) / _rms(_detail(hr)).mean(_PICTURE, keepdim=True))
            .abs()
            .mean(_PICTURE)
        )
    ],
    notes={
        "Something tiny is added under the root or to the divisor. That keeps a flat picture from dividing by zero, "
        "and changes no score of this course by more than a percent. So it is taken.": [
            *(
                _maps(lambda image, tiny=tiny: (_rms(_detail(image)).square() + tiny).sqrt())
                for tiny in (1e-7, 1e-8, 1e-9)
            ),
            *(
                _compared(lambda a, b, tiny=tiny: (a - b).abs().mean(_PICTURE) / (b.mean(_PICTURE) + tiny))
                for tiny in (1e-5, 1e-6)
            ),
        ]
    },
    tolerance=2e-5,
    hints=(
        "Make the map of energies for one image first, in a small function of its own; then compare two maps.",
        "F.avg_pool2d(x, 16) is the mean in blocks of 16x16. Of what, and what is done to it afterwards?",
    ),
)
