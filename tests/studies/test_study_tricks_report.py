"""Test the report of the tricks on fictional scores: differences computed by hand, and no unjustified claim."""

import math

import pandas as pd
import pytest

from studies.esrdgan_tricks.differences import by_seed, finding, other_lr, paired

MAIN = ["astronaut", "chelsea"]
MEASURES = {"psnr": 28.0, "ssim": 0.8, "gradient_ratio": 0.7, "energy_error": 0.5, "color_shift": 1.0}
MEASURES |= {"checkerboard": 0.25}


def line(trick, seed=0, image="astronaut", lr="bicubic", **scores):
    row = f"{trick.replace(' ', '-')}-seed{seed}"
    known = {"row": row, "trick": trick, "seed": seed, "lr": lr, "set": "photos/validation", "image": image}
    known |= {"backbone": "vgg19 conv2_2 (random)", "real": False, "network": "RRDBNet"}
    known |= {"discriminator": "PatchDiscriminator", "iters": 300, "wall_time_s": 90.0}
    return known | MEASURES | scores


def test_differences_are_paired_by_seed():
    lines = [line("base", 0, psnr=28.0), line("base", 0, "chelsea", psnr=30.0), line("base", 1, psnr=20.0)]
    lines += [line("base", 1, "chelsea", psnr=22.0)]
    lines += [line("vanilla", 1, psnr=20.5), line("vanilla", 1, "chelsea", psnr=22.5)]  # seeds in another order
    lines += [line("vanilla", 0, psnr=28.5), line("vanilla", 0, "chelsea", psnr=31.5)]
    scores = pd.DataFrame(lines)
    assert by_seed(scores, "base")["psnr"].tolist() == [29.0, 21.0]
    assert paired(scores, "vanilla", "psnr") == pytest.approx([1.0, 0.5])  # unpaired, seed 1 would be at -8.5
    assert math.isclose(finding(scores, "vanilla", "psnr").mean, 0.75)


@pytest.mark.parametrize(
    ("differences", "metric", "cell"),
    [
        # mean 0.11, s = 0.01, t(0.975, 2) = 4.3027: interval 4.3027 * 0.01 / sqrt(3) = 0.0248
        ([0.10, 0.11, 0.12], "psnr", "**+0.11 better**"),
        ([0.10, 0.11, 0.12], "energy_error", "**+0.110 worse**"),
        ([0.78, 0.80, 0.82], "gradient_ratio", "**+0.800 sharper, further from HR**"),
        # mean 0.2, s = 0.1732: interval 0.43
        ([0.1, 0.1, 0.4], "psnr", "(+0.20)"),
        ([0.5, 0.6, 0.0], "psnr", "±"),
        ([0.5] * 30 + [-0.01], "psnr", "±"),  # however many seeds agree
        ([0.0, 0.0, 0.0], "psnr", "0"),
        ([3.0], "psnr", "one seed"),
    ],
)
def test_claim_needs_same_sign_beyond_spread(differences, metric, cell):
    lines = [line("base", seed) for seed in range(len(differences))]
    lines += [line("vanilla", seed, **{metric: MEASURES[metric] + value}) for seed, value in enumerate(differences)]
    assert str(finding(pd.DataFrame(lines), "vanilla", metric)) == cell


def test_other_lr_is_compared_with_base_on_same_lr():
    lines = []
    for seed in range(3):
        lines += [line("base", seed, psnr=28.0), line("base", seed, lr="nearest", psnr=20.0)]
        lines += [line("nearest LR", seed, psnr=25.0), line("nearest LR", seed, lr="nearest", psnr=23.0 + seed / 100)]
    scores = pd.DataFrame(lines)
    assert (other_lr(scores, "nearest LR"), other_lr(scores, "base")) == ("nearest", None)
    assert finding(scores, "nearest LR", "psnr").good is False
    own = finding(scores, "nearest LR", "psnr", "nearest")
    assert own.claim
    assert own.good
    assert own.mean == pytest.approx(3.01)
