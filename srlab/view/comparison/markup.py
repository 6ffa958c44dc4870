"""The markup of a slider: a divider by CSS alone, which a script turns into the real one."""

import hashlib
import json
import re
from html import escape
from importlib.resources import files

ROOMY = 560  # CSS pixels: small pictures are magnified by a whole number up to about this width


def shown_width(width: int) -> int:
    """CSS pixels for a picture that is so many pixels wide: a whole multiple, so that pixels are squares."""
    return width * max(1, ROOMY // width)


def element_script() -> str:
    """The function of a page that makes an element."""
    return _slim("element.js")


def script() -> str:
    """The script that both kinds of slider share."""
    return element_script() + _slim("slider.js")


def style() -> str:
    """The style sheet that both kinds of slider share."""
    return _slim("slider.css")


def _slim(name: str) -> str:
    """Read a file without comments that have lines of their own, and indentation: every comparison carries the rest.

    A comment behind code stays, and so does every line break, so that no statement changes its meaning. The one thing
    that this could harm, text in backticks over several lines, is in none of the files.
    """
    text = files("srlab.view.comparison").joinpath(name).read_text(encoding="utf-8")
    text = re.sub(r"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^[ \t]*//.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^[ \t]+|^\n", "", text, flags=re.MULTILINE)


def slider_html(
    labels: list[str],
    notes: list[str],
    sources: list[str],
    sides: list[int],
    size: tuple[int, int],
    caption: str,
    width: int | None,
) -> str:
    """The slider as one piece of HTML: the divider without scripts, its style, and the script that replaces it.

    Parameters
    ----------
    labels, notes, sources
        Of each picture: its name, a score or nothing, and the address of its data.
    sides
        Which two are shown first, left and right of the divider.
    size
        (height, width) of a picture in pixels.
    caption
        Below the slider, and what a screen reader says of it.
    width
        In CSS pixels; None takes `shown_width`.
    """
    css_width = width or shown_width(size[1])
    settings = {"labels": labels, "notes": notes, "left": sides[0], "right": sides[1], "caption": caption}
    settings |= {"height": size[0], "width": size[1], "shown": css_width}
    # Equal content gives equal ids, so that a notebook run again is the same file; the script mounts all of that id.
    key = "srlab-" + hashlib.sha256(json.dumps([settings, sources]).encode()).hexdigest()[:12]
    still = _still(labels, notes, sources, sides, (round(css_width * size[0] / size[1]), css_width), caption)
    start = _START.replace("KEY", key).replace("SETTINGS", json.dumps(settings).replace("<", "\\u003c"))
    return (
        f'<div class="srlab-compare" id="{key}">\n<style>{style()}</style>\n{still}</div>\n'
        f"<script>(() => {{\n{script()}\n{start}}})();</script>"
    )


_START = """for (const root of document.querySelectorAll('[id="KEY"]')) {
  const settings = SETTINGS;
  settings.images = settings.labels.map((_, index) => root.querySelector(`.srlab-picture-${index}`));
  mountSlider(root, settings);
}
"""


def _still(
    labels: list[str], notes: list[str], sources: list[str], sides: list[int], size: tuple[int, int], caption: str
) -> str:
    """The divider without scripts. JupyterLab's sanitizer keeps these inline styles, but no style sheet and no ids."""
    height, width = size

    def image(index: int, style: str) -> str:
        name = f'class="srlab-picture-{index}" alt="{escape(labels[index])}" src="{sources[index]}"'
        return f'<img {name} style="display: block; max-width: none; margin: 0; {style}">'

    def name(index: int) -> str:
        note = f' <span style="opacity: 0.7">{escape(notes[index])}</span>' if notes[index] else ""
        return f"<span><b>{escape(labels[index])}</b>{note}</span>"

    left, right = sides
    full = f"width: {width}px; height: {height}px; image-rendering: pixelated"
    half = f"width: {width // 2}px; height: {height // 2}px"
    rest = [index for index in range(len(labels)) if index not in sides]
    if left == right:
        over = ""
    else:
        over = (
            '<div style="position: absolute; left: 0; top: 0; width: 50%; height: 100%; max-width: 100%; '
            'overflow: hidden; resize: horizontal; box-sizing: border-box; border-right: 2px solid white">'
            f"{image(left, full)}</div>"
        )
    others = "".join(f'<div style="margin-right: 16px">{name(index)}{image(index, half)}</div>' for index in rest)
    return (
        '<div class="srlab-still" style="overflow-x: auto">\n'
        f'<div style="display: flex; justify-content: space-between; width: {width}px; margin-bottom: 6px">'
        f"{name(left)}{name(right)}</div>\n"
        f'<div style="position: relative; width: {width}px; height: {height}px; overflow: hidden">'
        f"{image(right, full)}{over}</div>\n"
        '<div style="margin-top: 6px; font-size: 12px; opacity: 0.7">Pull the lower right corner of the left picture. '
        "With scripts (in Jupyter: trust this notebook) it also zooms and changes pictures.</div>\n"
        + (f'<div style="display: flex; flex-wrap: wrap; margin-top: 10px">{others}</div>\n' if others else "")
        + (f'<div style="margin-top: 6px; font-style: italic">{escape(caption)}</div>\n' if caption else "")
        + "</div>\n"
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


def page(title: str, body: str) -> str:
    """A whole page around a slider."""
    return _PAGE.format(title=escape(title), body=body)
