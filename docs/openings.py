"""Draw the images at the top of the labs and of the README: ``python docs/openings.py [NAME ...]``.

Lab 05 needs Real-ESRGAN, labs 01 and 02 their runs (``make labs``), and lab 06 longer ones (see `flow`). The others
only use bundled images, some of which ``docs/material.py`` computes.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont

import srlab
import srlab_course as course
from srlab.data.images import to_uint8
from srlab_course.figures.plots import cut
from srlab_course.material import burst, precomputed
from srlab_course.material.subjects import BADGE

ROOT = Path(__file__).parents[1]
WIDTH, GAP, HEAD = 1160, 8, 34  # pixels

Box = tuple[int, int, int, int]  # top, left, height, width in HR pixels
Row = dict[str, torch.Tensor]  # label -> crop, (1, 3, h, w) in [0, 1]


def upscaled(upscalers: Mapping[str, Callable[[torch.Tensor], torch.Tensor]], hr: torch.Tensor, box: Box) -> Row:
    """Return the same crop of each method's SR image of a photo downscaled by 4, and of HR."""
    hr = srlab.mod_crop(hr, 4)
    lr = srlab.downsample(hr, 4)
    results = {label: srlab.upscale(upscaler, lr) for label, upscaler in upscalers.items()} | {"HR": hr}
    return {label: cut(result, box) for label, result in results.items()}


def bicubic(lr: torch.Tensor) -> torch.Tensor:
    """Upscale by 4 with bicubic interpolation."""
    return srlab.upsample(lr, 4)


def gravel() -> torch.Tensor:
    """Return the held-out half of the gravel photo."""
    return course.split_photo("gravel")[1]["gravel"]


def degradation() -> list[Row]:
    """Return crops of a cat: their block means, and under letters the pair of images that have them."""
    small = partial(F.avg_pool2d, kernel_size=4)
    return [{"LR": srlab.upsample(small(a), 4, "nearest"), "A": a, "B": b} for a, b in precomputed.riddle()]


def srresnet() -> list[Row]:
    """Return crops of handwriting and gravel: LR, bicubic, lab 01's network, and HR."""
    methods = {"LR": lambda lr: srlab.upsample(lr, 4, "nearest"), "bicubic": bicubic}
    methods["network"] = srlab.load_generator("01_srresnet", "default")
    writing = srlab.bundled_photos("validation")["text"]
    return [upscaled(methods, writing, (20, 60, 96, 140)), upscaled(methods, gravel(), (160, 80, 96, 140))]


def content_loss() -> list[Row]:
    """Return crops of handwriting and bricks: lab 02's network trained with MSE, its hybrid, and HR."""
    runs = {"squared error": "default-ablation-mse", "another loss": "default-hybrid"}
    methods = {label: srlab.load_generator("02_content_loss", run) for label, run in runs.items()}
    photos = srlab.bundled_photos("validation")
    places = {"text": (60, 16, 44, 62), "brick": (84, 120, 44, 62)}
    return [upscaled(methods, photos[name], box) for name, box in places.items()]


def srgan() -> list[Row]:
    """Return crops of gravel: the network that lab 03 starts from, SRGAN after 12,000 steps, and HR."""
    hr = srlab.mod_crop(gravel(), 4)
    start = srlab.upscale(srlab.load_bundled()["MSRResNet"], srlab.downsample(hr, 4))
    images = {"squared error": start, "SRGAN": precomputed.picture("srgan_12000"), "HR": hr}
    return [{label: cut(image, (248, 40, 260, 188)) for label, image in images.items()}]


def esrgan() -> list[Row]:
    """Return crops of a degraded cat and a face: bicubic, SRGAN, Real-ESRGAN, and HR."""
    return kept_rows(
        ("cat_spoilt", "face"),
        {"bicubic": "bicubic", "SRGAN": "bundled SRGAN", "Real-ESRGAN": "Real-ESRGAN", "HR": "HR"},
        (0, 8, 144, 140),
    )


def evaluation() -> list[Row]:
    """Return crops of an eye and a badge by four methods under letters, which the lab's first section resolves."""
    networks = srlab.load_bundled() | {"Real-ESRGAN": srlab.load_realesrgan(), "bicubic": bicubic}
    letters = dict(zip("ABCD", ("SRGAN", "bicubic", "Real-ESRGAN", "MSRResNet"), strict=True))
    methods = {letter: networks[name] for letter, name in letters.items()}
    places = {"chelsea": (80, 120, 96, 140), "astronaut": (332, 96, 96, 140)}
    rows = [upscaled(methods, srlab.bundled_photos("validation")[name], box) for name, box in places.items()]
    return [{label: crop for label, crop in row.items() if label != "HR"} for row in rows]


def flow() -> list[Row]:
    """Return crops of a cat and gravel: two samples of lab 06's flow after 12,000 steps, the mean of sixteen, and HR.

    ``papermill notebooks/06_flow.ipynb out.ipynb -p recipe laptop -p iters 12000 -p run long`` trains the second, and
    the same with ``-p subject chelsea -p run cat`` the first.
    """
    places = {"cat": ("chelsea", (60, 0, 96, 140)), "long": ("gravel", (248, 40, 96, 140))}
    rows = []
    for run, (subject, box) in places.items():
        network, hr = srlab.load_generator("06_flow", run), course.split_photo(subject)[1][subject]
        lr, samples = srlab.downsample(srlab.mod_crop(hr, 4), 4), []
        for network.seed in range(16):
            samples.append(srlab.upscale(network, lr, precision="auto"))
        images = {"one sample": samples[0], "another": samples[1]}
        images |= {"mean of 16": torch.stack(samples).mean(0), "HR": hr}
        rows.append({label: cut(image, box) for label, image in images.items()})
    return rows


def one_step() -> list[Row]:
    """Return crops of gravel: lab 01's network, lab 06's flow, lab 07's network with the same noise, and HR.

    ``srlab execute 06 07`` trains both.
    """
    hr = srlab.mod_crop(course.split_photo("gravel")[1]["gravel"], 4)
    lr = srlab.downsample(hr, 4)
    images = {"lab 01: 1 pass": srlab.upscale(srlab.load_bundled()["MSRResNet"], lr)}
    images["lab 06: 19 passes"] = srlab.upscale(srlab.load_generator("06_flow"), lr, precision="auto")
    images["lab 07: 1 pass"] = srlab.upscale(srlab.load_generator("07_one_step"), lr, precision="auto")
    return [{label: cut(image, (248, 40, 144, 140)) for label, image in (images | {"HR": hr}).items()}]


def enhance() -> list[Row]:
    """Return the badge in sixteen photos from a hand that shakes, eight per row."""
    scene, generator = srlab.bundled_photos("validation")["astronaut"], torch.Generator().manual_seed(0)
    photos = burst.take_photos(scene, burst.hand_shifts(generator), burst.sensor, 1.0, generator)
    badges = cut(photos, BADGE, scene.shape[-2]).split(1)
    return [dict(zip((" " * n for n in range(8)), badges[first : first + 8], strict=True)) for first in (0, 8)]


def front() -> list[Row]:
    """Return crops of a cat and of gravel: bicubic, Real-ESRGAN, two minutes of lab 04, and the ground truth."""
    titles = {"bicubic": "bicubic", "Real-ESRGAN": "Real-ESRGAN", "two minutes": "two-minute network"}
    return kept_rows(("chelsea", "gravel"), titles | {"HR": "ground truth"}, (0, 0, 144, 176))


def kept_rows(names: tuple[str, ...], titles: dict[str, str], box: Box) -> list[Row]:
    """Return crops of the bundled rows of images."""
    return [{title: cut(row[key], box) for key, title in titles.items()} for row, _ in map(precomputed.row, names)]


def write(file: Path, rows: list[Row], most: int = WIDTH) -> None:
    """Write rows of equally large crops as a JPEG, below the labels of the first row.

    Crops are magnified by the largest integer that keeps the page at most this wide, so nothing is interpolated.
    """
    columns = len(rows[0])
    height, width = next(iter(rows[0].values())).shape[-2:]
    factor = max(1, (most - GAP * (columns - 1)) // (columns * width))
    step, head = factor * width + GAP, HEAD if any(map(str.strip, rows[0])) else 0
    page = Image.new("RGB", (columns * step - GAP, head + len(rows) * (factor * height + GAP) - GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(22)
    for column, label in enumerate(rows[0]):
        draw.text((column * step + factor * width / 2, HEAD / 2), label, "black", font, "mm")
        for line, row in enumerate(rows):
            pixels = Image.fromarray(to_uint8(row[label])[0].permute(1, 2, 0).numpy())
            large = pixels.resize((factor * width, factor * height), Image.Resampling.NEAREST)
            page.paste(large, (column * step, head + line * (factor * height + GAP)))
    page.save(file, quality=88, optimize=True)


PICTURES = {
    f"{place:02d}_{draw.__name__}": draw
    for place, draw in enumerate(
        (degradation, srresnet, content_loss, srgan, esrgan, evaluation, flow, one_step, enhance)
    )
}

if __name__ == "__main__":
    for name in sys.argv[1:] or [*PICTURES, "front"]:
        if name == "front":
            write(ROOT / "docs/images/published.jpg", front(), most=1440)
        else:
            write(ROOT / "notebooks/pictures" / f"{name}.jpg", PICTURES[name]())
