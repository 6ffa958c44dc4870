"""The LR / SR / HR slider: one piece of HTML that needs neither kernel nor network, and no widget.

The markup by itself is a divider made by CSS (a box that can be resized), which is what an untrusted notebook and
a page without scripts show; the script in ``slider.js`` turns it into the real one.
"""

import base64
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from srlab.comparison.markup import page, slider_html
from srlab.comparison.pictures import checked, encode, magnify, score_texts, size_note
from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.metrics import PAPER, Protocol

SLIM = 2**20  # bytes that a comparison should stay below, since a notebook is saved with it


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
        The slider as self-contained HTML; each picture is in it once, without loss.
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
            Ends in ``.html``; missing folders are made.
        overwrite
            Replace a file of that name.

        Returns
        -------
        Path
            The path written.

        Raises
        ------
        SrlabError
            The file is there already, or cannot be written.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise SrlabError(f"{path} is there already; give another name, or overwrite=True.")
        write_atomic(path, page(" / ".join(self.labels), self.html).encode())
        return path


def compare(
    images: Mapping[str, torch.Tensor],
    left: str | None = None,
    right: str | None = None,
    scores: str | Mapping[str, str] | None = "psnr",
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
    left, right
        Labels shown first (default: the last but one, and the last).
    scores
        ``"psnr"`` shows the PSNR of each picture of full size against the reference, if that is among them;
        a mapping gives texts of your own by label; None shows nothing.
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
        Fewer than two pictures, unknown labels, sizes that do not fit, NaN, or too many megabytes.
    """
    pictures = checked(images)
    labels = list(pictures)
    sides = [labels[-2] if left is None else left, labels[-1] if right is None else right]
    for name in [*sides, *(scores if isinstance(scores, Mapping) else ())]:
        if name not in pictures:
            raise SrlabError(f"There is no picture '{name}' to compare; choose among {', '.join(labels)}.")
    size = max((picture.shape[-2:] for picture in pictures.values()), key=lambda shape: shape[0] * shape[1])
    whole = {label: magnify(label, picture, size) for label, picture in pictures.items()}
    given = scores if isinstance(scores, Mapping) else score_texts(pictures, scores, reference, protocol)
    notes = [given.get(label, size_note(pictures[label], size)) for label in labels]

    def build(effort: int) -> str:
        with ThreadPoolExecutor() as pool:
            encoded = pool.map(lambda picture: encode(picture, effort), whole.values())
        sources = [f"data:image/webp;base64,{base64.b64encode(content).decode()}" for content in encoded]
        return slider_html(labels, notes, sources, [labels.index(side) for side in sides], size, caption, width)

    html = build(effort=4)
    if SLIM < len(html) < 1.05 * SLIM:
        html = build(effort=6)  # takes seconds and saves some 4 %: worth it where that makes it fit
    if len(html) > limit_mb * 2**20:
        raise SrlabError(
            f"This comparison would put {len(html) / 2**20:.1f} MB into the notebook, above its limit of "
            f"{limit_mb:g} MB; crop the images to the part that matters, or raise limit_mb."
        )
    return Comparison(tuple(labels), tuple(notes), (size[0], size[1]), html)
