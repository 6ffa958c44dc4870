"""The form of a check: promises about a student's file, each kept or broken, with what was measured."""

import functools
import io
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import ModuleType
from typing import Any

import torch

from srlab_course.feedback.checks import say
from srlab_course.feedback.exercise import IncorrectAnswer, filled

PRINTED = 10  # lines that a student's code prints in a check and that are shown
WIDTH = 64  # characters per line, because the notebook shares the window with the student's file

# Whether it is kept; the promise, with what was measured; a hint in case it is broken.
Promise = tuple[bool, str, str]
Promises = Callable[[ModuleType], Iterator[Promise]]  # gets the student's file
Line = tuple[str, str, str]  # kept, broken or to do; the promise; a hint, or nothing


def in_order(promises: Promises) -> Promises:
    """Stop at the first broken promise, because the later ones rely on it."""

    @functools.wraps(promises)
    def until_broken(mine: ModuleType) -> Iterator[Promise]:
        for promise in promises(mine):
            yield promise
            if not promise[0]:
                return

    return until_broken


def percent(share: float) -> str:
    """Return a share in percent, with two digits if it is small, and without decimals otherwise."""
    return f"{100 * share:.2g} %" if share < 0.095 else f"{100 * share:.0f} %"


def show(promises: Iterable[Promise]) -> bool:
    """Print a line for each promise, with a hint if it is broken, and return whether all are kept."""
    return say_all(in_words(promises))


def in_words(promises: Iterable[Promise]) -> Iterator[Line]:
    """Yield the line of each promise; an `IncorrectAnswer` ends them with a broken one."""
    try:
        for kept, text, hint in promises:
            yield ("kept", text, "") if kept else ("broken", text, hint)
    except IncorrectAnswer as wrong:
        yield "broken", str(wrong), ""


def say_all(lines: Iterable[Line]) -> bool:
    """Print lines with their hints, and return whether all are kept."""
    words = set()
    for word, text, hint in lines:
        say(word, text, WIDTH)
        if hint:
            say("hint", hint, WIDTH)
        words.add(word)
    return words <= {"kept"}


class Printed(io.StringIO):
    """What a student's code prints in a check: its first lines appear at the end, below those of the check."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.lines = name, 0

    def write(self, text: str) -> int:
        """Keep the beginning, because a loop may print forever."""
        self.lines += text.count("\n")
        return super().write(text[: max(0, 4000 - self.tell())])

    def apart(self, lines: Iterator[Line]) -> Iterator[Line]:
        """Yield the lines of a check; what is printed to compute them stays here."""
        while True:
            with redirect_stdout(self):
                line = next(lines, None)
            if line is None:
                return
            yield line

    def __exit__(self, *_: object) -> None:
        """Show the first lines, also after an error or the stop button."""
        if first := self.getvalue().splitlines()[:PRINTED]:
            more = f"\n... and {self.lines - len(first)} more lines" if self.lines > len(first) else ""
            print(f"{self.name} printed:", *first, sep="\n", end=f"{more}\n")


@contextmanager
def trying(promise: str) -> Iterator[None]:
    """Begin the message of an error in a student's code with what was tried: a promise, and for example a size."""
    try:
        yield
    except (Exception, SystemExit) as error:
        error.add_note(promise)
        raise


def expect_tensor(value: Any, what: str, shape: tuple[int, ...] | None = None) -> torch.Tensor:
    """Return a value if it is a float32 tensor, with this shape if given; otherwise raise `IncorrectAnswer`."""
    value = expect(value, what, torch.Tensor, "a tensor")
    if value.dtype != torch.float32:
        raise IncorrectAnswer(f"{what} should be float32, but it is {str(value.dtype).removeprefix('torch.')}.")
    if shape is not None and tuple(value.shape) != shape:
        raise IncorrectAnswer(f"{what} should have the shape {shape}, but it has {tuple(value.shape)}.")
    return value


def expect_number(value: Any, what: str) -> float:
    """Return a number, or a tensor with one element, as a float; otherwise raise `IncorrectAnswer`."""
    try:
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        raise IncorrectAnswer(f"{what} should be a number, but it is {described(filled(value))}.") from None


def expect_items(value: Any, what: str, count: int) -> tuple[Any, ...]:
    """Return the items of a tuple or list of this length; otherwise raise `IncorrectAnswer`."""
    if not isinstance(filled(value), tuple | list) or len(value) != count:
        raise IncorrectAnswer(f"{what} should be {count} values, but it is {described(value)}.")
    return tuple(value)


def expect(value: Any, what: str, kind: type | tuple[type, ...], name: str) -> Any:
    """Return a value if it is of a type, whose name is given in words; otherwise raise `IncorrectAnswer`."""
    if not isinstance(filled(value), kind):
        raise IncorrectAnswer(f"{what} should be {name}, but it is {described(value)}.")
    return value


def described(value: Any) -> str:
    """Return what a value is, in a few words."""
    if isinstance(value, torch.Tensor):
        return f"a tensor with the shape {tuple(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}, not an object of it"
    if isinstance(value, tuple | list | dict):
        return f"a {type(value).__name__} of {len(value)} items"
    return f"{type(value).__name__} ({textwrap.shorten(repr(value), 40, placeholder='...')})"
