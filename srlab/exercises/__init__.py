"""Exercises that check themselves: a cell gives an answer, `check` says how far it is right, and the lab goes on.

One file per lab holds a dict ``EXERCISES`` of full name -> `Exercise`; it is imported when one of its
exercises is asked for. A new lab adds its file here and nothing else; a file whose name begins with an underscore
is a part of some lab's.
"""

import importlib
import linecache
import numbers
import os
import pkgutil
import textwrap
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from srlab.base.errors import SrlabError

if TYPE_CHECKING:
    import torch

Answer = Callable[..., Any]  # a function, or an nn.Module class


class _Todo:
    def __repr__(self) -> str:
        return "TODO (this exercise is still to do)"


TODO = _Todo()


class Wrong(SrlabError):
    """An answer is not right (yet); the message is the hint."""


class StillToDo(Wrong):
    """The stub was called as it stands."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: what is asked, and how an answer is told right from wrong.

    Attributes
    ----------
    reference
        The answer that the lab goes on with when the student's is missing or wrong.
    steps
        Pairs of (what is tested, in plain words; a function that gets the answer and raises `Wrong` with a
        hint). They run in order, and the first that raises ends the check.
    level
        How hard it is.
    hints
        Help for a start, the gentlest first.
    """

    reference: Answer
    steps: tuple[tuple[str, Callable[[Answer], None]], ...]
    level: Literal["easy", "medium", "hard"]
    hints: tuple[str, ...]


def check(name: str, answer: Answer, hints: int = 1) -> Answer:
    """Check an answer, say what is right about it, and return what the lab goes on with.

    With the environment variable ``SRLAB_STRICT=1`` an answer that is wrong or missing raises instead.

    Parameters
    ----------
    name
        The exercise, such as ``"degradation.psnr"``.
    answer
        The student's function or class itself, not what it returns.
    hints
        How many hints to show when the answer is not right; the last one is said to be the last.

    Returns
    -------
    Callable
        `answer` when it is right, else the reference answer.

    Raises
    ------
    SrlabError
        There is no such exercise, or the answer is not right and ``SRLAB_STRICT`` is set.
    """
    import torch

    exercise = find(name)
    print(f"{name} ({exercise.level})")
    try:
        # A seed of its own for every check, and the numbers that the lab draws afterwards stay the same.
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(0)
            _run(exercise, answer)
    except Wrong as wrong:
        todo = isinstance(wrong, StillToDo)
        said = exercise.hints if todo else (str(wrong), *exercise.hints)
        if os.environ.get("SRLAB_STRICT", "0") not in ("", "0"):
            message = "still to do" if todo else str(wrong)
            raise type(wrong)(f"Exercise {name}: {message}") from wrong.__cause__
        if todo:
            _say("to do", "This one is still to do. Here is something to start from.")
        for hint in said[:hints]:
            _say("hint", hint)
        more = (
            f" For another hint, add hints={hints + 1} to this call."
            if hints < len(said)
            else " That was the last hint."
        )
        print(f"The lab goes on with the reference answer; change yours and run this cell again.{more}")
        return exercise.reference
    _say("right", "The lab goes on with your answer.")
    return answer


def _run(exercise: Exercise, answer: Answer) -> None:
    if answer is TODO:
        raise StillToDo
    if not callable(answer):
        raise Wrong(
            f"check needs the function itself, but got what looks like its result ({type(answer).__name__}). "
            "Give the name without brackets behind it."
        )
    for what, step in exercise.steps:
        try:
            step(answer)
        except Wrong:
            raise
        except Exception as error:
            text = textwrap.shorten(f"{type(error).__name__}: {error}", 400, placeholder=" ...")
            raise Wrong(f"Your code stopped with {text}{_place(error, answer)}") from error
        _say("passed", what)


def _place(error: Exception, answer: Answer) -> str:
    """The line of the student's code that raised, if it is known."""
    home = getattr(answer, "__module__", None)
    lines = [
        linecache.getline(frame.f_code.co_filename, number).strip()
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == home
    ]
    return f" (in the line: {lines[-1]})" if lines and lines[-1] else ""


def _say(word: str, text: str) -> None:
    first_line = f"  {word:8}"
    print(textwrap.fill(text, 100, initial_indent=first_line, subsequent_indent=" " * len(first_line)))


# --- The list of exercises ----------------------------------------------------------------------------------


def find(name: str) -> Exercise:
    """Look up an exercise by its full name, ``"<lab>.<exercise>"``; an unknown name raises `SrlabError`."""
    lab = name.partition(".")[0]
    exercises = _exercises(lab) if lab in _labs() else {}
    if name not in exercises:
        raise SrlabError(f"There is no exercise '{name}'; the exercises are {', '.join(names())}.")
    return exercises[name]


def names() -> list[str]:
    """Full names of all exercises, lab by lab."""
    return [name for lab in _labs() for name in _exercises(lab)]


def _labs() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]


def _exercises(lab: str) -> dict[str, Exercise]:
    return importlib.import_module(f"{__name__}.{lab}").EXERCISES


# --- What the steps are written with ------------------------------------------------------------------------


def sample(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> "torch.Tensor":
    """Float32 values in [low, high) that are the same in every run."""
    import torch

    return low + (high - low) * torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def filled(result: Any) -> Any:
    """Pass a result on unless it is missing: `TODO` means that the stub is untouched, None a forgotten return."""
    if result is TODO:
        raise StillToDo
    if result is None:
        raise Wrong("The result is None. Does every path through your code end in a return?")
    return result


def tensor(result: Any, shape: tuple[int, ...], hint: str = "") -> "torch.Tensor":
    """Take a result as a tensor of a given shape, detached; anything else raises `Wrong`.

    Parameters
    ----------
    result
        What the student's code returned.
    shape
        The shape it must have; ``()`` also takes a Python number or a tensor with one element.
    hint
        Said after the two shapes when they differ.
    """
    import torch

    if isinstance(filled(result), numbers.Real):
        result = torch.tensor(float(result), dtype=torch.float64)
    if not isinstance(result, torch.Tensor):
        kind = "number" if shape == () else "tensor"
        raise Wrong(f"The result should be a {kind}, but is a {type(result).__name__}.")
    if shape == () and result.numel() == 1:
        result = result.reshape(())
    if tuple(result.shape) != shape:
        raise Wrong(f"The result has shape {tuple(result.shape)}, but should have {shape}. {hint}".strip())
    return result.detach()


def near(result: Any, wanted: Any, tolerance: float = 1e-4) -> bool:
    """Whether two tensors or numbers of one shape are equal up to an absolute tolerance; NaN never is."""
    import torch

    result, wanted = (torch.as_tensor(x).detach().double().cpu() for x in (result, wanted))
    return result.shape == wanted.shape and torch.allclose(result, wanted, rtol=0, atol=tolerance)


def compare(
    result: Any,
    wanted: Any,
    mistakes: Iterable[tuple[str, Any]] = (),
    otherwise: str = "",
    tolerance: float = 1e-4,
    reveal: bool = True,
    keys: Sequence[str] = (),
) -> None:
    """Accept the wanted value, recognise known wrong ones by theirs, and show the first difference for any other.

    Parameters
    ----------
    result, wanted
        Tensors or numbers of the same shape.
    mistakes
        Pairs of (hint, the value that this mistake leads to).
    otherwise
        What to say when the value belongs to no known mistake.
    tolerance
        Largest absolute difference that counts as equal.
    reveal
        Show the wanted value as well; not where it is itself what is asked for.
    keys
        Names of the values, for a result ``(K,)`` that was made of a dict.
    """
    if near(result, wanted, tolerance):
        return
    for hint, value in mistakes:
        if near(result, value, tolerance):
            raise Wrong(hint)
    said = difference(result, wanted, tolerance, keys) if reveal else f"Your answer gives {_show(result)}."
    raise Wrong(f"{otherwise} {said}".strip())


def difference(result: Any, wanted: Any, tolerance: float = 1e-4, keys: Sequence[str] = ()) -> str:
    """One sentence on the first place where two tensors or numbers of one shape differ; `compare` has the rest."""
    import torch

    result, wanted = (torch.as_tensor(x).detach().double() for x in (result, wanted))
    # Not "differs by more", which NaN never does.
    place = (~((result - wanted).abs() <= tolerance)).nonzero()[0].tolist()
    pair = wanted[tuple(place)].item(), result[tuple(place)].item()
    expected, given = _unlike(*pair)
    if not place:
        return f"Expected {expected}, but your answer gives {given}."
    where = keys[place[0]] if keys else str(place)
    return f"The first difference is at {where}: expected {expected}, but your answer gives {given}."


def _unlike(a: float, b: float) -> tuple[str, str]:
    """Both numbers with four digits, or as many more as it takes to tell them apart."""
    texts = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(4, 18))
    return next((pair for pair in texts if pair[0] != pair[1]), (str(a), str(b)))


def _show(value: Any) -> str:
    import torch

    values = torch.as_tensor(value).flatten()
    return ", ".join(f"{x:.4g}" for x in values[:4].tolist()) + (", ..." if len(values) > 4 else "")
