"""Lab 05: the evaluation loop, which upscales every photo with every method and scores the results."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.data.images import mod_crop, quantize
from srlab.data.resampling import downsample

Upscale = Callable[[torch.Tensor], torch.Tensor]
Score = Callable[[str, torch.Tensor, torch.Tensor], Any]
Images = dict[str, dict[str, torch.Tensor]]
Scores = dict[str, dict[str, float]]


def score_all(
    upscalers: Mapping[str, Upscale], photos: Mapping[str, torch.Tensor], score: Score
) -> tuple[Images, Scores]:
    """Upscale every photo by 4 with every method, and score the results.

    HR is cropped to a multiple of 4, so that SR has the same size, and LR is made from it with MATLAB's bicubic, in
    8 bits. All methods get the same LR.

    Parameters
    ----------
    upscalers
        Method -> function from LR ``(1, 3, h, w)`` to SR ``(1, 3, 4h, 4w)``.
    photos
        Photo -> HR, ``(1, 3, H, W)`` in [0, 1], of any size.
    score
        Function of the name of a photo, SR and HR.

    Returns
    -------
    tuple of dict
        SR images, and scores as numbers; both as photo -> method -> value.
    """
    made, scores = {}, {}
    for photo, hr in photos.items():
        hr = mod_crop(hr, 4)
        lr = downsample(hr, 4)
        made[photo] = {method: upscale(lr) for method, upscale in upscalers.items()}
        scores[photo] = {method: float(score(photo, sr, hr)) for method, sr in made[photo].items()}
    return made, scores


def _nearest(lr: torch.Tensor) -> torch.Tensor:
    return lr.repeat_interleave(4, -2).repeat_interleave(4, -1)


def _inverted(lr: torch.Tensor) -> torch.Tensor:
    return 1 - _nearest(lr)


PLAIN = {"inverted": _inverted, "nearest": _nearest}


def _photos(*sizes: tuple[int, int]) -> dict[str, torch.Tensor]:
    names = ("cat", "wall", "face")
    return {
        name: quantize(sample(1, 3, *size, low=0.1 * number, high=0.9, seed=number))
        for number, (name, size) in enumerate(zip(names, sizes, strict=False))
    }


def _observe(answer: Answer, photos: dict[str, torch.Tensor]) -> dict[str, Any]:
    inputs: dict[str, list[torch.Tensor]] = {method: [] for method in PLAIN}
    sizes: list[tuple[int, ...]] = []
    same: list[bool] = []
    given, photos = photos, {name: hr.clone() for name, hr in photos.items()}

    def noted(method: str, upscale: Upscale) -> Upscale:
        def upscale_once(lr: torch.Tensor) -> torch.Tensor:
            if max(lr.shape[-2:]) > 16:
                raise IncorrectAnswer(
                    f"A method got an image of {lr.shape[-1]}x{lr.shape[-2]} pixels. It needs the LR image, 4 times "
                    "smaller than HR."
                )
            inputs[method].append(lr.detach().clone())
            return upscale(lr)

        return upscale_once

    def score(photo: str, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if not isinstance(photo, str) or photo not in photos:
            raise IncorrectAnswer("Pass the name of the photo to `score`, then SR, then HR.")
        if sr.shape != hr.shape:
            raise IncorrectAnswer(
                f"SR has {sr.shape[-1]}x{sr.shape[-2]} pixels and HR {hr.shape[-1]}x{hr.shape[-2]}. Which sides can be "
                "divided by 4? Crop HR before you make LR."
            )
        sizes.append(tuple(sr.shape[-2:]))
        same.append(torch.equal(hr, mod_crop(photos[photo], 4)))
        return _scored(sr, hr)

    upscalers = {method: noted(method, upscale) for method, upscale in PLAIN.items()}
    result = filled(answer(upscalers, given, score))
    if not isinstance(result, tuple | list) or len(result) != 2 or not all(isinstance(one, dict) for one in result):
        raise IncorrectAnswer("Return two dicts: the SR images, and their scores.")
    made, scores = result
    for what, found in (("images", made), ("scores", scores)):
        if set(found) == set(upscalers) and set(photos) != set(upscalers):
            raise IncorrectAnswer(f"Your {what} have the methods outside. It's the photo first, and then the method.")
        if set(found) != set(photos):
            raise IncorrectAnswer(f"Your {what} have the keys {', '.join(map(str, found))}, not one per photo.")
        for inside in found.values():
            if not isinstance(inside, dict) or set(inside) != set(upscalers):
                raise IncorrectAnswer(f"In your {what}, each photo needs a dict with one value per method.")
    some = next(iter(next(iter(made.values())).values()))
    if not isinstance(some, torch.Tensor) or some.ndim != 4:
        raise IncorrectAnswer("The first dict contains no images. Return the SR images first, then the scores.")
    smallest = {photo: mod_crop(hr, 4) for photo, hr in photos.items()}
    wanted = {photo: downsample(hr, 4) for photo, hr in smallest.items()}
    used = {photo: {m: _closest(lrs, wanted[photo]) for m, lrs in inputs.items()} for photo in photos}
    every = [(used[photo][m], wanted[photo]) for photo in photos for m in upscalers]
    remade = {photo: [upscale(used[photo][m]) for m, upscale in PLAIN.items()] for photo in photos}
    return {
        "all methods get the same LR": all(torch.equal(*each.values()) for each in used.values()),
        # Other correct antialiasing differs from MATLAB's by a few levels, mostly at the border.
        "LR is what MATLAB's bicubic makes": all(float((lr - right).abs().mean()) < 3 / 255 for lr, right in every),
        "LR is rounded to 8 bits": all(float((255 * lr - (255 * lr).round()).abs().max()) < 1e-2 for lr, _ in every),
        "the size of what is scored": sorted(set(sizes)),
        "HR keeps its upper left corner": all(same),
        "the SR images": [
            _apart(made[photo][m], sr) for photo in photos for m, sr in zip(upscalers, remade[photo], strict=True)
        ],
        "the scores": [
            float(scores[photo][m]) - float(_scored(sr, smallest[photo]))
            for photo in photos
            for m, sr in zip(upscalers, remade[photo], strict=True)
        ],
    }


def _scored(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    return (sr - hr).square().mean() + 0.5 * sr.mean()  # not symmetric, so that swapped arguments show


def _closest(lrs: list[torch.Tensor], wanted: torch.Tensor) -> torch.Tensor:
    """Return the LR image of this photo among those that a method got."""
    alike = [lr for lr in lrs if lr.shape == wanted.shape]
    if not alike:
        raise IncorrectAnswer("A method never got the LR image of one of the photos. Does your loop reach all of them?")
    return min(alike, key=lambda lr: float((lr - wanted).abs().mean()))


def _apart(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).abs().max()) if found.shape == wanted.shape else 1.0


def _loop(
    make: Callable[[torch.Tensor], torch.Tensor] = lambda hr: downsample(hr, 4),
    cropped: Callable[[torch.Tensor], torch.Tensor] = lambda hr: mod_crop(hr, 4),
    scored: Callable[[Score, str, torch.Tensor, torch.Tensor], Any] = lambda score, *three: float(score(*three)),
    save: Callable[[torch.Tensor], torch.Tensor] = lambda sr: sr,
    result: Callable[[Images, Scores], Any] = lambda made, scores: (made, scores),
) -> Answer:
    """Return a loop with its parts right or wrong."""

    def answer(upscalers: Mapping[str, Upscale], photos: Mapping[str, torch.Tensor], score: Score) -> Any:
        made: Images = {photo: {} for photo in photos}
        scores: Scores = {photo: {} for photo in photos}
        for method, upscale in upscalers.items():
            for photo, hr in photos.items():
                hr = cropped(hr)
                made[photo][method] = save(upscale(make(hr)))
                scores[photo][method] = scored(score, photo, made[photo][method], hr)
        return result(made, scores)

    return answer


def _chained(upscalers: Mapping[str, Upscale], photos: Mapping[str, torch.Tensor], score: Score) -> Any:
    """Downscale the result of each method for the next."""
    made: Images = {photo: {} for photo in photos}
    scores: Scores = {photo: {} for photo in photos}
    for photo, hr in photos.items():
        hr = mod_crop(hr, 4)
        lr = downsample(hr, 4)
        for method, upscale in upscalers.items():
            made[photo][method] = upscale(lr)
            scores[photo][method] = float(score(photo, made[photo][method], hr))
            lr = downsample(made[photo][method], 4)
    return made, scores


def _center(hr: torch.Tensor) -> torch.Tensor:
    """Crop HR to multiples of 4 on all sides."""
    height, width = hr.shape[-2:]
    top, left = -(-(height % 4) // 2), -(-(width % 4) // 2)
    return hr[..., top : top + height // 4 * 4, left : left + width // 4 * 4]


def _turned(table: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    methods = next(iter(table.values()))
    return {method: {photo: row[method] for photo, row in table.items()} for method in methods}


def _averaged(scores: Scores) -> dict[str, float]:
    return {method: sum(row.values()) / len(row) for method, row in _turned(scores).items()}


def _interpolated(hr: torch.Tensor, **options: Any) -> torch.Tensor:
    return F.interpolate(hr, scale_factor=1 / 4, mode="bicubic", **options)


EXERCISE = Exercise(
    score_all,
    level="medium",
    points=4,
    cases={
        "photos of several sizes": lambda: (_photos((22, 35), (24, 32), (41, 30)),),
        "one photo": lambda: (_photos((33, 27)),),
    },
    observe=_observe,
    known_mistakes={
        "A photo's sides need not be multiples of 4. Crop HR first, because SR can only be 4 times as large as LR, and "
        "a score needs two images of one size. What does srlab.mod_crop do?": [
            _loop(cropped=lambda hr: hr),
            _loop(cropped=lambda hr: hr, make=lambda hr: downsample(mod_crop(hr, 4), 4)),
        ],
        "You cut off pixels on all sides, so your scores belong to another part of the photo than everyone's. On which "
        "sides does srlab.mod_crop cut?": _loop(cropped=_center),
        "Your LR isn't the one of papers. It has artifacts if F.interpolate made it (without antialias), or is "
        "a mean of "
        "blocks. Which function of lab 00 downscales as MATLAB does?": [
            _loop(make=lambda hr: quantize(F.avg_pool2d(hr, 4))),
            _loop(make=lambda hr: quantize(_interpolated(hr))),
            _loop(make=_interpolated),
            _loop(make=lambda hr: hr[..., ::4, ::4]),
        ],
        "Your LR is not rounded to 8 bits, so the methods get values that no file contains.": _loop(
            make=lambda hr: _interpolated(hr, antialias=True).clamp(0, 1)
        ),
        "Only the first method gets the LR image. The next gets the first one's result, downscaled again. Which "
        "variable do you overwrite inside of the loop?": _chained,
        "You passed HR and SR to `score` in the wrong order: first the name of the photo, then SR, then HR.": _loop(
            scored=lambda score, photo, sr, hr: float(score(photo, hr, sr))
        ),
        "You cropped a border here, which `score` does already. So the border would be cut twice.": _loop(
            scored=lambda score, photo, sr, hr: float(score(photo, sr[..., 4:-4, 4:-4], hr[..., 4:-4, 4:-4]))
        ),
        "Your scores have the methods outside. It's the photo first, and then the method.": _loop(
            result=lambda made, scores: (made, _turned(scores))
        ),
        "Your images have the methods outside. It's the photo first, and then the method.": [
            _loop(result=lambda made, scores: (_turned(made), scores)),
            _loop(result=lambda made, scores: (_turned(made), _turned(scores))),
        ],
        "The first dict contains no images. Return the SR images first, then the scores.": _loop(
            result=lambda made, scores: (scores, made)
        ),
        "You averaged over the photos. Return each score, because section 4 compares the methods photo by photo.": (
            _loop(result=lambda made, scores: (made, {photo: _averaged(scores) for photo in scores}))
        ),
        "Return two dicts: the SR images, and their scores.": [
            _loop(result=lambda made, scores: scores),
            _loop(result=lambda made, scores: made),
        ],
    },
    also_accepted=[
        _loop(),
        _loop(scored=lambda score, *three: score(*three)),
        _loop(save=quantize),
        _loop(make=lambda hr: quantize(_interpolated(hr, antialias=True))),
        _loop(cropped=lambda hr: hr[..., : hr.shape[-2] // 4 * 4, : hr.shape[-1] // 4 * 4]),
    ],
    fallback_messages={
        "all methods get the same LR": "Your methods get different LR images of the same photo.",
        "the SR images": "The LR images are right, but an SR image isn't the one that the method returned.",
    },
    tolerance=1e-2,
    reveal=False,
    hints=(
        "Two loops. In the outer one, what do you need once per photo, whatever the method?",
        "Per photo: srlab.mod_crop for HR, srlab.downsample for LR. Per method: SR, and its score.",
    ),
)
