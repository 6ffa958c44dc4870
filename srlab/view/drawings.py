"""The drawn diagrams of the labs: networks, games, and the way of the data. ``docs/drawings.py`` makes them."""

import base64
import re
from html import escape, unescape
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from srlab.base.errors import SrlabError

FOLDER = files("srlab.view").joinpath("drawings")
# As wide as the page; on a phone not so small that its words could not be read, and then it scrolls by itself.
STYLE = "display: block; width: 100%; min-width: 600px; max-width: 900px; height: auto; background: #fff"


def find(folder: Traversable, kind: str, name: str) -> Traversable:
    """The file of that name, whatever its suffix; refuses an unknown one with a list of those there are."""
    known = {Path(file.name).stem: file for file in folder.iterdir()}
    if name not in known:
        raise SrlabError(f"There is no {kind} '{name}'; choose one of {', '.join(sorted(known))}.")
    return known[name]


def drawing(name: str) -> None:
    """Show a drawing, with its description for those who don't see it.

    Parameters
    ----------
    name
        Such as ``"srresnet"``.

    Raises
    ------
    SrlabError
        There is none of that name; the message lists those there are.
    """
    from IPython.display import display

    svg = find(FOLDER, "drawing", name).read_text(encoding="utf-8")
    alt = unescape(re.search("<desc.*?>(.*?)</desc>", svg)[1])
    # Not as SVG, which a notebook that is not trusted does not show, and on which the page's styles would have a say.
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    picture = f'<img alt="{escape(alt)}" src="{source}" style="{STYLE}">'
    display({"text/html": f'<div style="overflow-x: auto">{picture}</div>', "text/plain": alt}, raw=True)
