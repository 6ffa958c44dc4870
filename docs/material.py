"""Compute the images that labs show in place of a long run, in ``srlab_course/material``.

``python docs/material.py NAME`` computes one. A name is one of `GRAVEL`, `PHOTOS` or `HALVES`, or ``riddle``, with
which lab 00 begins. All but those in `GRAVEL` need Real-ESRGAN. What has to be trained is executed first, unless the
run is there.
"""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

import srlab
import srlab_course as course
from srlab.data.images import to_uint8
from srlab.data.resampling import resize
from srlab.paths import runs_home
from srlab_course.exercises.degradation.back_project import back_project
from srlab_course.figures.plots import cut

MATERIAL = Path(__file__).parents[1] / "srlab_course" / "material"
SPOILT = srlab.Degradation(blur=1.5, noise=0.03, jpeg=50)
SIZE = 144, 176  # height and width of a crop in a row: multiples of 16, so that no block of the JPEG is in two crops

# Right half of the gravel -> lab, its parameters, quality of the JPEG. A quality of 92 costs 0.04 dB.
GRAVEL = {
    "srgan_800": ("03_srgan", {}, 98),
    "average_800": ("03_srgan", {"gan": "relativistic average", "adversarial_weight": 0.001}, 98),
    "rrdb_standard_800": ("04_esrgan", {"gan": "vanilla", "adversarial_weight": 0.006}, 98),
    "srgan_12000": ("03_srgan", {"iters": 12_000}, 92),
    "esrgan_12000": ("04_esrgan", {"iters": 12_000}, 92),
}
# Row of crops from a whole photo -> photo, degradation, top and left of the crop
PHOTOS = {
    "cat": ("chelsea", srlab.Degradation(), (64, 128)),
    "cat_spoilt": ("chelsea", SPOILT, (64, 128)),
    "face": ("astronaut", srlab.Degradation(), (40, 144)),
    "writing_spoilt": ("text", SPOILT, (8, 48)),
}
SUBJECT_LAB = "04_esrgan"  # is trained on the left half of each photo below
# Row of crops from the right half of a photo -> top and left of the crop
HALVES = {"gravel": (208, 40), "brick": (208, 40), "ihc": (160, 56), "grass": (208, 40), "chelsea": (64, 8)}
HALVES |= {"cloth": (208, 8)}


def trained(lab: str, run: str, parameters: dict) -> nn.Module:
    """Return the generator of a run, which the laptop's recipe trains if there is none."""
    if not srlab.Run(lab, run).path.exists():
        given = [text for name, value in parameters.items() for text in ("-p", name, str(value))]
        execute = [sys.executable, "-m", "srlab", "execute", lab, "--recipe", "laptop", "-p", "run", run]
        subprocess.run(execute + given, check=True)
    return srlab.load_generator(lab, run)


def save(image: torch.Tensor, file: str, quality: int = 92) -> None:
    """Write an image ``(1, 3, H, W)`` with all of its color."""
    pixels = to_uint8(image)[0].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(MATERIAL / file, quality=quality, subsampling=0, optimize=True)
    print(f"srlab_course/material/{file}")


def write_gravel(name: str) -> None:
    """Write the right half of the gravel by a run."""
    lab, parameters, quality = GRAVEL[name]
    hr = srlab.mod_crop(course.split_photo("gravel")[1]["gravel"], 4)
    sr = srlab.upscale(trained(lab, name, parameters), srlab.downsample(hr, 4))
    save(sr, f"pictures/{name}.jpg", quality)


def write_row(name: str) -> None:
    """Write crops of one photo by several methods, and the scores of the whole images."""
    methods: dict[str, nn.Module | Callable[[torch.Tensor], torch.Tensor]]
    methods, bundled = {"bicubic": partial(srlab.upsample, scale=4)}, srlab.load_bundled()
    if name in PHOTOS:
        photo, degrade, place = PHOTOS[name]
        one_photo = srlab.bundled_photos("validation").subset(photo)
        methods |= {label: bundled[label] for label in ("MSRResNet", "SRGAN")}
    else:
        subject, degrade, place = draw_cloth() if name == "cloth" else name, srlab.Degradation(), HALVES[name]
        one_photo = course.split_photo(subject)[1]  # the half that nothing was trained on
        two_minutes = trained(SUBJECT_LAB, f"{name}-seed-0", {"subject": subject})
        methods |= {"RRDB": bundled["RRDB"], "two minutes": two_minutes}
    methods["Real-ESRGAN"] = srlab.load_realesrgan()
    hr = srlab.mod_crop(one_photo[one_photo.names[0]], 4)
    lr = degrade(hr, 4, torch.Generator().manual_seed(0))
    images = {label: srlab.quantize(srlab.upscale(method, lr)) for label, method in methods.items()}
    crops = [cut(image, (*place, *SIZE)) for image in (*images.values(), hr)]
    save(torch.cat(crops, dim=3), f"rows/{name}.jpg")
    if name == "gravel":
        save(images["Real-ESRGAN"], "pictures/published_gravel.jpg")
    file = MATERIAL / "rows" / "scores.json"
    scores = {label: scores_of(image, one_photo) for label, image in images.items()}
    text = json.dumps(json.loads(file.read_text(encoding="utf-8")) | {name: scores}, indent=1)
    file.write_text(f"{text}\n", encoding="utf-8")


def scores_of(sr: torch.Tensor, one_photo: srlab.ImageSet) -> dict[str, float]:
    """Return PSNR and energy error of the SR image of a photo."""
    row = srlab.evaluate(lambda _: sr, one_photo, 4, metrics=("psnr", "energy_error")).iloc[0]
    return {"psnr": round(float(row.psnr), 2), "energy_error": round(float(row.energy_error), 3)}


def write_riddle() -> None:
    """Compute the pairs of the riddle, and write them as one PNG file, a row per pair with A at the left.

    One image of each pair is a crop of the cat, and the other one is invented by Real-ESRGAN from the cat's LR image.
    Back-projection makes it agree with the photo under bicubic and under block means at once.
    """
    hr = srlab.mod_crop(srlab.bundled_photos("validation")["chelsea"], 4)
    drawn = srlab.upscale(srlab.load_realesrgan(), srlab.downsample(hr, 4))
    means = partial(F.avg_pool2d, kernel_size=4)
    bicubic_down, bicubic_up = partial(resize, factor=1 / 4), partial(resize, factor=4)
    rows = []
    for photo_first, box in ((False, (76, 108, 80, 124)), (True, (200, 196, 80, 124)), (False, (96, 252, 80, 124))):
        photo, invented = cut(hr, box), cut(drawn, box)
        for _ in range(1500):
            invented = back_project(invented, bicubic_down(photo), bicubic_down, bicubic_up)
            invented = back_project(invented, means(photo), means, smooth_blocks).clamp(0, 1)
        invented = with_block_sums(invented, photo)
        rows.append(torch.cat([photo, invented] if photo_first else [invented, photo], dim=3))
    save(torch.cat(rows, dim=2), "rows/riddle.png")


def smooth_blocks(means: torch.Tensor) -> torch.Tensor:
    """Upscale by 4 without visible edges between blocks."""
    return srlab.blur(F.interpolate(means, scale_factor=4), 1.5)


def with_block_sums(image: torch.Tensor, photo: torch.Tensor) -> torch.Tensor:
    """Round an image to 8-bit levels, so that each block of 4 x 4 pixels has exactly the same sum as in the photo.

    The pixel that rounding moved furthest the wrong way moves back by one level, until the sum is right.
    """

    def blocks(levels: torch.Tensor) -> torch.Tensor:
        return F.pixel_unshuffle(levels.transpose(0, 1), 4)  # (3, 16, h, w)

    exact, wanted = blocks(255 * image), blocks(255 * photo).round().sum(1, keepdim=True)
    levels = exact.round().clamp(0, 255)
    while (missing := (wanted - levels.sum(1, keepdim=True)).sign()).any():
        gain = (exact - levels) * missing
        inside = (levels + missing).clamp(0, 255) == levels + missing
        place = gain.masked_fill(~inside, -math.inf).argmax(1, keepdim=True)
        levels.scatter_add_(1, place, missing)
    return F.pixel_shuffle(levels, 4).transpose(0, 1) / 255


def draw_cloth(side: int = 512) -> str:
    """Draw a twill of blue and pale threads into the folder of runs, the same each time; return its path."""
    random = np.random.default_rng(sum(map(ord, "cloth")))
    rows, columns = np.mgrid[0:side, 0:side].astype(float)
    across = columns + 2.5 * np.sin(rows / 61) + 1.5 * np.sin(columns / 83)
    down = rows + 2.5 * np.sin(columns / 71)
    width = 8.0  # of a thread
    warp, weft = (across // width).astype(int), (down // width).astype(int)
    over = (warp + weft) % 4 < 2  # where the warp is on top
    middle = np.where(over, across / width - warp, down / width - weft) - 0.5
    along = np.where(over, down / width - weft, across / width - warp) - 0.5
    roundness = np.sqrt(np.clip(1 - (2 * middle) ** 2, 0.05, 1)) * (1 - 0.35 * (2 * along) ** 2)
    shade = np.where(over, random.normal(1, 0.1, 200)[warp], random.normal(1, 0.1, 200)[weft])
    noise = random.normal(0, 1, (side, side))
    lengthwise = [sum(np.roll(noise, shift, axis) for shift in range(4)) / 2 for axis in (0, 1)]
    light = roundness * shade + 0.16 * np.where(over, *lengthwise)
    color = np.where(over[..., None], np.array([62, 84, 140.0]), np.array([186, 188, 196.0]))
    file = runs_home() / "subjects" / "cloth.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.rint(light[..., None] * color), 0, 255).astype(np.uint8)).save(file)
    return str(file)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        if name == "riddle":
            write_riddle()
        elif name in GRAVEL:
            write_gravel(name)
        else:
            write_row(name)
