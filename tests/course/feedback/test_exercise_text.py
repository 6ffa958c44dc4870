"""Test srlab_course.feedback.exercise_text: a text next to an exercise becomes hints, answers and messages."""

import inspect
import textwrap

import pytest

from srlab.errors import SrlabError
from srlab_course.feedback.exercise import Exercise
from srlab_course.feedback.exercise_text import with_text


def double(x):
    """Return twice x."""
    twice = 2 * x
    return twice


@pytest.fixture
def read(tmp_path):
    def read(text, **parts):
        (tmp_path / "double.md").write_text(textwrap.dedent(text), encoding="utf-8")
        exercise = Exercise(double, level="easy", points=1, cases={"three": (3,)}, **parts)
        return with_text(exercise, tmp_path / "double.md")

    return read


def results(mistake):
    return [answer(3) for answer in mistake.answers]


def test_edits_alternatives_and_whole_answers(read):
    exercise = read("""
        # Hints

        Think of
        twice.

        Use `*`.

        # Mistakes

        ## square

        You squared x. What is
        twice x?

            - 2 * x
            + x * x
            | x**math.e
            - return twice
            + return twice + 1

            def double(x):
                return x * 7

        ## no result

        Return something.

            -     return twice
            +

        # Notes

        ## float

        A float will do.

            - 2 *
            + 2.0 *

        # Accepted

            -     twice = 2 * x
            -     return twice
            +     return x + x

        # Otherwise

        - three: Not 6 but {given}:
          look again.
        """)
    assert exercise.hints == ("Think of twice.", "Use `*`.")
    square, nothing = exercise.known_mistakes
    assert (square.name, square.hint) == ("square", "You squared x. What is twice x?")
    assert results(square) == [10, pytest.approx(3**2.718281828), 21]
    assert results(nothing) == [None]
    assert results(exercise.notes[0]) == [6.0]
    assert exercise.also_accepted[0](3) == 6
    assert "return x + x" in inspect.getsource(exercise.also_accepted[0])
    assert exercise.fallback_messages == {"three": "Not 6 but {given}: look again."}


def test_sections_may_be_missing_and_messages_of_the_module_stay(read):
    exercise = read("# Hints\n\nThink.\n", fallback_messages={"three": "Hm."})
    assert (exercise.hints, exercise.known_mistakes, exercise.also_accepted) == (("Think.",), (), ())
    assert exercise.fallback_messages == {"three": "Hm."}


MISTAKE = "# Mistakes\n\n## a name\n\n{}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Mistake\n", "has the section 'Mistake'. Use Hints, Mistakes"),
        (MISTAKE.format("A hint.\n"), "'a name' needs a text and an indented answer"),
        (MISTAKE.format("    - 2\n    + 3\n"), "'a name' needs a text"),
        (MISTAKE.format("A hint.\n\n    - 4 * x\n    + 3 * x\n"), "'4 \\* x' does not occur in the reference"),
        (MISTAKE.format("A hint.\n\n    - 2\n    3\n"), "the line '3' of an edit does not begin"),
    ],
)
def test_text_that_cannot_be_read_is_named(read, text, words):
    with pytest.raises(SrlabError, match=words) as error:
        read(text)
    assert "double.md" in str(error.value)


def test_answer_that_is_not_python_is_shown(read):
    with pytest.raises(SyntaxError) as error:
        read(MISTAKE.format("A hint.\n\n    - 2 *\n    + 2 x\n"))
    assert error.value.text.strip() == "twice = 2 x x"
    assert "double" in error.value.filename
