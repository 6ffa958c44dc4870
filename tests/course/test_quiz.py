"""The quizzes: questions that are in order, letters that are answered, and what a saved notebook has right."""

import re
from collections import Counter

import nbformat
import pytest

from srlab.course.quiz import ASKED, count_right, labs_with_quiz, quiz, read_questions
from srlab.errors import SrlabError

BANKS = {lab: read_questions(lab) for lab in labs_with_quiz()}
LAB, FIRST = "03_srgan", BANKS["03_srgan"][:ASKED]
RIGHT = "".join(question.right for question in FIRST)
WRONG = "".join("B" if letter == "A" else "A" for letter in RIGHT)


# --- The questions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lab", BANKS)
def test_each_question_has_one_right_choice_and_a_reason_for_each(lab):
    """Neither letter, length nor wording gives the right one away."""
    questions = BANKS[lab]
    assert len(questions) == 8
    for question in questions:
        choices = question.choices.values()
        assert len(choices) in (3, 4), question.text
        assert [choice.right for choice in choices].count(True) == 1, question.text
        for texts in ([choice.text for choice in choices], [choice.why for choice in choices]):
            assert all(isinstance(text, str) and text.strip() for text in texts), texts
            assert len(set(texts)) == len(texts), texts
        assert all(choice.why[-1] in ".!?" for choice in choices), question.text
    letters = [question.right for question in questions]
    assert set(letters) == set("ABCD")
    assert max(Counter(letters).values()) <= 3
    assert len(set(letters[:ASKED])) >= 3
    longest = [max(question.choices.values(), key=lambda choice: len(choice.text)).right for question in questions]
    assert sum(longest) <= 4


def test_no_question_and_no_reason_stands_twice():
    questions = [question for bank in BANKS.values() for question in bank]
    said = [question.text for question in questions] + [
        c.why for question in questions for c in question.choices.values()
    ]
    assert [text for text, count in Counter(said).items() if count > 1] == []


# --- In a notebook --------------------------------------------------------------------------------------------


def test_open_questions_are_shown_with_their_choices_and_without_a_word_on_them(capsys):
    quiz(LAB, "?????")
    text = capsys.readouterr().out
    for number, question in enumerate(BANKS[LAB], 1):
        assert (f"**{number}.** {question.text}" in text) == (number <= ASKED)
        for choice in question.choices.values():
            assert choice.text in text or number > ASKED
            assert choice.why not in text
    assert " right.**" not in text


@pytest.mark.parametrize(
    ("answers", "said"), [(RIGHT, "is right."), (" ".join(RIGHT.lower()), "is right."), (WRONG, "is not right.")]
)
def test_a_letter_is_answered_with_the_reason_of_its_choice_and_no_other(answers, said, capsys):
    given = "".join(answers.split()).upper()
    quiz(LAB, given[0] + "?" + given[2:])
    text = capsys.readouterr().out
    for number, (question, letter) in enumerate(zip(FIRST, given, strict=True), 1):
        for place, choice in question.choices.items():
            told = number != 2 and place == letter
            assert (f"**{letter} {said}** {choice.why}" in text) == told
            assert (choice.why in text) == told
    quiz(LAB, answers)
    assert capsys.readouterr().out.count(f" {said}** ") == ASKED


@pytest.mark.parametrize("answers", ["ABC", "?Z???", ["A"] * 5])
def test_another_form_is_one_sentence_below_the_questions(answers, capsys):
    with pytest.raises(SrlabError, match=re.escape(f"{answers!r} must be a text with one letter for each of the 5")):
        quiz(LAB, answers)
    text = capsys.readouterr().out
    assert all(question.text in text for question in FIRST)
    assert " right.**" not in text


# --- In a notebook that was handed in ---------------------------------------------------------------------------

CALL = 'course.quiz("{}", "{}")'


@pytest.mark.parametrize(
    ("sources", "right"),
    [
        ([CALL.format(LAB, RIGHT)], 5),
        ([CALL.format(LAB, RIGHT[:3] + "?" + WRONG[4])], 3),
        ([CALL.format(LAB, RIGHT + "A")], 5),
        ([f"# mine\nquiz('{LAB}', answers=\"{RIGHT}\")  # or so"], 5),
        (["%matplotlib inline\nquiz(", CALL.format(LAB, RIGHT)], 5),
        ([CALL.format(LAB, RIGHT), CALL.format(LAB, WRONG)], 0),
        ([f"course.quiz('{LAB}', 'A' + print('executed'))"], 0),
        (["course.quiz()"], None),
        ([CALL.format("../../secret", RIGHT)], None),
        ([], None),
    ],
)
def test_a_saved_notebook_is_read_and_not_executed(sources, right, capsys):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(CALL.format(LAB, RIGHT)), *cells])
    assert count_right(notebook) == right
    assert capsys.readouterr().out == ""
