"""What the tests of all exercises ask of an answer."""

from srlab.exercises import check, find


def said(capsys):
    """What was printed since, in one line."""
    return " ".join(capsys.readouterr().out.split())


def assert_recognised(name, phrase, answer, capsys):
    """A wrong answer gets its own hint, calmly, and the lab goes on with the reference."""
    exercise = find(name)
    assert check(name, answer) is exercise.reference
    assert phrase in (text := said(capsys))
    assert "goes on with the reference" in text
    assert "!" not in text


def assert_taken(name, answer, capsys):
    """A right answer is what the lab goes on with."""
    assert check(name, answer) is answer, said(capsys)
