"""Draw the moving slider of the README, ``docs/images/moving.webp``: ``python docs/moving.py``.

It shows one of the precomputed rows, so it needs neither a browser nor executed labs.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from srlab.data.images import to_uint8
from srlab_course.material import precomputed

TARGET = Path(__file__).resolve().parent / "images" / "moving.webp"
PHOTO = "chelsea"
SHOTS = (("bicubic", "Real-ESRGAN"), ("Real-ESRGAN", "HR"))  # left and right of the divider, which moves to the left
LABELS = {"bicubic": "bicubic", "Real-ESRGAN": "Real-ESRGAN", "HR": "the original"}
ZOOM = 4
STEPS = 20  # frames per sweep
SWEEP, REST = 70, 1400  # milliseconds per frame, and at the end of a sweep
QUALITY = 70  # of lossy WebP


def frames() -> list[Image.Image]:
    """Return all frames: in each shot, the divider moves from the right border to the left one."""
    crops, _ = precomputed.row(PHOTO)
    images = {name: enlarge(crops[name]) for name in LABELS}
    places = (1 + np.cos(np.linspace(0, np.pi, STEPS))) / 2  # slow at both ends
    return [divide(images, left, right, place) for left, right in SHOTS for place in places]


def enlarge(crop: torch.Tensor) -> Image.Image:
    """Return a crop with each pixel as a square."""
    image = Image.fromarray(to_uint8(crop)[0].permute(1, 2, 0).numpy())
    return image.resize((image.width * ZOOM, image.height * ZOOM), Image.Resampling.NEAREST)


def divide(images: dict[str, Image.Image], left: str, right: str, place: float) -> Image.Image:
    """Return one image left of the divider and the other right of it, with their names."""
    frame, x = images[right].copy(), round(place * images[right].width)
    frame.paste(images[left].crop((0, 0, x, frame.height)))
    draw, font = ImageDraw.Draw(frame, "RGBA"), ImageFont.load_default(22)
    draw.line((x, 0, x, frame.height), "white", 4)
    for name, corner, anchor in ((left, 12, "ls"), (right, frame.width - 12, "rs")):
        box = draw.textbbox((corner, frame.height - 14), LABELS[name], font, anchor)
        if (box[2] < x - 8) if name == left else (box[0] > x + 8):  # a name is on its own side
            draw.rectangle((box[0] - 6, box[1] - 5, box[2] + 6, box[3] + 5), (20, 23, 31, 190))
            draw.text((corner, frame.height - 14), LABELS[name], "white", font, anchor)
    return frame


def main() -> None:
    """Write the animation, and print its size."""
    first, *others = frames()
    times = ([REST // 2] + [SWEEP] * (STEPS - 2) + [REST]) * len(SHOTS)
    first.save(TARGET, save_all=True, append_images=others, duration=times, loop=0, quality=QUALITY, method=6, kmax=1)
    print(f"docs/images/{TARGET.name}: {TARGET.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
