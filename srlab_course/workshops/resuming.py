"""Check a checkpoint, and training runs that pause and resume from one."""

import copy
import os
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils import parameters_to_vector

from srlab_course.feedback.exercise import sample
from srlab_course.workshops.own_file import load, own_file, run_alone
from srlab_course.workshops.photos_and_pairs import Photos, photos_of_shapes
from srlab_course.workshops.promises import Promise, expect, expect_items, expect_number, percent, trying
from srlab_course.workshops.training import elsewhere, seen_by

ITERS, PAUSES = 24, (8, 16)  # steps of a training run, and when it pauses
GAN_ITERS, GAN_PAUSE = 6, 3
# Differences of weights, compared with how far they moved, and of losses: if two runs that never stop aren't equal,
# because a computer adds in varying order. Otherwise a pause must not make a difference either.
SAME, NEAR = 1e-3, 1e-4
LR = sample(2, 3, 16, 20)  # images on which networks are compared

State = Mapping[str, Any]
# The file is executed in a new process, which has nothing in memory from the call before.
RESUME = f"""
import torch
photos, file, out = sys.argv[2:]
generator, losses = mine.train(torch.load(photos), {ITERS}, 0, file)
weights = {{name: value.clone() for name, value in generator.state_dict().items()}}
_, again = mine.train(torch.load(photos), {ITERS}, 0, stop=2)
torch.save((weights, [float(loss) for loss in losses], [float(loss) for loss in again]), out)
"""


def checkpoint(mine: ModuleType) -> Iterator[Promise]:
    """Check that a checkpoint restores all state, in other objects, and that an unfinished write does no harm."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "run.pt"
        parts = _parts(seed=1)
        done = mine.Checkpoint(str(file), parts).load()
        yield done == 0, f"Without a file, load returns {done}.", "No step has been taken yet: return 0."
        _advance(parts)
        mine.Checkpoint(str(file), dict(parts)).save(2)
        _advance(parts)
        place_on_disk = file.stat().st_ino
        found: list[int] = []  # what load would return when a file is put into place
        watch = partial(_watch, mine, file, found)
        with patch("os.replace", watch(os.replace)), patch("os.rename", watch(os.rename)):
            mine.Checkpoint(file, dict(parts)).save(3)
        in_place = file.is_file() and file.stat().st_ino == place_on_disk
        wanted = {name: _state(part) for name, part in parts.items()}
        if not file.is_file():
            yield False, "save writes the file: it is missing.", "Write to exactly the path that Checkpoint gets."
            return
        _advance(parts)  # the file must not change with them
        fresh, others = load(mine), _parts(seed=2)  # a new module has no globals from before
        with patch("torch.load", _noting(torch.load, loads := [])):
            done = expect_number(fresh.Checkpoint(file, dict(others)).load(), "`load()`")
        wrong = [name for name, part in others.items() if not _equal(_state(part), wanted[name])]
        yield (
            done == 3 and not wrong,
            f"load restores what save has written, in new objects: {len(wanted) - len(wrong)} of {len(wanted)} parts "
            f"are equal, and it returns {done:g} after 3 steps.",
            f"{' and '.join(wrong) or 'The number of steps'} differs. Is it in the file? Batch norm's running "
            "statistics are in state_dict() and not in parameters(). Restore the objects that you got, in place.",
        )
        with patch("torch.save", _fail_halfway):
            interrupted = load(mine)
            with suppress(OSError):
                interrupted.Checkpoint(file, dict(parts)).save(6)
        left = _parts(seed=3)
        try:
            done = expect_number(load(mine).Checkpoint(file, dict(left)).load(), "`load()`")
        except Exception:
            done = 0
        survives = done == 3 and all(_equal(_state(part), wanted[name]) for name, part in left.items() if not wrong)
        yield (
            survives and 0 not in found and not in_place,
            f"A write that stops halfway {'leaves' if survives else 'destroys'} the previous checkpoint"
            f"{', but for a moment there is none' * (survives and 0 in found)}"
            f"{', but the new one is written over the old one' * (survives and in_place)}.",
            "The power can fail while torch.save writes. Write another file first; which function of os puts it in the "
            "place of the old one at once?",
        )
        try:
            torch.load(file, weights_only=True)
            plain = True
        except Exception:
            plain = False
        yield (
            (plain or not survives) and False not in loads,
            f"The file has only states: torch.load(file, weights_only=True) {'reads' if plain else 'rejects'} it"
            f"{', and yours loads it with weights_only=False' * (False in loads)}.",
            "Save state_dict() and get_state(), not the objects: a file with objects can run any code when loaded.",
        )
        file.write_bytes(b"PK")
        try:
            found = [load(mine).Checkpoint(file, _parts(seed=4)).load()]
        except (Exception, SystemExit):
            found = []
        yield (
            any(found) or not found or not file.exists(),
            f"A damaged file is no new run: load {f'returns {found[0]}' if found else 'raises an error'}.",
            "Return 0 only if there is no file. A run that begins again overwrites what could still be saved.",
        )


def saving(mine: ModuleType) -> Iterator[Promise]:
    """Check that the loop also saves in the middle of a call."""
    saves: list[int] = []
    mine.fit(lambda: 0.0, 250, SimpleNamespace(load=lambda: 0, save=saves.append))
    most = max(later - earlier for earlier, later in pairwise([0, *saves, 250]))
    yield (
        most <= 100,
        f"fit also saves in between: in a run of 250 steps, up to {most} pass without a save.",
        "A power cut doesn't wait for the end of a call. Let fit call save(done) every 100 steps, too.",
    )


def resuming(mine: ModuleType) -> Iterator[Promise]:
    """Check on artificial photos that a run pauses twice, and ends in a new process as if it had never stopped."""
    photos = photos_of_shapes()
    network, losses = _trained(mine, photos)
    straight = copy.deepcopy(network.state_dict())
    yield (
        len(losses) == ITERS and bool(torch.tensor(losses).isfinite().all()),
        f"Training for {ITERS} steps returns {len(losses)} losses, from {_shown(losses[:1])} to {_shown(losses[-1:])}.",
        "Return what fit returns: the loss of each step as a number. If it isn't finite, lower the learning rate.",
    )
    if len(losses) != ITERS:
        return
    yield elsewhere(mine, "Generator", network, lambda _, generator: generator(LR))
    _, others = _trained(mine, {name: (1 + photo) / 4 for name, photo in photos.items()}, stop=2)
    yield (
        not _near(others, losses[:2]),
        f"It learns from the photos that it gets: the first losses are {_shown(losses[:2])}, and with other photos "
        f"{_shown(others)}.",
        "Does step draw its pairs from the argument `photos`? Anything else may contain held-out photos.",
    )
    with tempfile.TemporaryDirectory() as place:
        file, saved, out = (Path(place) / name for name in ("run.pt", "photos.pt", "out.pt"))
        _, first = _trained(mine, photos, file=file, stop=PAUSES[0])
        yield (
            _near(first, losses[: len(first)]),
            f"The same seed repeats a run: one that stops after {PAUSES[0]} steps ends with {_shown(first[-2:])}, "
            f"and one that goes on has {_shown(losses[: len(first)][-2:])} there.",
            "Seed PyTorch before you create the generator, and draw pairs with a torch.Generator of this seed. Does a "
            "schedule run over `stop` instead of `iters`?",
        )
        if not _near(first, losses[: len(first)]):
            return
        network, second = _trained(mine, photos, file=file, stop=PAUSES[1])
        paused = copy.deepcopy(network.state_dict())
        counts, wanted = [len(first), len(second)], [PAUSES[0], PAUSES[1] - PAUSES[0]]
        yield (
            counts == wanted and file.is_file(),
            f"It pauses at stop={PAUSES[0]} and again at stop={PAUSES[1]}: these calls take {counts[0]} and "
            f"{counts[1]} steps, and leave {'a' if file.is_file() else 'no'} checkpoint.",
            f"They should take {wanted[0]} and {wanted[1]}: stop counts all steps, also those of earlier calls, and "
            "each call ends with a checkpoint. Does fit get a Checkpoint(file, ...) and stop?",
        )
        if counts != wanted or not file.is_file():
            return
        torch.save(photos, saved)
        run_alone(own_file(mine), RESUME, str(saved), str(file), str(out))
        resumed, third, again = torch.load(out, weights_only=True)
        exact = first + again == losses[: len(first)] + losses[:2]
        yield _resumed(second + third, losses[PAUSES[0] :], paused, resumed, straight, exact=exact)
        network, more = _trained(mine, photos, file=file)
        same = _apart(network.state_dict(), resumed, paused) < SAME
        yield (
            not more and same,
            f"A finished run stays finished: another call takes {len(more)} steps, and returns "
            f"{'the same' if same else 'another'} network.",
            "The call that reaches `iters` ends with a checkpoint, too, and load restores the network that you return.",
        )


def gan_training(mine: ModuleType) -> Iterator[Promise]:
    """Check on artificial photos that adversarial training leaves its start alone, pauses and resumes."""
    photos = photos_of_shapes()
    torch.manual_seed(0)
    network = mine.Generator().eval()
    before, frozen = copy.deepcopy(network.state_dict()), [one.requires_grad for one in network.parameters()]
    moves: list[bool] = []  # whether a step changed D
    trained: list[nn.Module] = []  # what the steps train, which may not be what is returned
    own_step = mine.gan_step

    def noted(generator: nn.Module, discriminator: nn.Module, *scene: Any) -> Any:
        start = parameters_to_vector(discriminator.parameters()).detach().clone()
        result = own_step(generator, discriminator, *scene)
        moves.append(not torch.equal(parameters_to_vector(discriminator.parameters()), start))
        trained[:] = [generator]
        return result

    mine.gan_step = noted
    with seen_by(mine.Generator) as inputs:
        gan, log = _gan(mine, photos, network)
    mine.gan_step, new = own_step, len(set(inputs))
    changes = {
        "weights": not _equal(network.state_dict(), before),
        "mode": any(module.training for module in network.modules()),
        "requires_grad": [one.requires_grad for one in network.parameters()] != frozen,
    }
    changed = " and ".join(what for what, is_changed in changes.items() if is_changed)
    yield (
        gan is not network and not changed,
        "gan is network: it's one object with two names."
        if gan is network
        else f"`network` stays as it is: you change {f'its {changed}' if changed else 'nothing in it'}.",
        "Train a copy: copy.deepcopy(network). Is the mode switched in the copy, and not in the original?",
    )
    if gan is network or changed:
        return
    with trying("`network` may be of any class"):
        other = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4))  # the course's is no Generator either
        copied = _gan(mine, photos, other, stop=1)[0].state_dict().keys() == other.state_dict().keys()
    yield (
        copied,
        f"`network` may be of any class: another one gives a network with {'its' if copied else 'other'} layers.",
        "Without workshop 1, it is the course's network. copy.deepcopy copies any, and Generator() only makes yours.",
    )
    straight = copy.deepcopy(gan.state_dict())
    moved = _distance(straight, before)
    yield (
        len(log) == GAN_ITERS and 0 < moved < float("inf"),
        f"It trains for {GAN_ITERS} steps: the log has {len(log)} entries, and the weights move by {moved:.2g}.",
        "Return what fit returns. Does g_optimizer have the parameters of the copy?",
    )
    yield (
        new >= GAN_ITERS and all(moves),
        f"In {GAN_ITERS} steps, G gets {new} different batches, and D "
        f"{'is not' if all(moves) else 'is'} as it was before a step.",
        "Draw a new batch in each step. Does d_optimizer have D's parameters, and a learning rate?",
    )
    buffers = {name: one for step in trained for name, one in step.named_buffers() if one.is_floating_point()}
    moving = [name for name, one in buffers.items() if name in before and not torch.equal(one, before[name])]
    if moving:
        old = [name for name in moving if torch.equal(straight[name], before[name])]
        yield (
            not old,
            f"What G's layers remember is of this run: in the network that you return, {len(old)} of {len(moving)} "
            "buffers are those from before.",
            f"Look at {', '.join(old[:2])}. An average over parameters() keeps the old statistics of batch norm. Copy "
            "or average buffers(), too, as AveragedModel does.",
        )
    yield elsewhere(mine, "Generator", gan, lambda _, generator: generator(LR))
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "gan.pt"
        first_gan, first = _gan(mine, photos, network, file=file, stop=GAN_PAUSE)
        paused = copy.deepcopy(first_gan.state_dict())
        resumed, rest = _gan(load(mine), photos, network, file=file)
    counts = [len(first), len(rest)]
    if counts != [GAN_PAUSE, GAN_ITERS - GAN_PAUSE]:
        hint = "Pass file and stop on to fit, with a Checkpoint of all parts, as in train."
        yield False, f"It pauses and resumes: two calls take {counts[0]} and {counts[1]} steps.", hint
        return
    yield _resumed(
        _flat(rest),
        _flat(log[GAN_PAUSE:]),
        paused,
        resumed.state_dict(),
        straight,
        more="D and its optimizer, of torch's own random numbers",
        exact=_flat(first) == _flat(log[:GAN_PAUSE]),
    )


def _gan(mine: ModuleType, *scene: Any, **paused: Any) -> tuple[nn.Module, list[Any]]:
    _randomize()
    gan, log = expect_items(mine.train_gan(*scene, GAN_ITERS, 0, **paused), "`train_gan`", 2)
    expect(gan, "The first result of `train_gan`", nn.Module, "a network")
    return gan, expect(log, "The second result of `train_gan`", list, "the list that fit returns")


def _trained(mine: ModuleType, photos: Photos, **paused: Any) -> tuple[nn.Module, list[float]]:
    """Run a training function, and return the network and the losses."""
    _randomize()
    network, losses = expect_items(mine.train(photos, ITERS, 0, **paused), "`train`", 2)
    expect(network, "The first result of `train`", nn.Module, "a network")
    losses = expect(losses, "The second result of `train`", list, "a list of losses")
    return network, [expect_number(loss, "Each loss") for loss in losses]


def _resumed(log: list[float], wanted: list[float], *states: State, more: str = "", exact: bool) -> Promise:
    """Return the promise that a run resumes as if it never stopped; states are at the pause, resumed and straight."""
    paused, resumed, straight = states
    apart = _apart(resumed, straight, paused)
    pairs = enumerate(zip(log, wanted, strict=False))
    wrong = next((k for k, (loss, right) in pairs if not _near([loss], [right], 0 if exact else NEAR)), -1)
    if wrong == 0:
        hint = "Its first loss is another one. Are the weights restored, and the state of all random numbers? Dropout "
        hint += f"draws from torch.default_generator.{f' Think of {more}.' * bool(more)} Was a batch drawn ahead, or "
        hint += "anything else made before load()?"
    elif wrong > 0 or len(log) != len(wanted):
        hint = "It begins right, so weights and pairs are restored. What else changes with each step? Think of "
        hint += f"{f'{more}, of ' * bool(more)}the optimizer's memory, of a schedule, and of random numbers that a "
        hint += "layer such as dropout draws."
    else:
        hint = "All losses are equal. What else is in the network that you return? Think of an average of the weights, "
        hint += "or of batch norm's statistics. A global variable isn't in the file."
    return (
        apart <= (0 if exact else SAME) and len(log) == len(wanted) and wrong < 0,
        f"A resumed run ends like one that never stopped: {_shown(log[:1])} comes first and should be "
        f"{_shown(wanted[:1])}, and the weights differ by {percent(apart)} of what they moved since the pause.",
        hint,
    )


def _parts(seed: int) -> dict[str, Any]:
    """Return a network with batch norm, its optimizer and schedule, and random numbers, after some steps."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))
    optimizer = torch.optim.Adam(network.parameters(), 0.01 * seed)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    numbers = torch.Generator().manual_seed(seed)
    parts = {"a network": network, "Adam": optimizer, "a schedule": schedule, "random numbers": numbers}
    _advance(parts, seed)
    return parts


def _advance(parts: dict[str, Any], steps: int = 1) -> None:
    network, optimizer, schedule, numbers = parts.values()
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.rand(2, 3, 5, 5, generator=numbers)).square().mean().backward()
        optimizer.step()
        schedule.step()


def _fail_halfway(value: Any, file: Any, *_: Any, **__: Any) -> None:
    """Begin to write a file, and stop as if the disk were full."""
    if hasattr(file, "write"):
        file.write(b"PK")
    else:
        Path(file).write_bytes(b"PK")
    raise OSError("No space left on device")


def _watch(mine: ModuleType, file: Path, found: list[int], move: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that moves a file, and notes just before how many steps the checkpoint has."""

    def watched(*arguments: Any, **options: Any) -> Any:
        found.append(mine.Checkpoint(file, _parts(seed=4)).load())
        return move(*arguments, **options)

    return watched


def _noting(load_file: Callable[..., Any], loads: list[bool]) -> Callable[..., Any]:
    """Return a function that loads a file, and notes whether it is restricted to weights."""

    def noting(*arguments: Any, **options: Any) -> Any:
        loads.append(options.get("weights_only", True))
        return load_file(*arguments, **options)

    return noting


def _state(part: Any) -> Any:
    return copy.deepcopy(part.get_state() if isinstance(part, torch.Generator) else part.state_dict())


def _equal(a: Any, b: Any) -> bool:
    """Return whether two states are equal: tensors, numbers, and dicts, lists and tuples of them."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def _distance(a: State, b: State) -> float:
    differences = [(a[name] - b[name]).double().flatten() for name in a if a[name].is_floating_point()]
    return torch.cat(differences).norm().item()


def _apart(one: State, other: State, start: State) -> float:
    """Return how far two states are apart, compared with how far the second one is from the start."""
    return _distance(one, other) / max(_distance(other, start), 1e-12)


def _flat(log: Any) -> list[float]:
    """Return all numbers in a log, whose entries may be tuples, lists or dicts."""
    if isinstance(log, Mapping):
        log = list(log.values())
    if isinstance(log, list | tuple):
        return [number for entry in log for number in _flat(entry)]
    return [expect_number(log, "Each number in the log")]


def _randomize() -> None:
    """Set all global random states to others than before, as if the call came in a new process."""
    for set_seed in (torch.manual_seed, random.seed, np.random.seed):
        set_seed(random.SystemRandom().randrange(2**31))


def _near(losses: Iterable[float], wanted: Iterable[float], off: float = NEAR) -> bool:
    losses, wanted = list(losses), list(wanted)
    return len(losses) == len(wanted) and all(abs(a - b) <= off * abs(b) for a, b in zip(losses, wanted, strict=True))


def _shown(losses: Iterable[float]) -> str:
    return ", ".join(f"{loss:.7g}" for loss in losses) or "none"
