"""A student's file: load it again for each check, and show where in it an error came from."""

import hashlib
import importlib.util
import linecache
import os
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType

from srlab.errors import SrlabError
from srlab_course.feedback.judging import how

File = str | os.PathLike[str]
Mine = File | ModuleType  # a student's file, or the module that `load` returned for it
MODULE = "mine"  # the name of the module, whatever the file is called


def own_file(mine: Mine) -> Path:
    """Return the path of a student's file, from a path or from the module that was loaded from it."""
    path = Path(mine.__file__ or "") if isinstance(mine, ModuleType) else Path(mine)
    if not path.is_file():
        raise SrlabError(
            f"{path} not found. Create it next to this notebook with File > New > Python File, and rename the file "
            f"{path.name}. (Is it called {path.name}.py now?)"
        )
    return path.resolve()


def load(mine: Mine) -> ModuleType:
    """Execute a student's file, and return it as a module: ``load("mine.py").Generator()``.

    Each call executes the file as it is saved now, so a change needs no restart of the kernel.
    """
    path = own_file(mine)
    linecache.checkcache(str(path))
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module  # dataclasses and torch.compile look it up
    code = compile(source_of(path), str(path), "exec")
    try:
        exec(code, module.__dict__)  # noqa: S102 - importlib keeps the old code if a file is saved twice in a second
    except SystemExit as error:
        raise SrlabError(stopped_in(error, path)) from error
    return module


def source_of(path: Path) -> str:
    """Return the text of a Python file, in an encoding that Python reads: UTF-8, or the one that it declares."""
    content = path.read_bytes()
    try:
        if b"\0" in content:
            raise ValueError
        return importlib.util.decode_source(content)
    except (ValueError, SyntaxError) as error:  # SyntaxError: an encoding that does not exist
        raise SrlabError(
            f"{path.name} is not saved in UTF-8, which Python expects. Copy its text into a new file in JupyterLab, "
            "or choose UTF-8 where your editor saves it."
        ) from error


def written(mine: File, *names: str) -> ModuleType | None:
    """Return a student's file as a module if it defines these names; otherwise print what is missing, return None."""
    path = Path(mine)
    try:
        module = load(path) if path.is_file() else None
    except Exception as error:
        print(stopped_in(error, path.resolve()))
        return None
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        print(f"This cell needs {', '.join(missing)} in {path.name}. Come back when you have written it.")
    return None if missing else module


def saved(path: Path) -> str:
    """Return the name of a file, when it was saved, and its number of lines."""
    age = max(0.0, time.time() - path.stat().st_mtime)
    ago = f"{age:.0f} s" if age < 100 else f"{age / 60:.0f} min" if age < 6000 else f"{age / 3600:.0f} h"
    return f"{path.name}, saved {ago} ago, {len(path.read_bytes().splitlines())} lines"


def hash_of_file(path: Path) -> str:
    """Return a short hash of the contents of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def stopped_in(error: BaseException, path: Path) -> str:
    """Return the message for an error in a student's file, with the line that it came from."""
    tried = "".join(f"{note}. " for note in getattr(error, "__notes__", ()))
    if isinstance(error, SrlabError):
        return f"{tried}{error}"
    if isinstance(error, SyntaxError):
        return f"Line {error.lineno} of {path.name} is not valid Python: {error.msg} (`{(error.text or '').strip()}`)"
    frames = traceback.walk_tb(error.__traceback__)
    lines = [number for frame, number in frames if frame.f_code.co_filename == str(path)]
    if not lines:
        return f"{tried}The check could not run your code, which {how(error)}"
    line = linecache.getline(str(path), lines[-1]).strip()
    return f"{tried}Line {lines[-1]} of {path.name} {how(error)} (`{line}`)"
