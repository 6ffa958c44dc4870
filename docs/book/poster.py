"""Make the top of the start page: two photos under a divider.

Where a link to the site is shared, a preview shows both photos.
"""

from html import escape
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from srlab.data.images import to_uint8
from srlab.slider import encode
from srlab_course.material import precomputed

PHOTOS = {"chelsea": "A cat's eye", "gravel": "Gravel"}
ORIGINAL = "HR"
METHODS = {"bicubic": "bicubic", "Real-ESRGAN": "Real-ESRGAN", "two minutes": "lab 04, two minutes"}
FIRST = "Real-ESRGAN"  # shown until the visitor chooses
QUALITY = 90  # of lossy WebP: the eight crops take about 150 kB together
SIZE = (176, 144)  # width and height of a crop
PREVIEW = (1280, 640)  # pixels
QUESTION = "Which of these details can you trust?"


def write_crops(folder: Path) -> None:
    """Write the crops of both photos by each method, and the originals, as WebP files."""
    folder.mkdir(parents=True)
    for photo in PHOTOS:
        crops, _ = precomputed.row(photo)
        for name in (*METHODS, ORIGINAL):
            (folder / file_of(photo, name)).write_bytes(encode(crops[name][0], effort=4, quality=QUALITY))


def write_preview(file: Path) -> None:
    """Draw the photos, divided in the middle, below the question and the name of the course."""
    page = Image.new("RGB", PREVIEW, "#14171f")
    draw, (width, height) = ImageDraw.Draw(page), (3 * SIZE[0], 3 * SIZE[1])
    left = (PREVIEW[0] - 2 * width - 24) // 2
    draw.text((left, 62), QUESTION, "white", ImageFont.load_default(58), "lm")
    draw.text((left, 128), "srlab, a course on image super-resolution", "#9ab8ef", ImageFont.load_default(34), "lm")
    for place, photo in enumerate(PHOTOS):
        crops, _ = precomputed.row(photo)
        middle, x = SIZE[0] // 2, left + place * (width + 24)
        divided = torch.cat([crops[FIRST][..., :middle], crops[ORIGINAL][..., middle:]], dim=3)
        pixels = Image.fromarray(to_uint8(divided)[0].permute(1, 2, 0).numpy())
        page.paste(pixels.resize((width, height), Image.Resampling.NEAREST), (x, 176))
        draw.line((x + width // 2, 176, x + width // 2, 176 + height), "white", 3)
    page.save(file, quality=88, optimize=True)


def file_of(photo: str, name: str) -> str:
    """Return the name of a crop's file."""
    return f"{photo}-{name.replace(' ', '-')}.webp"


def photos() -> str:
    """Return the HTML of both photos: a method left of the divider, the original right of it, and the choice below.

    Without scripts, the choice works, and the divider stays in the middle.
    """
    pictures = "".join(_photo(photo, alt) for photo, alt in PHOTOS.items())
    choices = "".join(_choice(name, label) for name, label in METHODS.items())
    return (
        f'<div class="poster">\n<div class="poster-photos">{pictures}</div>\n'
        f'<fieldset class="poster-choices"><legend>Left of the line</legend>{choices}'
        '<span class="poster-right">Right of it: the original</span></fieldset>\n</div>'
    )


def _photo(photo: str, alt: str) -> str:
    """Return one photo: the original, the results of all methods above it, and an invisible slider above everything."""
    size = 'width="{}" height="{}"'.format(*SIZE)
    images = f'<img src="poster/{file_of(photo, ORIGINAL)}" alt="{escape(alt)}: the original" {size}>'
    for number, (name, label) in enumerate(METHODS.items()):
        source = f'src="poster/{file_of(photo, name)}" alt="{escape(alt)}: {escape(label)}"'
        images += f'<img class="poster-method poster-{number}" {source} {size}>'
    slider = f'<input type="range" value="50" aria-label="{escape(alt)}: percentage left of the line">'
    return f'<div class="poster-photo">{images}{slider}<span class="poster-line"></span></div>'


def _choice(name: str, label: str) -> str:
    """Return the radio button of a method."""
    chosen = f'id="poster-{list(METHODS).index(name)}"' + (" checked" if name == FIRST else "")
    return f'<label><input type="radio" name="method" {chosen}><span>{escape(label)}</span></label>'
