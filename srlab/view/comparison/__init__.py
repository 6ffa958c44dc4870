"""The LR / SR / HR slider: one piece of HTML that needs neither kernel nor network, and no widget.

The markup by itself is a divider made by CSS (a box that can be resized), which is what an untrusted notebook and
a page without scripts show; the script in ``slider.js`` turns it into the real one.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import torch

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic
from srlab.evaluation.metrics import PAPER, Protocol
from srlab.view.comparison.markup import page, slider_html
from srlab.view.comparison.pictures import checked, encode, full_size, magnify, output_path, score_texts, size_note


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

    def save(self, path: str | os.PathLike, overwrite: bool = False) -> Path:
        """Write a page that opens in any browser, without a network.

        Parameters
        ----------
        path
            Ends in ``.html`` or ``.htm``; missing folders are made.
        overwrite
            Replace a file of that name.

        Returns
        -------
        Path
            The path written.

        Raises
        ------
        SrlabError
            Another ending, the file is there already, or it cannot be written.
        """
        path = output_path(path, (".html", ".htm"), overwrite)
        write_atomic(path, page(" / ".join(self.labels), self.html).encode(errors="replace"))
        return path


def compare(
    images: Mapping[str, torch.Tensor],
    left: str | None = None,
    right: str | None = None,
    scores: str | Sequence[str] | Mapping[str, str | float] | None = "psnr",
    reference: str = "HR",
    caption: str = "",
    width: int | None = None,
    protocol: Protocol = PAPER,
    limit_mb: float = 8.0,
) -> Comparison:
    """Compare pictures under a divider that the reader drags.

    Parameters
    ----------
    images
        Label -> ``(3, H, W)``, ``(1, 3, H, W)`` or ``(1, H, W)``; float in [0, 1] or uint8. A smaller picture such
        as LR is shown magnified, every pixel as a square; its size must be the largest one over a whole number.
        What an SR has outside of [0, 1] is cut off, as in a saved file.
    left, right
        Labels shown first (default: the last but one, and the last).
    scores
        ``"psnr"``, ``"lpips"`` or several of them, ``("psnr", "lpips")``: shown for each picture of full size against
        the reference, if that is among them and large enough to be scored. LPIPS is left out, with a printed word,
        where its weights are missing (`srlab.evaluation.perception.load_lpips`). A mapping gives texts or numbers of
        your own by label; None shows nothing.
    reference
        Label of the picture that is scored against.
    caption
        One or two sentences below.
    width
        Of the picture in CSS pixels (default: a whole multiple of its own). It never exceeds the page.
    protocol
        How PSNR is measured.
    limit_mb
        Refuse a comparison with more megabytes than this, because every saved copy of the notebook would carry it.

    Returns
    -------
    Comparison
        Shows itself when it is the last expression of a cell.

    Raises
    ------
    SrlabError
        Fewer than two pictures, unknown labels or scores, sizes that do not fit, no tensor, NaN, values above 2 as in
        8-bit levels that are float, a width below 1, or too many megabytes.
    """
    if width is not None and not (isinstance(width, Real) and 1 <= width < float("inf")):
        raise SrlabError(f"The width of a comparison is at least 1 CSS pixel, but {width!r} was given.")
    pictures = checked(images)
    labels = list(pictures)
    sides = [labels[-2] if left is None else left, labels[-1] if right is None else right]
    for name in [*sides, *(scores if isinstance(scores, Mapping) else ())]:
        if name not in pictures:
            raise SrlabError(f"There is no picture '{name}' to compare; choose among {', '.join(labels)}.")
    size = full_size(pictures)
    whole = {label: magnify(label, picture, size) for label, picture in pictures.items()}
    given = score_texts(pictures, scores, reference, protocol)
    notes = [given.get(label, size_note(pictures[label], size)) for label in labels]
    with ThreadPoolExecutor() as pool:
        # A higher effort takes more than ten times as long, and most photos gain nothing from it.
        encoded = list(pool.map(lambda picture: encode(picture, effort=4), whole.values()))
    sources = [f"data:image/webp;base64,{base64.b64encode(content).decode()}" for content in encoded]
    places = [labels.index(side) for side in sides]
    css_width = None if width is None else round(width)
    html = slider_html(labels, notes, sources, places, size, caption, css_width)
    if len(html) > limit_mb * 2**20:
        raise SrlabError(
            f"This comparison would put {len(html) / 2**20:.1f} MB into the notebook, above its limit of "
            f"{limit_mb:g} MB; crop the images to the part that matters, or raise limit_mb."
        )
    return Comparison(tuple(labels), tuple(notes), size, html)
