"""The diagrams of the labs: networks, losses and data flow."""

import base64
import re
from html import unescape
from importlib.resources import files

from IPython.display import display

from srlab.text import escaped

FOLDER = files("srlab_course.figures").joinpath("diagrams")
# The minimum width keeps the text readable on a phone, where the diagram scrolls.
STYLE = "display: block; width: 100%; min-width: 600px; max-width: 900px; height: auto; background: #fff"


def diagram(name: str) -> None:
    """Show a diagram of the folder ``diagrams``, such as ``"gan_step"``, with its description as alt text."""
    svg = FOLDER.joinpath(f"{name}.svg").read_text(encoding="utf-8")
    alt = unescape(re.search("<desc.*?>(.*?)</desc>", svg)[1])
    # Not as SVG, which an untrusted notebook does not show and to which the page's styles would apply.
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    picture = f'<img alt="{escaped(alt)}" src="{source}" style="{STYLE}">'
    display({"text/html": f'<div style="overflow-x: auto">{picture}</div>', "text/plain": alt}, raw=True)
