"""The perception-distortion plot: a point per method, told apart by colour and mark."""

import math

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from srlab.base.errors import SrlabError
from srlab.view.perception_plot import draw_perception_distortion
from srlab.view.plots import COLORS


@pytest.fixture
def table():
    rows = [("Set5", "a", "bicubic", 28.0, 0.34), ("Set5", "b", "bicubic", 30.0, 0.36)]
    rows += [("Set5", x, method, 27.0, 0.1) for x in "ab" for method in ("SRGAN", "SRGAN (long)")]
    rows += [("Set5", "a", "HR", math.inf, 0.0)]
    return pd.DataFrame(rows, columns=["set", "image", "method", "psnr", "lpips"])


def test_there_is_one_point_per_method_in_its_colour_and_with_a_mark_of_its_own(table):
    figure = draw_perception_distortion(table, "lpips")
    (axis,) = figure.axes
    plt.close(figure)
    points = [tuple(collection.get_offsets()[0]) for collection in axis.collections]
    assert points == [pytest.approx(point) for point in ((29, 0.35), (27, 0.1), (27, 0.1))]  # HR is at infinity
    colours = [to_hex(c.get_facecolor()[0]).upper() for c in axis.collections]
    assert colours == [COLORS["bicubic"], COLORS["SRGAN"], COLORS["SRGAN"]]
    assert len({str(c.get_paths()[0].vertices) for c in axis.collections}) == 3
    texts = [text for text in axis.texts if text.get_text() != "better"]  # which is on the arrow
    names = [(text.get_text(), text.xy, text.get_va()) for text in texts]  # two at one place lie above and below
    assert names == [
        ("bicubic", pytest.approx((29, 0.35)), "bottom"),
        ("SRGAN", pytest.approx((27, 0.1)), "bottom"),
        ("SRGAN (long)", pytest.approx((27, 0.1)), "top"),
    ]
    assert "dB" in axis.get_xlabel()
    assert "LPIPS" in axis.get_ylabel()
    assert "Set5" in axis.get_title()


def test_each_name_is_written_even_where_there_is_no_room_for_it():
    table = pd.DataFrame([("Set5", "a", f"method {i}", 27.0, 0.1) for i in range(7)])
    table.columns = ["set", "image", "method", "psnr", "lpips"]
    figure = draw_perception_distortion(table, "lpips")
    plt.close(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == [*(f"method {i}" for i in range(7)), "better"]


def test_of_a_patch_distance_the_median_is_drawn_and_one_below_zero_stays_on_the_paper():
    rows = [("photos", x, "SRGAN", 27.0, y) for x, y in (("a", 0.5), ("b", 1.5), ("c", 300.0))]
    rows += [("photos", "a", "mirrored", 12.0, -0.2)]
    table = pd.DataFrame(rows, columns=["set", "image", "method", "psnr", "patch_distance"])
    figure = draw_perception_distortion(table, "patch_distance")
    (axis,) = figure.axes
    plt.close(figure)
    assert axis.get_yscale() == "log"
    assert [c.get_offsets()[0][1] for c in axis.collections] == pytest.approx([1.5, 0.05])


def test_a_table_without_the_columns_of_the_plot_is_refused(table):
    for bad in (table.drop(columns="lpips"), table.drop(columns="psnr")):
        with pytest.raises(SrlabError, match="The plot needs the columns psnr"):
            draw_perception_distortion(bad, "lpips")
    with pytest.raises(SrlabError, match="no point to draw"):
        draw_perception_distortion(table[table["method"] == "HR"], "lpips")
