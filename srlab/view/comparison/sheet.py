"""The contact sheet: what a slider shows, for paper and for pages without scripts."""

import os
from collections.abc import Mapping
from numbers import Integral, Real

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic
from srlab.base.text import in_figure
from srlab.data.images import to_float
from srlab.view import plots
from srlab.view.comparison.pictures import check_picture, full_size, magnify, output_path

# One colour per box, in turn (Okabe and Ito 2008).
COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00")


def contact_sheet(
    images: Mapping[str, torch.Tensor],
    caption: str,
    boxes: Mapping[str, plots.Box] | None = None,
    notes: Mapping[str, str] | None = None,
    path: str | os.PathLike | None = None,
    width: float = 12.0,
    overwrite: bool = False,
) -> None:
    """Show crops as a table, one row per box and one column per image, beside the whole image with its boxes.

    Parameters
    ----------
    images
        Label -> ``(3, H, W)``, ``(1, 3, H, W)`` or ``(1, H, W)``, float in [0, 1] or uint8, all of the same scene.
        A smaller one such as LR is magnified, every pixel as a square; its size must be the largest one over a whole
        number.
    caption
        One or two sentences; also the alternative text.
    boxes
        Name -> (top, left, height, width) in whole pixels of the largest image (default: the whole images in one row).
        Every column shows exactly that part, also where it cuts through pixels of LR.
    notes
        Label -> a second line of the column's title, such as a score.
    path
        Write it to this file as well, which ends in ``.png``.
    width
        Of the figure in inches.
    overwrite
        Replace a file of that name.

    Raises
    ------
    SrlabError
        No images, images that `compare` would refuse, sizes that do not fit, a box outside the image or smaller than
        one pixel, another ending, or the file is there already or cannot be written.
    """
    file = None if path is None else output_path(path, (".png",), overwrite)
    figure = draw_contact_sheet(images, boxes, notes, width)
    if file is not None:
        write_atomic(file, plots.to_png(figure))
    plots.show(figure, caption)


def draw_contact_sheet(
    images: Mapping[str, torch.Tensor],
    boxes: Mapping[str, plots.Box] | None = None,
    notes: Mapping[str, str] | None = None,
    width: float = 12.0,
) -> Figure:
    """Draw what `contact_sheet` shows.

    Parameters
    ----------
    images, boxes, notes, width
        As for `contact_sheet`.

    Raises
    ------
    SrlabError
        No pictures, a note or a box that fits none, or a width that is none.
    """
    if not images:
        raise SrlabError("There are no pictures to show.")
    if not (isinstance(width, Real) and 0 < width < float("inf")):
        raise SrlabError(f"The width of a contact sheet is a number of inches above 0, but {width!r} was given.")
    for label in notes or ():
        if label not in images:
            raise SrlabError(f"There is no picture '{label}' for a note; choose among {', '.join(images)}.")
    pictures = {label: to_float(check_picture(label, image)) for label, image in images.items()}
    rows, columns = full_size(pictures)
    whole = [picture for picture in pictures.values() if picture.shape[-2:] == (rows, columns)][-1]  # HR is the last
    pictures = {label: magnify(label, picture, (rows, columns)) for label, picture in pictures.items()}
    if not boxes:
        return plots.draw_images(pictures, notes=notes, columns=len(pictures), width=width)
    for name, box in boxes.items():
        _check_box(name, box, rows, columns)
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
            -0.03, 0.5, in_figure(name), rotation=90, ha="right", va="center", transform=axes[number, 1].transAxes
        )
        for axis, (label, image) in zip(axes[number, 1:], pictures.items(), strict=True):
            plots.draw_picture(axis, plots.cut(image, box), cell)
            plots.draw_box(axis, (0, 0, *box[2:]), color)
            if number == 0:
                title = label if not notes or label not in notes else f"{label}\n{notes[label]}"
                axis.set_title(in_figure(title), fontsize=11)
    return figure


def _check_box(name: str, box: plots.Box, rows: int, columns: int) -> None:
    if len(box) != 4 or not all(isinstance(side, Integral) for side in box):
        raise SrlabError(f"The box '{name}' is (top, left, height, width) in whole pixels, but {box} was given.")
    top, left, height, width = box
    if min(height, width) < 1:
        raise SrlabError(f"The box '{name}' {box} must be at least 1 pixel high and wide.")
    if min(top, left) < 0 or top + height > rows or left + width > columns:
        raise SrlabError(f"The box '{name}' {box} is not inside the image of {columns}x{rows} pixels.")
