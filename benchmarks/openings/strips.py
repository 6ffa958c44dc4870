"""Rows of crops with labels above them, as one JPEG."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

import srlab
from srlab.data.images import to_uint8
from srlab.view.plots import cut

FOLDER = Path(__file__).parents[2] / "notebooks" / "pictures"
WIDTH, GAP, HEAD = 1160, 8, 34  # pixels


def enlarged(
    upscalers: Mapping[str, Callable[[torch.Tensor], torch.Tensor]], hr: torch.Tensor, box: tuple[int, int, int, int]
) -> dict[str, torch.Tensor]:
    """Crop what each upscaler makes of a photo that was shrunk by 4, and the photo itself: a row for `write`."""
    hr = srlab.mod_crop(hr, 4)
    lr = srlab.downsample(hr, 4)
    pictures = {label: srlab.upscale(upscaler, lr) for label, upscaler in upscalers.items()}
    return {label: cut(picture, box) for label, picture in (pictures | {"HR": hr}).items()}


def write(name: str, rows: list[Mapping[str, torch.Tensor]]) -> Path:
    """Write rows of crops of one size, each ``(1, 3, h, w)`` in [0, 1], below the labels of the first row.

    A crop is enlarged by whole pixels as far as the width allows, so that nothing is smoothed.
    """
    columns = len(rows[0])
    height, width = next(iter(rows[0].values())).shape[-2:]
    factor = max(1, (WIDTH - GAP * (columns - 1)) // (columns * width))
    step = factor * width + GAP
    page = Image.new("RGB", (columns * step - GAP, HEAD + len(rows) * (factor * height + GAP) - GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(22)
    for line, row in enumerate(rows):
        for column, (label, crop) in enumerate(row.items()):
            if line == 0:
                draw.text((column * step + factor * width / 2, HEAD / 2), label, "black", font, "mm")
            pixels = Image.fromarray(to_uint8(crop)[0].permute(1, 2, 0).numpy())
            large = pixels.resize((factor * width, factor * height), Image.Resampling.NEAREST)
            page.paste(large, (column * step, HEAD + line * (factor * height + GAP)))
    FOLDER.mkdir(exist_ok=True)
    page.save(FOLDER / f"{name}.jpg", quality=88, optimize=True)
    return FOLDER / f"{name}.jpg"
