"""Check an answer to an exercise: a cell gives an answer, `check` prints how far it is right, and the lab goes on."""

import ast
import html
import inspect
import textwrap

from IPython.display import display

from srlab.base.places import switched_on
from srlab.base.shell import running_shell
from srlab.course.exercise import Answer, StillToDo, Wrong, find
from srlab.course.judging import judge
from srlab.course.saved import MARK, Result
from srlab.course.stand_in import make_stand_in, repeat, stands_in


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
        result = Result.NOT_ATTEMPTED if todo else Result.INCORRECT
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
    _leave(name, Result.CORRECT)
    return answer


def _say(word: str, text: str) -> None:
    first_line = f"  {word:8}"
    indent = {"initial_indent": first_line, "subsequent_indent": " " * len(first_line)}
    print(textwrap.fill(text, 100, break_on_hyphens=False, **indent))


def _leave(name: str, result: Result, solution: Answer | None = None) -> None:
    """In a notebook, leave a mark with the result for `srlab progress`, and in it perhaps a folded solution."""
    if running_shell() is None:
        return
    page = f"{MARK.format(name, result.value)}{_folded(solution) if solution else ''}</div>"
    display({"text/html": page, "text/plain": "One solution is folded here." if solution else ""}, raw=True)


def _folded(answer: Answer) -> str:
    """The source of an answer behind a click, without its docstring."""
    source = textwrap.dedent(inspect.getsource(answer))
    docstring = ast.parse(source).body[0].body[0]
    lines = source.splitlines()
    code = html.escape("\n".join(lines[: docstring.lineno - 1] + lines[docstring.end_lineno :]))
    return f"<details><summary>One solution. Try your own first!</summary><pre>{code}</pre></details>"
