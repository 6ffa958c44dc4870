"""Five questions at the end of a lab: the student's letters stand in the cell, and each wrong one hears what is wrong.

The questions of a lab are in ``quizzes/<lab>.yaml``, eight of them. The lab asks the first five; the others are for
class. A choice is ``right`` or ``wrong``, and ``why`` is what is said to
whoever takes it.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import ascii_uppercase
from typing import Any

import yaml
from IPython.display import display

from srlab.base.errors import SrlabError
from srlab.base.shell import running_shell
from srlab.course.saved import calls_of

ASKED = 5  # questions that a lab asks, the first ones of its file
OPEN = "?"


@dataclass(frozen=True)
class Choice:
    """One answer that a question offers; `why` says to whoever takes it why it is right, or what is wrong about it."""

    text: str
    why: str
    right: bool


@dataclass(frozen=True)
class Question:
    """A question in Markdown, and what one may answer."""

    text: str
    choices: tuple[Choice, ...]

    @property
    def letters(self) -> str:
        """Letters of the choices, ``"ABC"`` or ``"ABCD"``."""
        return ascii_uppercase[: len(self.choices)]

    @property
    def right(self) -> str:
        """Letter of the right choice."""
        return next(letter for letter, choice in zip(self.letters, self.choices, strict=True) if choice.right)

    def in_markdown(self, number: int) -> str:
        """The question and its choices, without a word on which is right."""
        rows = [f"- **{letter}** {choice.text}" for letter, choice in zip(self.letters, self.choices, strict=True)]
        return "\n".join([f"**{number}.** {self.text}", "", *rows])


def labs_with_quiz() -> list[str]:
    """Names of the labs that have questions, in order."""
    found = files("srlab.course").joinpath("quizzes").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in found if file.name.endswith(".yaml"))


def read_questions(lab: str) -> list[Question]:
    """Read all questions of a lab.

    Raises
    ------
    SrlabError
        It has none.
    """
    if lab not in labs_with_quiz():
        raise SrlabError(f"There is no quiz for '{lab}'; there is one for {', '.join(labs_with_quiz())}.")
    file = files("srlab.course").joinpath("quizzes", f"{lab}.yaml")
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [Question(entry["question"], tuple(map(_choice, entry["choices"]))) for entry in entries]


def _choice(entry: dict[str, str]) -> Choice:
    right = "right" in entry
    return Choice(entry["right" if right else "wrong"], entry["why"], right)


def quiz(lab: str, answers: str) -> None:
    """Show the five questions of a lab, and say of each letter that was given whether it's right, and why.

    Parameters
    ----------
    lab
        Such as ``"00_degradation"``.
    answers
        A letter for each question, in order, or ``?`` where it is still open: ``"BA?C?"``.

    Raises
    ------
    SrlabError
        The lab has no quiz, or `answers` isn't of that form. In the second case the questions are shown first.
    """
    questions = read_questions(lab)[:ASKED]
    problem = _problem(answers, questions)
    given = OPEN * len(questions) if problem else _letters(answers)
    _show("\n\n".join(_said(number, *pair) for number, pair in enumerate(zip(questions, given, strict=True), 1)))
    if problem:
        raise SrlabError(problem)


def _letters(answers: str) -> str:
    return "".join(answers.split()).upper()


def _problem(answers: str, questions: list[Question]) -> str:
    """What is wrong about the form of the answers, in a sentence; "" where nothing is."""
    example = '"' + "B" + OPEN * (len(questions) - 1) + '"'
    if not isinstance(answers, str):
        return f"The answers are one text in quotes, such as {example}, and {answers!r} is none."
    given = _letters(answers)
    if len(given) != len(questions):
        return (
            f"There are {len(questions)} questions, and '{answers}' answers {len(given)}; write one letter for each, "
            f"or {OPEN} where you haven't decided, such as {example}."
        )
    for number, (letter, question) in enumerate(zip(given, questions, strict=True), 1):
        if letter not in question.letters + OPEN:
            return (
                f"Question {number} has the choices {', '.join(question.letters)}, and '{letter}' is none of them; "
                f"write one of these letters, or {OPEN}."
            )
    return ""


def _said(number: int, question: Question, letter: str) -> str:
    """A question, and what is said of the letter that was given."""
    asked = question.in_markdown(number)
    if letter == OPEN:
        return asked
    choice = question.choices[question.letters.index(letter)]
    return f"{asked}\n\n**{letter} is {'right' if choice.right else 'not right'}.** {choice.why}"


def _show(text: str) -> None:
    if running_shell() is None:
        print(text)
        return

    display({"text/markdown": text, "text/plain": text}, raw=True)


def count_right(notebook: Mapping[str, Any]) -> int | None:
    """How many of the five answers in a saved notebook are right; nothing of it is executed.

    Parameters
    ----------
    notebook
        From `srlab.course.notebooks.read_notebook` or `nbformat.read`.

    Returns
    -------
    int or None
        0 to 5, of the last quiz: what is open, or no text as it stands, isn't right. None without a quiz that we know.
    """
    # The call counts, not the tag of its cell: some editors drop tags.
    sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    calls = [call for source in sources for call in calls_of("quiz", source)]
    if not calls:
        return None
    named = dict(zip(("lab", "answers"), calls[-1].args, strict=False))
    named |= {keyword.arg: keyword.value for keyword in calls[-1].keywords}
    lab, answers = (_text(named.get(name)) for name in ("lab", "answers"))
    if lab not in labs_with_quiz():
        return None
    questions = read_questions(lab)[:ASKED]
    return sum(letter == question.right for letter, question in zip(_letters(answers), questions, strict=False))


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
