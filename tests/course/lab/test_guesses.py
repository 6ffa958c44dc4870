"""Test guesses: they never block without a page, are saved, and are shown with the outcome."""

import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from srlab.errors import SrlabError
from srlab_course.lab import guesses
from srlab_course.lab.guesses import Guess, count_right, guess
from srlab_course.lab.lab import Lab
from tests.conftest import replace_display


class Shell:
    """Mock a kernel that is connected to a page."""

    def get_parent(self):
        return {"header": {"msg_id": "1"}, "metadata": {"cellId": "one"}}


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", Shell)


def said(asked):
    """Return the line below the field."""
    return asked.children[2].value


def click(asked, choice, sure="likely"):
    asked.fields[asked.choices.index(choice)].value = sure


def pressed(asked):
    return {field.description: field.value for field in asked.fields if field.value}


@pytest.mark.parametrize(
    ("choices", "unit", "typed", "outcome", "words"),
    [
        (["left", "right"], "", "left", "left", "Your guess: left (likely). Right!"),
        (["left", "right"], "", "right", "left", "Your guess: right (likely). Outcome: left."),
        ((), "dB", " 28 dB", 29.777, "Your guess: 28 dB. Outcome: 29.8 dB."),
        ((), "dB", "28", 28.04, "Your guess: 28 dB. Right!"),
        ((), "dB", "28.0 dB", 28.04, "Your guess: 28.0 dB. Outcome: 28 dB."),
        ((), "", "4", 4.4, "Your guess: 4. Outcome: 4.4."),
        ((), "", "16697987", 16697987, "Your guess: 16697987. Outcome: 16,697,987."),
        ((), "dB", "ten", 3, "Your guess: ten dB. Outcome: 3 dB."),
    ],
)
def test_guess_is_shown_with_outcome(capsys, choices, unit, typed, outcome, words):
    asked = Guess("How much?", choices, unit)
    if choices:
        click(asked, typed)
    else:
        asked.fields[0].value = typed
    assert said(asked).startswith("Saved: ")
    asked.reveal(outcome)
    assert capsys.readouterr().out == f"{words}\n"


@pytest.mark.usefixtures("page")
def test_guess_is_saved_per_lab(home, monkeypatch):
    def ask(lab, question="How much?", choices=()):
        shell = SimpleNamespace(user_ns={"i": 3, "lab": Lab(lab, *[None] * 7, parameters={})})
        monkeypatch.setattr(guesses, "running_shell", lambda: shell)
        return Guess(question, choices, unit="dB")

    ask("03").fields[0].value = "3"
    ask("04").fields[0].value = "4"
    click(ask("04", "Which?", ["a", "b"]), "b")
    again = ask("04", "Which?", ["a", "b"])
    assert (ask("03").taken, ask("04").taken, again.taken, pressed(again)) == ("3", "4", "b", {"b": "likely"})
    assert said(ask("04")) == "Saved: 4 dB. A cell below shows the outcome."
    assert "4 dB" in ask("04").still()
    assert "b (likely)" in again.still()
    assert ask("04", "Which?", ["a", "c"]).taken == "", "b must no longer be selectable"


def test_one_click_tells_choice_and_how_sure_it_is(home):
    asked = Guess("Which?", ["a", "b"])
    click(asked, "a", "sure")
    click(asked, "b", "a hunch")
    assert pressed(asked) == {"b": "a hunch"}, "the last click replaces the first"
    assert json.loads((home / "guesses.json").read_text(encoding="utf-8")) == {
        "": {"Which?": {"guess": "b", "sure": "a hunch"}}
    }


def test_revealed_guesses_are_counted_by_how_sure_they_were(monkeypatch):
    for question, sure, outcome in (("1", "likely", ""), ("2", "a hunch", "b"), ("3", "sure", "a"), ("4", "sure", "b")):
        asked = Guess(question, ["a", "b"])
        click(asked, "a", sure)
        if outcome:
            asked.reveal(outcome)
    number = Guess("5")
    number.fields[0].value = "3"
    number.reveal(3)
    Guess("6", ["a", "b"]).reveal("a")
    assert count_right() == {"a hunch": (0, 0), "likely": (0, 0), "sure": (0, 0)}, "a headless run shows no guess"
    monkeypatch.setattr("IPython.get_ipython", Shell)
    assert count_right() == {"a hunch": (0, 1), "likely": (0, 0), "sure": (1, 2)}
    click(asked, "b", "sure")
    assert count_right()["sure"] == (1, 1), "a new guess counts once its outcome is shown"


def test_guesses_of_two_notebooks_are_kept(home):
    questions = [[f"{notebook} {number}?" for number in range(20)] for notebook in ("one", "two")]

    def answer(all_of_one):
        for question in all_of_one:
            Guess(question).fields[0].value = "3"

    with ThreadPoolExecutor() as pool:
        list(pool.map(answer, questions))
    assert json.loads((home / "guesses.json").read_text(encoding="utf-8"))[""].keys() == {*questions[0], *questions[1]}


def test_outcome_is_folded_without_page(monkeypatch):
    """Reveal as when `srlab execute` runs a lab for the book: there is a shell, but no connected page."""
    shown = []
    monkeypatch.setattr(guesses, "running_shell", Shell)
    replace_display(monkeypatch, lambda data, raw: shown.append(data))
    asked = Guess("Is <b> wide?", unit="px")
    asked.reveal(8)
    (data,) = shown
    assert data["text/html"] == "<details><summary>Outcome</summary>Outcome: 8 px.</details>"
    assert "Is &#60;b&#62; wide?" in asked.still()


def test_headless_run_ignores_guesses(home, capsys):
    home.mkdir()
    (home / "guesses.json").write_text('{"": {"How much?": {"guess": "12"}}}', encoding="utf-8")
    guess("How much?").reveal(8)
    text = capsys.readouterr().out
    assert text.endswith("Outcome: 8.\n")
    assert "12" not in text
    assert (home / "guesses.json").read_text(encoding="utf-8") == '{"": {"How much?": {"guess": "12"}}}'


def test_guess_that_cannot_be_saved_is_kept_and_told(home, capsys):
    home.write_text("a file in place of the folder", encoding="utf-8")
    asked = Guess("How much?", ["a", "b"])
    click(asked, "a")
    assert said(asked).startswith("Noted, but not saved: Could not write ")
    asked.reveal("a")
    assert capsys.readouterr().out == "Your guess: a (likely). Right!\n"
    home.unlink()
    click(asked, "b")
    assert said(asked) == "Saved: b (likely). A cell below shows the outcome."


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("kept", ["[", "[1]", '{"How much?": "12"}', '{"": {"How much?": "12"}}'])
def test_damaged_file_is_reported_and_kept(home, kept):
    home.mkdir()
    (home / "guesses.json").write_text(kept, encoding="utf-8")
    with pytest.raises(SrlabError, match=r"guesses\.json is damaged.* Move it away"):
        Guess("How much?")
    assert (home / "guesses.json").read_text(encoding="utf-8") == kept
