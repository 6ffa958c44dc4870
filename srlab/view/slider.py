"""The LR / SR / HR slider: one piece of HTML that needs neither kernel nor network, and no widget.

The markup by itself is a divider made by CSS (a box that can be resized), which is what an untrusted notebook and
a page without scripts show; the script in ``slider.js`` turns it into the real one.
"""

import base64
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.base.files import refuse_existing, write_atomic
from srlab.data.images import LOWEST, full_range, luma, to_float, to_uint8
from srlab.evaluation.metrics import PAPER, psnr

ROOMY = 560  # CSS pixels: small pictures are magnified by a whole number up to about this width
SCRIPT = "\n".join(
    files("srlab.view").joinpath(name).read_text(encoding="utf-8")
    for name in ("slider_view.js", "slider_tools.js", "slider.js")
)
STYLE = files("srlab.view").joinpath("slider.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns: it shows itself at the end of a cell, and saves itself as a page.

    Attributes
    ----------
    labels
        Of the pictures, in the order of the digit keys.
    notes
        Small text beside each label, such as a score; may be empty.
    size
        (height, width) in pixels.
    html
        The slider as self-contained HTML; each picture is in it once, with every one of its 8-bit levels.
    """

    labels: tuple[str, ...]
    notes: tuple[str, ...]
    size: tuple[int, int]
    html: str

    def __repr__(self) -> str:
        height, width = self.size
        return f"Comparison of {', '.join(self.labels)} ({width}x{height}); a slider in a notebook, or save(path)"

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write a page that opens in any browser, without a network.

        Parameters
        ----------
        path
            Such as ``"slider.html"``; missing folders are made.
        force
            Replace a file of that name.

        Returns
        -------
        Path
            The path written.

        Raises
        ------
        SrlabError
            The file is there already, or it cannot be written.
        """
        path = Path(path)
        refuse_existing(path, force)
        page = _PAGE.format(title=escape(" / ".join(self.labels)), body=self.html)
        write_atomic(path, page.encode(errors="replace"))
        return path


def compare(
    images: Mapping[str, torch.Tensor],
    left: str | None = None,
    right: str | None = None,
    notes: Mapping[str, str] | None = None,
    caption: str = "",
    limit_mb: float = 8.0,
    view: tuple[float, float, float] | None = None,
    split: float = 0.5,
) -> Comparison:
    """Compare pictures under a divider that the reader drags.

    Held, the space bar lets left and right change places; D shows their difference, amplified; G all pictures side by
    side, the same part of each; below stands the PSNR of the part that is seen, on 8-bit RGB. C copies `view` and
    `split` as text. There is a button for each of them.

    Parameters
    ----------
    images
        Label -> ``(3, H, W)``, ``(1, 3, H, W)`` or ``(1, H, W)``; float in [0, 1] or uint8. A smaller picture such
        as LR is shown magnified, every pixel as a square; its size must be the largest one over a whole number.
        What an SR has a little outside of [0, 1] is cut off, as in a saved file.
    left, right
        Labels shown first (default: the last but one, and the last).
    notes
        Label -> text beside it, such as a score. Default: PSNR on luma of each picture of full size against the one
        called HR.
    caption
        One or two sentences below.
    limit_mb
        Refuse a comparison with more megabytes than this, because every saved copy of the notebook would carry it.
    view
        What is seen first: the pixel of the largest picture at the top, the one at the left, and how many times
        larger than the whole it is: a zoom of 4 shows a quarter of the width. Default: the whole.
    split
        Where the divider stands at first, from 0 (left) to 1.

    Returns
    -------
    Comparison
        Shows itself when it is the last expression of a cell.

    Raises
    ------
    SrlabError
        Fewer than two pictures, an unknown label, sizes that do not fit, no tensor, NaN, values far outside of [0, 1]
        as in 8-bit levels that are float or in pictures in [-1, 1], a view outside of them, or too many megabytes.
    """
    if len(images) < 2:
        raise SrlabError(f"A comparison needs at least two pictures, but got {len(images)}.")
    pictures = {label: check_picture(label, image) for label, image in images.items()}
    labels = list(pictures)
    first = [labels[-2] if left is None else left, labels[-1] if right is None else right]
    for name in (*first, *(notes or ())):
        if name not in pictures:
            raise SrlabError(f"There is no picture '{name}' to compare; choose among {', '.join(labels)}.")
    size = full_size(pictures)
    if not 0 <= split <= 1:
        raise SrlabError(f"The divider stands between 0 (left) and 1, but split is {split:g}.")
    if view is not None and not (len(view) == 3 and 0 <= view[0] < size[0] and 0 <= view[1] < size[1] and view[2] >= 1):
        raise SrlabError(
            f"The view must be (top, left, zoom), a pixel inside {size[1]}x{size[0]} and a zoom of 1 or more, "
            f"but is {view}."
        )
    full = [magnify(label, picture, size) for label, picture in pictures.items()]
    sources = _encode_within(full, limit_mb * 2**20)
    texts = _psnr_notes(pictures, size) if notes is None else notes
    shown = [texts.get(label, _size_note(picture, size)) for label, picture in pictures.items()]
    settings = {
        "labels": labels,
        "notes": shown,
        "left": labels.index(first[0]),
        "right": labels.index(first[1]),
        "caption": caption,
        "height": size[0],
        "width": size[1],
        "split": split,
        "view": view,
    }
    return Comparison(tuple(labels), tuple(shown), size, _slider_html(settings, sources))


def _encode_within(pictures: list[torch.Tensor], limit: float) -> list[str]:
    """The pictures as addresses that hold them, of so many bytes together at most."""
    sources, size = [], 0
    for picture in pictures:
        sources.append(f"data:image/webp;base64,{base64.b64encode(encode(picture, effort=4)).decode()}")
        size += len(sources[-1])
        if size > limit:
            raise SrlabError(
                f"This comparison is above its limit of {limit / 2**20:g} MB, which each copy of the notebook "
                "would carry; crop the images to the part that matters, or raise limit_mb."
            )
    return sources


def check_picture(label: str, image: torch.Tensor) -> torch.Tensor:
    """One picture as it came, ``(C, H, W)`` on the CPU; refuses what would be shown wrongly or not at all."""
    if not isinstance(image, torch.Tensor):
        raise SrlabError(f"'{label}' is {type(image).__name__}; a picture is a torch tensor, as read_image gives it.")
    picture = image.detach().cpu()
    picture = picture[0] if picture.ndim == 4 and len(picture) == 1 else picture
    if picture.ndim != 3 or len(picture) not in (1, 3) or not picture.numel():
        raise SrlabError(
            f"'{label}' has shape {tuple(image.shape)}; a picture is (3, H, W), (1, 3, H, W) or (1, H, W)."
        )
    if picture.dtype != torch.uint8 and not picture.is_floating_point():
        raise SrlabError(f"'{label}' holds {picture.dtype}; a picture is float in [0, 1] or uint8.")
    if picture.is_floating_point() and not (picture <= 2).all():  # an SR may overshoot 1 a little, and that is cut off
        raise SrlabError(f"'{label}' has NaN or values above 2; a float picture is in [0, 1]: divide levels by 255.")
    if picture.is_floating_point() and (lowest := float(picture.min())) < LOWEST:
        raise SrlabError(
            f"'{label}' has values down to {lowest:.2f}; a float picture is in [0, 1]: from [-1, 1] take (x + 1) / 2."
        )
    return picture


def full_size(pictures: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """(height, width) of the largest picture."""
    height, width = max((picture.shape[-2:] for picture in pictures.values()), key=lambda shape: shape[0] * shape[1])
    return height, width


def magnify(label: str, picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Repeat the pixels of ``(C, h, w)`` so that it has `size`, which must be a whole multiple.

    Parameters
    ----------
    label
        Its name, for the message.
    picture
        ``(C, h, w)``.
    size
        (height, width) in pixels.

    Raises
    ------
    SrlabError
        The size is no whole multiple.
    """
    (height, width), (rows, columns) = picture.shape[-2:], size
    factor = rows // height
    if (height * factor, width * factor) != (rows, columns):
        raise SrlabError(
            f"'{label}' has {width}x{height} pixels and the largest picture {columns}x{rows}, which is no whole "
            "multiple of it; crop them to the same part."
        )
    return picture.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def encode(picture: torch.Tensor, effort: int) -> bytes:
    """Encode ``(C, H, W)`` as WebP without loss; effort 0 takes milliseconds, 4 tenths of a second, 6 many seconds."""
    pixels = to_uint8(picture).expand(3, -1, -1).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    try:
        quality = 0 if effort == 0 else 75  # of the search: 100 takes twice as long for half a percent
        Image.fromarray(pixels).save(file, "WEBP", lossless=True, quality=quality, method=effort, exact=True)
    except (OSError, ValueError) as error:  # WebP ends at 16383 pixels a side
        height, width = picture.shape[-2:]
        raise SrlabError(f"A picture of {width}x{height} pixels is too large to show; crop it.") from error
    return file.getvalue()


def decibels(sr: torch.Tensor, hr: torch.Tensor) -> str:
    """PSNR of two pictures as it stands beside a label; nothing where they are too small to be scored."""
    if min(hr.shape[-2:]) <= 2 * PAPER.crop:
        return ""
    pair = [to_float(picture).float().expand(1, 3, -1, -1) for picture in (sr, hr)]
    if bool((pair[1] == pair[1][:, :1]).all()):  # of a grey photo its values are scored, as in the tables
        pair = [full_range(luma(picture)) for picture in pair]
    value = float(psnr(*pair))
    return f"{value:.2f} dB" if value < float("inf") else "identical"


def _psnr_notes(pictures: Mapping[str, torch.Tensor], size: tuple[int, int]) -> dict[str, str]:
    hr = pictures.get("HR")
    if hr is None or hr.shape[-2:] != size:
        return {}
    return {
        label: decibels(picture, hr)
        for label, picture in pictures.items()
        if label != "HR" and picture.shape[-2:] == size
    }


def _size_note(picture: torch.Tensor, size: tuple[int, int]) -> str:
    """Say of a smaller picture how small it is."""
    height, width = picture.shape[-2:]
    return "" if height == size[0] else f"{width}×{height} pixels, ×{size[0] // height}"


def shown_width(width: int, height: int = 1) -> int:
    """CSS pixels for a picture that is so many pixels wide and high: if it fits a whole multiple, for square pixels."""
    times = max(1, min(ROOMY // width, 2 * ROOMY // height))
    return max(1, min(width * times, 2 * ROOMY * width // height))


def _slider_html(settings: dict[str, Any], sources: list[str]) -> str:
    """The slider as one piece of HTML: the divider without scripts, its style, and the script that replaces it.

    Parameters
    ----------
    settings
        What ``mountSlider`` in ``slider.js`` takes, but the pictures.
    sources
        Of each picture the address of its data.
    """
    settings = settings | {"shown": shown_width(settings["width"], settings["height"])}
    # Equal content gives equal ids, so that a notebook run again is the same file; the script mounts all of that id.
    key = "srlab-" + hashlib.sha256(json.dumps([settings, sources]).encode()).hexdigest()[:12]
    start = _START.replace("KEY", key).replace("SETTINGS", json.dumps(settings).replace("<", "\\u003c"))
    return (
        f'<div class="srlab-compare" id="{key}">\n<style>{STYLE}</style>\n{_still_html(settings, sources)}</div>\n'
        f"<script>(() => {{\n{SCRIPT}\n{start}}})();</script>"
    )


_START = """for (const root of document.querySelectorAll('[id="KEY"]')) {
  const settings = SETTINGS;
  settings.images = settings.labels.map((_, index) => root.querySelector(`.srlab-picture-${index}`));
  mountSlider(root, settings);
}
"""


def _still_html(settings: dict[str, Any], sources: list[str]) -> str:
    """The divider without scripts. JupyterLab's sanitizer keeps these inline styles, but no style sheet and no ids.

    Where not even they are kept, as on GitHub, the figures come in reading order, each with its label.
    """
    labels, notes, width = settings["labels"], settings["notes"], settings["shown"]
    left, right = settings["left"], settings["right"]
    height = max(1, width * settings["height"] // settings["width"])
    full = f"width: {width}px; height: {height}px; image-rendering: pixelated"
    half = f"width: {width // 2}px; height: {height // 2}px"
    over = (
        f"position: absolute; left: 0; top: 26px; width: {settings['split']:.1%}; height: {height}px; max-width: 100%; "
        "overflow: hidden; resize: horizontal; box-sizing: border-box; border-right: 2px solid white"
    )

    def figure(index: int, of_label: str, of_box: str, of_image: str, of_figure: str = "") -> str:
        note = f' <span style="opacity: 0.7">{escape(notes[index])}</span>' if notes[index] else ""
        name = f'class="srlab-picture-{index}" alt="{escape(labels[index])}" src="{sources[index]}"'
        image = f'<img {name} style="display: block; max-width: none; margin: 0; {of_image}">'
        label = f'<figcaption style="{of_label}"><b>{escape(labels[index])}</b>{note}</figcaption>'
        return f'<figure style="margin: 0; {of_figure}">{label}<div style="{of_box}">{image}</div></figure>'

    pair = figure(left, "position: absolute; left: 0; top: 0", over if left != right else "display: none", full)
    pair += figure(right, "position: absolute; right: 0; top: 0", "overflow: hidden", full) if left != right else ""
    rest = (index for index in range(len(labels)) if index not in (left, right))
    others = "".join(figure(index, "", "", half, "margin-right: 16px") for index in rest)
    return (
        '<div class="srlab-still" style="overflow-x: auto">\n'
        f'<div style="position: relative; width: {width}px; padding-top: 26px">{pair}</div>\n'
        '<div style="margin-top: 6px; font-size: 12px; opacity: 0.7">Where one picture lies on the other, pull the '
        "lower right corner of the left one. Zooming needs scripts: in Jupyter, trust this notebook first.</div>\n"
        f'<div style="display: flex; flex-wrap: wrap; margin-top: 10px">{others}</div>\n'
        f'<div style="margin-top: 6px; font-style: italic">{escape(settings["caption"])}</div>\n'
        "</div>\n"
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; }} body {{ margin: 16px; background: Canvas; color: CanvasText; }}</style>
</head>
<body>
{body}
</body>
</html>
"""
