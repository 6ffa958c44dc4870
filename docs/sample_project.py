"""Which kernel made this image? The code of the sample project: ``python docs/sample_project.py [PNG]``.

It prints the numbers of docs/sample_project.md, and draws its figure.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import srlab

FIGURE = Path(__file__).resolve().parent / "images" / "which_kernel.png"
KERNELS = list(srlab.DOWNSAMPLERS)
SIDE = 40  # a patch has 40 x 40 LR pixels


def pieces(photos: srlab.ImageSet) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield name and luma of non-overlapping patches of each photo."""
    for name in photos.names:
        y, step = srlab.luma(photos[name]), 4 * SIDE
        for top in range(0, y.shape[-2] - step + 1, step):
            for left in range(0, y.shape[-1] - step + 1, step):
                yield name, y[..., top : top + step, left : left + step]


def bands(lr: torch.Tensor) -> np.ndarray:
    """Return the log power of a patch in five frequency bands, from coarse to fine, minus its mean."""
    window = np.hanning(SIDE)[:, None] * np.hanning(SIDE)
    power = np.abs(np.fft.fft2((lr - lr.mean()).numpy()[0, 0] * window)) ** 2
    waves = np.abs(np.fft.fftfreq(SIDE))  # cycles per LR pixel, at most 1/2
    finer = np.maximum(waves[:, None], waves)
    edges = np.array([0.05, 0.14, 0.23, 0.32, 0.41, 0.51])
    logs = np.log([power[(finer >= a) & (finer < b)].mean() + 1e-9 for a, b in pairwise(edges)])
    return logs - logs.mean()


def bands_of(photos: srlab.ImageSet) -> list[tuple[str, str, np.ndarray]]:
    """Return kernel, photo and bands of each patch, downscaled with each kernel and rounded to 8 bits."""
    pairs = [(name, hr, kernel) for name, hr in pieces(photos) for kernel in KERNELS]
    return [(kernel, name, bands(srlab.quantize(srlab.downsample(hr, 4, kernel)))) for name, hr, kernel in pairs]


def count_known() -> int:
    """Return how often the kernel can be told if HR is known: it's the one that makes the same LR."""
    right = 0
    for _, hr in pieces(srlab.bundled_photos("validation")):
        made = {kernel: srlab.quantize(srlab.downsample(hr, 4, kernel)) for kernel in KERNELS}
        right += sum(min(made, key=lambda k: (made[k] - lr).abs().sum()) == kernel for kernel, lr in made.items())
    return right


def draw(table: np.ndarray, file: Path) -> None:
    """Draw how often each kernel (row) was taken for each kernel (column)."""
    figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
    axis.imshow(table, cmap="Blues")
    axis.set(xticks=range(7), yticks=range(7), yticklabels=KERNELS, xlabel="the rule says", ylabel="made by")
    axis.set_xticklabels(KERNELS, rotation=40, ha="right")
    for (row, column), count in np.ndenumerate(table):
        axis.text(column, row, count, ha="center", va="center", color="white" if count > 8 else "black")
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main(file: Path = FIGURE) -> None:
    """Learn the rule from the training photos, test it on the others, print the numbers and draw the figure."""
    train, test = bands_of(srlab.bundled_photos("train")), bands_of(srlab.bundled_photos("validation"))
    means = np.array([np.mean([b for made_by, _, b in train if made_by == kernel], axis=0) for kernel in KERNELS])
    spread = np.cov(np.array([b - means[KERNELS.index(made_by)] for made_by, _, b in train]).T)  # within a kernel
    inverse = np.linalg.inv(spread + 1e-6 * np.eye(5))
    guesses = [np.argmin([(b - mean) @ inverse @ (b - mean) for mean in means]) for _, _, b in test]  # nearest mean
    table = np.zeros((7, 7), int)
    for (kernel, _, _), guess in zip(test, guesses, strict=True):
        table[KERNELS.index(kernel), guess] += 1
    print(f"patches for training: {len(train) // 7}, for testing: {len(test) // 7}")
    print(f"with HR: {count_known()} of {table.sum()}")
    print(f"from LR only: {np.trace(table)} of {table.sum()}")
    groups = table[:4, :4], table[:4], table[4:, 4:], table[4:]
    print("whether it averages first: {} of {}, {} of {}".format(*(group.sum() for group in groups)))
    for name in srlab.bundled_photos("validation").names:
        right = [KERNELS[g] == made_by for (made_by, photo, _), g in zip(test, guesses, strict=True) if photo == name]
        print(f"{name}: {np.mean(right):.0%}")
    draw(table, file)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
