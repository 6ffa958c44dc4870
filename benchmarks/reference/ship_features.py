"""Trains the features that come with srlab, `vgg6`, and puts them into ``srlab/models/shipped/``; a minute on one core.

    python -m benchmarks.reference.ship_features
    python -m benchmarks.reference.ship

The second line writes the page of the folder anew. Only the embedded training photos go in: licences.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch

import srlab
from srlab.base import files
from srlab.data import datasets
from srlab.models.features import FeatureExtractor
from srlab.models.pretrained import OWN, OWN_WEIGHTS
from srlab.training.own_features import train_features

LAYERS = f"{OWN} relu3_2"
STEPS, SEED = 1000, 0
LIMIT = 300_000  # bytes


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--to", type=Path, default=OWN_WEIGHTS, help="the file to write (.safetensors)")
    options = parser.parse_args()
    ship(options.steps, options.to)
    print(options.to)


def ship(steps: int, file: Path) -> None:
    """Train features for so many steps; write their weights as float16, and what is worth knowing of them beside it.

    Raises
    ------
    SrlabError
        The file cannot be written.
    """
    torch.set_num_threads(1)  # the sums of several threads come out a little different
    photos, began = datasets.photos("train"), time.perf_counter()
    features = FeatureExtractor(LAYERS, "random", seed=SEED)
    log = train_features(features, photos, steps, SEED)
    seconds = round(time.perf_counter() - began, 1)
    notes = {"network": OWN, "layers": LAYERS, "source": f"the course's own, {steps} steps, seed {SEED}"}
    weights = {name: value.half() for name, value in features.network.state_dict().items()}
    files.write_safetensors(file, weights, notes)
    last = log[-max(1, steps // 10) :]
    about = notes | {
        "images": f"{photos.name} ({len(photos)} images, {photos.fingerprint()})",
        "steps": steps,
        "seed": SEED,
        "right_answers": {name: round(sum(row[name] for row in last) / len(last), 3) for name in ("which", "how")},
        "wall_time_s": seconds,
        "platform": platform.platform(),
        "versions": {"srlab": srlab.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    files.write_atomic(file.with_suffix(".json"), (json.dumps(about, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
