"""The contact sheet: what a slider shows, for paper and for pages without scripts."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from srlab.base.errors import SrlabError
from srlab.base.text import in_figure
from srlab.data.images import to_float
from srlab.view import plots
from srlab.view.slider import check_picture, full_size, magnify

WIDTH = 12.0  # of the figure in inches
# One colour per box, in turn (Okabe and Ito 2008).
BOX_COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00")


def contact_sheet(
    images: Mapping[str, torch.Tensor],
    caption: str,
    boxes: Mapping[str, plots.Box] | None = None,
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

    Raises
    ------
    SrlabError
        No images, images that `compare` would refuse, sizes that do not fit, or a box that is not inside the image.
    """
    plots.show(draw_contact_sheet(images, boxes), caption)


def draw_contact_sheet(images: Mapping[str, torch.Tensor], boxes: Mapping[str, plots.Box] | None = None) -> Figure:
    """Draw what `contact_sheet` shows."""
    if not images:
        raise SrlabError("There are no pictures to show.")
    pictures = {label: to_float(check_picture(label, image)) for label, image in images.items()}
    rows, columns = full_size(pictures)
    whole = [picture for picture in pictures.values() if picture.shape[-2:] == (rows, columns)][-1]  # HR is the last
    pictures = {label: magnify(label, picture, (rows, columns)) for label, picture in pictures.items()}
    if not boxes:
        return plots.draw_images(pictures, columns=len(pictures), width=WIDTH)
    for name, (top, left, height, wide) in boxes.items():
        if min(top, left) < 0 or min(height, wide) < 1 or top + height > rows or left + wide > columns:
            raise SrlabError(
                f"The box '{name}' {boxes[name]}, as (top, left, height, width), is not inside the image of "
                f"{columns}x{rows} pixels."
            )
    cell = WIDTH / (len(images) + 1)
    ratio = max(box[2] / box[3] for box in boxes.values())
    size = (WIDTH, len(boxes) * (cell * ratio + 0.1) + 0.5)
    figure, axes = plt.subplots(len(boxes), len(images) + 1, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    overview = figure.add_subplot(axes[0, 0].get_gridspec()[:, 0])
    overview.axis("off")
    plots.draw_picture(overview, whole, cell)
    for axis, label in zip(axes[0, 1:], pictures, strict=True):
        axis.set_title(in_figure(label), fontsize=11)
    for number, (name, box) in enumerate(boxes.items()):
        color = BOX_COLORS[number % len(BOX_COLORS)]
        plots.draw_box(overview, box, color)
        first = axes[number, 1]
        first.text(-0.03, 0.5, in_figure(name), rotation=90, ha="right", va="center", transform=first.transAxes)
        for axis, picture in zip(axes[number, 1:], pictures.values(), strict=True):
            plots.draw_picture(axis, plots.cut(picture, box), cell)
            plots.draw_box(axis, (0, 0, *box[2:]), color)
    return figure
