"""Train the bundled features, `vgg6`, and write them into ``srlab/models/bundled/`` (a minute on one core).

    python -m benchmarks.reference.bundle_features

They are trained only on the embedded photos, because of the photos' licenses.
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import srlab
from srlab import files, tensor_files
from srlab.data import datasets
from srlab.data.datasets import ImageSet
from srlab.data.degradation import blur
from srlab.data.patch_sampler import PatchSampler
from srlab.models.backbones import OWN, OWN_WEIGHTS
from srlab.models.features import FeatureExtractor

LAYERS = f"{OWN} relu3_2"
STEPS, SEED = 1000, 0
LIMIT = 300_000  # bytes
BLURS = (0.0, 0.6, 1.2, 2.4)  # sigma in pixels
PATCH, FROM_EACH = 64, 2  # side in pixels, and patches per photo in a batch


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--to", type=Path, default=OWN_WEIGHTS, help="output file (.safetensors)")
    options = parser.parse_args()
    ship(options.steps, options.to)
    print(options.to)


def ship(steps: int, file: Path) -> None:
    """Train the features; write their weights as float16, and a JSON file about them."""
    torch.set_num_threads(1)  # with several threads, sums vary slightly
    photos, began = datasets.bundled_photos("train"), time.perf_counter()
    features = FeatureExtractor(LAYERS, "random", seed=SEED)
    log = train_features(features, photos, steps, SEED)
    seconds = round(time.perf_counter() - began, 1)
    notes = {"network": OWN, "layers": LAYERS, "source": f"the course's own, {steps} steps, seed {SEED}"}
    weights = {name: value.half() for name, value in features.network.state_dict().items()}
    tensor_files.write_safetensors(file, weights, notes)
    last = log[-max(1, steps // 10) :]
    about = notes | {
        "images": photos.describe(),
        "steps": steps,
        "seed": SEED,
        "right_answers": {name: round(sum(row[name] for row in last) / len(last), 3) for name in ("which", "how")},
        "wall_time_s": seconds,
        "platform": platform.platform(),
        "versions": {"srlab": srlab.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    files.write_atomic(file.with_suffix(".json"), (json.dumps(about, indent=1) + "\n").encode())


def puzzles(photos: ImageSet, seed: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield batches of patches with two questions about each: which photo it is from, and how it is blurred.

    A batch is ``(image, which, how)``: two patches of each photo, ``(2 * len(photos), 3, 64, 64)`` in about [0, 1], and
    for each patch the index of its photo, and the index of its blur in `BLURS`. What must not affect the answers
    changes at random: location, flips, contrast, brightness, a little noise.
    """
    samplers = [
        PatchSampler(photos.subset(name), 1, PATCH, FROM_EACH, seed=seed + i) for i, name in enumerate(photos.names)
    ]
    which = torch.arange(len(photos)).repeat_interleave(FROM_EACH)
    random = torch.Generator().manual_seed(seed)
    each = (len(which), 1, 1, 1), (len(which), 3, 1, 1)
    while True:
        image = torch.cat([hr for _, hr in map(next, samplers)])
        how = torch.randint(len(BLURS), (len(which),), generator=random)
        image = blur(image, torch.tensor(BLURS)[how], largest=max(BLURS))
        image = image + 0.03 * torch.rand(each[0], generator=random) * torch.randn(image.shape, generator=random)
        contrast, brightness = (torch.rand(each[1], generator=random) for _ in range(2))
        yield image * (0.6 + 0.8 * contrast) + 0.3 * (brightness - 0.5), which, how


def train_features(
    features: FeatureExtractor, photos: ImageSet, steps: int, seed: int = 0, rate: float = 2e-3
) -> list[dict[str, float]]:
    """Train a `srlab.FeatureExtractor` in place on `puzzles`, up to its last layer, and freeze it again.

    Two linear layers answer the questions from the mean of each channel, and are discarded. Training needs no labels
    made by people, so any photos can be used. `rate` is the highest learning rate of one cycle of Adam. Return for each
    step the ``loss``, and the share of right answers to ``which`` and ``how``.
    """
    batches, log = puzzles(photos, seed), []
    channels = list(features(next(batches)[0]).values())[-1].shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        say_which, say_how = nn.Linear(channels, len(photos)), nn.Linear(channels, len(BLURS))
    learned = [*features.requires_grad_(True).parameters(), *say_which.parameters(), *say_how.parameters()]
    optimizer = torch.optim.Adam(learned, rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for _, (image, which, how) in zip(range(steps), batches, strict=False):
        seen = list(features(image).values())[-1].mean(dim=(2, 3))
        answers = say_which(seen), say_how(seen)
        loss = F.cross_entropy(answers[0], which) + F.cross_entropy(answers[1], how)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        right = [(a.argmax(1) == truth).float().mean().item() for a, truth in zip(answers, (which, how), strict=True)]
        log.append({"loss": loss.item(), "which": right[0], "how": right[1]})
    features.requires_grad_(False)
    features.real, features.label = True, features.label.replace("(random)", f"({steps} steps)")
    return log


if __name__ == "__main__":
    main()
