"""Lab 05: the evaluation loop, which upscales every photo with every method and scores the results."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from srlab.data.images import mod_crop, quantize
from srlab.data.resampling import downsample
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab_course.feedback.value_comparison import take

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
    cropped = {photo: mod_crop(hr.clone(), 4) for photo, hr in photos.items()}
    right = {photo: downsample(hr, 4) for photo, hr in cropped.items()}
    shown = {photo: {} for photo in photos}  # photo -> method -> the last LR image that the method got
    sr_of = {photo: {} for photo in photos}
    sizes, same = set(), []

    def noted(method: str) -> Upscale:
        def upscale(lr: torch.Tensor) -> torch.Tensor:
            photo = next((name for name, image in right.items() if image.shape == lr.shape), None)
            if photo is None:
                raise IncorrectAnswer(
                    f"A method got an image of {lr.shape[-1]} by {lr.shape[-2]} pixels. It needs the LR image, 4 times "
                    "smaller than HR after cropping."
                )
            shown[photo][method], sr_of[photo][method] = lr.detach().clone(), PLAIN[method](lr.detach())
            return PLAIN[method](lr)

        return upscale

    def score(photo: str, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if not isinstance(photo, str) or photo not in photos:
            raise IncorrectAnswer("Pass the name of the photo to `score`, then SR, then HR.")
        if sr.shape != hr.shape:
            raise IncorrectAnswer(
                f"SR has {sr.shape[-1]} by {sr.shape[-2]} pixels and HR {hr.shape[-1]} by {hr.shape[-2]}. Which sides "
                "can be divided by 4? Crop HR before you make LR."
            )
        sizes.add(tuple(sr.shape[-2:]))
        same.append(torch.equal(hr, cropped[photo]))
        return _scored(sr, hr)

    result = filled(answer({method: noted(method) for method in PLAIN}, photos, score))
    if not isinstance(result, tuple | list) or len(result) != 2 or not all(isinstance(one, dict) for one in result):
        raise IncorrectAnswer("Return two dicts: the SR images, and their scores.")
    for what, found in zip(("images", "scores"), result, strict=True):
        if set(found) != set(photos):
            raise IncorrectAnswer(f"Your {what} have the keys {', '.join(map(str, found))}, not one per photo.")
    if any(images.keys() != PLAIN.keys() for images in shown.values()):
        raise IncorrectAnswer("A method never got the LR image of one of the photos. Does your loop reach all of them?")
    made = take(result[0], sr_of)
    scores = take(result[1], {photo: dict.fromkeys(PLAIN, 0.0) for photo in photos})
    every = [(photo, method) for photo in photos for method in PLAIN]
    off = [float((shown[photo][method] - right[photo]).abs().mean()) for photo, method in every]
    levels = [255 * shown[photo][method] for photo, method in every]
    return {
        "all methods get the same LR": all(torch.equal(*images.values()) for images in shown.values()),
        # Other correct antialiasing differs from MATLAB's by a few levels, mostly at the border.
        "LR is what MATLAB's bicubic makes": max(off) < 3 / 255,
        "LR is rounded to 8 bits": all(bool((lr - lr.round()).abs().max() < 1e-2) for lr in levels),
        "the size of what is scored": sorted(sizes),
        "HR keeps its upper left corner": all(same),
        "the SR images": torch.tensor(
            [float((made[photo][method] - sr_of[photo][method]).abs().max()) for photo, method in every]
        ),
        "the scores": torch.tensor(
            [
                float(scores[photo][method]) - float(_scored(sr_of[photo][method], cropped[photo]))
                for photo, method in every
            ]
        ),
    }


def _scored(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    return (sr - hr).square().mean() + 0.5 * sr.mean()  # not symmetric, so that swapped arguments show


EXERCISE = Exercise(
    score_all,
    level="medium",
    points=4,
    cases={
        "photos of several sizes": lambda: (_photos((22, 35), (24, 32), (41, 30)),),
        "one photo": lambda: (_photos((33, 27)),),
    },
    observe=_observe,
    tolerance=1e-2,
    reveal=False,
)
