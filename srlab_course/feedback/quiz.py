"""The quiz at the end of a lab: the student types letters in the cell, and each choice has an explanation.

``quizzes/<lab>.yaml`` contains the eight questions of a lab. The lab uses the first five; the others are for class. A
choice is ``right`` or ``wrong``, and ``why`` explains why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import ascii_uppercase
from typing import Any

import yaml
from IPython.display import display

from srlab.errors import SrlabError
from srlab.shell import running_shell
from srlab_course.notebook_files.marks import calls_of

ASKED = 5  # number of questions that a lab uses, the first ones in its file
OPEN = "?"
FOLDER = files("srlab_course.feedback").joinpath("quizzes")


@dataclass(frozen=True)
class Choice:
    """A choice, and why it is right or wrong."""

    text: str
    why: str
    right: bool


@dataclass(frozen=True)
class Question:
    """A question in Markdown, with its choices by letter."""

    text: str
    choices: dict[str, Choice]

    @property
    def right(self) -> str:
        """The letter of the right choice."""
        return next(letter for letter, choice in self.choices.items() if choice.right)

    def answered(self, number: int, letter: str) -> str:
        """Return the question with its choices and, if it is answered, the explanation."""
        rows = [f"- **{key}** {choice.text}" for key, choice in self.choices.items()]
        if letter != OPEN:
            choice = self.choices[letter]
            rows += ["", f"**{letter} is {'correct' if choice.right else 'incorrect'}.** {choice.why}"]
        return "\n".join([f"**{number}.** {self.text}", "", *rows])


def labs_with_quiz() -> list[str]:
    """Return the sorted names of the labs that have a quiz."""
    return sorted(file.name.removesuffix(".yaml") for file in FOLDER.iterdir() if file.name.endswith(".yaml"))


def read_questions(lab: str) -> list[Question]:
    """Read all questions of a lab."""
    if lab not in labs_with_quiz():
        raise SrlabError(f"No quiz found for '{lab}'. Choose {', '.join(labs_with_quiz())}.")
    questions = []
    for entry in yaml.safe_load(FOLDER.joinpath(f"{lab}.yaml").read_text(encoding="utf-8")):
        choices = [Choice(one.get("right") or one["wrong"], one["why"], "right" in one) for one in entry["choices"]]
        questions.append(Question(entry["question"], dict(zip(ascii_uppercase, choices, strict=False))))
    return questions


def quiz(lab: str, answers: str) -> None:
    """Show the five questions of a lab and, for each of the student's letters, whether it is right and why.

    Parameters
    ----------
    lab
        Name of the lab, such as ``"00_degradation"``.
    answers
        One letter per question in order, or ``?`` for an open question: ``"BA?C?"``. If it is not valid, the questions
        are shown before `SrlabError` is raised.
    """
    questions = read_questions(lab)[:ASKED]
    given = _letters(answers)
    fits = len(given) == ASKED and all(
        letter in (*question.choices, OPEN) for letter, question in zip(given, questions, strict=True)
    )
    pairs = zip(questions, given if fits else OPEN * ASKED, strict=True)
    text = "\n\n".join(question.answered(number, letter) for number, (question, letter) in enumerate(pairs, 1))
    if running_shell() is None:
        print(text)
    else:
        display({"text/markdown": text, "text/plain": text}, raw=True)
    if not fits:
        raise SrlabError(
            f"{answers!r} is not valid. Pass one letter for each of the {ASKED} questions, or {OPEN} for an open one, "
            f'such as "B{OPEN * (ASKED - 1)}".'
        )


def _letters(answers: Any) -> str:
    return "".join(str(answers).split()).upper()


def count_right(notebook: Mapping[str, Any]) -> dict[str, int]:
    """Count the right answers in each lab's last quiz in a saved notebook, without executing it.

    The keys are the labs' names without their numbers, such as ``srgan``.
    """
    # Find the call and not the tag of its cell, because some editors drop tags.
    sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    calls = [call for source in sources for call in calls_of("quiz", source)]
    last = {call.get("lab"): _letters(call.get("answers", "")) for call in calls}
    right = {lab: "".join(question.right for question in read_questions(lab)[:ASKED]) for lab in labs_with_quiz()}
    return {lab.partition("_")[2]: sum(map(str.__eq__, last[lab], right[lab])) for lab in right if lab in last}
