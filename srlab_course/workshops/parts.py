"""Check a student's file, part by part: each part prints which promises its functions keep, and which they break."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from srlab.errors import SrlabError
from srlab_course.feedback.checks import say
from srlab_course.feedback.seeding import seeded
from srlab_course.workshops import (
    alone,
    checkpoint,
    discriminator,
    flow,
    network,
    own_tests,
    photos_and_pairs,
    step_and_fit,
    train_functions,
)
from srlab_course.workshops.own_file import Mine, hash_of_file, load, own_file, saved, stopped_in
from srlab_course.workshops.promises import WIDTH, Line, Printed, Promises, in_words, say_all


@dataclass(frozen=True)
class Part:
    """A part of a student's file: the names that it defines, and what they promise.

    Attributes
    ----------
    workshop
        Number of the workshop that specifies it.
    names
        Names that the file has to define.
    promises
        Generator of promises about these names.
    quick
        Whether its check takes less than a second or two, so that later checks run it again silently.
    """

    workshop: int
    names: tuple[str, ...]
    promises: Promises
    quick: bool = True


PARTS = {
    "pairs": Part(1, ("sample_pairs",), photos_and_pairs.pairs),
    "generator": Part(1, ("Generator",), network.generator),
    "psnr": Part(1, ("psnr",), network.psnr),
    "validation": Part(1, ("validate",), own_tests.promises_of("validate")),
    "one batch": Part(1, ("train_step",), step_and_fit.one_batch),
    "fit": Part(1, ("fit",), step_and_fit.fit),
    "train": Part(1, ("sample_pairs", "Generator", "train"), train_functions.train, quick=False),
    "alone": Part(1, ("Generator",), alone.alone, quick=False),
    "checkpoint": Part(2, ("Checkpoint",), checkpoint.checkpoint),
    "saving": Part(2, ("fit",), step_and_fit.saving),
    "resuming": Part(2, ("train", "Checkpoint"), train_functions.resuming, quick=False),
    "adversary": Part(2, ("Discriminator", "d_loss", "g_loss"), discriminator.discriminator),
    "gan step": Part(2, ("gan_step",), own_tests.promises_of("gan_step")),
    "gan training": Part(2, ("train_gan",), train_functions.train_gan, quick=False),
    "flow": Part(3, ("Flow",), flow.network),
    "flow loss": Part(3, ("flow_loss",), flow.loss),
    "walk": Part(3, ("walk",), own_tests.promises_of("walk")),
    "sampler": Part(3, ("flow_loss", "sample"), flow.sampler),
    "train_flow": Part(3, ("flow_loss", "train_flow"), train_functions.train_flow, quick=False),
}
_checked: dict[tuple[Path, str], str] = {}  # (file, part) -> hash of the file at the last check of this part


def check(mine: Mine, part: str) -> None:
    """Check a part of a student's file, and print a line per promise.

    Parts from before are checked again, and only printed if they broke, because a file grows and breaks.

    Parameters
    ----------
    mine
        Path of the file, or the module that `load` returned for it.
    part
        Name of the part, as in ``PARTS``.

    Raises
    ------
    SrlabError
        The part does not exist.
    """
    if part not in PARTS:
        raise SrlabError(f"Part '{part}' not found. Parts: {', '.join(PARTS)}.")
    try:
        path = own_file(mine)
    except SrlabError as missing:
        say("to do", str(missing), WIDTH)
        return
    now = hash_of_file(path)
    unchanged = _checked.get((path, part)) == now
    _checked[path, part] = now
    print(f"{saved(path)}{', unchanged since the last check' * unchanged}.")
    if unchanged:
        print("Did you save it? Click into the file and press Ctrl+S.")
    with Printed(path.name) as printed:
        if say_all(printed.apart(_lines(path, PARTS[part]))):
            say_all(printed.apart(_broken_before(path, part)))


def _lines(path: Path, part: Part) -> Iterator[Line]:
    """Yield the line of each promise of a part, or of what is missing, or of an error in the file."""
    try:
        with seeded(0), torch.enable_grad():
            module = load(path)
            if missing := [name for name in part.names if not hasattr(module, name)]:
                others = vars(module).keys() - {name for one in PARTS.values() for name in one.names}
                near = [found for name in missing for found in difflib.get_close_matches(name, others, 1, 0.75)]
                text = f"{path.name} doesn't define {' and '.join(f'`{name}`' for name in missing)} yet"
                yield "to do", f"{text}{''.join(f', but `{name}`' for name in near)}.", ""
            else:
                yield from in_words(part.promises(module))
    except (Exception, SystemExit) as error:
        yield "broken", stopped_in(error, path), ""


def _broken_before(path: Path, part: str) -> Iterator[Line]:
    """Check the quick parts before this one again, and yield the first promise that is broken now."""
    for name in [*PARTS][: [*PARTS].index(part)]:
        lines = _lines(path, PARTS[name]) if PARTS[name].quick else ()
        for word, text, _ in lines:
            if word == "broken":
                hint = f'Run workshops.check(mine, "{name}") for all of its lines.'
                yield "broken", f"An earlier part, {name}: {text}", hint
                return
