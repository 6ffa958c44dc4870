"""Handwriting and gravel by bicubic and by lab 01's network, for the lab's first screen."""

import torch

import srlab
from benchmarks.openings.strips import write
from srlab.view.plots import cut


def row(hr: torch.Tensor, box: tuple[int, int, int, int]) -> dict[str, torch.Tensor]:
    """Crops of one photo: LR as it is, bicubic, the network of the lab's default run, and HR."""
    hr = srlab.mod_crop(hr, 4)
    lr = srlab.downsample(hr, 4)
    network = srlab.load_generator("01_srresnet", "default")
    pictures = {"LR": srlab.upsample(lr, 4, "nearest"), "bicubic": srlab.upsample(lr, 4)}
    pictures |= {"network": srlab.upscale(network, lr), "HR": hr}
    return {label: cut(picture, box) for label, picture in pictures.items()}


if __name__ == "__main__":
    writing, stones = srlab.photos("validation")["text"], srlab.halves("gravel")[1]["gravel"]
    print(write("01_srresnet", [row(writing, (20, 60, 96, 140)), row(stones, (160, 80, 96, 140))]))
