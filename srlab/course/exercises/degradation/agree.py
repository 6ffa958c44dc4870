"""Lab 00: repeat back-projection, and record how far SR is from agreeing with LR."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.data.resampling import resize


def agree(
    sr: torch.Tensor,
    lr: torch.Tensor,
    down: Callable[[torch.Tensor], torch.Tensor],
    up: Callable[[torch.Tensor], torch.Tensor],
    steps: int,
) -> tuple[torch.Tensor, list[float]]:
    """Take `steps` steps of back-projection, and clamp to [0, 1] after each.

    Parameters
    ----------
    sr
        ``(N, C, H, W)`` in [0, 1], the first SR image.
    lr
        ``(N, C, h, w)``, the given LR image.
    down, up
        Functions that downscale an image the way LR was made, and upscale one.
    steps
        Number of steps.

    Returns
    -------
    torch.Tensor
        The last SR image.
    list of float
        The mean absolute difference between downscaled SR and LR in gray levels (255 is white), before the first step
        and after each: ``steps + 1`` numbers.
    """
    apart = [255 * (down(sr) - lr).abs().mean().item()]
    for _ in range(steps):
        sr = (sr + up(lr - down(sr))).clamp(0, 1)
        apart.append(255 * (down(sr) - lr).abs().mean().item())
    return sr, apart


def _observe(
    answer: Answer, sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer, steps: int
) -> dict[str, Any]:
    result = filled(answer(sr, lr, down, up, steps))
    if not isinstance(result, tuple | list) or len(result) != 2 or not isinstance(result[0], torch.Tensor):
        raise IncorrectAnswer("Return two things: the last SR image, and the list of differences.")
    last, apart = result
    try:
        numbers = [float(number) for number in apart]
    except (TypeError, ValueError):
        raise IncorrectAnswer("The second result must be a list of numbers, one per step and one before.") from None
    return {"the number of differences": len(numbers), "the last SR image": last, "the differences": numbers}


def _run(
    move: Callable[[torch.Tensor], torch.Tensor] = lambda sr: sr.clamp(0, 1),
    finish: Callable[[torch.Tensor], torch.Tensor] = lambda sr: sr,
    measure: Callable[[torch.Tensor, torch.Tensor], Any] = lambda small, lr: 255 * (small - lr).abs().mean().item(),
    from_first: bool = False,
    extra: int = 0,
    kept: slice = slice(None),
    before_clamp: bool = False,
) -> Answer:
    """Return the loop with each of its parts right or wrong."""

    def answer(sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer, steps: int) -> tuple[torch.Tensor, list]:
        first, apart = sr, [measure(down(sr), lr)]
        for _ in range(steps + extra):
            now = first if from_first else sr
            moved = now + up(lr - down(now))
            sr = move(moved)
            apart.append(measure(down(moved if before_clamp else sr), lr))
        return finish(sr), apart[kept]

    return answer


def _only_the_image(sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer, steps: int) -> torch.Tensor:
    return _run()(sr, lr, down, up, steps)[0]


def _swapped(sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer, steps: int) -> tuple[list, torch.Tensor]:
    last, apart = _run()(sr, lr, down, up, steps)
    return apart, last


def _measured_at_once(
    sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Collect the images first, and measure them afterwards."""
    images = [sr]
    for _ in range(steps):
        images.append((images[-1] + up(lr - down(images[-1]))).clamp(0, 1))
    return images[-1], torch.stack([255 * (down(image) - lr).abs().mean() for image in images])


def _by(factor: float) -> Answer:
    return lambda image: resize(image, factor)


EXERCISE = Exercise(
    agree,
    level="medium",
    points=3,
    observe=_observe,
    cases={
        "four steps from noise": (sample(1, 3, 16, 24), sample(1, 3, 4, 6, seed=1), _by(1 / 4), _by(4), 4),
        "one step": (sample(2, 1, 12, 9, seed=2), sample(2, 1, 4, 3, seed=3), _by(1 / 3), _by(3), 1),
        "no step": (sample(1, 3, 8, 8, seed=4), sample(1, 3, 4, 4, seed=5), _by(1 / 2), _by(2), 0),
    },
    known_mistakes={
        "Return two things: the last SR image, and the list of differences.": [_only_the_image, _swapped],
        "You never clamp. A step can leave [0, 1], and no file can store such a value.": _run(move=lambda sr: sr),
        "You clamp only once, at the end, so the last image no longer agrees as well as your list claims. Clamp after "
        "each step, so that the next one can correct what clamping did.": _run(
            move=lambda sr: sr, finish=lambda sr: sr.clamp(0, 1)
        ),
        "You measure before you clamp. The list should describe the images that a step ends with.": _run(
            before_clamp=True
        ),
        "Every step starts from the first SR image, so all steps give the same result. What should the next step start "
        "from?": _run(from_first=True),
        "Positive and negative differences cancel in your mean. Take absolute values first.": [
            _run(measure=lambda small, lr: 255 * (small - lr).mean().item()),
            _run(measure=lambda small, lr: 255 * (lr - small).mean().item()),
            _run(measure=lambda small, lr: abs(255 * (small - lr).mean().item())),
        ],
        "Your differences are for white at 1. In gray levels, white is 255.": _run(
            measure=lambda small, lr: (small - lr).abs().mean().item()
        ),
        "You measure squared differences. Their mean isn't in gray levels: use absolute ones.": [
            _run(measure=lambda small, lr: 255 * (small - lr).square().mean().item()),
            _run(measure=lambda small, lr: 255 * (small - lr).square().mean().sqrt().item()),
            _run(measure=lambda small, lr: 255**2 * (small - lr).square().mean().item()),
        ],
        "You record the largest difference. The list should contain the mean.": _run(
            measure=lambda small, lr: 255 * (small - lr).abs().max().item()
        ),
        "Your list begins after the first step. Where was SR before it?": _run(kept=slice(1, None)),
        "Your list ends before the last step. How far from LR is the image that you return?": _run(
            kept=slice(None, -1)
        ),
        "You took one step too many, or one too few. How often should the loop run?": [
            _run(extra=1),
            _run(extra=1, kept=slice(1, None)),
            _run(extra=1, kept=slice(None, -1)),
            _run(extra=-1),
        ],
    },
    also_accepted=[_run(), _measured_at_once],
    fallback_messages={
        "the number of differences": "Your list has {given} numbers. One is for the first SR image, and one for each "
        "step.",
    },
    tolerance=1e-3,
    hints=(
        "Begin the list with the difference of the first SR image. Then repeat: step, clamp, append.",
        "One difference is 255 * (down(sr) - lr).abs().mean().item(). Your own `back_project` takes the step.",
    ),
)
