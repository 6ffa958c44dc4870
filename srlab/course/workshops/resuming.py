"""Check a training function, and the networks that it has trained."""

import copy
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn as nn

from srlab.course.exercise import filled, sample
from srlab.course.workshops.photos_and_pairs import make_photos
from srlab.course.workshops.promises import Promise
from srlab.data.resampling import downsample, upsample
from srlab.tiling import upscale

Photos = Mapping[str, torch.Tensor]  # file name -> (3, H, W), float32 in [0, 1]
ITERS, PAUSE = 40, 10  # steps of the training runs of `check_training`, and when one of them pauses


def resuming(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check on artificial photos that training repeats, improves the network, and resumes as if it never stopped."""
    photos = make_photos("edges", _edges)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.pt"
        _randomize(1)
        straight, losses = filled(mine.train(photos, ITERS, seed=0))
        straight, losses = copy.deepcopy(straight), [float(loss) for loss in losses]
        _randomize(2)
        paused, first = mine.train(photos, ITERS, seed=0, file=file, stop=PAUSE)
        paused, first, saved = copy.deepcopy(paused), [float(loss) for loss in first], file.is_file()
        _randomize(3)
        resumed, rest = mine.train(photos, ITERS, seed=0, file=file)
        rest = [float(loss) for loss in rest]
    yield (
        len(losses) == ITERS and bool(torch.tensor(losses).isfinite().all()),
        f"Training for {ITERS} steps returns {len(losses)} losses, from {_shown(losses[:1])} to {_shown(losses[-1:])}.",
        "Return the loss of each step as a number. If it isn't finite, lower the learning rate.",
    )
    yield (
        _near(first, losses[:PAUSE]),
        f"The same seed repeats a training run: the losses of two runs begin with {_shown(losses[:2])} and "
        f"{_shown(first[:2])}.",
        "Seed PyTorch before you create the generator, and draw patches with a torch.Generator that has this seed.",
    )
    hr = torch.stack([photo[:, :192, :192] for photo in photos.values()])
    errors = [(upscale(network, downsample(hr, 4)) - hr).abs().mean().item() for network in (paused, straight)]
    yield (
        errors[1] < 0.998 * errors[0],
        f"Training lowers the loss: the mean absolute error is {errors[0]:.4f} after {PAUSE} steps and {errors[1]:.4f} "
        f"after {ITERS}.",
        "In which order are zero_grad, backward and step? Does the optimizer have the parameters of this generator?",
    )
    yield (
        saved and len(rest) == ITERS - PAUSE,
        f"It stops and resumes: after {len(first)} steps and {'a' if saved else 'no'} checkpoint, the next call takes "
        f"{len(rest)} steps.",
        f"With stop={PAUSE}, save and return after {PAUSE} steps. The next call takes the other {ITERS - PAUSE}.",
    )
    ends = [nn.utils.parameters_to_vector(network.parameters()) for network in (paused, straight, resumed)]
    apart = ((ends[2] - ends[1]).norm() / (ends[1] - ends[0]).norm()).item()
    begins = _near(rest[:1], losses[PAUSE : PAUSE + 1])
    yield (
        apart < 0.05,
        f"A resumed run ends like one that never stopped: the weights differ by {100 * apart:.2g} % of what they moved "
        "since the pause.",
        "The first loss after resuming is right, so weights and patches are. What else changes with each step? Think "
        "of the optimizer's memory, and of a schedule."
        if begins
        else f"The first loss after resuming is {_shown(rest[:1])}, but without a pause it is "
        f"{_shown(losses[PAUSE : PAUSE + 1])}. Are the weights restored, and the state of the random numbers?",
    )


def _randomize(state: int) -> None:
    """Set all global random states, as if the next call came in a new process."""
    for set_seed in (torch.manual_seed, random.seed, np.random.seed):
        set_seed(state)


def _edges(k: int) -> torch.Tensor:
    """Return dark and bright shapes, ``(3, 320, 256 + 16 * k)``: gray and regular, so that a network learns quickly.

    Dark is 0.2 and bright is 0.8, so that no result is clamped.
    """
    return 0.2 + 0.6 * (upsample(sample(1, 1, 20, 16 + k, seed=k), 16)[0] > 0.5).float().expand(3, -1, -1)


def _near(losses: Sequence[float], wanted: Sequence[float]) -> bool:
    return len(losses) == len(wanted) and all(abs(a - b) <= 1e-3 * abs(b) for a, b in zip(losses, wanted, strict=True))


def _shown(losses: Sequence[float]) -> str:
    return ", ".join(f"{loss:.4f}" for loss in losses)
