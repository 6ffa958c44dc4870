"""The perception-distortion plot: no method is best at both."""

import math
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError
from srlab.base.text import in_figure
from srlab.view.plots import COLORS, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Metric -> label of its axis; all of them are better when lower.
AXES = {
    "lpips": "LPIPS (lower is better)",
    "energy_error": "error of the local energy map (lower is better)",
}
# Where a name may stand: right and up from its point, in points of print, and which end of it is there.
PLACES = (
    (0, 14, "center"),
    (0, -14, "center"),
    (11, 0, "left"),
    (-11, 0, "right"),
    (9, 14, "left"),
    (-9, -14, "right"),
)
PLACES += ((9, -14, "left"), (-9, 14, "right"), (0, 28, "center"), (0, -28, "center"))


def perception_distortion(table: "pd.DataFrame", metric: str | None = None, caption: str | None = None) -> None:
    """Show mean PSNR against a perception metric, one point per method, one panel per image set.

    Blau and Michaeli (2018) prove that beyond some quality the two can only be traded against each other: the lower
    right corner stays empty.

    Parameters
    ----------
    table
        From `srlab.evaluate`, with ``psnr`` and the metric among its columns.
    metric
        ``"lpips"`` or ``"energy_error"``; default: LPIPS where the table has it.
    caption
        See `srlab.view.plots.show`; default: one that names the methods and their numbers.

    Raises
    ------
    SrlabError
        A column is missing, or no method has finite values.
    """
    metric = _metric(table, metric)
    points = _points(table, metric)
    show(draw_perception_distortion(table, metric), caption or _caption(points, metric))


def draw_perception_distortion(table: "pd.DataFrame", metric: str | None = None) -> "Figure":
    """Draw what `perception_distortion` shows."""
    import matplotlib.pyplot as plt

    metric = _metric(table, metric)
    points = _points(table, metric)
    figure, axes = plt.subplots(1, len(points), figsize=(6.4 * len(points), 4.6), squeeze=False, layout="constrained")
    for axis, (images, methods) in zip(axes.flat, points.items(), strict=True):
        for method, (x, y) in methods.items():
            axis.scatter(
                x, y, s=70, color=COLORS.get(method.partition(" (")[0], "#777777"), edgecolor="black", zorder=2
            )
        axis.set(xlabel="PSNR in dB (higher is better)", ylabel=AXES[metric], title=in_figure(f"mean over {images}"))
        axis.margins(0.25, 0.15)
        axis.grid(alpha=0.3)
    figure.draw_without_rendering()  # where the points are on the paper is known only now
    for axis, methods in zip(axes.flat, points.values(), strict=True):
        _name(axis, methods)
    return figure


def _name(axis: "Axes", methods: dict[str, tuple[float, float]]) -> None:
    """Write the name of each method where it covers no point and no other name: above its point if that is free."""
    from matplotlib.transforms import Bbox

    dots = axis.transData.transform(list(methods.values()))
    taken = [Bbox.from_extents(x - 8, y - 8, x + 8, y + 8) for x, y in dots]
    for method, point in methods.items():
        for *shift, side in PLACES:
            text = axis.annotate(
                in_figure(method), point, textcoords="offset points", xytext=shift, ha=side, va="center"
            )
            box = text.get_window_extent()
            if not any(box.overlaps(other) for other in taken) or (*shift, side) == PLACES[-1]:
                break
            text.remove()
        taken.append(box)


def _metric(table: "pd.DataFrame", metric: str | None) -> str:
    found = [name for name in AXES if name in table]
    if metric is None and found:
        metric = found[0]
    if metric not in found or "psnr" not in table:
        raise SrlabError(
            f"The plot needs the columns psnr and {metric or ' or '.join(AXES)}, but the table has "
            f"{', '.join(table.columns)}; name them in metrics of srlab.evaluate."
        )
    return metric


def _points(table: "pd.DataFrame", metric: str) -> dict[str, dict[str, tuple[float, float]]]:
    """Set -> method -> (PSNR, metric), without what is infinite or NaN (HR against itself)."""
    from srlab.evaluation.scoring import summarize

    points: dict[str, dict[str, tuple[float, float]]] = {}
    for row in summarize(table).to_dict("records"):
        if math.isfinite(row["psnr"]) and math.isfinite(row[metric]):
            points.setdefault(row["set"], {})[row["method"]] = (row["psnr"], row[metric])
    if not points:
        raise SrlabError(f"No method has a finite mean of psnr and {metric}, so there is no point to draw.")
    return points


def _caption(points: dict[str, dict[str, tuple[float, float]]], metric: str) -> str:
    parts = []
    for images, methods in points.items():
        values = "; ".join(f"{method} {x:.2f} dB, {y:.3f}" for method, (x, y) in methods.items())
        parts.append(f"{images}: {values}")
    limit = " The map sees where structure is and not how it looks, so stair steps score well." * (metric != "lpips")
    return f"PSNR against {AXES[metric]}, one point per method. {'. '.join(parts)}.{limit}"
