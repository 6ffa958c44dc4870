"""Check a checkpoint: what it restores, what an unfinished write leaves, and what it loads."""

import copy
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn as nn

from srlab_course.workshops.own_file import load
from srlab_course.workshops.promises import Promise, expect_number, trying


class Unfinished:
    """A part that can't be saved: the write stops in the middle, as if the disk were full."""

    def state_dict(self) -> dict[str, Any]:
        """Return a state whose second half can't be written."""
        return {"first": torch.zeros(9), "second": self}

    def __reduce__(self) -> Any:
        raise OSError("No space left on device")


class Trap:
    """An object that runs code when a file with it is loaded: it creates a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def checkpoint(mine: ModuleType) -> Iterator[Promise]:
    """Check that a checkpoint restores all state, in other objects, and that an unfinished write does no harm."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        file, folder = Path(place, "run.pt"), Path(place, "folder")
        parts = _parts(seed=1)
        done = mine.Checkpoint(str(file), parts).load()
        yield done == 0, f"Without a file, load returns {done}.", "No step has been taken yet: return 0."
        mine.Checkpoint(str(file), dict(parts)).save(2)
        _advance(parts)
        with trying("save writes exactly the path that Checkpoint gets"):
            inode = file.stat().st_ino
        mine.Checkpoint(file, dict(parts)).save(3)
        written_over = file.stat().st_ino == inode
        wanted = _states(parts)
        _advance(parts)  # the file must not change with them

        done, states = _loaded(mine, file, seed=2)
        wrong = [name for name, state in states.items() if not _equal(state, wanted[name])]
        yield (
            done == 3 and not wrong,
            f"load restores what save has written, in new objects: {len(wanted) - len(wrong)} of {len(wanted)} parts "
            f"are equal, and it returns {done:g} after 3 steps.",
            f"{' and '.join(wrong) or 'The number of steps'} differs. Is it in the file? Batch norm's running "
            "statistics are in state_dict() and not in parameters(). Restore the objects that you got, in place.",
        )
        with suppress(OSError):
            load(mine).Checkpoint(file, parts | {"too much": Unfinished()}).save(6)
        survives = _tried(mine, file) == 3
        yield (
            survives and not written_over,
            f"A write that stops halfway {'leaves' if survives else 'destroys'} the previous checkpoint"
            f"{', but the new one is written over the old one' * (survives and written_over)}.",
            "The power can fail while torch.save writes. Write another file first; which function of os puts it in the "
            "place of the old one at once?",
        )
        torch.save(Trap(folder), file)
        _tried(mine, file)
        runs = folder.exists()
        yield (
            not runs,
            f"The file has only states: load {'runs' if runs else 'does not run'} code that is in a file.",
            "Save state_dict() and get_state(), not the objects: a file with objects can run any code when you load it "
            "with weights_only=False.",
        )
        file.write_bytes(b"PK")
        found = _tried(mine, file)
        yield (
            found != 0,
            f"A damaged file is no new run: load {'raises an error' if found is None else f'returns {found:g}'}.",
            "Return 0 only if there is no file. A run that begins again overwrites what could still be saved.",
        )


def _parts(seed: int) -> dict[str, Any]:
    """Return a network with batch norm, its optimizer and schedule, and random numbers, after some steps."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))
    optimizer = torch.optim.Adam(network.parameters(), 0.01 * seed)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    numbers = torch.Generator().manual_seed(seed)
    parts = {"a network": network, "Adam": optimizer, "a schedule": schedule, "random numbers": numbers}
    for _ in range(seed):
        _advance(parts)
    return parts


def _advance(parts: dict[str, Any]) -> None:
    network, optimizer, schedule, numbers = parts.values()
    optimizer.zero_grad()
    network(torch.rand(2, 3, 5, 5, generator=numbers)).square().mean().backward()
    optimizer.step()
    schedule.step()


def _loaded(mine: ModuleType, file: Path, seed: int) -> tuple[float, dict[str, Any]]:
    """Load a file into other objects as a new process would; return the number of steps and the states."""
    parts = _parts(seed)
    done = expect_number(load(mine).Checkpoint(file, dict(parts)).load(), "`load()`")
    return done, _states(parts)


def _tried(mine: ModuleType, file: Path) -> float | None:
    """Return the number of steps that `load` returns in a new process, or None if it raises an error."""
    with suppress(Exception, SystemExit):
        return _loaded(mine, file, seed=3)[0]
    return None


def _states(parts: dict[str, Any]) -> dict[str, Any]:
    """Return copies of all states."""
    states = {
        name: part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
        for name, part in parts.items()
    }
    return copy.deepcopy(states)


def _equal(a: Any, b: Any) -> bool:
    """Return whether two states are equal: tensors, numbers, and dicts, lists and tuples of them."""
    try:
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    except AssertionError:
        return False
    return True
