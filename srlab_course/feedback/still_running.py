"""Run a student's code: print that it still runs after a while, and let `exit()` stop it instead of the kernel."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

from srlab.shell import running_shell

PATIENCE = 20.0  # seconds without a word about code that may never end


@contextmanager
def running(name: str) -> Iterator[None]:
    """Run a student's code in the block. If it takes long, print so once, and how to stop it; `name` is its name.

    In IPython, `exit()` doesn't raise SystemExit and ends the kernel later. In the block, it is `sys.exit`.
    """
    line = f"{name} still runs, which may be fine. The stop button (the black square) ends it."
    timer = threading.Timer(PATIENCE, print, [line], {"file": sys.stdout, "flush": True})
    timer.daemon = True
    timer.start()
    shell = running_shell()
    try:
        with patch.object(shell, "ask_exit", sys.exit) if hasattr(shell, "ask_exit") else nullcontext():
            yield
    finally:
        timer.cancel()
