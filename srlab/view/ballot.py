"""A blind ranking in the notebook: pictures under letters, put in order by the buttons below them."""

import base64
import itertools
import json
from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import ipywidgets
import torch

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic
from srlab.evaluation.mos import Trial, blind_trials
from srlab.view.slider import encode, magnify
from srlab.view.widgets import PRESENCE, CellBox, Presence

FORMAT = "srlab votes 1"
WIDE = 360  # CSS pixels: two pictures of this width stand beside each other in any notebook, four in a wide one


class Ballot:
    """Trials in which pictures without names are ranked from best to worst; each confirmed ranking is saved.

    At the end of a cell it shows itself. A ballot over the same pictures and file goes on where the last one ended. The
    methods are named when each image had its turn; then another round can follow, under other letters.

    Parameters
    ----------
    pictures
        Image -> method -> picture ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1]. HR can be one of the methods.
    path
        JSON file for the votes; missing folders are made with the first vote.
    seed
        Of the random order.

    Attributes
    ----------
    votes
        The rankings of all rounds, the oldest first: methods from best to worst. For
        `srlab.evaluation.mos.mean_opinion_scores`.
    ranking
        Letters that are ranked in this trial so far, the best first.

    Raises
    ------
    SrlabError
        The file is damaged, or its votes are about other pictures. It is left as it is.
    """

    def __init__(self, pictures: Mapping[str, Mapping[str, torch.Tensor]], path: str | Path, seed: int = 0) -> None:
        self.pictures, self.path, self.seed = pictures, Path(path), seed
        self.trials = blind_trials(pictures, seed)
        self.votes = self._load()
        self._begin(max(1, -(-len(self.votes) // len(self.trials))))

    def _begin(self, number: int) -> None:
        self.round, self.trials, self.ranking = number, blind_trials(self.pictures, self.seed, number), []

    @property
    def done(self) -> bool:
        """Whether all trials of this round have been voted on."""
        return len(self.votes) == self.round * len(self.trials)

    @property
    def trial(self) -> Trial | None:
        """The trial that is shown; None when all of this round are done."""
        return None if self.done else self.trials[len(self.votes) % len(self.trials)]

    def rank(self, letter: str) -> None:
        """Give a picture the next rank; the only one that is left then takes the last by itself."""
        left = [key for key in self.trial.methods if key not in self.ranking]
        if letter in left:
            left.remove(letter)
            self.ranking += [letter, *(left if len(left) == 1 else [])]

    def again(self) -> None:
        """Take all ranks of this trial back."""
        self.ranking = []

    def confirm(self) -> None:
        """Save the ranking of this trial, and go on to the next.

        Raises
        ------
        SrlabError
            A picture has no rank yet, or the file cannot be written or was changed by another ballot. The ranking then
            stays as it is, and so does the file.
        """
        if len(self.ranking) < len(self.trial.methods):
            raise SrlabError("Rank all pictures before you confirm.")
        if self._load() != self.votes:  # the same ballot in another tab
            raise SrlabError(f"The votes in {self.path} were changed meanwhile; run the cell again to go on.")
        votes = [*self.votes, [self.trial.methods[letter] for letter in self.ranking]]
        images = itertools.cycle(trial.image for trial in self.trials)
        rows = [{"image": image, "ranking": ranking} for image, ranking in zip(images, votes, strict=False)]
        content = json.dumps({"format": FORMAT, "votes": rows}, indent=1, ensure_ascii=False)
        write_atomic(self.path, content.encode())
        self.votes, self.ranking = votes, []

    def another_round(self) -> None:
        """Begin the same trials anew under other letters; the votes so far are kept and count."""
        if self.done:
            self._begin(self.round + 1)

    def _load(self) -> list[list[str]]:
        advice = "; move the file away to begin anew, or give another path."
        try:
            content = json.loads(self.path.read_bytes())
            if content["format"] != FORMAT:
                raise ValueError("another format")
            found = [(row["image"], [str(method) for method in row["ranking"]]) for row in content["votes"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SrlabError(f"{self.path} is damaged or holds no votes of srlab{advice}") from error
        for (image, ranking), trial in zip(found, itertools.cycle(self.trials), strict=False):
            if image != trial.image or sorted(ranking) != sorted(trial.methods.values()):
                raise SrlabError(f"{self.path} has votes about other pictures than the ones here{advice}")
        return [ranking for _, ranking in found]

    def widget(self) -> "BallotWidget":
        """The ballot on the screen: a button below each picture, and three more for all of them."""

        def button(text: str, action: Callable[[], None], **looks: Any) -> ipywidgets.Button:
            def clicked(_: ipywidgets.Button) -> None:
                try:
                    action()
                    show()
                except SrlabError as error:  # raised here, it would end in the log of the notebook, unseen
                    show(str(error))

            made = ipywidgets.Button(description=text, **looks)
            made.on_click(clicked)
            return made

        def card(place: int) -> ipywidgets.VBox:
            below = button("", lambda: self.rank(list(self.trial.methods)[place]), layout={"width": "auto"})
            return ipywidgets.VBox([ipywidgets.Image(format="webp"), below])

        title, reveal = ipywidgets.HTML(), ipywidgets.HTML()
        cards = [card(place) for place in range(max(len(methods) for methods in self.pictures.values()))]
        # In pairs, so that four pictures stand in one row or in two, never three above one.
        pairs = [ipywidgets.HBox() for _ in cards[::2]]
        row = ipywidgets.HBox(pairs, layout={"flex_flow": "row wrap"})
        confirm = button("Confirm", self.confirm, button_style="primary")
        again = button("Start again", self.again)
        more = button("Vote again", self.another_round)
        bar = ipywidgets.HBox()

        def show(problem: str = "") -> None:
            bar.children = [more] if self.done else [confirm, again]
            shown = [] if self.done else cards[: len(self.trial.methods)]
            for number, pair in enumerate(pairs):
                pair.children = shown[2 * number :][:2]
            reveal.value = self._named() if self.done else ""
            title.value = f"<b>{self._title()}</b> {escape(problem)}"
            if self.done:
                return
            confirm.disabled = len(self.ranking) < len(self.trial.methods)
            for (letter, method), box in zip(self.trial.methods.items(), cards, strict=False):
                image, below = box.children
                image.value = encode(_enlarged(self.pictures[self.trial.image][method]), effort=0)
                rank = self.ranking.index(letter) + 1 if letter in self.ranking else 0
                below.description = f"{letter}: rank {rank}" if rank else letter
                below.button_style = "info" if rank else ""

        show()
        return BallotWidget([title, row, reveal, bar, BallotKeys()])

    def _title(self) -> str:
        if self.done:
            return f"Done: run the next cells for the scores. Votes saved so far: {len(self.votes)}."
        which = f"Round {self.round}, trial" if self.round > 1 else "Trial"
        return (
            f"{which} {len(self.votes) % len(self.trials) + 1} of {len(self.trials)}: "
            "click the letters, or press their keys, from the best picture to the worst; then confirm (Enter)."
        )

    def _named(self) -> str:
        """The pictures of the round with their names, each trial from best to worst."""
        parts = []
        for trial, ranking in zip(self.trials, self.votes[-len(self.trials) :], strict=True):
            parts.append(f"<p>{escape(trial.image)}, from best to worst:</p>")
            for method in ranking:
                source = base64.b64encode(encode(_plain(self.pictures[trial.image][method]), effort=4)).decode()
                picture = f'<img alt="" src="data:image/webp;base64,{source}">'
                parts.append(f'<figure style="display: inline-block">{picture}<br>{escape(method)}</figure>')
        return "".join(parts)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget())


class BallotKeys(Presence):
    """The letters as keys."""

    _esm = PRESENCE + files("srlab.view").joinpath("ballot.js").read_text(encoding="utf-8")


class BallotWidget(CellBox):
    """What a ballot looks like."""

    def __repr__(self) -> str:
        return "Blind ranking: needs a running kernel."


def _plain(picture: torch.Tensor) -> torch.Tensor:
    return (picture[0] if picture.ndim == 4 else picture).detach().cpu()


def _enlarged(picture: torch.Tensor) -> torch.Tensor:
    """Twice or three times as large, every pixel as a square."""
    picture = _plain(picture)
    height, width = picture.shape[-2:]
    zoom = 3 if 3 * width <= WIDE else 2
    return magnify("", picture, (zoom * height, zoom * width))
