"""Draw the icon of the course's site and the picture that a link to it shows, into ``book/static``.

``python docs/site_pictures.py``; the faces are those of ``benchmarks/reference/figures/front.png``.
"""

from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / "book" / "static"
FACES = ROOT / "benchmarks" / "reference" / "figures" / "front.png"
PANELS = [(left, 30, left + 290, 223) for left in (10, 310, 610, 910)]  # where the faces stand in it
LABELS = ("bicubic", "squared error", "adversarial", "the photo")
SIZE, MARGIN, GAP = (1280, 640), 40, 16
DARK, LIGHT, ACCENT = "#14181e", "#f3f4f5", "#5a9cf0"
COARSE = ("#9ec5f7", "#5a9cf0", "#1a5fb4", "#0b3a75")  # of four large pixels


def icon() -> str:
    """Return the icon as SVG: a disc, in coarse pixels on the left of a divider and smooth on its right."""
    squares = [
        f'<rect x="{x}" y="{y}" width="8" height="8" fill="{COARSE[(x // 8 + y // 8) % 4]}"/>'
        for y in range(0, 32, 8)
        for x in (0, 8)
        if (x, y) not in ((0, 0), (0, 24))
    ]
    disc = '<path d="M16 0a16 16 0 0 1 0 32z" fill="#1a73e8"/>\n<path d="M16 0v32" stroke="#fff" stroke-width="2"/>'
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><title>srlab</title>'
    return "\n".join([head, *squares, disc, "</svg>\n"])


def preview() -> Image.Image:
    """Return the picture for links: what the course is about, and four faces that show it."""
    picture = Image.new("RGB", SIZE, DARK)
    pen, faces = ImageDraw.Draw(picture), Image.open(FACES).convert("RGB")
    pen.text((MARGIN, 48), "srlab", ACCENT, _font(92, "-Bold"))
    pen.text((MARGIN, 168), "Image super-resolution in six labs", LIGHT, _font(54))
    width = (SIZE[0] - 2 * MARGIN - 3 * GAP) // 4
    for index, (box, label) in enumerate(zip(PANELS, LABELS, strict=True)):
        face, left = faces.crop(box), MARGIN + index * (width + GAP)
        face = face.resize((width, round(width * face.height / face.width)), Image.Resampling.LANCZOS)
        picture.paste(face, (left, 310))
        pen.text((left, 310 + face.height + 14), label, LIGHT, _font(32))
    return picture


def _font(size: int, style: str = "") -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{style}.ttf", size)


if __name__ == "__main__":
    (STATIC / "icon.svg").write_text(icon(), encoding="utf-8")
    preview().save(STATIC / "preview.png", optimize=True)
