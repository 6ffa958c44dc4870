"""Lab 00: the mean of each block of pixels."""

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, sample
from srlab.data.images import quantize
from srlab.data.resampling import resize


def shrink(image: torch.Tensor, scale: int) -> torch.Tensor:
    """Return the mean of each block of `scale` x `scale` pixels.

    Parameters
    ----------
    image
        ``(N, C, H, W)``; `scale` divides H and W.
    scale
        Side of a block in pixels.

    Returns
    -------
    torch.Tensor
        ``(N, C, H / scale, W / scale)``.
    """
    n, channels, height, width = image.shape
    blocks = image.reshape(n, channels, height // scale, scale, width // scale, scale)
    return blocks.mean(dim=(3, 5))


def _blocks(image: torch.Tensor, scale: int) -> torch.Tensor:
    """Return the pixels of each block, ``(N, C, h, w, scale**2)``."""
    return image.unfold(2, scale, scale).unfold(3, scale, scale).flatten(4)


def _of_blocks(reduce: Answer) -> Answer:
    return lambda image, scale: reduce(_blocks(image, scale))


def _interpolate(mode: str, antialias: bool = False) -> Answer:
    return lambda image, scale: F.interpolate(image, scale_factor=1 / scale, mode=mode, antialias=antialias)


def _by_slices(image: torch.Tensor, scale: int) -> torch.Tensor:
    parts = [image[..., i::scale, j::scale] for i in range(scale) for j in range(scale)]
    return sum(parts) / scale**2


def _by_loops(image: torch.Tensor, scale: int) -> torch.Tensor:
    small = torch.zeros(*image.shape[:2], image.shape[2] // scale, image.shape[3] // scale)
    for i in range(small.shape[2]):
        for j in range(small.shape[3]):
            rows, columns = (slice(scale * k, scale * (k + 1)) for k in (i, j))
            small[:, :, i, j] = image[:, :, rows, columns].mean(dim=(2, 3))
    return small


def _split(image: torch.Tensor, scale: int, shape: tuple[int, int, int, int], dims: tuple[int, int]) -> torch.Tensor:
    """Return the mean over two of the four dimensions into which height and width are split."""
    return image.reshape(*image.shape[:2], *shape).mean(dims)


def _mixed_rows(image: torch.Tensor, scale: int) -> torch.Tensor:
    height, width = image.shape[-2:]
    return _split(image, scale, (scale, height // scale, scale, width // scale), (2, 4))


def _wrong_dims(image: torch.Tensor, scale: int) -> torch.Tensor:
    height, width = image.shape[-2:]
    return _split(image, scale, (height // scale, scale, width // scale, scale), (2, 4))


def _consecutive(image: torch.Tensor, scale: int) -> torch.Tensor:
    n, channels, height, width = image.shape
    return image.reshape(n, channels, height // scale, width // scale, scale**2).mean(-1)


def _one_axis(image: torch.Tensor, scale: int) -> torch.Tensor:
    return F.avg_pool2d(image, (1, scale))


EXERCISE = Exercise(
    shrink,
    level="easy",
    points=2,
    cases={
        "blocks of 4 x 4 pixels": (sample(2, 3, 8, 12), 4),
        "blocks of 3 x 3 pixels, one channel": (sample(1, 1, 9, 15, seed=1), 3),
        "values outside of [0, 1]": (sample(1, 3, 4, 6, low=-1, high=2, seed=2), 2),
    },
    known_mistakes={
        "You keep one pixel of each block and drop all others. How many pixels should count in a mean?": [
            _interpolate("nearest"),
            lambda image, scale: image[..., scale // 2 :: scale, scale // 2 :: scale],
            lambda image, scale: image[..., scale - 1 :: scale, scale - 1 :: scale],
        ],
        "You add up each block, so the image gets brighter. By what should you divide?": [
            _of_blocks(lambda block: block.sum(-1)),
            lambda image, scale: F.avg_pool2d(image, scale) * scale,
        ],
        "You take the largest, smallest or middle pixel of each block. Which value depends on all of them equally?": [
            _of_blocks(lambda block: block.amax(-1)),
            _of_blocks(lambda block: block.amin(-1)),
            _of_blocks(lambda block: block.median(-1).values),
        ],
        "Your values are means, but of pixels that are far apart in the image. After your reshape, which dimension "
        "counts the rows inside of one block?": _mixed_rows,
        "You average over the blocks and keep the places inside of them. Which dimensions should disappear?": (
            _wrong_dims
        ),
        "You average pixels that follow each other in memory, which is along one row. Is a block one row of pixels?": (
            _consecutive
        ),
        "Only one axis got smaller. A block has rows and columns: average over both.": [
            _one_axis,
            lambda image, scale: F.avg_pool2d(image, (scale, 1)),
        ],
        "You average the colors, too, so the image turns gray. Which dimension should your mean leave alone?": [
            lambda image, scale: shrink(image, scale).mean(1, keepdim=True),
            lambda image, scale: shrink(image, scale).mean(1, keepdim=True).expand(-1, image.shape[1], -1, -1),
        ],
        "Your blocks have the same side for every `scale`. Is there a number in your code that should be `scale`?": [
            lambda image, scale: F.avg_pool2d(image, 4),
        ],
        "Your windows overlap: one starts at every pixel. Where should the next block start?": (
            lambda image, scale: F.avg_pool2d(image, scale, stride=1)
        ),
        "PyTorch's interpolation weights a few pixels near the center of each block. In a mean, all count equally. "
        "Which pooling computes a mean?": [
            _interpolate("bilinear"),
            _interpolate("bicubic"),
        ],
        "Your kernel reaches into neighboring blocks, and weights the pixels by their distance. In a mean, the pixels "
        "of one block count equally, and no others.": [
            _interpolate("bilinear", antialias=True),
            _interpolate("bicubic", antialias=True),
            lambda image, scale: resize(image, 1 / scale),
        ],
        "You round the result to whole gray levels. The means are numbers in between: keep them.": (
            lambda image, scale: quantize(F.avg_pool2d(image, scale))
        ),
    },
    also_accepted=[
        F.avg_pool2d,
        _interpolate("area"),
        _by_slices,
        _by_loops,
        lambda image, scale: F.adaptive_avg_pool2d(image, (image.shape[2] // scale, image.shape[3] // scale)),
        lambda image, scale: F.pixel_unshuffle(image, scale).unflatten(1, (image.shape[1], -1)).mean(2),
        lambda image, scale: resize(image, 1 / scale, "box"),
    ],
    hints=(
        "A reshape can split the rows into blocks and rows inside of a block, and the columns in the same way. Then "
        "take the mean over two of the six dimensions.",
        "Reshape to (n, c, h // scale, scale, w // scale, scale). Dimensions 3 and 5 count the places inside of a "
        "block. Or look for average pooling in PyTorch.",
    ),
)
