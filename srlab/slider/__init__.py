"""The slider that compares images: one piece of HTML that needs no kernel, network connection or widget.

The markup shows the images one after another, for untrusted notebooks and pages without scripts. The script in
``slider.js`` replaces them with the slider.
"""

import base64
import hashlib
import io
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from srlab.data.images import LARGEST_SIDE, check_range, to_float, to_uint8
from srlab.errors import SrlabError
from srlab.evaluation.metrics import PAPER, psnr
from srlab.evaluation.scoring import score_pair
from srlab.files import refuse_existing, write_atomic
from srlab.paths import expand_user
from srlab.text import escaped

ROOMY = 560  # CSS pixels: small images are magnified by a whole number up to about this width
LARGEST_AREA = 2**26  # pixels; Chromium hangs if it draws the largest WebP, with 2**28
SCRIPT = "\n".join(
    files("srlab.slider").joinpath(name).read_text(encoding="utf-8")
    for name in ("slider_view.js", "slider_tools.js", "slider.js")
)
STYLE = files("srlab.slider").joinpath("slider.css").read_text(encoding="utf-8")


class Comparison:
    """The result of `compare`: a cell that ends with it displays it, and `save` writes it as a page.

    `labels` are in the order of the digit keys. `html` is self-contained and has each image once, lossless in
    8 bits unless a quality was chosen.
    """

    def __init__(self, labels: list[str], html: str) -> None:
        self.labels, self.html = labels, html

    def __repr__(self) -> str:
        return f"Comparison of {', '.join(self.labels)}; a slider in a notebook, or save(path)"

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write a page that opens offline in any browser, and return its path; `force` overwrites an existing file."""
        path = expand_user(path)
        refuse_existing(path, force)
        page = _PAGE.format(title=escaped(" / ".join(self.labels)), body=self.html)
        write_atomic(path, page.encode(errors="replace"), replace=force)
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
    quality: int | None = None,
    visitors: bool = False,
) -> Comparison:
    """Compare images under a divider that you drag.

    Hold the space bar to swap left and right; D shows their difference, amplified; G shows all images side by side; C
    copies `view` and `split` as text. Each has a button. Below is the PSNR of the visible region on 8-bit RGB, for the
    whole image only if the notes have no score in dB.

    Parameters
    ----------
    images
        Label -> ``(3, H, W)``, ``(1, 3, H, W)`` or ``(1, H, W)``; float in [0, 1] or uint8. A smaller image such as LR
        is magnified with square pixels; the largest size must be a whole multiple of its size. Values of SR slightly
        outside of [0, 1] are clipped, as in a saved file. WebP stores up to 16383 pixels per side, and browsers show up
        to 67 million (an iPhone 16 million).
    left, right
        Labels shown first (default: the last two).
    notes
        Label -> text next to it, such as a score (default: PSNR on luma against the image labeled HR, for images of
        full size).
    caption
        One or two sentences below.
    limit_mb
        Largest allowed size in megabytes, because every saved copy of the notebook contains the images. Firefox shows
        no image of more than 32.
    view
        Initial view: top row and left column, in pixels of the largest image, and the zoom, where 4 shows a quarter of
        the width (default: the whole image).
    split
        Initial position of the divider, from 0 (left) to 1 (right).
    quality
        Quality of lossy WebP, from 0 to 100, for a smaller page (default: lossless).
    visitors
        Whether the page is for people without Python: no button that copies Python text, and PSNR only with HR.
    """
    if len(images) < 2:
        raise SrlabError(f"A comparison needs at least two images, but got {len(images)}.")
    pictures = {label: _checked(label, image) for label, image in images.items()}
    labels = list(pictures)
    first = [labels[-2] if left is None else left, labels[-1] if right is None else right]
    for name in (*first, *(notes or ())):
        if name not in pictures:
            raise SrlabError(f"'{name}' is not one of the images. Use one of {', '.join(labels)}.")
    size = max(((picture.shape[-2], picture.shape[-1]) for picture in pictures.values()), key=math.prod)
    full = [magnify(label, picture, size) for label, picture in pictures.items()]
    hr = pictures.get("HR") if notes is None else None
    settings = {
        "labels": labels,
        "notes": [(notes or {}).get(label, _note(picture, hr, size)) for label, picture in pictures.items()],
        "left": labels.index(first[0]),
        "right": labels.index(first[1]),
        "caption": caption,
        "height": size[0],
        "width": size[1],
        "split": split,
        "view": view,
        "shown": shown_width(*size),
    } | ({"visitors": True} if visitors else {})
    encoded = [base64.b64encode(encode(picture, effort=4, quality=quality)).decode() for picture in full]
    sources = [f"data:image/webp;base64,{picture}" for picture in encoded]
    if sum(map(len, sources)) > limit_mb * 2**20:
        raise SrlabError(
            f"This comparison exceeds its limit of {limit_mb:g} MB, and every copy of the notebook would contain it. "
            "Crop the images to the region that matters, pass quality=90, or raise limit_mb."
        )
    return Comparison(labels, _slider_html(settings, sources))


def _checked(label: str, image: torch.Tensor) -> torch.Tensor:
    """Return one image as ``(C, H, W)`` on the CPU; raise if it would look wrong."""
    if not isinstance(image, torch.Tensor):
        raise SrlabError(f"'{label}' is a {type(image).__name__}. Pass a torch tensor, such as from srlab.read_image.")
    picture = image.detach().cpu()
    picture = picture[0] if picture.ndim == 4 and len(picture) == 1 else picture
    if picture.ndim != 3 or len(picture) not in (1, 3) or not picture.numel():
        raise SrlabError(f"'{label}' has shape {tuple(image.shape)}, but must be (3, H, W), (1, 3, H, W) or (1, H, W).")
    _check_shown(label, picture)
    check_range(to_float(picture), f"'{label}'")  # a small overshoot of SR is clipped later
    return picture


def _check_shown(label: str, picture: torch.Tensor) -> None:
    """Reject an image that WebP cannot store or a browser cannot show."""
    height, width = picture.shape[-2:]
    side, area = LARGEST_SIDE[".webp"], LARGEST_AREA
    if max(height, width) > side or height * width > area:
        raise SrlabError(
            f"'{label}' has {width}x{height} pixels, but browsers show at most {side} per side and {area / 1e6:.1f} "
            "million in all. Crop the images to the region that matters."
        )


def magnify(label: str, picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Repeat the pixels of ``(C, h, w)`` up to `size`, a whole multiple; `label` is for the error message."""
    (height, width), (rows, columns) = picture.shape[-2:], size
    factor = rows // height
    if (height * factor, width * factor) != (rows, columns):
        raise SrlabError(
            f"'{label}' has {width}x{height} pixels and the largest image {columns}x{rows}, which is not a whole "
            "multiple. Crop them to the same region."
        )
    return picture.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def encode(picture: torch.Tensor, effort: int, quality: int | None = None) -> bytes:
    """Encode ``(C, H, W)`` as WebP, lossless unless there is a quality.

    Effort 0 takes milliseconds, 4 tenths of a second, 6 many seconds.
    """
    pixels = to_uint8(picture).expand(3, -1, -1).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    search = 0 if effort == 0 else 75  # if lossless: 100 takes twice as long and saves half a percent
    lossy = {"lossless": quality is None, "quality": search if quality is None else quality}
    Image.fromarray(pixels).save(file, "WEBP", **lossy, method=effort, exact=True)
    return file.getvalue()


def _note(picture: torch.Tensor, hr: torch.Tensor | None, size: tuple[int, int]) -> str:
    """Return the size of a smaller image, or the PSNR of a full-size image if there is an HR image."""
    height, width = picture.shape[-2:]
    if (height, width) != size:
        return f"{width}×{height} pixels, ×{size[0] // height}"
    if hr is None or picture is hr or hr.shape[-2:] != size or min(size) <= 2 * PAPER.crop:
        return ""
    sr, hr = (to_float(image).float().expand(1, 3, -1, -1) for image in (picture, hr))
    decibels = score_pair(sr, hr, bool((hr == hr[:, :1]).all()), {"psnr": psnr})["psnr"]  # as in the tables
    return f"{decibels:.2f} dB" if decibels < math.inf else "identical"


def shown_width(height: int, width: int) -> int:
    """Return the width of an image in CSS pixels: if possible a whole multiple, for square pixels."""
    times = max(1, min(ROOMY // width, 2 * ROOMY // height))
    return max(1, min(width * times, 2 * ROOMY * width // height))


def _slider_html(settings: dict[str, Any], sources: list[str]) -> str:
    """Return the slider as one piece of HTML: the images, and the script that replaces them.

    `settings` is the argument of ``mountSlider`` in ``slider.js`` without the images, and `sources` are their data
    URLs.
    """
    # Equal content gives equal ids, so that running a notebook again does not change it; the script mounts each copy.
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
    """Return the images with their labels, first the two under the divider.

    JupyterLab's sanitizer keeps inline styles, but removes style sheets and ids; GitHub removes all of them.
    """
    labels, notes = ([escaped(text) for text in settings[name]] for name in ("labels", "notes"))
    look = f"display: block; width: {settings['shown']}px; max-width: 100%; image-rendering: pixelated"
    first = (settings["left"], settings["right"])
    figures = "".join(
        f'<figure style="margin: 0 16px 10px 0"><figcaption><b>{labels[index]}</b> {notes[index]}</figcaption>'
        f'<img class="srlab-picture-{index}" alt="{labels[index]}" src="{sources[index]}" style="{look}"></figure>'
        for index in sorted(range(len(labels)), key=lambda index: (index != first[0], index != first[1]))
    )
    return (
        f'<div class="srlab-still">\n<div style="display: flex; flex-wrap: wrap">{figures}</div>\n'
        f"<p>{escaped(settings['caption'])}</p>\n"
        "<p>To see them as a slider, which needs scripts, trust this notebook.</p>\n</div>\n"
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
