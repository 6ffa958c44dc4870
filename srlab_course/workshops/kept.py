"""Keep a student's trained networks next to her file, and load them again for the next workshop."""

import copy
import io
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from srlab.errors import SrlabError
from srlab.files import refuse_foreign, write_own
from srlab.models.loading import load_bundled
from srlab.models.wrappers import unwrapped
from srlab.torch_files import read_torch
from srlab_course.workshops.own_file import Mine, hash_of_file, load, own_file

# What is kept -> the student's class, and the bundled network of the course that replaces it ("": there isn't one).
KINDS = {"network": ("Generator", "MSRResNet"), "gan": ("Generator", "SRGAN"), "flow": ("Flow", "")}


@dataclass(frozen=True)
class Kept:
    """A trained network and what is known about it; the fields after `network` are those of its JSON file.

    Attributes
    ----------
    what
        ``"network"``, ``"gan"`` or ``"flow"``.
    subject
        Photo whose left half it learned from, as in `srlab_course.split_photo`; "" for a folder of photos.
    code
        Hash of the student's file when it was kept; "" for a network of the course.
    timed
        Number of steps that `minutes` is for: the last ones, if the run was resumed; None for all steps.
    """

    what: str
    network: nn.Module
    steps: int = 0
    minutes: float = 0.0
    subject: str = ""
    code: str = ""
    timed: int | None = None

    @property
    def made(self) -> str:
        """How it was trained, in words."""
        if not self.steps:
            return "steps not noted"
        part = f", the last {self.timed:,}" if self.timed not in (None, self.steps) else ""
        seconds = round(60 * self.minutes)
        time = f"{seconds} seconds" if seconds < 100 else f"{round(self.minutes, 1):g} minutes"
        return f"{self.steps:,} steps{part} in {time}"


def keep(
    mine: Mine, what: str, network: nn.Module, steps: int, minutes: float, subject: str = "", timed: int | None = None
) -> Path:
    """Write a trained network next to a student's file, for `kept` and the page, and return the path of its weights.

    It replaces only what it has written itself.

    Parameters
    ----------
    mine
        Path of the file, or the module that `load` returned for it.
    what
        ``"network"``, ``"gan"`` or ``"flow"``.
    subject
        Name or path of the photo whose left half it learned from; "" for a folder of photos.
    timed
        Number of steps that `minutes` is for: the last ones, if the run was resumed. None: all steps.
    """
    path = own_file(mine)
    weights, notes = _files(path, what)
    content = io.BytesIO()
    weights_of = unwrapped(copy.deepcopy(network)).state_dict()
    torch.save({name: value.detach().cpu() for name, value in weights_of.items()}, content)
    about = {"steps": int(steps), "minutes": float(minutes), "subject": str(subject), "code": hash_of_file(path)}
    about |= {"timed": int(steps if timed is None else timed)}
    refuse_foreign(notes)
    write_own(weights, content.getvalue())
    write_own(notes, json.dumps(about, indent=1).encode())
    find_kept(path, what)  # the weights are safe by now, but the class must be able to load them
    return weights


def kept(mine: Mine, what: str) -> nn.Module | None:
    """Return a student's trained network or the course's, and print whose it is; None if the course has none either."""
    path, found = own_file(mine), find_kept(mine, what)
    missing = f"{what}.pt is not there yet"
    if found is None:
        print(f"{missing}, and the course doesn't have a {what}. Train yours first.")
        return None
    changed = f" {path.name} has changed since then." * (found.code != hash_of_file(path))
    own = f"{what} from you: {found.made}, code: {path.name}.{changed}"
    print(own if found.code else f"{what} from the course ({KINDS[what][1]}), because {missing}.")
    return found.network


def find_kept(mine: Mine, what: str) -> Kept | None:
    """Return a student's trained network in eval mode, or the course's, with what is known about it."""
    path = own_file(mine)
    weights, notes = _files(path, what)
    name, bundled = KINDS[what]
    if not weights.is_file():
        return Kept(what, load_bundled()[bundled]) if bundled else None
    try:
        about = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {"code": "unknown"}
        found = Kept(what, getattr(load(path), name)(), **about)
        found.network.load_state_dict(read_torch(weights))
    except SrlabError:  # of the file
        raise
    except (Exception, SystemExit) as error:
        raise SrlabError(
            f"{weights.name} does not fit `{name}()` of {path.name} ({type(error).__name__}). It was changed, or "
            "created with other arguments. Make the trained sizes its defaults, or train it again and keep it."
        ) from error
    found.network.eval()
    return found


def _files(path: Path, what: str) -> tuple[Path, Path]:
    """Return the files of a kept network: its weights, and what is known about it."""
    if what not in KINDS:
        raise SrlabError(f"'{what}' is not kept. Use one of {', '.join(KINDS)}.")
    return path.with_name(f"{what}.pt"), path.with_name(f"{what}.json")
