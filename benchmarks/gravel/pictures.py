"""The stones of lab 03 and lab 04 after 12,000 steps, kept for those who train for two minutes.

    python -m benchmarks.gravel.pictures

Writes them into ``srlab/view/pictures``. A run that is there already is taken.
"""

from pathlib import Path

from PIL import Image

import srlab
from srlab.base import places
from srlab.data.images import to_uint8
from srlab.lab.execute import execute
from srlab.training import runs
from srlab.view import kept

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LABS = {"srgan": "03_srgan", "esrgan": "04_esrgan"}
ITERS = 12_000


def train(lab: str) -> runs.Run:
    """Run the lab, unless its run is finished."""
    run = runs.Run(lab, f"{ITERS}-steps")
    if (run.manifest() or {}).get("state") != "finished":
        out = places.home() / "notebooks" / f"{lab}-{run.name}.ipynb"
        out.parent.mkdir(parents=True, exist_ok=True)
        execute(NOTEBOOKS / f"{lab}.ipynb", out, {"recipe": "laptop", "iters": ITERS, "run": run.name}, "explore")
    return run


def main() -> None:
    """Train what is not there, and write the right half of the photo as each network has it."""
    hr = srlab.mod_crop(srlab.halves("gravel")[1]["gravel"], 4)
    for name, lab in LABS.items():
        generator = srlab.load_generator(lab, train(lab).name)
        pixels = to_uint8(srlab.upscale(generator, srlab.downsample(hr, 4)))[0].permute(1, 2, 0).numpy()
        file = Path(str(kept.FOLDER)) / f"{name}_{ITERS}.jpg"
        Image.fromarray(pixels).save(file, quality=92, subsampling=0)
        print(file)


if __name__ == "__main__":
    main()
