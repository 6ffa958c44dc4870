"""Guesses: without a page nobody waits, what is typed is taken and kept, and it stands beside what came out."""

import json
from dataclasses import fields
from types import SimpleNamespace

import pytest

from srlab.lab.guess import Guess, guess
from srlab.lab.lab import Lab
from srlab.view import widgets


class Shell:
    """A kernel of which a page asks."""

    def get_parent(self):
        return {"header": {"msg_id": "1"}, "metadata": {"cellId": "one"}}


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setattr(widgets, "get_ipython", Shell)


def said(asked):
    """The line below the field."""
    return asked.children[2].value


def test_without_a_guess_only_the_outcome_is_told(capsys):
    guess("Which is sharper?", ["left", "right"]).reveal("left")
    assert capsys.readouterr().out.endswith("The outcome: left.\n")


@pytest.mark.parametrize(
    ("choices", "unit", "typed", "taken", "outcome", "words"),
    [
        (["left", "right"], "", "left", "left", "left", "Your guess: left. Right!"),
        (["left", "right"], "", "right", "right", "left", "Your guess: right. The outcome: left."),
        ((), "dB", "28", "28 dB", 29.777, "Your guess: 28 dB. The outcome: 29.8 dB."),
        ((), "dB", " 28 dB", "28 dB", 29.777, "Your guess: 28 dB. The outcome: 29.8 dB."),
        ((), "", "16", "16", 16, "Your guess: 16. Right!"),
        ((), "", "4", "4", 4.4, "Your guess: 4. The outcome: 4.4."),
        ((), "", "16697987", "16697987", 16697987, "Your guess: 16697987. Right!"),
        ((), "", "1,5", "1,5", 15, "Your guess: 1,5. The outcome: 15."),
        ((), "", "9", "9", 16697987, "Your guess: 9. The outcome: 16,697,987."),
    ],
)
def test_a_guess_is_taken_as_it_is_typed_and_stands_beside_the_outcome(
    capsys, choices, unit, typed, taken, outcome, words
):
    asked = Guess("How much?", choices, unit)
    asked.field.value = typed  # as a click or the keyboard does
    assert said(asked) == f"Taken: {taken}. Now run the next cell."
    asked.reveal(outcome)
    assert capsys.readouterr().out == f"{words}\n"


def test_a_word_is_no_number_and_no_guess(capsys):
    asked = Guess("How much?", unit="dB")
    for typed, answer in (
        ("10", "Taken: 10 dB. Now run the next cell."),
        ("ten", "A number please, such as 10."),
        ("", ""),
    ):
        asked.field.value = typed
        assert said(asked) == answer
        asked.reveal(3)
        told = "Your guess: 10 dB. The outcome: 3 dB.\n" if typed == "10" else "The outcome: 3 dB.\n"
        assert capsys.readouterr().out == told


@pytest.mark.usefixtures("page")
def test_a_cell_that_runs_again_shows_the_guess_of_before(home, capsys):
    for question, choices, typed in (("How much?", (), "12"), ("Which?", ["a", "b"], "b")):
        Guess(question, choices).field.value = typed
    assert json.loads((home / "guesses.json").read_text()) == {"": {"How much?": "12", "Which?": "b"}}
    again = Guess("How much?", unit="dB")
    assert (again.field.value, said(again)) == ("12", "Taken: 12 dB. Now run the next cell.")
    assert "12 dB" in again.still()
    again.reveal(8)
    assert capsys.readouterr().out == "Your guess: 12 dB. The outcome: 8 dB.\n"
    assert Guess("Which?", ["a", "c"]).taken == "", "b can no longer be chosen"


@pytest.mark.usefixtures("page")
def test_two_labs_that_ask_the_same_keep_two_guesses_and_a_file_of_before_is_read(home, monkeypatch):
    def ask(lab):
        shell = SimpleNamespace(user_ns={"i": 3, "lab": Lab(lab, *[None] * (len(fields(Lab)) - 1))})
        monkeypatch.setattr("srlab.lab.guess.running_shell", lambda: shell)
        return Guess("How much?")

    home.mkdir()
    (home / "guesses.json").write_text('{"How much?": "1", "Else?": "2"}')
    assert ask("03").taken == "1"
    ask("03").field.value = "3"
    ask("04").field.value = "4"
    assert (ask("03").taken, ask("04").taken) == ("3", "4")
    assert json.loads((home / "guesses.json").read_text())[""] == {"How much?": "1", "Else?": "2"}


def test_a_page_that_nobody_can_type_into_shows_the_question_and_folds_the_outcome(monkeypatch):
    """As `srlab labs` runs a lab for the book: there is a shell, and no cell of a page that asks."""
    shown = []
    monkeypatch.setattr("srlab.lab.guess.running_shell", Shell)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    asked = Guess("Is <b> wide?", unit="px")
    asked.reveal(8)
    (data,) = shown
    assert data["text/html"] == "<details><summary>The outcome</summary>The outcome: 8 px.</details>"
    assert "Is &lt;b&gt; wide?" in asked.still()
    assert repr(asked) == "Your guess: Is <b> wide?"


def test_a_headless_run_shows_no_guess_of_another_day_and_writes_none(home, capsys):
    home.mkdir()
    (home / "guesses.json").write_text('{"How much?": "12"}')
    guess("How much?").reveal(8)
    assert capsys.readouterr().out.endswith("The outcome: 8.\n")
    assert (home / "guesses.json").read_text() == '{"How much?": "12"}'


@pytest.mark.usefixtures("page")
def test_a_guess_that_cannot_be_kept_is_taken_all_the_same(home):
    home.mkdir()
    (home / "guesses.json").write_text("[")
    asked = Guess("How much?")
    assert said(asked).endswith("guesses.json is damaged, so guesses aren&#x27;t kept; move it away.")
    asked.field.value = "3"
    assert "is damaged" in said(asked)
    assert (asked.taken, (home / "guesses.json").read_text()) == ("3", "[")
