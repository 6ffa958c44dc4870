"""A run keeps the text of the answers that trained it, and is trained again if that text or its first network changed.

The text is ``code.py`` in the run's folder. The former run is moved aside to ``NAME-before``; only the last one stays.

A stranger's run is only read as data. So ``code.py`` is parsed or imported only if a lab wrote exactly this text on
this machine: its SHA-256 is in the file ``.srlab-written`` next to the labs' folders of runs.
"""

import hashlib
import itertools
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from srlab import files
from srlab.errors import SrlabError
from srlab.paths import runs_home
from srlab.shell import running_shell
from srlab.training.runs import WHERE, Run
from srlab_course.feedback.fallback import is_any_fallback, is_reference
from srlab_course.lab.answer_text import changed_in, code_of
from srlab_course.lab.lab import Lab
from srlab_course.lab.run_names import BEFORE

FILE = "code.py"
LARGEST_CODE = 2**20  # bytes
BETWEEN = ".changing-places"
MANIFEST = "run.json"  # its hash identifies a folder that was moved aside; only such a folder is ever deleted
IMPORTED = "srlab_answers_of_"  # how the modules are called that `import_code` makes


def record_code(lab: Lab, name: str, *answers: Any, also: tuple[Any, ...] = (), **networks: str) -> dict[str, str]:
    """Write the text of the answers that train a run into its folder; call it before the run's `srlab.Trainer`.

    If the run was trained with other answers or began with another network, print so and move it aside. The run that
    was moved aside before comes back if it was trained with these answers; if not, it is deleted.

    Parameters
    ----------
    lab, name
        The lab, and the name of the run.
    answers
        Functions and classes of the notebook that train the run.
    also
        Answers that do not train it, but that a later lab uses; a change in them trains nothing again.
    networks
        Label -> origin of a network that the run begins with: ``"LAB/RUN"``, or another text.

    Returns
    -------
    dict
        Settings to record with the run: the origin of each network, and when the run that it is from was begun.
    """
    run, text, written = Run(lab.name, name), text_of(*answers), text_of(*answers, *also)
    names = _names_of(answers)
    facts = dict(networks)
    facts |= {f"{label}_begun": _begun(origin) for label, origin in networks.items()}
    with run.lock():
        _note(written)  # first, so that a run from another machine counts as trained by the same text
        changed = _changed(run, text, names, facts)
    if changed:
        aside = _path_aside(run)
        fits = aside.exists() and not _changed(Run(lab.name, aside.name), text, names, facts)
        _move_aside(run, aside, fits)
        then = f"the one in {aside.name} is back" if fits else "it is trained again"
        print(f"{changed} since the run {name} was trained, so {then}. The former is {aside.name}.")
    with run.lock():
        files.write_atomic(run.path / FILE, written.encode(), WHERE)
    return facts


def text_of(*answers: Any) -> str:
    """Return the text of answers in this notebook; those of the course are imports of it."""
    shell = running_shell()
    if shell is None:
        return ""
    ours = [one.verdict.exercise.reference for one in shell.user_ns.values() if is_any_fallback(one)]
    ours += [one for one in shell.user_ns.values() if is_reference(one)]
    imports = [f"from {one.__module__} import {one.__name__}" for one in ours]
    return code_of(_names_of(answers), [*_imported(), *shell.history_manager.input_hist_raw, *imports])


def is_code_of(run: Run, *answers: Any) -> bool:
    """Return whether a run was trained by these answers of the notebook as they are now."""
    text = text_of(*answers)
    return text_in(run) == text or not changed_in(code_of(_names_of(answers), [read_code(run) or ""]), text)


def read_code(run: Run) -> str | None:
    """Return the text of the answers that trained a run, "" if all were the course's; None if no lab here wrote it."""
    text = text_in(run)
    return text if text is not None and _is_noted(text) else None


def import_code(run: Run) -> ModuleType | None:
    """Import the answers that trained a run; None if no lab wrote them on this machine, or if they raise an error."""
    text = read_code(run)
    if not text:
        return None
    module = ModuleType(f"{IMPORTED}{run.lab}")
    module.__file__ = str(run.path / FILE)
    vars(module)["__text__"] = text
    try:
        exec(compile(text, module.__file__, "exec"), vars(module))  # noqa: S102 - her own, see the module's docstring
    except Exception as error:
        print(f"The answers in {run.path / FILE} cannot be imported ({type(error).__name__}: {error}).")
        return None
    sys.modules[module.__name__] = module
    return module


def text_in(run: Run) -> str | None:
    """Return the text of a run's file, which may be a stranger's and is not to be parsed; None if there is none."""
    try:
        return files.read_regular(run.path / FILE, LARGEST_CODE)
    except (OSError, ValueError):
        return None


def _imported() -> list[str]:
    """Return the texts that `import_code` has imported into this kernel."""
    return [module.__text__ for name, module in sys.modules.items() if name.startswith(IMPORTED)]


def _names_of(answers: Iterable[Any]) -> list[str]:
    """Return all names under which the notebook has some answers."""
    here = getattr(running_shell(), "user_ns", {})
    return [name for one in answers for name, value in here.items() if value is one and not name.startswith("_")]


def _changed(run: Run, text: str, names: list[str], facts: dict[str, str]) -> str:
    """Return what has changed since a run was trained, as the beginning of a sentence; "" if nothing has."""
    manifest = run.manifest()
    if not manifest or not manifest["step"]:
        return ""
    if changed := changed_in(code_of(names, [read_code(run) or ""]), text):
        return f"{', '.join([name for name in changed if name in names] or changed)} changed"
    made = manifest["parameters"]
    new = [label for label in facts if label in made and made[label] != facts[label]]
    return f"The network that it begins with ({facts[new[0].removesuffix('_begun')]}) changed" if new else ""


def _begun(origin: str) -> str:
    """Return when a network's run was begun, which does not change if it is continued; "" without a run."""
    lab, _, name = origin.partition("/")
    try:
        manifest = Run(lab, name).manifest() if name else None
        return manifest["started"] if manifest else ""
    except SrlabError:  # another text, or a damaged run
        return ""


def _path_aside(run: Run) -> Path:
    """Return where a run is moved: the folder of the one that was moved before, or a new one.

    A folder of this name that was not moved aside here stays, and this run gets a number.
    """
    numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    paths = (run.path.with_name(f"{run.name}{number}{BEFORE}") for number in numbers)
    return next(path for path in paths if _was_moved(path) or not os.path.lexists(path))


def _move_aside(run: Run, aside: Path, back: bool) -> None:
    """Rename a run's folder; the one that was moved aside before takes its place, or is deleted."""
    between = aside.with_name(f"{aside.name}{BETWEEN}")
    with files.writing(aside, WHERE):
        if aside.exists() and back:
            files.patiently(lambda: aside.rename(between))
        elif aside.exists():
            shutil.rmtree(aside)
        if (manifest := run.path / MANIFEST).is_file():
            files.note(_entry_of(aside), files.sha256_of(manifest), WHERE)
        files.patiently(lambda: run.path.rename(aside))
        if back:
            files.patiently(lambda: between.rename(run.path))


def _was_moved(aside: Path) -> bool:
    """Return whether a lab has moved exactly this run aside."""
    manifest = aside / MANIFEST
    return manifest.is_file() and files.is_noted(_entry_of(aside), files.sha256_of(manifest))


def _entry_of(aside: Path) -> Path:
    """Return the path under which the record at the top lists a run that was moved aside."""
    return runs_home() / f"{aside.parent.name}-{aside.name}"


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _note(text: str) -> None:
    """Note the SHA-256 of a text that a lab writes."""
    if not _is_noted(text):
        files.note(runs_home() / FILE, digest_of(text), WHERE)


def _is_noted(text: str) -> bool:
    """Return whether a lab has written a text here."""
    return files.is_noted(runs_home() / FILE, digest_of(text))
