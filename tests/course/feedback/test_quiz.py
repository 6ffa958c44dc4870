"""Test the quizzes: valid questions, replies to letters, and counting in saved notebooks."""

import re
from collections import Counter

import nbformat
import pytest

from srlab.errors import SrlabError
from srlab_course.feedback.quiz import ASKED, count_right, labs_with_quiz, quiz, read_questions

BANKS = {lab: read_questions(lab) for lab in labs_with_quiz()}
LAB, NAME, FIRST = "03_srgan", "srgan", BANKS["03_srgan"][:ASKED]
RIGHTS = {lab: "".join(question.right for question in bank[:ASKED]) for lab, bank in BANKS.items()}
RIGHT = RIGHTS[LAB]
WRONG = "".join("B" if letter == "A" else "A" for letter in RIGHT)


# --- The questions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lab", BANKS)
def test_quiz_does_not_reveal_answers(lab):
    questions = BANKS[lab]
    assert len(questions) == 8
    for question in questions:
        choices = question.choices.values()
        assert len(choices) in (3, 4), question.text
        assert [choice.right for choice in choices].count(True) == 1, question.text
        assert len({choice.text for choice in choices if choice.text.strip()}) == len(choices), question.text
    letters = [question.right for question in questions]
    assert set(letters) == set("ABCD")
    assert max(Counter(letters).values()) <= 3
    assert len(set(letters[:ASKED])) >= 3
    longest = [max(question.choices.values(), key=lambda choice: len(choice.text)).right for question in questions]
    assert sum(longest) <= 4


# --- In a notebook --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", ["?????", RIGHT[0] + "?" + RIGHT[2:].lower(), WRONG[:3] + "? " + WRONG[4]])
def test_choice_shows_only_its_reason(answers, capsys):
    quiz(LAB, answers)
    text, given = capsys.readouterr().out, answers.replace(" ", "").upper()
    for question, letter in zip(FIRST, given, strict=True):
        for place, choice in question.choices.items():
            verdict = "is correct." if choice.right else "is incorrect."
            assert choice.text in text
            assert (f"**{letter} {verdict}** {choice.why}" in text) == (choice.why in text) == (place == letter)
    assert BANKS[LAB][ASKED].text not in text


@pytest.mark.parametrize("answers", ["ABC", "?Z???", ["A"] * 5])
def test_malformed_answers_are_rejected_below_questions(answers, capsys):
    with pytest.raises(SrlabError, match=re.escape(f"{answers!r} is not valid. Pass one letter for each of the 5")):
        quiz(LAB, answers)
    text = capsys.readouterr().out
    assert all(question.text in text for question in FIRST)
    assert "correct.**" not in text


# --- In a submitted notebook -----------------------------------------------------------------------------------

CALL = 'course.quiz("{}", "{}")'


@pytest.mark.parametrize(
    ("sources", "right"),
    [
        ([CALL.format(LAB, RIGHT)], {NAME: 5}),
        ([CALL.format(LAB, RIGHT + RIGHT)], {NAME: 5}),
        ([CALL.format(LAB, RIGHT[:3] + "?" + WRONG[4])], {NAME: 3}),
        (["%matplotlib inline\nquiz(", CALL.format(LAB, RIGHT)], {NAME: 5}),
        ([f"# mine\nquiz('{LAB}', answers=\"{RIGHT}\")  # or so"], {NAME: 5}),
        ([CALL.format(LAB, RIGHT), CALL.format(LAB, WRONG)], {NAME: 0}),
        ([f"course.quiz('{LAB}', 'A' + print('executed'))"], {NAME: 0}),
        (
            [CALL.format(LAB, WRONG), CALL.format("00_degradation", RIGHTS["00_degradation"])],
            {"degradation": 5, NAME: 0},
        ),
        ([CALL.format("../../secret", RIGHT)], {}),
        ([], {}),
    ],
)
def test_grading_counts_saved_quiz_without_executing(sources, right, capsys):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(CALL.format(LAB, RIGHT)), *cells])
    assert count_right(notebook) == right
    assert capsys.readouterr().out == ""
