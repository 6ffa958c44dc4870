"""Executes the answers of hand-ins again, each in a process of its own that can write into an empty folder alone."""

import ctypes
import importlib
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from srlab.base.text import printable
from srlab.exercises.saved import Result
from srlab.grading.hand_ins import HandIn
from srlab.grading.results import BY_CHECK, SAVED
from srlab.lab.notebooks import read_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

JUDGES = ("srlab.exercises.judging", "srlab.grading.answers", "srlab.grading.isolation")
NOT_ISOLATED = 3  # exit status of a process in which nothing of a hand-in was executed
LONGEST = 300  # signs of what is said of an answer
SUBREAPER = 36  # for prctl
STOPPING = {signal.SIGINT, signal.SIGTERM}


@dataclass
class _Running:
    hand_in: HandIn
    exercise: str
    pid: int
    pipe: int
    folder: Path
    until: float

    def fileno(self) -> int:  # of what `wait` waits for
        return self.pipe


def recheck(
    folder: Path, hand_ins: Sequence[HandIn], *, at_once: int, seconds: int, memory: int, isolated: bool
) -> Iterator[HandIn]:
    """Put what is found now in the place of what was saved, with a note where they differ; yields each as it is done.

    Call it from a program with a single thread and no children, as it forks, and before any training in that program.

    Parameters
    ----------
    folder, hand_ins
        As for and from `srlab.grading.hand_ins.gather`. An exercise that isn't in a notebook stays so.
    at_once
        How many processes run at the same time.
    seconds, memory
        What each of them may take, in seconds and in bytes.
    isolated
        Whether it is confined as `srlab.grading.isolation.confine` says; it can't be on every machine.
    """
    import torch

    from srlab.exercises import names

    for module in ("IPython.core.inputtransformer2", "torch._dynamo", "srlab.evaluation.scoring", *JUDGES):
        importlib.import_module(module)  # once, and not in each process; torch takes the second for its first optimizer
    names()
    torch.set_num_threads(1)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # whoever an answer starts, and leaves, becomes a child of this one
    todo = {one.path: sum(result != Result.MISSING for result in one.results.values()) for one in hand_ins}
    yield from (one for one in hand_ins if not todo[one.path])
    answers, running = _answers(folder, hand_ins), []
    try:
        while True:
            for answer in itertools.islice(answers, at_once - len(running)):
                with _undisturbed():
                    running.append(_start(*answer, seconds, memory, isolated))
            if not running:
                return
            ready = wait(running, timeout=max(0.0, min(one.until for one in running) - time.monotonic()))
            for one in [one for one in running if one in ready or time.monotonic() >= one.until]:
                with _undisturbed():
                    running.remove(one)
                    found, reason = _finish(one, one in ready, running)
                hand_in, saved = one.hand_in, one.hand_in.results[one.exercise]
                hand_in.results[one.exercise] = found
                if found != saved:
                    words = f"saved as '{SAVED[saved]}', executed again '{SAVED[found]}'. {reason}"
                    hand_in.notes.append(f"{one.exercise}: {words}".strip())
                todo[hand_in.path] -= 1
                if not todo[hand_in.path]:
                    yield hand_in
    finally:
        for one in running:
            _finish(one, False, running)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C wait, so that no process is left behind; amid a fork Python would even swallow it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _answers(folder: Path, hand_ins: Sequence[HandIn]) -> Iterator[tuple[HandIn, "NotebookNode", str]]:
    for one in hand_ins:
        if todo := [name for name, result in one.results.items() if result != Result.MISSING]:
            notebook = read_notebook(folder / one.path)
            yield from ((one, notebook, exercise) for exercise in todo)


def _start(
    hand_in: HandIn, notebook: "NotebookNode", exercise: str, seconds: int, memory: int, isolated: bool
) -> _Running:
    folder = Path(tempfile.mkdtemp(prefix="srlab-recheck-"))
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = NOT_ISOLATED
        try:
            _enter(folder, writing, seconds, memory, isolated)
            status = 0
            result, reason = _judge(notebook, exercise)
            os.write(writing, json.dumps((result.value, reason)).encode())
        finally:
            os._exit(status)  # whatever happens, nothing of the parent goes on in here
    os.close(writing)
    return _Running(hand_in, exercise, pid, reading, folder, time.monotonic() + seconds)


def _enter(folder: Path, pipe: int, seconds: int, memory: int, isolated: bool) -> None:
    """In the new process: leave behind what the parent has open, its environment and, if isolated, its rights."""
    from srlab.grading.isolation import confine, limit

    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.closerange(3, pipe)
    os.closerange(pipe + 1, 65536)
    path = os.environ.get("PATH", "")
    os.environ.clear()
    os.environ |= dict.fromkeys(("HOME", "SRLAB_HOME", "TMPDIR", "MPLCONFIGDIR"), str(folder)) | {"PATH": path}
    tempfile.tempdir = None
    os.chdir(folder)
    limit(memory, seconds + 5)  # by then it is ended anyway
    if isolated:
        confine(folder)


def _judge(notebook: "NotebookNode", exercise: str) -> tuple[Result, str]:
    from srlab.exercises import StillToDo, Wrong, find
    from srlab.exercises.judging import judge, known_outcome
    from srlab.grading.answers import find_answer

    try:
        for case in find(exercise).cases:  # before a line of the hand-in runs, so that it can't change them
            known_outcome(find(exercise), find(exercise).reference, case)
        for _ in judge(find(exercise), find_answer(notebook, exercise)):
            pass
    except StillToDo:
        return Result.TODO, ""
    except Wrong as wrong:
        return Result.HINT, str(wrong)[:LONGEST]
    except BaseException as error:  # such as exit(), which is no answer
        return Result.HINT, f"It stopped with {type(error).__name__}: {error}"[:LONGEST]
    return Result.RIGHT, ""


def _finish(one: _Running, ready: bool, others: Sequence[_Running]) -> tuple[Result, str]:
    """End a process and all that it started, and read what it had to say; that comes from a hand-in, so it's text.

    All children of this program but the others that run were left behind by it.
    """
    keep = {other.pid for other in others if other is not one}
    said = os.read(one.pipe, 1 << 16) if ready else b""
    os.close(one.pipe)
    for kill in (os.killpg, os.kill):  # the group, and who has no group of its own yet
        with suppress(ProcessLookupError):
            kill(one.pid, signal.SIGKILL)
    status = os.waitpid(one.pid, 0)[1]
    while left := [child for child in psutil.Process().children() if child.pid not in keep]:
        for child in left:  # its own children come here then
            child.kill()
            child.wait()
    with suppress(OSError, RecursionError):
        shutil.rmtree(one.folder)
    result, reason = Result.HINT, "It took too long." if not ready else _ended(status)
    with suppress(ValueError, TypeError, RecursionError):  # of what isn't ours
        found, text = json.loads(said)
        result, reason = (Result(found), printable(text)[:LONGEST]) if found in BY_CHECK else (result, reason)
    return result, reason


def _ended(status: int) -> str:
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == NOT_ISOLATED:
        return "It couldn't be isolated, so it wasn't executed."
    if os.WIFSIGNALED(status):
        return f"Its process was ended by {signal.Signals(os.WTERMSIG(status)).name}."
    return "Its process ended before the check did."
