"""The exercise of lab 04 about a tint: LR knows the mean colour of the photo, and SR can have it back."""

import torch

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, near, sample, tensor


def remove_tint(sr: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
    """Give each SR image the mean colour of its LR image, which making LR smaller has kept.

    Parameters
    ----------
    sr, lr
        ``(N, 3, H, W)`` and ``(N, 3, h, w)``.

    Returns
    -------
    torch.Tensor
        ``(N, 3, H, W)``; each channel of each image is shifted by one number, and nothing is clamped.
    """
    return sr + lr.mean(dim=(2, 3), keepdim=True) - sr.mean(dim=(2, 3), keepdim=True)


def _pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of two SR images, each with a tint of its own, one of them beyond white; and LR."""
    lr = sample(2, 3, 4, 5, seed=1)
    tint = torch.tensor([[0.1, -0.05, 0.0], [-0.08, 0.02, 0.3]])[..., None, None]
    return sample(2, 3, 8, 10, seed=2) + tint, lr


def _mistakes(sr: torch.Tensor, lr: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    each = {"dim": (2, 3), "keepdim": True}
    missing = lr.mean(**each) - sr.mean(**each)
    batch = "The mean is taken over the batch as well, and each image has a tint of its own."
    grey = "The mean is taken over the three channels as well: that corrects the brightness, and leaves the tint."
    return [
        ("SR comes back as it was.", sr),
        ("The tint was doubled and not taken away. Which of the two means is right, SR's or LR's?", sr - missing),
        ("SR has lost its own mean, and has not got that of LR yet.", sr - sr.mean(**each)),
        ("LR's mean is added, but SR still has its own.", sr + lr.mean(**each)),
        (batch, sr + lr.mean(dim=(0, 2, 3), keepdim=True) - sr.mean(dim=(0, 2, 3), keepdim=True)),
        (grey, sr + lr.mean(dim=(1, 2, 3), keepdim=True) - sr.mean(dim=(1, 2, 3), keepdim=True)),
        (
            "One number is added to all images and channels. A tint is different in each channel.",
            sr + lr.mean() - sr.mean(),
        ),
        (
            "The channels are scaled, and their texture with them. A tint lies over the picture: shift them.",
            sr * lr.mean(**each) / sr.mean(**each),
        ),
        (
            "The deviation was matched too. SR is sharper than LR and may have a larger one: the mean is all that LR "
            "knows better.",
            (sr - sr.mean(**each)) / sr.std(**each) * lr.std(**each) + lr.mean(**each),
        ),
        (
            "The result was clamped. That comes last, when a picture is shown or saved; here it moves the mean again.",
            (sr + missing).clamp(0, 1),
        ),
    ]


def _right_colour(answer: Answer) -> None:
    sr, lr = _pictures()
    given = sr.clone(), lr.clone()
    try:
        result = tensor(answer(*given), tuple(sr.shape), "SR keeps its shape.")
    except RuntimeError as error:
        if "must match the size" in str(error):
            raise Wrong(
                "The shapes do not fit. A mean over height and width is (N, 3); which option of mean keeps the two "
                "axes, with one entry each? And SR is larger than LR, so they cannot be subtracted pixel by pixel."
            ) from error
        raise
    if not all(torch.equal(new, old) for new, old in zip(given, (sr, lr), strict=True)):
        raise Wrong("The images that came in were changed in place.")
    compare(result, remove_tint(sr, lr), _mistakes(sr, lr), "With two images of 8 x 10 pixels:", 1e-5, reveal=False)


def _texture_stays(answer: Answer) -> None:
    sr, lr = _pictures()
    result = tensor(answer(sr.clone(), lr.clone()), tuple(sr.shape))
    if not near(result.diff(dim=-1), sr.diff(dim=-1), 1e-5):
        raise Wrong("Steps between neighbouring pixels have changed. A tint is one number a channel, and no more.")
    clean = sr.clone() - sr.mean(dim=(2, 3), keepdim=True) + lr.mean(dim=(2, 3), keepdim=True)
    if not near(answer(clean.clone(), lr.clone()), clean, 1e-5):
        raise Wrong("A picture without a tint should come back as it is.")


EXERCISES = {
    "esrgan.remove_tint": Exercise(
        remove_tint,
        (
            ("the mean colour of LR, image by image", _right_colour),
            ("texture stays, and so does a picture without a tint", _texture_stays),
        ),
        "easy",
        (
            "LR has the right mean colour: making an image smaller by averaging keeps it. By how much does SR's mean "
            "differ, in each channel of each image?",
            "mean takes several axes at once, dim=(2, 3), and keepdim=True makes (N, 3, 1, 1) of it, which can be "
            "added to an image of any size.",
        ),
    ),
}
