"""The contact sheet: what a slider shows, for paper and for pages without scripts."""

import os
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from srlab import plots
from srlab.errors import SrlabError
from srlab.files import write_atomic

# One colour per box, in turn (Okabe and Ito 2008).
COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00")


def contact_sheet(
    images: Mapping[str, torch.Tensor],
    caption: str,
    boxes: Mapping[str, plots.Box] | None = None,
    notes: Mapping[str, str] | None = None,
    path: str | os.PathLike | None = None,
    width: float = 12.0,
) -> None:
    """Show crops as a table, one row per box and one column per image, beside the whole image with its boxes.

    Parameters
    ----------
    images
        Label -> ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1], all of the same scene; LR may be smaller.
    caption
        One or two sentences; also the alternative text.
    boxes
        Name -> (top, left, height, width) in pixels of the largest image (default: the whole images in one row).
    notes
        Label -> a second line of the column's title, such as a score.
    path
        Write it to this PNG file as well.
    width
        Of the figure in inches.

    Raises
    ------
    SrlabError
        No images, a box outside the image, or the file cannot be written.
    """
    figure = draw_contact_sheet(images, boxes, notes, width)
    if path is not None:
        write_atomic(Path(path), plots.to_png(figure))
    plots.show(figure, caption)


def draw_contact_sheet(
    images: Mapping[str, torch.Tensor],
    boxes: Mapping[str, plots.Box] | None = None,
    notes: Mapping[str, str] | None = None,
    width: float = 12.0,
) -> Figure:
    """Draw what `contact_sheet` shows."""
    if not boxes:
        return plots.draw_images(images, notes=notes, columns=len(images), width=width)
    if not images:
        raise SrlabError("There are no pictures to show.")
    whole = max(reversed(list(images.values())), key=lambda image: image.shape[-2])
    rows, columns = whole.shape[-2:]
    for name, (top, left, height, wide) in boxes.items():
        if min(top, left) < 0 or min(height, wide) < 1 or top + height > rows or left + wide > columns:
            box = (top, left, height, wide)
            raise SrlabError(f"The box '{name}' {box} is not inside the image of {columns}x{rows} pixels.")
    cell = width / (len(images) + 1)
    ratio = max(box[2] / box[3] for box in boxes.values())
    size = (width, len(boxes) * (cell * ratio + 0.1) + 0.5)
    figure, axes = plt.subplots(len(boxes), len(images) + 1, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    overview = figure.add_subplot(axes[0, 0].get_gridspec()[:, 0])
    overview.axis("off")
    plots.draw_picture(overview, whole, cell)
    for number, (name, box) in enumerate(boxes.items()):
        color = COLORS[number % len(COLORS)]
        plots.draw_box(overview, box, color)
        axes[number, 1].text(
            -0.03, 0.5, name, rotation=90, ha="right", va="center", transform=axes[number, 1].transAxes
        )
        for axis, (label, image) in zip(axes[number, 1:], images.items(), strict=True):
            plots.draw_picture(axis, plots.cut(image, box, rows), cell)
            plots.draw_box(axis, (0, 0, *plots.cut(image, box, rows).shape[-2:]), color)
            if number == 0:
                axis.set_title(label if not notes or label not in notes else f"{label}\n{notes[label]}", fontsize=11)
    return figure
