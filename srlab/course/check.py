"""Exercises that check themselves: a cell gives an answer, `check` says how far it is right, and the lab goes on.

A lab is a folder here and an exercise a file in it, ``srresnet/residual_block.py`` for ``srresnet.ResidualBlock``, with
one `Exercise` named ``EXERCISE``. The name of an exercise is that of its reference answer; there is no other list.
"""

import ast
import html
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from srlab.base.errors import SrlabError
from srlab.base.places import switched_on
from srlab.base.shell import running_shell
from srlab.course import exercises
from srlab.course.saved import MARK, Result

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


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise: what is asked, and how an answer is told right from wrong.

    Attributes
    ----------
    reference
        The answer that the lab goes on with when the student's is missing or wrong. `srlab solutions` writes it into
        the stub, so it uses nothing of its module but imports.
    level
        How hard it is.
    importance
        What it counts for in a lab, from 1 to 5, as the text above it says.
    cases
        What is tested, in plain words -> the inputs: a tuple, which is copied for each run, or a function that makes
        one anew.
    mistakes
        Hint -> the wrong answer that it belongs to, or several of them.
    hints
        Help for a start, the gentlest first.
    also_right
        Other answers that must be taken.
    notes
        Remark -> an answer, or several, that is taken as well, and of which the remark is made.
    observe
        Gets an answer and the inputs of a case, and gives back what is compared in place of the result, in order:
        a dict of observation -> number, tensor, text, or a list, tuple or dict of these.
    otherwise
        Case or observation -> what to say of a difference there that no known mistake makes; ``{given}`` stands for
        the answer's value.
    tolerance
        Largest absolute difference of numbers that count as equal.
    reveal
        Show the wanted value as well; not where it is itself what is asked for.
    """

    reference: Answer
    _: KW_ONLY
    level: Literal["easy", "medium", "hard"]
    importance: Literal[1, 2, 3, 4, 5]
    cases: Mapping[str, tuple[Any, ...] | Callable[[], tuple[Any, ...]]]
    mistakes: Mapping[str, Answer | Sequence[Answer]]
    hints: tuple[str, ...]
    also_right: Sequence[Answer] = ()
    notes: Mapping[str, Answer | Sequence[Answer]] = field(default_factory=dict)
    observe: Callable[..., dict[str, Any]] | None = None
    otherwise: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1e-4
    reveal: bool = True


def check(name: str, answer: Answer, hints: int = 1) -> Answer:
    """Check an answer, say what is right about it, and return what the lab goes on with.

    The cell gives the result the name of the answer. So after a wrong one, when the check runs again and the cell of
    the answer does not, the reference comes in; what was said of the answer is then repeated.

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
        `answer` when it is right, else one that does what the reference does, and keeps what was said of `answer`.

    Raises
    ------
    SrlabError
        There is no such exercise, or the answer is not right and ``SRLAB_STRICT`` is set.
    """
    from srlab.course.judging import judge
    from srlab.course.stand_in import make_stand_in, repeat, stands_in

    exercise = find(name)
    print(f"{name} ({exercise.level})")
    again = stands_in(exercise, answer)
    passed: list[tuple[str, str]] = []
    try:
        for word, text in repeat(answer) if again else judge(exercise, answer):
            _say(word, text)
            passed.append((word, text))
    except Wrong as wrong:
        todo = isinstance(wrong, StillToDo)
        result = Result.TODO if todo else Result.HINT
        said = exercise.hints if todo else (str(wrong), *exercise.hints)
        if switched_on("SRLAB_STRICT"):
            message = "still to do" if todo else str(wrong)
            _leave(name, result)
            raise type(wrong)(f"Exercise {name}: {message}") from wrong.__cause__
        if todo:
            _say("to do", "This one is still to do. Here is something to start from.")
        for hint in said[:hints]:
            _say("hint", hint)
        own = exercise.reference.__name__
        end = (
            f"This was said of the last answer of your own; `{own}` is the reference now. Run the cell in which you "
            f"write `{own}`, and once it runs without an error, run this one."
            if again
            else "The lab goes on with the reference answer. Change yours, run its cell, and then this one again."
        )
        more = f"For another hint, add hints={hints + 1} to this call."
        print(textwrap.fill(f"{end} {more if hints < len(said) else 'That was the last hint.'}", 100))
        _leave(name, result, exercise.reference)
        return answer if again else make_stand_in(exercise, passed, wrong)
    _say("right", "The lab goes on with your answer.")
    _leave(name, Result.RIGHT)
    return answer


def _say(word: str, text: str) -> None:
    first_line = f"  {word:8}"
    indent = {"initial_indent": first_line, "subsequent_indent": " " * len(first_line)}
    print(textwrap.fill(text, 100, break_on_hyphens=False, **indent))


def _leave(name: str, result: Result, solution: Answer | None = None) -> None:
    """In a notebook, leave a mark with the result for `srlab progress`, and in it perhaps a folded solution."""
    if running_shell() is None:
        return
    from IPython.display import display

    page = f"{MARK.format(name, result.value)}{_folded(solution) if solution else ''}</div>"
    display({"text/html": page, "text/plain": "One solution is folded here." if solution else ""}, raw=True)


def _folded(answer: Answer) -> str:
    """The source of an answer behind a click, without its docstring."""
    source = textwrap.dedent(inspect.getsource(answer))
    docstring = ast.parse(source).body[0].body[0]
    lines = source.splitlines()
    code = html.escape("\n".join(lines[: docstring.lineno - 1] + lines[docstring.end_lineno :]))
    return f"<details><summary>One solution. Try your own first!</summary><pre>{code}</pre></details>"


def find(name: str) -> Exercise:
    """Look up an exercise by its full name, ``"<lab>.<exercise>"``; an unknown name raises `SrlabError`."""
    known = _exercises()
    if name not in known:
        raise SrlabError(
            f"There is no exercise '{name}': correct the name, or get the lab anew if it is of another edition; the "
            f"exercises are {', '.join(known)}."
        )
    return known[name]


def names() -> list[str]:
    """Full names of all exercises, lab by lab."""
    return list(_exercises())


def _exercises() -> dict[str, Exercise]:
    found = {}
    for lab in pkgutil.iter_modules(exercises.__path__):
        if lab.ispkg:
            package = importlib.import_module(f"{exercises.__name__}.{lab.name}")
            for file in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
                exercise = importlib.import_module(file.name).EXERCISE
                found[f"{lab.name}.{exercise.reference.__name__}"] = exercise
    return found


# --- What exercises are written with --------------------------------------------------------------------------


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
