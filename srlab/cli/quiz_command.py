"""``srlab quiz``: all questions of a lab, for Moodle or on paper."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError

if TYPE_CHECKING:
    from srlab.exercises.quiz import Question

ANSWERS = '<div style="page-break-before: always"></div>\n\n## Answers'


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("quiz", help="print the questions of a lab with their answers, for teachers")
    parser.add_argument("lab", metavar="LAB", help="name or beginning of a name, such as 03")
    parser.add_argument(
        "--format", choices=("markdown", "gift"), default="markdown", help="a page to print, or Moodle's GIFT"
    )
    parser.add_argument("-o", "--out", metavar="FILE", help="write into this file, which must not exist yet")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print the questions, or write them; returns the exit code."""
    from srlab.base.files import refuse_existing, write_atomic
    from srlab.exercises.quiz import labs_with_quiz, read_questions

    fitting = [lab for lab in labs_with_quiz() if lab.startswith(options.lab.removesuffix(".ipynb"))]
    if len(fitting) != 1:
        raise SrlabError(f"There is no single quiz '{options.lab}'; choose from {', '.join(labs_with_quiz())}.")
    (lab,) = fitting
    if options.out:
        refuse_existing(Path(options.out))
    questions = read_questions(lab)
    text = (in_gift if options.format == "gift" else on_paper)(lab, questions)
    if not options.out:
        print(text, end="")
        return 0
    write_atomic(Path(options.out), text.encode())
    print(f"{options.out}: the {len(questions)} questions of {lab}")
    return 0


def on_paper(lab: str, questions: "list[Question]") -> str:
    """A page in Markdown: the questions, and on a new sheet what is said of each choice."""
    parts = [f"# {lab}: {len(questions)} questions"]
    parts += [question.in_markdown(number) for number, question in enumerate(questions, 1)]
    parts.append(ANSWERS)
    for number, question in enumerate(questions, 1):
        rows = [
            f"- **{letter}**{' (right)' if choice.right else ''} {choice.why}"
            for letter, choice in zip(question.letters, question.choices, strict=True)
        ]
        parts.append("\n".join([f"**{number}. {question.right}**", "", *rows]))
    return "\n\n".join(parts) + "\n"


def in_gift(lab: str, questions: "list[Question]") -> str:
    """The questions in GIFT, which Moodle imports, in a category of the lab and with what is said of each choice."""
    parts = [f"$CATEGORY: srlab/{lab}"]
    for number, question in enumerate(questions, 1):
        rows = [
            f"\t{'=' if choice.right else '~'}{_escaped(choice.text)}#{_escaped(choice.why)}"
            for choice in question.choices
        ]
        parts.append("\n".join([f"::{lab} {number}::[markdown]{_escaped(question.text)} {{", *rows, "}"]))
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    """A backslash before each sign that GIFT reads as its own, and all on one line, as an empty one ends a question."""
    return re.sub(r"([~=#{}:\\])", r"\\\1", " ".join(text.split()))
