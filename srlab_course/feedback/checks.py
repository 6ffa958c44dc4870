"""Exercises in a notebook: `check` prints feedback and returns the function that the lab continues with."""

import inspect
import re
import textwrap

from IPython.display import display

from srlab.paths import switched_on
from srlab.shell import running_shell
from srlab.text import escaped
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, NotAttempted
from srlab_course.feedback.fallback import is_fallback, make_fallback, repeat
from srlab_course.feedback.judging import judge
from srlab_course.layout import WIDTH, in_lines
from srlab_course.notebook_files.marks import ACCEPTED, MARK, Result

# Numbers in the 256-color table of terminals, which can be read on white and on black.
COLORS: dict[str, int] = {Result.CORRECT: 28, Result.INCORRECT: 196, Result.NOT_ATTEMPTED: 244}
COLORS |= {"failed": 196, "to do": 244}  # in the workshops
_appeared: dict[str, list[str]] = {}  # exercise -> names of the hints that it has shown in this kernel


def check(name: str, answer: Answer, hints: int = 1) -> Answer:
    """Check an answer, print feedback, and return the function that the lab continues with.

    Assign the result to the name of the answer. If the answer is incorrect, the name then refers to a fallback: a copy
    of the reference solution. Checking the fallback prints the same hints again.

    Parameters
    ----------
    name
        Name of the exercise, such as ``"degradation.psnr"``.
    answer
        The student's function or class, not its result.
    hints
        Number of hints to show for an incorrect answer.

    Returns
    -------
    Callable
        `answer` if it is correct. Otherwise a fallback that computes the same as the reference and keeps the hints.

    Raises
    ------
    SrlabError
        The exercise does not exist; or the answer is incorrect or missing, and ``SRLAB_STRICT=1`` is set.
    """
    exercise = find(name)
    print(f"{name} ({exercise.level})")
    again = is_fallback(exercise, answer)
    passed: list[tuple[str, str]] = []
    try:
        for word, text in repeat(answer) if again else judge(exercise, answer):
            say(word, text)
            passed.append((word, text))
    except IncorrectAnswer as wrong:
        if wrong.name and wrong.name not in (shown := _appeared.setdefault(name, [])):
            shown.append(wrong.name)
        if switched_on("SRLAB_STRICT"):
            _leave(name, _result(wrong))
            raise type(wrong)(f"Exercise {name}: {str(wrong) or 'not attempted yet'}") from wrong.__cause__
        say(_result(wrong), "The lab uses the reference solution for now.")
        _hint(exercise, wrong, again, hints)
        _leave(name, _result(wrong), exercise.reference)
        return answer if again else make_fallback(exercise, passed, wrong)
    say(Result.CORRECT, ACCEPTED)
    _leave(name, Result.CORRECT)
    return answer


def _result(wrong: IncorrectAnswer) -> Result:
    return Result.NOT_ATTEMPTED if isinstance(wrong, NotAttempted) else Result.INCORRECT


def _hint(exercise: Exercise, wrong: IncorrectAnswer, again: bool, hints: int) -> None:
    """Print the first `hints` hints, and what to do next; `again` if the fallback was checked, not an answer."""
    texts = [text for text in (str(wrong), *exercise.hints) if text]
    for text in texts[:hints]:
        say("hint", text)
    own = exercise.reference.__name__
    if again:
        end = (
            f"These hints are about your last answer; `{own}` is now the reference solution. Run the cell that defines "
            f"`{own}`. When it runs without an error, run this cell again."
        )
    else:
        todo = isinstance(wrong, NotAttempted)
        end = f"{'Write' if todo else 'Fix'} your answer, run its cell, then this one again."
    more = f"For another hint, add hints={hints + 1} to this call." if hints < len(texts) else "That was the last hint."
    print(in_lines("", f"{end} {more}"))


def say(word: str, text: str, width: int = WIDTH) -> None:
    """Print a word, such as ``passed`` or ``hint``, and next to it a text in lines of at most `width` characters.

    A notebook shows the results in color.
    """
    label = f"  {word:9} "
    lines = in_lines(label, text, width)
    if word in COLORS and running_shell() is not None:
        lines = f"  \033[1;38;5;{COLORS[word]}m{word}\033[0m{lines[2 + len(word) :]}"
    print(lines)


def _leave(name: str, result: Result, solution: Answer | None = None) -> None:
    """In a notebook, save the result in the output for `srlab progress`, optionally with a folded solution."""
    if running_shell() is None:
        return
    mark = MARK.format(name, result.value, escaped("; ".join(_appeared.get(name, ()))))
    page = f"{mark}{_folded(solution) if solution else ''}</div>"
    display({"text/html": page, "text/plain": "A solution is folded here." if solution else ""}, raw=True)


def _folded(answer: Answer) -> str:
    """Return the source of an answer without its docstring, folded."""
    source = re.sub(r'\n *"""[\s\S]*?"""', "", textwrap.dedent(inspect.getsource(answer)), count=1)
    page = "\n".join(map(escaped, source.splitlines()))
    return f"<details><summary>One solution (try your own first!)</summary><pre>{page}</pre></details>"
