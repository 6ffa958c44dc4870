"""Figures: their text for those who don't see them, and colours that readers of every colour vision tell apart."""

import itertools
import re

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from srlab.view import plots
from srlab.view.plots import COLORS, CYCLE, line_styles

METHODS = {color: method for method, color in COLORS.items()}  # methods of one colour are told apart by nothing else
# What somebody without one kind of cones sees, in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
VISIONS = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color):
    """Hex to linear RGB (IEC 61966-2-1)."""
    values = np.array(to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast_on_white(color):
    """Contrast ratio of WCAG 2.2."""
    return 1.05 / (XYZ[1] @ linear(color) + 0.05)


def lab(color, vision):
    """CIELAB of what a reader sees."""
    seen = np.clip(VISIONS[vision] @ linear(color), 0, 1)
    x, y, z = XYZ @ seen / XYZ.sum(1)
    x, y, z = (np.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("method", COLORS)
def test_every_colour_is_seen_on_white(method):
    assert contrast_on_white(COLORS[method]) >= 3, "too light for a line on white (WCAG 2.2, 1.4.11)"


@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_colours_are_told_apart(vision):
    for one, other in itertools.combinations(METHODS, 2):
        apart = np.linalg.norm(lab(one, vision) - lab(other, vision))  # CIE 1976; about 2 is the least that shows
        least = 25 if {one, other} == {COLORS["bicubic"], COLORS["SRResNet"]} else 15  # these two meet in every lab
        assert apart > least, f"{METHODS[one]} and {METHODS[other]} look alike: {apart:.1f}"


def test_lines_that_are_no_method_are_seen_and_told_apart_in_every_order():
    assert [contrast_on_white(color) for color in CYCLE if contrast_on_white(color) < 3] == []
    assert set(CYCLE).isdisjoint(METHODS)
    for vision, (one, other) in itertools.product(VISIONS, itertools.combinations(CYCLE, 2)):
        assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 25, f"{one} and {other} look alike"
    styles = [(style["color"], style["linestyle"]) for style in line_styles()]
    assert styles[:5] == [(color, "-") for color in CYCLE]
    assert len(set(styles)) == 10


class OldImage(IPython.display.Image):
    """That of IPython 7, which is what Colab has: it knows no argument `alt`."""

    def __init__(self, data=None, metadata=None):
        super().__init__(data, metadata=metadata)


@pytest.mark.parametrize("image", [IPython.display.Image, OldImage])
def test_a_caption_is_also_what_readers_hear_who_do_not_see_the_figure(image, monkeypatch):
    shown = []
    monkeypatch.setattr(IPython.display, "Image", image)
    monkeypatch.setattr(IPython.display, "display", lambda *things, **_: shown.extend(things))
    plots.show(plt.figure(), "A *cat*.")
    plots.sliders(lambda size: plt.figure(figsize=(size, 1)), "A ruler.", size=(1, 3, 1))
    heard = [thing._repr_mimebundle_()[1]["image/png"]["alt"] for thing in shown if isinstance(thing, image)]
    assert heard == ["A *cat*.", "A ruler."]


def test_sliders_begin_where_they_are_told(monkeypatch):
    drawn = []
    monkeypatch.setattr(IPython.display, "display", lambda *things, **_: None)
    plots.sliders(lambda **at: drawn.append(at) or plt.figure(), "Two.", blur=(0.0, 4.0, 0.5, 1.5), jpeg=(0, 100, 5))
    assert drawn == [{"blur": 1.5, "jpeg": 0}]


def test_frames_show_the_first_and_hold_all_others_with_their_words(monkeypatch):
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **_: shown.append(data))
    plots.frames(lambda size: plt.figure(figsize=(size, 1)), 'A "ruler".', "length in inches", [1, 2, 3], start=1)
    html = shown[0]["text/html"]
    pictures = re.findall(r'<img [^>]*alt="([^"]*)"[^>]*display: (\w+)"', html)
    assert pictures == [
        (f"A &quot;ruler&quot;. length in inches: {size}", "block" if size == 2 else "none") for size in (1, 2, 3)
    ]
    assert "<output>2</output>" in html


@pytest.mark.parametrize(("pictures", "axes"), [(5, 6), (6, 7), (1, 2)])
def test_a_crop_comes_with_the_whole_in_an_empty_place_or_in_a_corner(pictures, axes):
    image = torch.rand(3, 60, 60)
    figure = plots.draw_images({str(i): image for i in range(pictures)}, box=(0, 0, 12, 12))
    found = [*figure.axes, *(child for axis in figure.axes for child in axis.child_axes)]
    boxes = [axis for axis in found if axis.patches]
    plt.close(figure)
    assert (len(found), len(boxes)) == (axes, 1)


def test_the_flattest_square_is_neither_black_nor_white_and_lies_on_the_grid():
    image = torch.rand(1, 3, 128, 192, generator=torch.Generator().manual_seed(0))
    image[..., :48, :48], image[..., 72:120, 120:168] = 0.0, 0.5
    assert plots.flattest(image) == (72, 120, 48, 48)


@pytest.mark.parametrize(("count", "legends"), [(1, 0), (2, 0), (4, 1), (6, 1)])
def test_the_legend_of_many_curves_stands_beside_them(count, legends, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "show", lambda figure, caption: figures.append(figure))
    series = {f"run {i}": ([0, 1], [i, i]) for i in range(count)}
    plots.lines(series, "Runs.", x="step", y="PSNR in dB", title="Runs")
    (figure,) = figures
    assert len(figure.legends) == legends
    figure.canvas.draw()
    for legend in figure.legends:
        assert not legend.get_window_extent().overlaps(figure.axes[0].get_window_extent())
    plt.close(figure)


def test_a_bar_whose_label_begins_with_a_method_has_its_colour(monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "show", lambda figure, caption: figures.append(figure))
    plots.bars({"ESRGAN": 1.0, "ESRGAN, chelsea": 2.0, "without D, chelsea": 3.0}, "", "x", "")
    colors = [bar.get_facecolor()[:3] for bar in figures[0].axes[0].patches]
    assert colors == [to_rgb(COLORS["ESRGAN"]), to_rgb(COLORS["ESRGAN"]), to_rgb(plots.OTHER)]
    plt.close("all")
