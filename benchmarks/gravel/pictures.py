"""What networks make of the stones of labs 03 and 04, kept for those who train for two minutes.

    python -m benchmarks.gravel.pictures

Writes the pictures into ``srlab/course/pictures``: of both labs after 12,000 steps, and of lab 03's generator after 800
steps of either game, beside which lab 04 shows its own two. A run that is there already is taken.
"""

from pathlib import Path
from typing import Any

from PIL import Image

import srlab
from srlab.base import places
from srlab.course import kept
from srlab.course.execute import execute
from srlab.data.images import to_uint8
from srlab.training import runs

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
AVERAGE = {"gan": "relativistic average", "adversarial_weight": 0.001}
# Picture -> lab, steps, what is changed of the laptop's recipe, and the quality of the JPEG: beside the shorter ones
# stands PSNR, of which a quality of 92 costs 0.04 dB.
PICTURES = {
    "srgan_12000": ("03_srgan", 12_000, {}, 92),
    "esrgan_12000": ("04_esrgan", 12_000, {}, 92),
    "srgan_800": ("03_srgan", 800, {}, 98),
    "average_800": ("03_srgan", 800, AVERAGE, 98),
}


def train(lab: str, name: str, iters: int, changes: dict[str, Any]) -> runs.Run:
    """Run the lab, unless its run is finished."""
    run = runs.Run(lab, name)
    if (run.manifest() or {}).get("state") != "finished":
        out = places.home() / "notebooks" / f"{name}.ipynb"
        out.parent.mkdir(parents=True, exist_ok=True)
        given = {"recipe": "laptop", "iters": iters, "run": name} | changes
        execute(NOTEBOOKS / f"{lab}.ipynb", out, given, "explore")
    return run


def main() -> None:
    """Train what is not there, and write the right half of the photo as each network has it."""
    hr = srlab.mod_crop(srlab.halves("gravel")[1]["gravel"], 4)
    for name, (lab, iters, changes, quality) in PICTURES.items():
        generator = srlab.load_generator(lab, train(lab, name, iters, changes).name)
        pixels = to_uint8(srlab.upscale(generator, srlab.downsample(hr, 4)))[0].permute(1, 2, 0).numpy()
        file = Path(str(kept.FOLDER)) / f"{name}.jpg"
        Image.fromarray(pixels).save(file, quality=quality, subsampling=0)
        print(file)


if __name__ == "__main__":
    main()
