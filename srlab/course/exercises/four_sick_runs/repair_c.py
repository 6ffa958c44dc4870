"""Extra: repair the third of four sick projects."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from srlab.course.exercise import Exercise
from srlab.course.exercises.sick_project import gain, load_project, observed, photos_for, shrink

STEPS, BEATS = 200, 0.0  # of the check; dB over bicubic


def repair_c(project: ModuleType) -> ModuleType:
    """Repair Project C: replace what is wrong in it, and return it."""

    def sample_pairs(photos: Any, count: int, side: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        hr = torch.stack([project.augment(project.crop(photos, side, random)[1], random) for _ in range(count)])
        return project.low_resolution(hr), hr

    project.sample_pairs = sample_pairs
    return project


def _measure(project: ModuleType) -> dict[str, Any]:
    photos, pairs = photos_for("c")
    random = torch.Generator().manual_seed(1)
    (lr, hr), (_, other) = (project.sample_pairs(photos, 64, 12, random) for _ in range(2))
    # Compare inside, because a patch and its photo are downscaled differently at the border.
    match = ((shrink(hr) - lr)[..., 2:-2, 2:-2].abs().amax((1, 2, 3)) < 0.02).float().mean().item()
    generator, _ = project.train(photos, pairs[:1], STEPS, 0)
    return {
        "LR and HR of a pair show the same": "always" if match == 1 else "rarely" if match < 0.4 else "often",
        "each call draws other pairs": not torch.equal(hr, other),
        f"after {STEPS} steps it beats bicubic": gain(generator, pairs) > BEATS,
    }


def _pairs(change: Callable[..., Any], fixed: bool = False) -> Callable[[ModuleType], ModuleType]:
    """Return a repair whose pairs are changed by a function of project, LR, HR and random."""

    def repair(project: ModuleType) -> ModuleType:
        def sample_pairs(photos: Any, count: int, side: int, random: torch.Generator) -> Any:
            random = torch.Generator().manual_seed(0) if fixed else random
            both = [change(project, *project.crop(photos, side, random), random) for _ in range(count)]
            return tuple(torch.stack(part) for part in zip(*both, strict=True))

        project.sample_pairs = sample_pairs
        return project

    return repair


def _alike(project: ModuleType, lr: torch.Tensor, hr: torch.Tensor, random: torch.Generator) -> Any:
    state = random.get_state()
    lr = project.augment(lr, random)
    return lr, project.augment(hr, random.set_state(state))


def _turned_apart(project: ModuleType, lr: torch.Tensor, hr: torch.Tensor, random: torch.Generator) -> Any:
    mirrored = bool(torch.randint(2, (), generator=random))
    lr, hr = (image.flip(2) if mirrored else image for image in (lr, hr))
    turned = (bool(torch.randint(2, (), generator=random)) for _ in range(2))
    return tuple(image.transpose(1, 2) if turn else image for image, turn in zip((lr, hr), turned, strict=True))


def _other_loss(project: ModuleType) -> ModuleType:
    def train_step(generator: Any, optimizer: Any, lr: torch.Tensor, hr: torch.Tensor) -> float:
        loss = (generator(lr) - hr).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    project.train_step = train_step
    return project


EXERCISE = Exercise(
    repair_c,
    level="medium",
    points=4,
    cases={"the repaired project": lambda: (load_project("c"),)},
    observe=observed(_measure),
    known_mistakes={
        "The network still learns from wrong answers. Draw four pairs with plots.images. Does each HR patch show what "
        "its LR patch shows?": [lambda project: project, _other_loss],
        "Some pairs belong together now, and some don't. Draw a few more of them. Which change does only one of the "
        "two images get?": _pairs(_turned_apart),
        "All pairs belong together, but each call returns the same ones, so the network memorizes them. `random` must "
        "move on from call to call.": _pairs(_alike, fixed=True),
    },
    also_accepted=[_pairs(_alike), _pairs(lambda project, lr, hr, random: (lr, hr))],
    fallback_messages={
        f"after {STEPS} steps it beats bicubic": f"The pairs are right now, but after {STEPS} steps the network is not "
        "better than bicubic. What else did you change?",
    },
    reveal=False,
    hints=(
        "The panel looks healthy, but the training loss stays near bicubic's, about 0.1. In Project A, with the same "
        "photos and loss, bicubic's is about 0.04. So can this data be learned at all?",
        "Look at what the network gets: lr, hr = project.sample_pairs(photos, 4, 12, torch.Generator()).",
    ),
)
