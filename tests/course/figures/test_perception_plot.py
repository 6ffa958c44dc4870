"""Test the perception-distortion plot: one point per method, distinguished by color and marker."""

import math

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from srlab_course.figures.perception_plot import draw_perception_distortion
from srlab_course.figures.plots import COLORS


def drawn(rows, metric="lpips"):
    (axis,) = draw_perception_distortion(
        pd.DataFrame(rows, columns=["set", "image", "method", "psnr", metric]), metric
    ).axes
    return axis, [tuple(collection.get_offsets()[0]) for collection in axis.collections]


def test_plot_has_colored_labeled_point_per_method():
    rows = [("Set5", "a", "bicubic", 28.0, 0.34), ("Set5", "b", "bicubic", 30.0, 0.36)]
    rows += [("Set5", x, method, 27.0, 0.1) for x in "ab" for method in ("SRGAN", "SRGAN (long)")]
    axis, points = drawn([*rows, ("Set5", "a", "HR", math.inf, 0.0)])
    assert points == [pytest.approx(point) for point in ((29, 0.35), (27, 0.1), (27, 0.1))]  # HR has infinite PSNR
    colors = [to_hex(c.get_facecolor()[0]).upper() for c in axis.collections]
    assert colors == [COLORS["bicubic"], COLORS["SRGAN"], COLORS["SRGAN"]]
    assert len({str(c.get_paths()[0].vertices) for c in axis.collections}) == 3
    names = [(text.get_text(), text.get_va()) for text in axis.texts[:-1]]  # the last label is on the arrow
    assert names == [("bicubic", "bottom"), ("SRGAN", "bottom"), ("SRGAN (long)", "top")]


def test_patch_distance_uses_median_within_axes():
    rows = [("photos", x, "SRGAN", 27.0, y) for x, y in (("a", 0.5), ("b", 1.5), ("c", 300.0))]
    axis, points = drawn([*rows, ("photos", "a", "mirrored", 12.0, -0.2)], "patch_distance")
    assert axis.get_yscale() == "log"
    assert [y for _, y in points] == pytest.approx([1.5, 0.05])


def test_labels_avoid_the_line_that_joins_methods():
    scores = {"MSRResNet": (28.0, 0.3), "SRGAN": (27.0, 0.15), "hybrid": (27.0, 0.1), "ESRGAN": (26.0, 0.1)}
    table = pd.DataFrame([("Set5", "a", method, *values) for method, values in scores.items()])
    table.columns = ["set", "image", "method", "psnr", "lpips"]
    (axis,) = draw_perception_distortion(table, "lpips", joined=["MSRResNet", "hybrid", "ESRGAN"]).axes
    (line,) = axis.lines
    assert line.get_xydata().tolist() == [[28.0, 0.3], [27.0, 0.1], [26.0, 0.1]]
    path = line.get_path().transformed(axis.transData)
    assert not any(path.intersects_bbox(text.get_window_extent(), filled=False) for text in axis.texts[:-1])
