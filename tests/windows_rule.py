"""Follow a rule of Windows on Linux: files that this process has open or mapped can't be deleted, renamed or replaced.

``python -m pytest -p tests.windows_rule tests/...`` runs tests with the rule, and `follow` switches it on. A folder
with such a file can't be renamed either. What other processes have open isn't considered.
"""

import errno
import os
import re
from contextlib import suppress
from functools import wraps
from pathlib import Path

CHANGES = ("replace", "rename", "unlink", "remove", "rmdir")


def is_used(path):
    """Return whether this process has a file open or mapped, or a file in a folder."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    used = re.findall(r" (/.*)$", maps, re.M)
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder that is being listed
            used.append(str(link.readlink()))
    return any((name == path or name.startswith(f"{path}/")) and Path(name).is_file() for name in used)


def obeying(function):
    """Return a function of os that raises the error of Windows for a file in use."""

    @wraps(function)
    def change(*paths, dir_fd=None, **options):
        start = Path("" if dir_fd is None else f"/proc/self/fd/{dir_fd}")
        for path in (start / os.fsdecode(path) for path in paths):
            if is_used(str(path.parent.resolve() / path.name)):
                raise PermissionError(errno.EACCES, "Windows: the file is in use", str(path))
        return function(*paths, **options | ({} if dir_fd is None else {"dir_fd": dir_fd}))

    return change


def follow(replace=setattr):
    """Switch the rule on; pass ``monkeypatch.setattr`` for one test."""
    for name in CHANGES:
        replace(os, name, obeying(getattr(os, name)))


def pytest_configure():
    """Switch the rule on for all tests of this process."""
    follow()
