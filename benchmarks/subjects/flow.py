"""Score lab 06's flow on other subjects: ``python -m benchmarks.subjects.flow NAME=SUBJECT ...``.

Each subject needs its run:
``papermill notebooks/06_flow.ipynb out.ipynb -p num_features 96 -p batch 16 -p subject SUBJECT -p run NAME``.
Writes ``flow.csv``.
"""

import sys
from pathlib import Path

import pandas as pd
import torch

import srlab
import srlab_course as course

SEEDS = range(16)


def score(name: str, subject: str) -> dict[str, float | str]:
    """Score samples of a flow and their mean on the right half of a photo."""
    network = srlab.load_generator("06_flow", name)
    unseen = course.split_photo(subject)[1]
    lr = srlab.downsample(srlab.mod_crop(unseen[unseen.names[0]], 4), 4)
    samples = []
    for network.seed in SEEDS:
        samples.append(srlab.upscale(network, lr))

    def score_of(sr: torch.Tensor) -> pd.Series:
        return srlab.evaluate(lambda _: sr, unseen, 4, metrics=["psnr", "energy_error", "lr_consistency"]).iloc[0]

    single = pd.DataFrame([score_of(sample) for sample in samples]).drop(columns="image").mean()
    return {
        "subject": name,
        "psnr": round(single.psnr, 2),
        "energy_error": round(single.energy_error, 3),
        "off_lr": round(255 * 10 ** (-single.lr_consistency / 20), 2),
        "psnr_of_mean": round(score_of(torch.stack(samples).mean(0)).psnr, 2),
    }


if __name__ == "__main__":
    given = [argument.partition("=")[::2] for argument in sys.argv[1:]]
    rows = pd.DataFrame([score(name, subject) for name, subject in given])
    rows.to_csv(Path(__file__).with_name("flow.csv"), index=False)
    print(rows.to_string(index=False))
