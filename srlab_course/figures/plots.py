"""Draw the figures of the labs, with one color per method and captions that are also the alternative text.

Images are ``(3, H, W)``, ``(1, 3, H, W)`` or ``(1, H, W)`` in [0, 1]. A box is (top, left, height, width) in pixels.
"""

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import torch
from cycler import Cycler
from IPython.display import Image, Markdown, display
from matplotlib import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from srlab.text import escaped
from srlab_course.figures.widgets import CellBox, Presence
from srlab_course.labs import METHODS
from srlab_course.layout import in_figure, in_markdown

# One color per method in all labs. Each has a contrast of at least 3 on white, and any two are distinct with every kind
# of color vision; tests/course/figures/test_plots.py tests both.
COLORS = {
    "HR": "#000000",
    "nearest": "#8E8E94",
    "bilinear": "#5A4110",
    "bicubic": "#0A8CFF",
    "lanczos": "#A05FA5",
    "Real-ESRGAN": "#6000FC",
    "random features": "#8E8E94",  # the same as nearest; no figure has both
    **{label: method.color for label, method in METHODS.items()},
    **dict.fromkeys(("SRResNet", "RRDBNet", "MSE", "pretrained"), METHODS["MSRResNet"].color),
    "features only": METHODS["content loss"].color,  # the same network, as lab 02 labels it
}
# For lines that are not methods, dashed from the sixth on. They meet the same conditions and differ from all the above.
CYCLE = ("#0072B2", "#CC6F11", "#40260D", "#7D04D6", "#6E6E74")
OTHER = "#777777"  # a method without a color
HALO = [withStroke(linewidth=4, foreground="white")]  # makes a label or a line visible on curves and dark bars
Box = tuple[int, int, int, int]  # top, left, height, width in pixels of the image


def set_style() -> None:
    """Set the style of all figures, so that no setting of a user's ``matplotlibrc`` turns or colors them."""
    # Titles have a fixed height, because no figure has ticks above; looking for them takes a quarter of each drawing.
    plt.style.use(["default", {"axes.prop_cycle": line_styles(), "axes.titley": 1.0}])


def line_styles() -> Cycler:
    """Return colors and dashes for lines that are not methods, for matplotlib's ``axes.prop_cycle``."""
    return cycler(linestyle=["-", "--"]) * cycler(color=CYCLE)


def show(figure: Figure, caption: str) -> None:
    """Display a figure with its caption below and as alternative text, and close it so that Jupyter shows it once."""
    display(picture(figure, caption))
    write_caption(caption)


def write_caption(caption: str) -> None:
    """Display a caption below the last output."""
    display(Markdown(f"*{in_markdown(caption)}*"))


def picture(figure: Figure, alt: str) -> Any:
    """Render a figure for ``IPython.display.display`` with its alternative text, and close it."""
    # Use the metadata, because Image has no argument alt in IPython 7, which Colab uses.
    return Image(data=rendered(figure), metadata={"alt": alt, "width": _shown_width(figure)})


def rendered(figure: Figure, kind: str = "png", **options: Any) -> bytes:
    """Render a figure at 150 pixels per inch, sharp on screens and slides, and close it.

    Return the content of an image file. `kind` is a Pillow format, and `options` are Pillow's options for it.
    """
    buffer = io.BytesIO()
    # The default level 6 takes 50 % longer for files that are 4 % smaller.
    figure.savefig(buffer, format=kind, dpi=150, bbox_inches="tight", pil_kwargs=options or {"compress_level": 4})
    plt.close(figure)
    return buffer.getvalue()


def _shown_width(figure: Figure) -> int:
    """Return the width of a figure on a page, in CSS pixels."""
    return round(100 * figure.get_figwidth())


def to_numpy(image: torch.Tensor) -> Any:
    """Convert an image to a float32 array for matplotlib, ``(H, W, 3)`` or ``(H, W)``, clipped to [0, 1]."""
    image = image[0] if image.ndim == 4 else image
    image = image.detach().float().clamp(0, 1).cpu()
    return image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).numpy()


def cut(image: torch.Tensor, box: Box, full_height: int | None = None) -> torch.Tensor:
    """Crop a box from an image ``(..., H, W)``, as a view.

    For LR pass `full_height`, the height of the HR image that the box refers to.
    """
    factor = 1 if full_height is None else image.shape[-2] / full_height
    top, left, height, width = (round(side * factor) for side in box)
    return image[..., top : top + height, left : left + width]


def middle(image: torch.Tensor, scale: int) -> Box:
    """Return a box of 96x144 pixels in the center of an image (less if it is smaller), aligned to the LR grid."""
    full = image.shape[-2:]
    height, width = (min(side, length) // scale * scale for side, length in zip((96, 144), full, strict=True))
    top, left = ((length - side) // 2 // scale * scale for side, length in zip((height, width), full, strict=True))
    return top, left, height, width


def images(
    pictures: Mapping[str, torch.Tensor],
    caption: str,
    box: Box | None = None,
    box_height: int | None = None,
    notes: Mapping[str, str] | None = None,
    columns: int = 3,
    width: float = 12.0,
) -> None:
    """Show labeled images side by side, with square pixels if there is enough space.

    With `box`, show only that crop, and next to the crops where it is. It refers to an image of height `box_height`
    (default: the tallest image); smaller images such as LR are cropped in proportion. `notes` maps labels to a second
    line, such as a score. `columns` is the largest number of images per row, and `width` is the width of the figure in
    inches.
    """
    show(draw_images(pictures, box, box_height, notes, columns, width), caption)


def draw_images(
    pictures: Mapping[str, torch.Tensor],
    box: Box | None = None,
    box_height: int | None = None,
    notes: Mapping[str, str] | None = None,
    columns: int = 3,
    width: float = 12.0,
) -> Figure:
    """Draw the figure of `images`; a free cell, or a narrow column on the right, shows where the box is."""
    box_height = box_height or max(p.shape[-2] for p in pictures.values())
    parts = {label: p if box is None else cut(p, box, box_height) for label, p in pictures.items()}
    whole = max(reversed([*pictures.values()]), key=lambda picture: picture.shape[-2])  # HR, if it is last
    located = box is not None and whole.shape[-2] == box_height and 3 * box[2] * box[3] < box_height**2
    rows = -(-len(parts) // columns)
    columns = -(-len(parts) // rows)
    aside = 1.1 if located and len(parts) == rows * columns else 0.0  # inches of a narrow column for the overview
    each = (width - aside) / columns
    ratio = max(part.shape[-2] / part.shape[-1] for part in parts.values())
    height = rows * (each * ratio + (0.75 if notes else 0.5))  # a note is a second line of the title
    ratios = [each] * columns + [aside] * bool(aside)
    figure, cells = plt.subplots(
        rows, len(ratios), figsize=(width, height), squeeze=False, layout="constrained", width_ratios=ratios
    )
    axes = cells[:, :columns]
    figure.get_layout_engine().set(w_pad=0.05, h_pad=0.05, wspace=0, hspace=0)
    for axis in axes.flat:
        axis.axis("off")
        axis.set_anchor("N")  # titles at one height, even next to a taller image
    for axis, (label, part) in zip(axes.flat, parts.items(), strict=False):
        # Draw pixels as squares, but avoid aliasing in an image with more pixels than the screen.
        sampling = "nearest" if part.shape[-1] <= 50 * each else "antialiased"
        axis.imshow(to_numpy(part), cmap="gray", vmin=0, vmax=1, interpolation=sampling)
        title = [label, notes[label]] if notes and label in notes else [label]
        axis.set_title(in_figure("\n".join(title)), fontsize=14)
    if located:
        for unused in cells[1:, columns:].flat:
            unused.remove()
        overview = cells[0, -1] if aside else axes[-1, -1]
        overview.axis("off")
        overview.set_anchor("N")
        overview.set_title("where the\ncrop is" if aside else "where the crop is", fontsize=11 if aside else 14)
        overview.imshow(to_numpy(whole), cmap="gray", vmin=0, vmax=1)
        draw_box(overview, box, CYCLE[1])
    return figure


def draw_box(axis: Axes, box: Box, color: str) -> None:
    """Draw the outline of a box onto the axes of an image."""
    top, left, height, width = box
    outline = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=color, linewidth=2.5)
    outline.set_path_effects([withStroke(linewidth=4.5, foreground="white")])  # visible on any background
    axis.add_patch(outline)
    outline.set_clip_on(False)  # otherwise a box as wide as the image would lose its sides


def sliders(draw: Callable[..., Figure], caption: str, **ranges: tuple[float, float, float, float]) -> None:
    """Show a figure with a slider for each argument of `draw`, the function that draws it.

    `ranges` are name -> (lowest, highest, step, start); an integer step gives an integer slider. Without a running
    kernel, such as on an exported page, the figure for the start values is shown.
    """

    def drawn() -> Any:
        return picture(draw(**{name: slider.value for name, slider in controls.items()}), caption)

    controls = {}
    looks = {"style": {"description_width": "initial"}, "continuous_update": False}
    for name, (low, high, step, start) in ranges.items():
        kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
        controls[name] = kind(start, min=low, max=high, step=step, description=name, **looks)
    # Not ipywidgets.interact: its output widget sometimes blocks a headless run forever (nbclient 312).
    display(CellBox([*controls.values(), Presence()], "The sliders need a running kernel."))
    handle = display(drawn(), display_id=True)
    write_caption(caption)
    for slider in controls.values():
        slider.observe(lambda _: handle.update(drawn()), "value")


def frames(draw: Callable[[Any], Figure], caption: str, label: str, values: Sequence[Any], start: int = 0) -> None:
    """Show a figure with one slider over `values`; all figures are drawn in advance, so it works on exported pages.

    `draw` makes the figure for one value, `label` is the name of the value with its unit, and `start` is the index of
    the value shown first.
    """
    pictures = []
    for index, value in enumerate(values):
        figure = draw(value)
        encoded = base64.b64encode(rendered(figure, "webp", quality=90)).decode()
        pictures.append(
            f'<img src="data:image/webp;base64,{encoded}" '
            f'alt="{escaped(f"{caption} {label}: {value}")}" width="{_shown_width(figure)}" '
            f'style="max-width: 100%; height: auto; display: {"block" if index == start else "none"}">'
        )
    names = escaped(json.dumps([str(value) for value in values]))
    turned = (
        "const all = this.closest('figure'); "
        "all.querySelectorAll('img').forEach((one, i) => { one.style.display = i == this.value ? 'block' : 'none'; }); "
        "all.querySelector('output').textContent = JSON.parse(this.dataset.names)[this.value];"
    )
    html = (
        f'<figure style="margin: 0"><label>{escaped(label)} <input type="range" min="0" max="{len(values) - 1}" '
        f'value="{start}" data-names="{names}" oninput="{turned}" '
        'onkeydown="event.stopPropagation()" '  # otherwise keys would be notebook commands
        'style="width: 20em; vertical-align: middle"> '
        f"<output>{escaped(str(values[start]))}</output></label>"
        f'{"".join(pictures)}<figcaption style="text-align: left"><em>{escaped(caption)}</em></figcaption></figure>'
    )
    display({"text/html": html, "text/plain": caption}, raw=True)


def maps(
    fields: Mapping[str, torch.Tensor],
    caption: str,
    unit: str,
    limit: float | None = None,
    width: float = 12.6,
    box: Box | None = None,
) -> None:
    """Show labeled fields ``(H, W)``, such as residuals or gradients, on one color scale with a color bar.

    If there are negative values, the scale is symmetric around 0. It ends at `limit` (default: the largest absolute
    value). `unit` is the label of the color bar, `width` is in inches, and `box` is outlined on each field.
    """
    limit = limit or max(float(field.abs().max()) for field in fields.values())
    signed = any(float(field.min()) < 0 for field in fields.values())
    ratio = max(field.shape[-2] / field.shape[-1] for field in fields.values())
    side = 0.95 * width / len(fields)
    figure, axes = plt.subplots(
        1, len(fields), figsize=(width, side * ratio + 0.4), squeeze=False, layout="constrained"
    )
    for axis, (label, field) in zip(axes.flat, fields.items(), strict=True):
        low, palette = (-limit, "RdBu_r") if signed else (0, "magma")
        drawn = axis.imshow(field.cpu().numpy(), cmap=palette, vmin=low, vmax=limit, interpolation="nearest")
        axis.set_title(in_figure(label), fontsize=14)
        axis.axis("off")
        if box is not None:
            draw_box(axis, box, "black")
    figure.colorbar(drawn, ax=axes, shrink=0.8, label=unit)
    show(figure, caption)


def lines(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    caption: str,
    x: str,
    y: str,
    title: str,
    log_y: bool = False,
    marker: str = "",
    points: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Draw labeled curves in one figure.

    `series` maps labels to (x values, y values); a method gets its color. `marker` marks each value, such as ``"o"``
    for a few values. `points` maps labels to single points (x, y); a point with the label of a curve gets its color.
    """
    figure, axis = plt.subplots(figsize=(8, 4.2), layout="constrained")
    axis.set_prop_cycle(line_styles())
    colors: dict[str, Any] = {}
    for label, (horizontal, vertical) in series.items():
        dash = "--" if label == "HR" else "-"  # because some methods have colors that are nearly as dark
        method = {"color": COLORS[label], "linestyle": dash} if label in COLORS else {}
        (curve,) = axis.plot(horizontal, vertical, label=in_figure(label), linewidth=2, marker=marker, **method)
        colors[label] = curve.get_color()
    center = sum(axis.dataLim.intervalx) / 2
    for label, place in (points or {}).items():
        axis.plot(*place, "o", color=colors.get(label, COLORS.get(label, "black")), markersize=8)
        if label not in series:  # next to the curves, which are between the points
            side, ha = (-8, "right") if place[0] < center else (8, "left")
            text = axis.annotate(in_figure(label), place, (side, 0), textcoords="offset points", ha=ha, va="center")
            text.set_path_effects(HALO)
    if points:
        axis.margins(x=0.15)  # room for the labels
    if all(float(value).is_integer() for horizontal, _ in series.values() for value in horizontal):
        axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set(xlabel=x, ylabel=y, title=in_figure(title), yscale="log" if log_y else "linear")
    axis.grid(alpha=0.3)
    if len(series) > 3:  # inside the axes a large legend would hide a curve
        figure.legend(loc="outside right upper")
    elif len(series) > 1:
        axis.legend()
    show(figure, caption)


def bars(values: Mapping[str, float], caption: str, x: str, title: str, goal: float | None = None) -> None:
    """Draw one horizontal bar per label with its number at the end; `x` is the label of the axis, with its unit.

    A dotted line marks `goal`.
    """
    figure, axis = plt.subplots(figsize=(8, 0.6 + 0.42 * len(values)))
    colors = [COLORS.get(name, OTHER) for name in values]
    drawn = axis.barh([in_figure(name) for name in values], list(values.values()), color=colors)
    axis.bar_label(drawn, fmt="%.2f", padding=4, path_effects=HALO)
    if goal is not None:
        dotted = axis.axvline(goal, color="black", linestyle=":")
        dotted.set_path_effects(HALO)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(xlabel=x, title=in_figure(title))
    axis.spines[["top", "right"]].set_visible(False)
    show(figure, caption)
