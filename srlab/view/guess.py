"""A guess before a result: buttons or a field in the notebook, and a line that puts it beside the outcome."""

from collections.abc import Sequence
from html import escape

import ipywidgets

from srlab.view.kernel import CellBox, KernelNotice


class Guess(CellBox):
    """A question with buttons, or with a field for a number; `reveal` says later how it came out.

    Without a page, in a headless run, nobody answers and nothing waits.

    Parameters
    ----------
    question
        One sentence.
    choices
        What the buttons say; none makes it a number.
    unit
        Of the number.
    """

    def __init__(self, question: str, choices: Sequence[str] = (), unit: str = "") -> None:
        looks = {"style": {"description_width": "initial", "button_width": "initial"}, "layout": {"width": "auto"}}
        if choices:
            self._field = ipywidgets.ToggleButtons(options=list(choices), value=None, **looks)
        else:
            self._field = ipywidgets.Text(placeholder="a number", description=unit, continuous_update=False)
        self._unit, self._choices = unit, list(choices)
        words = ipywidgets.HTML(f"<b>Your guess:</b> {escape(question)}")
        super().__init__([words, self._field, KernelNotice()])

    def reveal(self, outcome: str | float) -> None:
        """Print the guess, if there is one, beside the outcome."""
        said, came = self._field.value, self._worded(outcome)
        if not said:
            print(f"The outcome: {came}.")
        elif said == outcome:
            print(f"Your guess: {said}. Right!")
        else:
            unit = "" if self._choices or said.endswith(self._unit) else f" {self._unit}"
            print(f"Your guess: {said}{unit}. The outcome: {came}.")

    def _worded(self, outcome: str | float) -> str:
        return outcome if isinstance(outcome, str) else f"{outcome:.3g} {self._unit}".strip()

    def __repr__(self) -> str:  # what is saved beside the widget, and all that a page without it can show
        return "Making a guess needs a running kernel."


def guess(question: str, choices: Sequence[str] = (), unit: str = "") -> Guess:
    """Ask for a guess before the cell that shows the outcome, and show the buttons or the field for it.

    Parameters
    ----------
    question, choices, unit
        As for `Guess`.

    Returns
    -------
    Guess
        Its ``reveal(outcome)`` puts both beside each other; the outcome is one of the choices or a number.

    Examples
    --------
    >>> blur = srlab.guess("Which of the two costs more?", ["blur", "noise"])
    >>> blur.reveal(max(costs, key=costs.get))
    """
    from IPython.display import display

    made = Guess(question, choices, unit)
    display(made)
    return made
