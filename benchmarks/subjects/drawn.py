"""Subjects that are drawn: cloth, leaves and hair, the same ones every time."""

import math

import numpy as np
from PIL import Image, ImageDraw

SIDE = 512


def cloth(random: np.random.Generator) -> Image.Image:
    """A twill of blue and pale threads, each of its own shade, a little wavy, with fibres."""
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


def leaves(random: np.random.Generator) -> Image.Image:
    """Fallen leaves that hide each other: pointed ovals with veins, in the colours of autumn."""
    large = Image.new("RGB", (2 * SIDE, 2 * SIDE))
    pen = ImageDraw.Draw(large)
    kinds = np.array([[172, 92, 34], [196, 142, 52], [128, 58, 28], [98, 94, 38], [206, 170, 92]])
    for _ in range(1500):
        x, y = random.uniform(-40, 2 * SIDE + 40, 2)
        length, turn = random.uniform(28, 75), random.uniform(0, 2 * math.pi)
        colour = kinds[random.integers(len(kinds))] * random.uniform(0.55, 1.15)
        t = np.linspace(-1, 1, 15)
        edge = 0.42 * length * (1 - t**2) * (1 + 0.12 * np.cos(9 * t))
        outline = np.concatenate([np.stack([t * length, edge], 1), np.stack([t[::-1] * length, -edge[::-1]], 1)])
        turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        pen.polygon([tuple(p) for p in outline @ turned + (x + 3, y + 4)], fill=(18, 12, 8))  # its shadow
        pen.polygon([tuple(p) for p in outline @ turned + (x, y)], fill=tuple(colour.astype(int)))
        vein = tuple((colour * 0.68).astype(int))
        for start in np.linspace(-0.7, 0.6, 6):
            for side in (-1, 1):
                tip = start + 0.3
                branch = np.array([[start * length, 0], [tip * length, side * 0.34 * length * (1 - tip**2)]])
                pen.line([tuple(p) for p in branch @ turned + (x, y)], fill=vein, width=2)
        pen.line([tuple(p) for p in np.array([[-length, 0], [length, 0]]) @ turned + (x, y)], fill=vein, width=3)
    small = np.asarray(large.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=float)
    return _image(small + random.normal(0, 3, (SIDE, SIDE, 1)))


def hair(random: np.random.Generator) -> Image.Image:
    """Brown hair that falls in waves; the upper strands are the lighter ones."""
    large = Image.new("RGB", (3 * SIDE, 3 * SIDE), (24, 15, 10))
    pen = ImageDraw.Draw(large)
    t = np.linspace(-60, 3 * SIDE + 60, 70)
    for number in range(2600):
        height = number / 2600
        start, phase = random.uniform(-200, 3 * SIDE + 200), random.normal(0, 0.35)
        x = start + 70 * np.sin(t / 210 + start / 260 + phase) + random.normal(0, 16) * t / 500
        shine = 0.75 + 0.5 * np.sin(t / 300 + start / 180) ** 8
        colour = np.array([128, 84, 50]) * (0.35 + 0.75 * height) * random.uniform(0.75, 1.2)
        for k in range(len(t) - 1):
            fill = tuple(np.clip(colour * shine[k], 0, 255).astype(int))
            pen.line([(x[k], t[k]), (x[k + 1], t[k + 1])], fill=fill, width=3)
    small = np.asarray(large.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=float)
    return _image(small + random.normal(0, 2, (SIDE, SIDE, 1)))


def _mean(values: np.ndarray, axis: int, length: int) -> np.ndarray:
    """The mean over so many neighbours, scaled to keep the spread."""
    return sum(np.roll(values, shift, axis) for shift in range(length)) / math.sqrt(length)


def _image(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


DRAWN = {"cloth": cloth, "leaves": leaves, "hair": hair}


def draw(name: str) -> Image.Image:
    """One of `DRAWN`, 512 x 512 pixels."""
    return DRAWN[name](np.random.default_rng(sum(map(ord, name))))
