"""A subject that is drawn: cloth, the same every time."""

import math

import numpy as np
from PIL import Image

SIDE = 512


def draw_cloth() -> Image.Image:
    """A twill of blue and pale threads, each of its own shade, a little wavy, with fibres."""
    random = np.random.default_rng(sum(map(ord, "cloth")))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    across = columns + 2.5 * np.sin(rows / 61) + 1.5 * np.sin(columns / 83)
    down = rows + 2.5 * np.sin(columns / 71)
    width = 8.0
    warp, weft = (across // width).astype(int), (down // width).astype(int)
    over = (warp + weft) % 4 < 2  # the warp lies on top
    middle = np.where(over, across / width - warp, down / width - weft) - 0.5
    along = np.where(over, down / width - weft, across / width - warp) - 0.5
    round_thread = np.sqrt(np.clip(1 - (2 * middle) ** 2, 0.05, 1)) * (1 - 0.35 * (2 * along) ** 2)
    shade = np.where(over, random.normal(1, 0.1, 200)[warp], random.normal(1, 0.1, 200)[weft])
    fibres = random.normal(0, 1, (SIDE, SIDE))
    fibres = np.where(over, _mean(fibres, 0, 4), _mean(fibres, 1, 4))
    light = round_thread * shade + 0.16 * fibres
    colour = np.where(over[..., None], np.array([62, 84, 140.0]), np.array([186, 188, 196.0]))
    return _image(light[..., None] * colour)


def _mean(values: np.ndarray, axis: int, length: int) -> np.ndarray:
    """The mean over so many neighbours, scaled to keep the spread."""
    return sum(np.roll(values, shift, axis) for shift in range(length)) / math.sqrt(length)


def _image(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))
