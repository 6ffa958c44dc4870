"""Predict before you run: buttons or a text field. The guess is saved with the runs and shown next to the outcome."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

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
FILE = "guesses.json"  # in the folder of all runs: lab -> question -> guess, how sure it is, whether it was right
SURE = ("a hunch", "likely", "sure")  # the buttons of each choice


class GuessKeys(Presence):
    """The Enter key of the text field."""

    _esm = PRESENCE + files("srlab_course.lab").joinpath("guess.js").read_text(encoding="utf-8")


class Guess(CellBox):
    """A question with buttons or a number field; `reveal` shows the outcome later.

    Each choice has three buttons, so one click also tells how sure the guess is. A number is rarely exactly right, so
    it has no such buttons. The guess is saved in ``guesses.json`` in the folder of all runs, and is shown when the cell
    runs again. A headless run neither waits for a guess nor shows a saved one.

    Parameters
    ----------
    question
        One sentence; lab and sentence are the key of the saved guess.
    choices
        Possible guesses; if empty, the guess is a number.
    unit
        Unit of the number.

    Attributes
    ----------
    taken
        The guess, or ``""``.
    sure
        One of `SURE`, or ``""`` for a number.
    """

    def __init__(self, question: str, choices: Sequence[str] = (), unit: str = "") -> None:
        self.lab, self.question, self.choices, self.unit = _lab(), question, list(choices), unit
        self.taken = self.sure = ""
        before = _read().get(self.lab, {}).get(question, {}) if on_a_page() else {}
        if choices:
            looks = {"button_width": "initial", "description_width": f"{max(map(len, choices))}ch"}
            self.fields = [
                ipywidgets.ToggleButtons(
                    description=choice,
                    options=SURE,
                    tooltips=[f"{choice}: {sure}" for sure in SURE],
                    value=None,
                    style=looks,
                    layout={"width": "auto"},
                )
                for choice in self.choices
            ]
            for field in self.fields:
                field.add_class("widget-inline-hbox")  # the choice to the left of its buttons, not above
            if before.get("guess") in self.choices and before.get("sure") in SURE:
                self.taken, self.sure = before["guess"], before["sure"]
                self.fields[self.choices.index(self.taken)].value = self.sure
        else:
            self.taken = str(before.get("guess", ""))
            self.fields = [ipywidgets.Text(self.taken, placeholder="a number", layout={"width": "9em"})]
        self._below = ipywidgets.HTML(self._saved())
        for field in self.fields:
            field.observe(self._choose if choices else self._type, "value")
        answer = ipywidgets.VBox(self.fields) if choices else ipywidgets.HBox([*self.fields, ipywidgets.Label(unit)])
        super().__init__([ipywidgets.HTML(self._asked()), answer, self._below, GuessKeys()])

    def _choose(self, click: dict[str, Any]) -> None:
        if not click["new"]:  # the loop below has released this button
            return
        for field in self.fields:
            if field is not click["owner"]:
                field.value = None
        self.taken, self.sure = click["owner"].description, click["new"]
        self._save({"guess": self.taken, "sure": self.sure})

    def _type(self, typed: dict[str, Any]) -> None:
        self.taken = typed["new"].strip()
        self._save({"guess": self.taken})

    def _save(self, entry: dict[str, Any]) -> None:
        try:
            # Another notebook may write, too.
            with lock(runs_home() / f".{FILE}.lock", patience=10, where="with SRLAB_HOME"):
                kept = _read()
                kept[self.lab] = kept.get(self.lab, {}) | {self.question: entry}
                write_atomic(runs_home() / FILE, json.dumps(kept, indent=1).encode(), "with SRLAB_HOME")
        except SrlabError as error:  # Jupyter hides errors of callbacks
            self._below.value = escaped(f"Noted, but not saved: {error}")
        else:
            self._below.value = self._saved()

    def _saved(self) -> str:
        return escaped(f"Saved: {self._guess()}. A cell below shows the outcome." if self.taken else "")

    def reveal(self, outcome: str | float) -> None:
        """Show the outcome next to the guess, if there is one, and save whether the guess was right.

        On a static page, the outcome is folded.
        """
        if not isinstance(outcome, str):
            outcome = f"{outcome:.3g}" if abs(outcome) < 1000 else f"{outcome:,.0f}"
        if self.sure:
            self._save({"guess": self.taken, "sure": self.sure, "right": self.taken == outcome})
        said = f"Your guess: {self._guess()}. " if self.taken else ""
        said += "Right!" if self.taken == outcome else f"Outcome: {self._worded(outcome)}."
        if running_shell() is None or on_a_page():
            print(said)
        else:
            folded = f"<details><summary>Outcome</summary>{escaped(said)}</details>"
            display({"text/html": folded, "text/plain": said}, raw=True)

    def _worded(self, value: str) -> str:
        return value if self.choices or value.endswith(self.unit) else f"{value} {self.unit}"

    def _guess(self) -> str:
        return f"{self.taken} ({self.sure})" if self.sure else self._worded(self.taken)

    def _asked(self) -> str:
        return f"<b>Your guess:</b> {escaped(self.question)}"

    def still(self) -> str:
        """Return the question and the guess as HTML for a static page."""
        taken = f" <b>{escaped(self._guess())}</b>." if self.taken else ""
        run = f'<span class="srlab-live"> Run this cell to {"change it" if self.taken else "answer"}.</span>'
        return f"<style>{ONLY_LIVE}</style><p>{self._asked()}{taken}{run}</p>"

    def __repr__(self) -> str:
        return f"Your guess: {self.question}"


def _lab() -> str:
    """Return the name of the lab that this notebook has set up, or ""."""
    here = getattr(running_shell(), "user_ns", {})
    return next((value.name for value in list(here.values()) if isinstance(value, Lab)), "")


def _read() -> dict[str, dict[str, dict[str, Any]]]:
    """Return all saved guesses: lab -> question -> guess, how sure it is, and, once revealed, whether it was right."""
    path = runs_home() / FILE
    try:
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        return {lab: {question: dict(entry) for question, entry in guesses.items()} for lab, guesses in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SrlabError(f"{path} is damaged, so guesses cannot be saved. Move it away.") from error


def count_right() -> dict[str, tuple[int, int]]:
    """Count the revealed guesses of all labs: one of `SURE` -> how many were right, and how many there are.

    Numbers are left out. A headless run has no guesses.
    """
    labs = _read() if on_a_page() else {}
    known = [one for guesses in labs.values() for one in guesses.values() if "right" in one]
    right = {sure: [bool(one["right"]) for one in known if one.get("sure") == sure] for sure in SURE}
    return {sure: (sum(each), len(each)) for sure, each in right.items()}


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
