"""The widgets of a ballot (see `srlab.opinions.Ballot`): pictures without names, with a button each."""

import base64
import html
import io
from typing import TYPE_CHECKING

import ipywidgets
import torch
from PIL import Image

from srlab.errors import SrlabError
from srlab.images import to_uint8

if TYPE_CHECKING:
    from srlab.opinions import Ballot, Trial


class BallotView:
    """The widgets of a ballot: a heading, the pictures with a button each, and a button to start a trial again."""

    def __init__(self, ballot: "Ballot") -> None:
        self.ballot = ballot
        self.heading = ipywidgets.HTML()
        self.pictures = ipywidgets.HBox(layout={"flex_flow": "row wrap"})
        self.again = ipywidgets.Button(description="Start again", tooltip="forget the clicks of this trial")
        self.again.on_click(lambda _: ballot.again())
        self.box = ipywidgets.VBox([self.heading, self.pictures, self.again])
        self.buttons: dict[str, ipywidgets.Button] = {}
        self.shown: Trial | None = None
        self.update()

    def update(self) -> None:
        """Show where the ballot is."""
        ballot, trial = self.ballot, self.ballot.trial
        if trial is not self.shown:
            self._show(trial)
        if trial is None:
            self.heading.value = _names(ballot)
            self.again.layout.display = "none"
            return
        where = f"Trial {len(ballot.votes) + 1} of {len(ballot.trials)}"
        self.heading.value = f"<b>{where}</b>: click the pictures from best to worst."
        for letter, button in self.buttons.items():
            clicked = letter in ballot.ranking
            button.disabled = clicked
            button.description = f"{letter}: {ballot.ranking.index(letter) + 1}" if clicked else letter
        self.again.disabled = not ballot.ranking

    def _show(self, trial: "Trial | None") -> None:
        self.shown = trial
        old = self.pictures.children
        self.buttons = {letter: self._button(letter) for letter in (trial.pictures if trial else ())}
        self.pictures.children = [
            ipywidgets.VBox([ipywidgets.HTML(_img(trial.pictures[letter], letter)), button])
            for letter, button in self.buttons.items()
        ]
        for column in old:  # each picture is some hundred kilobytes in the browser and in the saved notebook
            for widget in (*column.children, column):
                widget.close()

    def _button(self, letter: str) -> ipywidgets.Button:
        button = ipywidgets.Button(description=letter, tooltip=f"rank picture {letter} next")
        button.on_click(lambda _: self._click(letter))
        return button

    def _click(self, letter: str) -> None:
        if letter in self.ballot.ranking:  # the second half of a double click
            return
        try:
            self.ballot.click(letter)
        except SrlabError as error:  # raised in a button, it would end in the log of the notebook, unseen
            self.heading.value = f"<b>This click was not saved.</b> {html.escape(str(error))}"


def _img(picture: torch.Tensor, letter: str) -> str:
    """An ``<img>`` with the picture as PNG inside, pixel by pixel."""
    file = io.BytesIO()
    picture = picture[0] if picture.ndim == 4 else picture
    Image.fromarray(to_uint8(picture.detach()).permute(1, 2, 0).cpu().numpy()).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="picture {letter}" style="max-width: none" src="data:image/png;base64,{data}">'


def _names(ballot: "Ballot") -> str:
    """Say after the last trial which picture was whose."""
    items = [
        f"<li>{html.escape(trial.image)}: "
        + ", ".join(f"{letter} = {html.escape(method)}" for letter, method in trial.methods.items())
        + f"; your ranking: {html.escape(' > '.join(vote))}</li>"
        for trial, vote in zip(ballot.trials, ballot.votes, strict=True)
    ]
    return f"<b>Done, thank you.</b> These were the pictures:<ol>{''.join(items)}</ol>"
