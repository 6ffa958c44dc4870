"""Predict before you run: buttons or a text field. The guess is saved with the runs and shown next to the outcome."""

import json
from collections.abc import Sequence
from importlib.resources import files

import ipywidgets
from IPython.display import display

from srlab.errors import SrlabError
from srlab.files import lock, write_atomic
from srlab.paths import runs_home
from srlab.shell import on_a_page, running_shell
from srlab.text import escaped
from srlab_course.figures.widgets import PRESENCE, CellBox, Presence
from srlab_course.lab.lab import Lab

# Only JupyterLab has a panel around the notebook; exported pages and the book do not.
ONLY_LIVE = ".srlab-live { display: none; } .jp-NotebookPanel .srlab-live { display: inline; }"
FILE = "guesses.json"  # in the folder of all runs: lab -> question -> guess


class GuessKeys(Presence):
    """The Enter key of the text field."""

    _esm = PRESENCE + files("srlab_course.lab").joinpath("guess.js").read_text(encoding="utf-8")


class Guess(CellBox):
    """A question with buttons or a number field; `reveal` shows the outcome later.

    The guess is saved in ``guesses.json`` in the folder of all runs, and is shown when the cell runs again. A headless
    run neither waits for a guess nor shows a saved one.

    Parameters
    ----------
    question
        One sentence; lab and sentence are the key of the saved guess.
    choices
        Labels of the buttons; if empty, the guess is a number.
    unit
        Unit of the number.

    Attributes
    ----------
    taken
        The guess, or ``""``.
    """

    def __init__(self, question: str, choices: Sequence[str] = (), unit: str = "") -> None:
        self.lab, self.question, self.choices, self.unit, self.taken = _lab(), question, list(choices), unit, ""
        if choices:
            looks = {"style": {"button_width": "initial"}, "layout": {"width": "auto"}}
            self.field = ipywidgets.ToggleButtons(options=self.choices, value=None, **looks)
        else:
            self.field = ipywidgets.Text(placeholder="a number", layout={"width": "9em"})
        before = _read().get(self.lab, {}).get(question) if on_a_page() else None
        if before in self.choices or (before and not choices):
            self.field.value = self.taken = before
        self._below = ipywidgets.HTML(self._saved())
        self.field.observe(self._take, "value")
        answer = ipywidgets.HBox([self.field, ipywidgets.Label(unit)])
        super().__init__([ipywidgets.HTML(self._asked()), answer, self._below, GuessKeys()])

    def _take(self, _: object) -> None:
        self.taken = (self.field.value or "").strip()
        try:
            # Another notebook may write, too.
            with lock(runs_home() / f".{FILE}.lock", patience=10, where="with SRLAB_HOME"):
                kept = _read()
                kept[self.lab] = kept.get(self.lab, {}) | {self.question: self.taken}
                write_atomic(runs_home() / FILE, json.dumps(kept, indent=1).encode(), "with SRLAB_HOME")
        except SrlabError as error:  # Jupyter hides errors of callbacks
            self._below.value = escaped(f"Noted, but not saved: {error}")
        else:
            self._below.value = self._saved()

    def _saved(self) -> str:
        return escaped(f"Saved: {self._worded(self.taken)}. A cell below shows the outcome." if self.taken else "")

    def reveal(self, outcome: str | float) -> None:
        """Show the outcome next to the guess, if there is one. On a static page, the outcome is folded."""
        if not isinstance(outcome, str):
            outcome = f"{outcome:.3g}" if abs(outcome) < 1000 else f"{outcome:,.0f}"
        said = f"Your guess: {self._worded(self.taken)}. " if self.taken else ""
        said += "Right!" if self.taken == outcome else f"Outcome: {self._worded(outcome)}."
        if running_shell() is None or on_a_page():
            print(said)
        else:
            folded = f"<details><summary>Outcome</summary>{escaped(said)}</details>"
            display({"text/html": folded, "text/plain": said}, raw=True)

    def _worded(self, value: str) -> str:
        return value if self.choices or value.endswith(self.unit) else f"{value} {self.unit}"

    def _asked(self) -> str:
        return f"<b>Your guess:</b> {escaped(self.question)}"

    def still(self) -> str:
        """Return the question and the guess as HTML for a static page."""
        taken = f" <b>{escaped(self._worded(self.taken))}</b>." if self.taken else ""
        run = f'<span class="srlab-live"> Run this cell to {"change it" if self.taken else "answer"}.</span>'
        return f"<style>{ONLY_LIVE}</style><p>{self._asked()}{taken}{run}</p>"

    def __repr__(self) -> str:
        return f"Your guess: {self.question}"


def _lab() -> str:
    """Return the name of the lab that this notebook has set up, or ""."""
    here = getattr(running_shell(), "user_ns", {})
    return next((value.name for value in list(here.values()) if isinstance(value, Lab)), "")


def _read() -> dict[str, dict[str, str]]:
    """Return all saved guesses: lab -> question -> guess."""
    path = runs_home() / FILE
    try:
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        return {lab: {question: str(answer) for question, answer in answers.items()} for lab, answers in kept.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SrlabError(f"{path} is damaged, so guesses cannot be saved. Move it away.") from error


def guess(question: str, choices: Sequence[str] = (), unit: str = "") -> Guess:
    """Show a question with buttons or a text field before the cell with the outcome; see `Guess` for the arguments.

    ``reveal(outcome)`` then shows the guess and the outcome, which is one of the choices or a number.

    Examples
    --------
    >>> blur = course.guess("Which of the two costs more?", ["blur", "noise"])
    >>> blur.reveal(max(costs, key=costs.get))
    """
    made = Guess(question, choices, unit)
    display(made)
    return made
