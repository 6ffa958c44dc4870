"""A handful of helpers which keep all drawings of the course in one style.

A length of 1 is a pixel where the drawing is shown 900 pixels wide; y grows downwards.
"""

import itertools
from html import escape
from typing import NamedTuple

import numpy as np

from srlab.view.plots import COLORS as PLOTS

__all__ = ["GRADIENT", "INK", "NOTE", "PLOTS", "ROLES", "Box", "Drawing"]
WIDTH = 900
FONT = "Helvetica, Arial, sans-serif"  # every machine has one of them, or takes its own
INK, NOTE, GRADIENT = "#222222", "#555555", "#B3261E"
# What a thing is -> its fill and outline.
ROLES = {
    "maps": ("#DCE9F7", "#3A6EA5"),  # feature maps
    "learns": ("#FFF0C9", "#A87B12"),  # a layer or a network whose weights are being learned
    "frozen": ("#E6E6EA", "#6F6F78"),  # one whose weights stay as they are
    "fixed": ("#FFFFFF", "#6F6F78"),  # an operation without weights
    "loss": ("#FBE3E1", GRADIENT),
    "plain": ("none", "#BBBBBB"),  # a frame around several things
}
# The face of the astronaut photo (NASA, public domain) in 20 x 20 pixels, the darkest colour first.
COLORS = dict(zip("abcdefghij", ("321", "653", "875", "986", "a98", "ca9", "dba", "cbb", "ecb", "dcc"), strict=True))
FACE = """
hhhhhhhhhhhhjjjjhhhh hhhhhhhhhhehhjjjhhhh hhhhhhheddefedfhhhhh hhhhhhbcddffedccehhh hjhhfcacdeeecccccehh
hhhddcbcddeddccbcbej hhcbcdccddedddcbabbj hdcbcccbbcddeebaabah hcccbcccccdddcbabaae hcbcaddcdccbbbaaabac
hcbbaeggiiigecaaaaab hcaabfgffiigffcaaaac hdaabfdbeggdcccbaaae hhbacgiiggfffedcaaah hhhcdgiiggfeggfcaaej
hhjhfgifggfdfiecaejj hjjjhfffgfedefddfjjj hjjjjfiefgfddfdhjjjj jheddeiigigegfdjjjjj caaaadgiigfefdejjjjj
"""


class Box(NamedTuple):
    """A rectangle, and the points on it where arrows begin and end."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> tuple[float, float]:
        """Middle of the left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """Middle of the right side."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> tuple[float, float]:
        """Middle of the upper side."""
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> tuple[float, float]:
        """Middle of the lower side."""
        return self.x + self.width / 2, self.y + self.height


class Drawing:
    """An SVG that grows by each call.

    Parameters
    ----------
    height
        The width is `WIDTH`.
    title, description
        For those who don't see it; the description is the alternative text in a notebook.
    """

    def __init__(self, height: int, title: str, description: str) -> None:
        self.height, self.title, self.description = height, title, " ".join(description.split())
        self.defined: dict[str, str] = {}
        self.parts: list[str] = []

    def add(self, element: str, **attributes: object) -> None:
        """Add an element; an underscore in a name stands for a hyphen."""
        self.parts.append(_element(element, **attributes))

    def label(self, x: float, y: float, text: str, size: int = 17, anchor: str = "middle", **look: object) -> None:
        """Write one line or several, the first with its base line at `y`."""
        look = (
            ({"font_size": size} if size != 17 else {}) | ({"text_anchor": anchor} if anchor != "middle" else {}) | look
        )
        for number, line in enumerate(text.split("\n")):
            self.parts.append(_element("text", escape(line), x=x, y=y + 1.25 * size * number, **look))

    def box(
        self, x: float, y: float, width: float, height: float, text: str = "", role: str = "learns",
        note: str = "", size: int = 17, stack: int = 0, **look: object,
    ) -> Box:  # fmt: skip
        """Draw a box of a role with centred text and a smaller note below it; a stack has some more behind it."""
        fill, line = ROLES[role]
        look = {"fill": fill, "stroke": line, "rx": 6} | look
        for behind in range(stack, -1, -1):
            self.add("rect", x=x + 5 * behind, y=y - 5 * behind, width=width, height=height, **look)
        lines = [(row, size, {}) for row in text.split("\n") if row]
        lines += [(row, min(size, 15), {"fill": NOTE}) for row in note.split("\n") if row]
        base = y + height / 2 - sum(1.25 * s for _, s, _ in lines) / 2
        for row, row_size, color in lines:
            base += 1.25 * row_size
            self.label(x + width / 2, base - 0.38 * row_size, row, row_size, **color)
        return Box(x, y, width, height)

    def arrow(
        self, *points: tuple[float | None, float | None], kind: str = "data", branch: bool = False, **look: object
    ) -> None:
        """Draw an arrow along some points; None takes the coordinate of the point before.

        Those of gradients are dashed, another kind is a colour. A branch begins with a dot on another arrow.
        """
        way = [points[0]]
        for x, y in points[1:]:
            way.append((way[-1][0] if x is None else x, way[-1][1] if y is None else y))
        way[0], way[-1] = _towards(way[0], way[1], 0 if branch else 4), _towards(way[-1], way[-2], 4)
        color = {"data": INK, "gradient": GRADIENT}.get(kind, kind)
        look = {"fill": "none", "stroke": color, "stroke_width": 2, "stroke_linejoin": "round"} | look
        if kind == "gradient":
            look["stroke_dasharray"] = "6 4"
        end = _towards(way[-1], way[-2], 8)  # the line ends in the head
        self.add("polyline", points=" ".join(f"{_n(x)},{_n(y)}" for x, y in [*way[:-1], end]), **look)
        (x, y), (back_x, back_y) = way[-1], _towards(way[-1], way[-2], 11)
        side_x, side_y = (y - back_y) * 0.45, (back_x - x) * 0.45
        head = ((x, y), (back_x + side_x, back_y + side_y), (back_x - side_x, back_y - side_y))
        self.add("polygon", points=" ".join(f"{_n(a)},{_n(b)}" for a, b in head), fill=color)
        if branch:
            self.add("circle", cx=way[0][0], cy=way[0][1], r=3.5, fill=color)

    def chain(self, *boxes: Box) -> None:
        """Arrows from each box to the next one on its right."""
        for one, two in itertools.pairwise(boxes):
            self.arrow(one.right, two.left)

    def line(self, *points: tuple[float, float], color: str = NOTE, **look: object) -> None:
        """Draw a plain line."""
        look = {"fill": "none", "stroke": color} | look
        self.add("polyline", points=" ".join(f"{_n(x)},{_n(y)}" for x, y in points), **look)

    def plus(self, x: float, y: float, sign: str = "+") -> Box:
        """Draw the circle of a sum, with its centre at (x, y)."""
        self.add("circle", cx=x, cy=y, r=13, fill="#FFFFFF", stroke=INK)
        self.label(x, y + 7, sign, 22)
        return Box(x - 13, y - 13, 26, 26)

    def image(self, x: float, y: float, side: float, name: str, text: str = "", note: str = "") -> Box:
        """Draw the little picture: "hr", "lr", "sr", "bilinear" or "detail", with text and a note below it."""
        pixels = picture(name)
        look = 'stroke-width="1" shape-rendering="crispEdges" transform="translate(0 .5)"'
        self.defined[name] = f'<g id="{name}"><g {look}>{_runs(pixels)}</g></g>'
        scale = side / len(pixels)
        self.add("use", href=f"#{name}", transform=f"translate({_n(x)} {_n(y)}) scale({_n(scale)})")
        self.add("rect", x=x, y=y, width=side, height=side, fill="none", stroke=INK, stroke_width=1)
        if text:
            self.label(x + side / 2, y + side + 20, text, 17, font_weight="bold")
        if note:
            self.label(x + side / 2, y + side + 20 + (20 if text else 0), note, 15, fill=NOTE)
        return Box(x, y, side, side)

    def span(self, x: float, y: float, width: float, text: str, size: int = 15) -> None:
        """Draw a bracket below a part of a drawing and say what holds there."""
        self.line((x, y), (x, y + 7), (x + width, y + 7), (x + width, y), color=ROLES["maps"][1])
        self.label(x + width / 2, y + 26, text, size, fill=ROLES["maps"][1])

    def svg(self) -> str:
        """Return the file."""
        head = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {self.height}", "role": "img"}
        head |= {"width": WIDTH, "height": self.height, "aria_labelledby": "title desc", "font_family": FONT}
        head |= {"font_size": 17, "text_anchor": "middle", "fill": INK, "stroke_width": 1.5}
        lines = [
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="desc">{escape(self.description)}</desc>',
        ]
        lines += [f"<defs>{''.join(self.defined.values())}</defs>"] if self.defined else []
        lines += [_element("rect", width="100%", height="100%", fill="#FFFFFF"), *self.parts]
        return _element("svg", "\n" + "\n".join(lines) + "\n", **head) + "\n"


def picture(name: str) -> np.ndarray:
    """One of the little pictures, ``(side, side, 3)`` with values from 0 to 15."""
    hr = np.array([[[int(digit, 16) for digit in COLORS[key]] for key in row] for row in FACE.split()], float)
    lr = hr.reshape(5, 4, 5, 4, 3).mean((1, 3))
    place = np.clip((np.arange(20) + 0.5) / 4 - 0.5, 0, 4)  # of each pixel on the grid of LR
    weights = np.clip(1 - np.abs(place[:, None] - np.arange(5)), 0, None)
    bilinear = np.einsum("ya,xb,abc->yxc", weights, weights, lr)
    around = np.pad(hr, ((1, 1), (1, 1), (0, 0)), mode="edge")
    smooth = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
    sr = 0.5 * hr + 0.35 * smooth + 0.15 * bilinear
    detail = (8 + 1.2 * (sr - bilinear)).mean(2, keepdims=True).repeat(3, 2)
    return {"hr": hr, "lr": lr, "bilinear": bilinear, "sr": sr, "detail": detail}[name]


def _runs(pixels: np.ndarray) -> str:
    """A path for each colour, of one line for each run of pixels."""
    lines: dict[str, str] = {}
    for y, row in enumerate(np.clip(np.floor(pixels + 0.5), 0, 15).astype(int)):
        colors = ["".join(f"{value:x}" for value in pixel) for pixel in row]
        start = 0
        for x in range(1, len(colors) + 1):
            if x == len(colors) or colors[x] != colors[start]:
                lines[colors[start]] = lines.get(colors[start], "") + f"M{start} {y}h{x - start}"
                start = x
    return "".join(f'<path stroke="#{color}" d="{way}"/>' for color, way in lines.items())


def _towards(point: tuple[float, float], other: tuple[float, float], length: float) -> tuple[float, float]:
    """The point so far from one point on the way to another."""
    (x, y), (to_x, to_y) = point, other
    share = length / max(np.hypot(to_x - x, to_y - y), length)
    return x + share * (to_x - x), y + share * (to_y - y)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _element(name: str, content: str = "", **attributes: object) -> str:
    written = "".join(
        f' {key.replace("_", "-")}="{_n(value) if isinstance(value, (int, float)) else escape(str(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"
