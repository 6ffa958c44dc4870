"""The perception-distortion plot: no method is best at both."""

import itertools
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.transforms import Bbox

from srlab.base.errors import SrlabError
from srlab.base.text import in_figure
from srlab.view.plots import COLORS, OTHER, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Metric -> label of its axis; all of them are better when lower.
AXES = {
    "lpips": "LPIPS (lower is better)",
    "energy_error": "error of the local energy map (lower is better)",
}
# Where a name can stand beside its point: offset in points, and which of its sides is there.
SIDES = ((0, 7, "center", "bottom"), (0, -7, "center", "top"), (8, 0, "left", "center"), (-8, 0, "right", "center"))
MARKERS = "osD^vP*X<>"  # in turn, so that methods of one colour are told apart


def perception_distortion(table: "pd.DataFrame", caption: str | None = None) -> None:
    """Show mean PSNR against a perception metric, one point per method, one panel per image set.

    Blau and Michaeli (2018) prove that beyond some quality the two can only be traded against each other: the lower
    right corner stays empty.

    Parameters
    ----------
    table
        From `srlab.evaluate_all`, with ``psnr``, and ``lpips`` (which is then taken) or ``energy_error``.
    caption
        See `srlab.view.plots.show`; default: one that names the methods and their numbers.

    Raises
    ------
    SrlabError
        A column is missing, or no method has finite values.
    """
    metric = next((name for name in AXES if name in table), "energy_error")
    figure = draw_perception_distortion(table, metric)
    if caption is None:
        values = [f"{p.method} on {p.set} {p.psnr:.2f} dB, {getattr(p, metric):.3f}" for p in _points(table, metric)]
        caption = f"PSNR against {AXES[metric]}, one point per method: {'; '.join(values)}."
    show(figure, caption)


def draw_perception_distortion(table: "pd.DataFrame", metric: str) -> "Figure":
    """Draw what `perception_distortion` shows."""
    points = _points(table, metric)
    sets = list(dict.fromkeys(point.set for point in points))
    marker = dict(zip(dict.fromkeys(point.method for point in points), itertools.cycle(MARKERS), strict=False))
    figure, axes = plt.subplots(1, len(sets), figsize=(7 * len(sets) + 1, 5.2), squeeze=False, layout="constrained")
    for axis, images in zip(axes.flat, sets, strict=True):
        here = {point.method: (point.psnr, getattr(point, metric)) for point in points if point.set == images}
        for method, place in here.items():
            look = {"color": COLORS.get(method.partition(" (")[0], OTHER), "marker": marker[method]}
            axis.scatter(*place, s=80, zorder=2, **look)
        axis.margins(0.15)
        axis.set(xlabel="PSNR in dB (higher is better)", ylabel=AXES[metric], title=in_figure(f"mean over {images}"))
        axis.grid(alpha=0.3)
        _label(axis, here)
    return figure


def _label(axis: "Axes", points: dict[str, tuple[float, float]]) -> None:
    """Write each name beside its point, on the first side where nothing else is."""
    axis.figure.draw_without_rendering()  # until then nobody knows where in the picture a point lies
    pixels = axis.transData.transform(list(points.values()))
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in pixels]
    for method, place in points.items():
        for side in SIDES:
            across, up, ha, va = side
            text = axis.annotate(in_figure(method), place, (across, up), textcoords="offset points", ha=ha, va=va)
            box = text.get_window_extent()
            if side == SIDES[-1] or not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        taken.append(box)


def _points(table: "pd.DataFrame", metric: str) -> list:
    """A row per set and method with its means, without what is infinite or NaN (HR against itself)."""
    from srlab.evaluation.scoring import summarize

    if metric not in AXES or not {"psnr", metric} <= set(table):
        raise SrlabError(
            f"The plot needs the columns psnr and {' or '.join(AXES)}, but the table has {', '.join(table.columns)}; "
            "name them in metrics of srlab.evaluate_all."
        )
    means = summarize(table)
    points = list(means[np.isfinite(means[["psnr", metric]]).all(axis=1)].itertuples())
    if not points:
        raise SrlabError(f"No method has a finite mean of psnr and {metric}, so there is no point to draw.")
    return points
