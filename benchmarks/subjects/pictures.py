"""What the published network makes of the course's photos, kept for those who haven't installed it.

    python -m benchmarks.subjects.pictures

Writes rows of crops and their scores into ``srlab/course/rows``, a whole picture into ``srlab/course/pictures``, and
the README's first picture. *Two minutes* are lab 04's recipe ``laptop`` on the left half of a photo; a run that is
there already is taken.
"""

import json
from pathlib import Path

import torch
from PIL import Image, ImageDraw

import srlab
from benchmarks.subjects.drawn import draw_cloth
from srlab.base import places
from srlab.course import kept
from srlab.course.execute import execute
from srlab.course.starts import SHIPPED, begun_with
from srlab.data.images import to_uint8
from srlab.models.weights import find_shipped
from srlab.training import runs
from srlab.view import plots

ROOT = Path(__file__).parents[2]
FRONT = ROOT / "docs" / "images" / "published.jpg"
LAB = "04_esrgan"
SPOILT = srlab.Degradation(blur=1.5, noise=0.03, jpeg=50)
SIZE = (144, 176)  # height and width of a crop; multiples of 16, so that no block of the JPEG lies in two crops
# name of the row -> photo, how its LR is made, top and left of the crop
WHOLE = {
    "cat": ("chelsea", srlab.Degradation(), (64, 128)),
    "cat_spoilt": ("chelsea", SPOILT, (64, 128)),
    "face": ("astronaut", srlab.Degradation(), (40, 144)),
    "writing_spoilt": ("text", SPOILT, (8, 48)),
}
# name of the row -> top and left of the crop of the right half
HALVES = {"gravel": (208, 40), "brick": (208, 40), "ihc": (160, 56), "grass": (208, 40), "chelsea": (64, 8)}
HALVES |= {"cloth": (208, 8)}
FRONT_ROWS = ("chelsea", "gravel")
FRONT_COLUMNS = {"bicubic": "bicubic", "RealESRGAN": "published network", "two minutes": "your two minutes"}
FRONT_COLUMNS |= {"HR": "the photo"}


def of_whole(
    photo: str, degradation: srlab.Degradation, networks: dict[str, torch.nn.Module]
) -> dict[str, torch.Tensor]:
    """A whole photo by networks that never saw it."""
    hr = srlab.mod_crop(srlab.photos("validation")[photo], 4)
    lr = degradation(hr, 4, torch.Generator().manual_seed(0))
    made = {name: srlab.quantize(srlab.upscale(networks[name], lr)) for name in ("MSRResNet", "SRGAN", "RealESRGAN")}
    return {"bicubic": srlab.upsample(lr, 4)} | made | {"HR": hr}


def subject_of(name: str) -> str:
    """What the lab's ``subject`` is to be; cloth is drawn, and becomes a file in the folder of the runs."""
    if name != "cloth":
        return name
    file = places.home() / "subjects" / "cloth.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    draw_cloth().save(file)
    return str(file)


def train(name: str) -> runs.Run:
    """Run the lab, unless its run is finished."""
    run = runs.Run(LAB, f"{name}-seed-0")
    if (run.manifest() or {}).get("state") != "finished":
        out = places.home() / "notebooks" / f"{run.name}.ipynb"
        out.parent.mkdir(parents=True, exist_ok=True)
        given = {"recipe": "laptop", "seed": 0, "run": run.name, "subject": subject_of(name)}
        execute(ROOT / "notebooks" / f"{LAB}.ipynb", out, given, "explore")
    return run


def of_half(name: str, published: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The right half of a photo, by a network that was trained on its left half, and by others."""
    run = train(name)
    begun = begun_with(run)
    start = find_shipped("rrdb") if begun == SHIPPED else begun
    half = srlab.halves(subject_of(name))[1]
    hr = srlab.mod_crop(half[half.names[0]], 4)
    lr = srlab.downsample(hr, 4)
    networks = {"RRDB": srlab.read_generator(start), "two minutes": srlab.load_generator(LAB, run.name)}
    networks["RealESRGAN"] = published
    made = {method: srlab.quantize(srlab.upscale(network, lr)) for method, network in networks.items()}
    return {"bicubic": srlab.upsample(lr, 4)} | made | {"HR": hr}


def scores(pictures: dict[str, torch.Tensor], grey: bool) -> dict[str, dict[str, float]]:
    """PSNR and energy error of each picture but HR."""
    images = srlab.ImageSet(
        "photo", ["photo"], [to_uint8(pictures["HR"])[0]], grey=frozenset(["photo"] if grey else [])
    )
    found = {}
    for name, picture in pictures.items():
        if name != "HR":
            row = srlab.evaluate(lambda _, made=picture: made, images, 4, metrics=("psnr", "energy_error")).iloc[0]
            found[name] = {"psnr": round(float(row.psnr), 2), "energy_error": round(float(row.energy_error), 3)}
    return found


def save(picture: torch.Tensor, file: Path) -> None:
    """Write ``(1, 3, H, W)`` as a JPEG with all its colour."""
    pixels = to_uint8(picture)[0].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, quality=92, subsampling=0, optimize=True)


def draw_front(crops: dict[str, dict[str, torch.Tensor]]) -> Image.Image:
    """The cat and the stones by the same four, half as large again as they are."""
    height, width = (3 * side // 2 for side in SIZE)
    sheet = Image.new("RGB", (len(FRONT_COLUMNS) * (width + 6), len(FRONT_ROWS) * (height + 6) + 30), "white")
    for column, (name, title) in enumerate(FRONT_COLUMNS.items()):
        left = column * (width + 6)
        ImageDraw.Draw(sheet).text((left + width // 2, 15), title, "black", font_size=20, anchor="mm")
        for number, row in enumerate(FRONT_ROWS):
            pixels = Image.fromarray(to_uint8(crops[row][name])[0].permute(1, 2, 0).numpy())
            sheet.paste(pixels.resize((width, height), Image.Resampling.BICUBIC), (left, 30 + number * (height + 6)))
    return sheet


def main() -> None:
    """Make the rows, what stands beside them, and the front picture."""
    folder, published = Path(str(kept.ROWS)), srlab.load_published()
    folder.mkdir(exist_ok=True)
    networks = {**srlab.load_shipped(), "RealESRGAN": published}
    found, notes, front = {}, {}, {}
    for row, (photo, degradation, place) in WHOLE.items():
        grey = photo in srlab.photos("validation").grey
        found[row] = (of_whole(photo, degradation, networks), grey, place)
    for name, place in HALVES.items():
        found[name] = (of_half(name, published), bool(srlab.halves(subject_of(name))[1].grey), place)
    for row, (pictures, grey, place) in found.items():
        crops = {name: plots.cut(picture, (*place, *SIZE)) for name, picture in pictures.items()}
        save(torch.cat([*crops.values()], dim=3), folder / f"{row}.jpg")
        notes[row] = scores(pictures, grey)
        if row in FRONT_ROWS:
            front[row] = crops
    save(found["gravel"][0]["RealESRGAN"], Path(str(kept.FOLDER)) / "published_gravel.jpg")
    (folder / "scores.json").write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
    draw_front(front).save(FRONT, quality=88, optimize=True)
    print(json.dumps(notes, indent=1))


if __name__ == "__main__":
    main()
