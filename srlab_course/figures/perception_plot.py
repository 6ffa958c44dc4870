"""The perception-distortion plot: no method is best on both axes."""

import itertools
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from srlab.evaluation.catalog import METRICS
from srlab_course.figures.plots import COLORS, HALO, OTHER
from srlab_course.layout import in_figure

NEAR = 0.05  # smaller patch distances are noise or negative, and are drawn here
# Positions of a label next to its point: offset in points, and horizontal and vertical alignment.
SIDES = (
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (6, -6, "left", "top"),
    (6, 6, "left", "bottom"),
    (8, 0, "left", "center"),
    (-8, 0, "right", "center"),
)
MARKERS = "osD^vP*X<>"  # distinguish methods of the same color


def draw_perception_distortion(table: pd.DataFrame, metric: str, joined: Sequence[str] = ()) -> Figure:
    """Plot a metric against mean PSNR, one point per method, one panel per image set.

    Blau and Michaeli (2018) prove that there is a bound. On it, one axis only improves at the cost of the other, so the
    lower right corner stays empty.

    Parameters
    ----------
    table
        Table from `srlab.evaluate_all`, with ``psnr`` and the metric. A patch distance is plotted as the
        median over the images, because one image can have a distance a hundred times that of another.
    metric
        A metric of `srlab.evaluation.catalog.METRICS` for which lower is better. To measure perception, it has to
        compare distributions, as ``"patch_distance"`` does; LPIPS compares images, so it measures distortion.
    joined
        Methods whose points a dotted line joins, in this order.
    """
    by_method = table.groupby(["set", "method"], sort=False, as_index=False)
    means = by_method.agg({"psnr": "mean", metric: "median" if metric == "patch_distance" else "mean"})
    if metric == "patch_distance":
        means[metric] = means[metric].clip(lower=NEAR)
    means = means[np.isfinite(means[["psnr", metric]]).all(axis=1)]  # HR has infinite PSNR
    marker = dict(zip(means.method.unique(), itertools.cycle(MARKERS), strict=False))
    sets = means.set.unique()
    figure, axes = plt.subplots(1, len(sets), figsize=(7 * len(sets) + 1, 5.2), squeeze=False, layout="constrained")
    for axis, images in zip(axes.flat, sets, strict=True):
        points = means[means.set == images]
        here = dict(zip(points.method, zip(points.psnr, points[metric], strict=True), strict=True))
        for method, place in here.items():
            look = {"color": COLORS.get(method.partition(" (")[0], OTHER), "marker": marker[method]}
            axis.scatter(*place, s=80, zorder=2, **look)
        axis.margins(0.2, 0.15)
        axis.set(xlabel="PSNR in dB (higher is better)", ylabel=f"{METRICS[metric].label} (lower is better)")
        axis.set_title(in_figure(images))
        if metric == "patch_distance":
            axis.set_yscale("log")
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
        line = [here[method] for method in joined if method in here]
        axis.plot(*np.reshape(line, (-1, 2)).T, ":", color="black", zorder=0)
        _label(axis, here, line)
        arrow = {"boxstyle": "rarrow,pad=0.25", "facecolor": "#E9F1E9", "edgecolor": "#3F6B3F"}
        axis.text(0.97, 0.05, "better", transform=axis.transAxes, rotation=-35, ha="right", bbox=arrow, zorder=0)
    return figure


def _label(axis: Axes, points: dict[str, tuple[float, float]], line: Sequence[tuple[float, float]]) -> None:
    """Write each name next to its point, on the first side with enough space, and not on the line."""
    axis.figure.draw_without_rendering()  # the layout sets the pixel positions
    pixels = axis.transData.transform(list(points.values()))
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in pixels]
    path = Path(axis.transData.transform(line)) if len(line) > 1 else None
    for method, place in points.items():
        for side in SIDES:
            across, up, ha, va = side
            text = axis.annotate(in_figure(method), place, (across, up), textcoords="offset points", ha=ha, va=va)
            text.set_path_effects(HALO)
            box = text.get_window_extent()
            crossed = path is not None and path.intersects_bbox(box, filled=False)
            if side == SIDES[-1] or not (crossed or any(box.overlaps(other) for other in taken)):
                break
            text.remove()
        taken.append(box)
