"""A face and handwriting by lab 02's squared error and by its hybrid, for the lab's first screen."""

import torch

import srlab
from benchmarks.openings.strips import write
from srlab.view.plots import cut

RUNS = {"squared error": "default-ablation-mse", "another loss": "default-hybrid"}


def row(hr: torch.Tensor, box: tuple[int, int, int, int]) -> dict[str, torch.Tensor]:
    """Crops of one photo: both networks of the lab's default run, and HR."""
    hr = srlab.mod_crop(hr, 4)
    lr = srlab.downsample(hr, 4)
    pictures = {label: srlab.upscale(srlab.load_generator("02_content_loss", run), lr) for label, run in RUNS.items()}
    return {label: cut(picture, box) for label, picture in (pictures | {"HR": hr}).items()}


if __name__ == "__main__":
    photos = srlab.photos("validation")
    rows = [row(photos["astronaut"], (52, 172, 80, 124)), row(photos["text"], (30, 64, 80, 124))]
    print(write("02_content_loss", rows))
