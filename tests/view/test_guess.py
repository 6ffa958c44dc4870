"""Guesses: without a page nobody waits, and what was said stands beside what came out."""

import pytest

from srlab.view.guess import Guess, guess


def test_without_a_guess_only_the_outcome_is_told(capsys):
    guess("Which is sharper?", ["left", "right"]).reveal("left")
    assert capsys.readouterr().out.endswith("The outcome: left.\n")


@pytest.mark.parametrize(
    ("choices", "unit", "said", "outcome", "words"),
    [
        (["left", "right"], "", "left", "left", "Your guess: left. Right!"),
        (["left", "right"], "", "right", "left", "Your guess: right. The outcome: left."),
        ((), "dB", "28", 29.777, "Your guess: 28 dB. The outcome: 29.8 dB."),
        ((), "dB", "28 dB", 29.777, "Your guess: 28 dB. The outcome: 29.8 dB."),
        ((), "", "16", 16, "Your guess: 16. The outcome: 16."),
    ],
)
def test_a_guess_stands_beside_the_outcome(capsys, choices, unit, said, outcome, words):
    asked = Guess("How much?", choices, unit)
    asked.children[1].value = said  # as a click or the keyboard does
    asked.reveal(outcome)
    assert capsys.readouterr().out == f"{words}\n"
