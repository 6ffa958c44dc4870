"""Test figures: alternative texts, and colors that are distinguishable with any color vision."""

import itertools

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from skimage.color import xyz2lab
from skimage.color.colorconv import xyz_from_rgb

from srlab_course.figures import plots
from srlab_course.figures.plots import COLORS, CYCLE

METHODS = {color: method for method, color in COLORS.items()}  # nothing else distinguishes methods of one color
# Simulated color blindness in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
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


def linear(color):
    """Convert hex to linear RGB (IEC 61966-2-1)."""
    values = np.array(to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def apart(one, other, vision):
    """Return the perceived distance of two colors (CIE 1976); about 2 is the smallest visible one."""
    seen = [xyz2lab(xyz_from_rgb @ np.clip(VISIONS[vision] @ linear(color), 0, 1)) for color in (one, other)]
    return np.linalg.norm(seen[0] - seen[1])


def test_colors_are_visible_on_white():
    for color in (*METHODS, *CYCLE):
        contrast = 1.05 / (xyz_from_rgb[1] @ linear(color) + 0.05)
        assert contrast >= 3, f"{color} is too light for a line on white (WCAG 2.2, 1.4.11)"


@pytest.mark.parametrize("vision", VISIONS)
def test_colors_are_distinguishable(vision):
    for one, other in itertools.combinations(METHODS, 2):
        least = 25 if {one, other} == {COLORS["bicubic"], COLORS["SRResNet"]} else 15  # both appear in every lab
        assert apart(one, other, vision) > least, f"{METHODS[one]} and {METHODS[other]} look alike"
    for one, other in itertools.combinations(CYCLE, 2):
        assert apart(one, other, vision) > 25, f"{one} and {other} look alike"


class OldImage(IPython.display.Image):
    """Mock `display` of IPython 7, which Colab uses; it has no argument `alt`."""

    def __init__(self, data=None, metadata=None):
        super().__init__(data, metadata=metadata)


def test_caption_is_alternative_text(monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "Image", OldImage)
    monkeypatch.setattr(plots, "display", lambda *things, **_: shown.extend(things))
    plots.show(plt.figure(), "A *cat*.")
    plots.frames(lambda size: plt.figure(figsize=(size, 1)), 'A "ruler".', "inches", [1, 2])
    image, _, film = shown
    assert image._repr_mimebundle_()[1]["image/png"]["alt"] == "A *cat*."
    assert 'alt="A &#34;ruler&#34;. inches: 2"' in film["text/html"]


@pytest.mark.parametrize(("pictures", "axes"), [(5, 6), (6, 7), (1, 2)])
def test_location_of_a_crop_is_shown_and_covers_no_image(pictures, axes):
    figure = plots.draw_images({str(i): torch.rand(3, 60, 60) for i in range(pictures)}, box=(0, 0, 12, 12))
    assert (len(figure.axes), sum(bool(axis.patches) for axis in figure.axes)) == (axes, 1)
    figure.canvas.draw()
    places = [axis.get_window_extent() for axis in figure.axes]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(places, 2))
    plt.close(figure)
