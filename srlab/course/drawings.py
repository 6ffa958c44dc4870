"""The diagrams of the labs: networks, losses and data flow."""

import base64
import re
from html import escape, unescape
from importlib.resources import files

from IPython.display import display

FOLDER = files("srlab.course").joinpath("drawings")
# As wide as the page; on a phone not so small that its words could not be read, and then it scrolls by itself.
STYLE = "display: block; width: 100%; min-width: 600px; max-width: 900px; height: auto; background: #fff"


def drawing(name: str) -> None:
    """Show a drawing, with its description for those who don't see it.

    Parameters
    ----------
    name
        Such as ``"srresnet"``: that of a file in ``srlab/course/drawings``.
    """
    svg = FOLDER.joinpath(f"{name}.svg").read_text(encoding="utf-8")
    alt = unescape(re.search("<desc.*?>(.*?)</desc>", svg)[1])
    # Not as SVG, which a notebook that is not trusted does not show, and on which the page's styles would have a say.
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    picture = f'<img alt="{escape(alt)}" src="{source}" style="{STYLE}">'
    display({"text/html": f'<div style="overflow-x: auto">{picture}</div>', "text/plain": alt}, raw=True)
