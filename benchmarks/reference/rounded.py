"""SSIM of bicubic enlargement by both conventions: luma as it is computed, and rounded to whole levels first.

    python -m benchmarks.reference.rounded path/to/Set5 path/to/Set14

The luma of an 8-bit image has fractions. srlab keeps them, as scripts in Python do; MATLAB's ``rgb2ycbcr`` rounds the
luma of an 8-bit image to whole levels, and most published tables were made with it.
"""

import argparse
from statistics import fmean

import srlab
from srlab.data import datasets
from srlab.data.images import full_range, luma
from srlab.evaluation.metrics import PAPER, Protocol
from studies.report import markdown
from studies.shown import bicubic

# Of planes that are cropped already.
FRACTIONS, LEVELS = (Protocol(color="y", crop=0, quantize=rounded) for rounded in (False, True))


def both(images: datasets.ImageSet) -> tuple[float, float]:
    """Mean SSIM of bicubic over a set: on luma as it is, and on whole levels of luma."""
    plain, whole = [], []
    for name, image in images:
        hr = srlab.mod_crop(image, 4)
        pair = bicubic(srlab.downsample(hr, 4)), hr
        if name in images.grey:  # the grey values are scored as they are
            pair = [full_range(luma(one)) for one in pair]
        planes = [PAPER(one) for one in pair]
        plain.append(srlab.ssim(*planes, FRACTIONS).item())
        whole.append(srlab.ssim(*planes, LEVELS).item())
    return fmean(plain), fmean(whole)


def main() -> None:
    """Print a line for each set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], prog="benchmarks.reference.rounded")
    parser.add_argument("sets", nargs="+", metavar="SET", help="folders with HR/ inside, or names that the labs know")
    lines = []
    for name in parser.parse_args().sets:
        images = datasets.image_set(name)
        lines.append([images.name, *(f"{value:.4f}" for value in both(images))])
    print(markdown(["bicubic, SSIM", "luma as it is", "rounded to whole levels"], lines))


if __name__ == "__main__":
    main()
