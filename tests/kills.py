"""Run work in a child process that can be killed with SIGKILL at any time."""

import contextlib
import multiprocessing
import os
import sys
import threading
import time
import traceback
from pathlib import Path

import torch
from tqdm import tqdm

from srlab.errors import SrlabError

KILLS = int(os.environ.get("SRLAB_KILLS", "3"))  # kills per test; `make crash-test` sets more
# Slow imports that a child would repeat; training imports TensorBoard and dynamo.
PRELOADED = ["tests", "nbformat", "pytest", "torch._dynamo", "torch.utils.tensorboard", "srlab.training.trainer"]
LONGEST = 120  # seconds without a message after which a process counts as stuck


def context():
    """Start the process that children are forked from: everything is imported, without threads or locks."""
    forkserver = multiprocessing.get_context("spawn" if sys.platform == "darwin" else "forkserver")  # Accelerate breaks
    forkserver.set_forkserver_preload(PRELOADED)
    return forkserver


class Life:
    """A process that runs `work(say, *arguments)`, an importable function; it starts in milliseconds.

    `said` has the messages of the work so far; they survive a kill. The process has the environment
    of this one. It exits with 0, with 2 and the last message "SrlabError: ...", or with 1 and a traceback.
    """

    def __init__(self, work, *arguments):
        self.said = []
        self._ear, mouth = context().Pipe(duplex=False)
        self.process = context().Process(target=_live, args=(mouth, dict(os.environ), work, arguments), daemon=True)
        self.process.start()
        mouth.close()
        self.wait_for(1)
        assert self.said.pop() == "begun"
        self.begun = time.monotonic()

    def _listen(self, seconds, words=None):
        """Listen until the process has ended, this many seconds have passed, or it has sent this many messages."""
        until = time.monotonic() + seconds
        with contextlib.suppress(EOFError):
            while len(self.said) != words and self._ear.poll(max(until - time.monotonic(), 0)):
                self.said.append(self._ear.recv())

    def wait_for(self, words):
        """Wait until it has sent this many messages."""
        self._listen(LONGEST, words)
        assert len(self.said) >= words, self.said

    def end(self):
        """Wait until it ends, and return its exit code."""
        self._listen(LONGEST)
        self.process.join(LONGEST)
        code = self.process.exitcode
        self.process.kill()
        assert code is not None, f"the process was stuck; it said {self.said}"
        return code

    def kill_after(self, seconds):
        """Kill it this many seconds after its start; return whether it was still running."""
        self._listen(self.begun + seconds - time.monotonic())
        self.process.kill()
        return self.end() == -9


def _live(mouth, environment, work, arguments):
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # tqdm's own lock is a system semaphore, which a kill would leave behind
    mouth.send("begun")
    with Path(os.devnull).open("w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):  # noqa: PLW1514
        try:
            work(mouth.send, *arguments)
        except SrlabError as error:
            mouth.send(f"SrlabError: {error}")
            sys.exit(2)
        except Exception:
            mouth.send(traceback.format_exc())
            sys.exit(1)
