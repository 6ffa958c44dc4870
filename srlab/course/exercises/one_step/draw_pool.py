"""Lab 07: the loop that draws the pool, which is all that a one-step network learns from."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.data.resampling import downsample

Ends = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def draw_pool(ends_of: Ends, photos: list[torch.Tensor], count: int, random: torch.Generator) -> list[Example]:
    """Draw several samples of a teacher for the LR image of each photo.

    Parameters
    ----------
    ends_of
        Teacher: ``ends_of(lr, noise)`` with `lr` ``(1, 3, h, w)`` and `noise` ``(N, 3, 4h, 4w)`` returns where the
        paths from this noise end, ``(N, 3, 4h, 4w)``.
    photos
        HR images, ``(1, 3, H, W)``, with sides that 4 divides.
    count
        Number of samples per photo.
    random
        Generator of all noise, which is standard normal.

    Returns
    -------
    list of tuples
        LR image ``(3, h, w)``, noise and its ends ``(count, 3, H, W)``, for each photo.
    """
    pool = []
    for photo in photos:
        lr = downsample(photo, 4)
        noise = torch.randn(count, *photo.shape[1:], generator=random)
        pool.append((lr[0], noise, ends_of(lr, noise)))
    return pool


def _teacher(lr: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return ends that depend on each LR pixel and on each number of the noise."""
    return 0.5 * noise + lr.repeat_interleave(4, -1).repeat_interleave(4, -2) - 0.1 * noise.roll(1, -1)


def _observe(answer: Answer, photos: list[torch.Tensor], count: int) -> dict[str, Any]:
    shapes: list[str] = []

    def ends_of(lr: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        for part, name in ((lr, "lr"), (noise, "noise")):
            if not isinstance(part, torch.Tensor) or part.ndim != 4:
                raise IncorrectAnswer(f"Call ends_of(lr, noise) with batches. Your {name} has another form.")
        if lr.shape[-1] * 4 != noise.shape[-1] or lr.shape[-2] * 4 != noise.shape[-2]:
            shapes.append(f"{tuple(lr.shape[-2:])} and {tuple(noise.shape[-2:])}")
            wide = torch.nn.functional.interpolate(noise, [4 * side for side in lr.shape[-2:]])
            return _teacher(lr, wide)
        return _teacher(lr, noise)

    pools, originals, advanced = [], list(photos), True
    for seed in (1, 1, 2):
        torch.manual_seed(len(pools))  # of random numbers that are not from the generator
        random = torch.Generator().manual_seed(seed)
        begin = random.get_state()
        pools.append(filled(answer(ends_of, photos, count, random)))
        advanced &= not torch.equal(random.get_state(), begin)
    pool, photos = pools[0], originals
    if not isinstance(pool, list | tuple) or not all(
        isinstance(one, list | tuple) and len(one) == 3 and all(isinstance(part, torch.Tensor) for part in one)
        for each in pools
        for one in each
    ):
        raise IncorrectAnswer("Return a list with one entry per photo: its LR image, noise and ends, three tensors.")
    seen: dict[str, Any] = {
        "the sides of LR and noise for the teacher": ", ".join(shapes) or "right",
        "the number of entries": len(pool),
        "the shapes": [", ".join(str(tuple(part.shape)) for part in one) for one in pool],
    }
    wanted = [((3, photo.shape[-2] // 4, photo.shape[-1] // 4), 2 * [(count, *photo.shape[1:])]) for photo in photos]
    if shapes or [(tuple(lr.shape), [tuple(n.shape), tuple(e.shape)]) for lr, n, e in pool] != wanted:
        return seen
    noise = torch.cat([one[1].flatten() for one in pool])
    begins = [one[1].flatten()[:48] for one in pool]
    gap = max((end - _teacher(lr[None], n)).abs().max().item() for lr, n, end in pool)
    return seen | {
        "the LR images": [lr for lr, _, _ in pool],
        "the noise is standard normal": bool(noise.mean().abs() < 0.1 and (noise.std() - 1).abs() < 0.1),
        "each answer has its own noise": len(noise.unique()) > 0.99 * len(noise),
        "each photo has its own noise": not any(
            torch.equal(a, b) for number, a in enumerate(begins) for b in begins[:number]
        ),
        "the noise is drawn from random": advanced
        and all(torch.equal(a[1], b[1]) for a, b in zip(pool, pools[1], strict=True))
        and not any(torch.equal(a[1], b[1]) for a, b in zip(pool, pools[2], strict=True)),
        "the ends belong to the noise": gap < 1e-4,
        "the ends are photos": any(
            torch.equal(end[0], photo[0]) for (*_, end), photo in zip(pool, photos, strict=True)
        ),
    }


def _variant(
    small: Answer = lambda photo: downsample(photo, 4),
    noise: Answer = lambda photo, count, random: torch.randn(count, *photo.shape[1:], generator=random),
    kept: Answer = lambda noise, random: noise,
    kept_lr: Answer = lambda lr: lr[0],
    ends: Answer = lambda ends, photo: ends,
    order: Answer = lambda lr, noise, end: (lr, noise, end),
) -> Answer:
    """Return a loop with some parts replaced."""

    def answer(ends_of: Ends, photos: list[torch.Tensor], count: int, random: torch.Generator) -> Any:
        pool = []
        for photo in photos:
            lr, start = small(photo), noise(photo, count, random)
            pool.append(order(kept_lr(lr), kept(start, random), ends(ends_of(lr, start), photo)))
        return pool

    return answer


def _one_by_one(ends_of: Ends, photos: list[torch.Tensor], count: int, random: torch.Generator) -> Any:
    pool = []
    for photo in photos:
        lr, noises, ends = downsample(photo, 4), [], []
        for _ in range(count):
            noises.append(torch.randn(photo.shape, generator=random))
            ends.append(ends_of(lr, noises[-1]))
        pool.append((lr.squeeze(0), torch.cat(noises), torch.cat(ends)))
    return pool


def _first_only(ends_of: Ends, photos: list[torch.Tensor], count: int, random: torch.Generator) -> Any:
    return draw_pool(ends_of, photos[:1], count, random)


def _same_for_all_photos(ends_of: Ends, photos: list[torch.Tensor], count: int, random: torch.Generator) -> Any:
    state = random.get_state()
    pool = []
    for photo in photos:
        random.set_state(state)
        pool += draw_pool(ends_of, [photo], count, random)
    return pool


def _scene() -> tuple[Any, ...]:
    return [sample(1, 3, 32, 48), sample(1, 3, 40, 32, seed=1), sample(1, 3, 40, 32, seed=2)], 3


EXERCISE = Exercise(
    draw_pool,
    level="medium",
    points=4,
    cases={"three photos, three answers each": _scene, "one photo": ([sample(1, 3, 48, 64, seed=4)], 2)},
    observe=_observe,
    known_mistakes={
        "You keep other noise than the teacher started from. Then nothing ties the ends to it. Which noise belongs to "
        "them?": _variant(kept=lambda noise, random: torch.randn(noise.shape, generator=random)),
        "Your noise isn't from `random`, so the same seed gives another pool. Pass generator=random.": (
            _variant(noise=lambda photo, count, random: torch.randn(count, *photo.shape[1:]))
        ),
        "Your noise isn't standard normal, as the flow's was in training.": [
            _variant(noise=lambda photo, count, random: torch.rand(count, *photo.shape[1:], generator=random)),
        ],
        "All samples of a photo start from the same noise, so they are the same sample. Draw noise for each.": [
            _variant(
                noise=lambda photo, count, random: torch.randn(photo.shape, generator=random).repeat(count, 1, 1, 1)
            ),
        ],
        "Your photos share their noise. Draw new noise for each photo.": _same_for_all_photos,
        "The noise has the size of the LR image. The flow moves details of the HR image: which size do they have?": (
            _variant(noise=lambda photo, count, random: torch.randn(count, *downsample(photo, 4).shape[1:]))
        ),
        "The teacher gets the HR image. It should get the LR image, as your student will.": (
            _variant(small=lambda photo: photo)
        ),
        "Your LR image still has the dimension of a batch. The pool keeps it as (3, h, w).": (
            _variant(kept_lr=lambda lr: lr)
        ),
        "You keep the photo in place of the teacher's ends. Is a photo made from this noise?": (
            _variant(ends=lambda ends, photo: photo.expand_as(ends))
        ),
        "Each entry is LR, then the noise, then its ends. Yours has another order.": [
            _variant(order=lambda lr, noise, end: (noise, end, lr)),
            _variant(order=lambda lr, noise, end: (lr, end, noise)),
        ],
        "You return too few entries: one per photo. Does your loop end after the first?": _first_only,
        "You draw a single sample per photo. `count` is the number of samples.": (
            _variant(noise=lambda photo, count, random: torch.randn(photo.shape, generator=random))
        ),
    },
    also_accepted=[_variant(), _one_by_one, _variant(order=lambda lr, noise, end: [lr, noise, end])],
    fallback_messages={
        "the sides of LR and noise for the teacher": "The noise should have four times LR's sides. Yours: {given}.",
        "the number of entries": "The pool should have one entry per photo.",
        "the shapes": "Shapes should be (3, h, w), and twice (count, 3, 4h, 4w). Yours: {given}.",
        "the LR images": "Your LR images aren't the photos, downscaled by 4.",
        "the noise is standard normal": "Your noise isn't standard normal.",
        "the noise is drawn from random": "Draw the noise with torch.randn and generator=random.",
        "the ends belong to the noise": "Your ends aren't where the teacher takes this noise.",
    },
    reveal=False,
    hints=(
        "For each photo: make its LR image with srlab.downsample, draw noise of the photo's size, run the teacher, and "
        "append all three.",
        "torch.randn(count, *photo.shape[1:], generator=random) is the noise of one photo.",
    ),
)
