"""A blind ranking in the notebook: images labeled with letters, and a button for each."""

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

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.paths import expand_user
from srlab.slider import check_shown, encode
from srlab_course.figures.mos import Trial, blind_trials
from srlab_course.figures.widgets import PRESENCE, CellBox, Presence

WIDE = 360  # CSS pixels: two images of this width fit next to each other in any notebook, four in a wide one


class BallotKeys(Presence):
    """The letters as keyboard shortcuts."""

    _esm = PRESENCE + files("srlab_course.figures").joinpath("ballot.js").read_text(encoding="utf-8")


class Ballot(CellBox):
    """A blind test in which you rank anonymous images from best to worst; each confirmed ranking is saved.

    A ballot for the same images and file resumes where the last one ended. The methods are revealed at the end of a
    round; you can then start another round with the letters reshuffled.

    Parameters
    ----------
    pictures
        Image name -> method -> image ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1]. HR can be one of the methods.
    path
        JSON file for the votes, created with the first vote. A file that is damaged or contains votes about other
        images raises `SrlabError` and is not changed.
    seed
        Random seed for the order.

    Attributes
    ----------
    votes
        Rankings of all rounds, oldest first: methods from best to worst. Pass them to
        `srlab_course.figures.mos.mean_opinion_scores`.
    ranking
        Letters ranked so far in this trial, best first.
    """

    def __init__(self, pictures: Mapping[str, Mapping[str, torch.Tensor]], path: str | Path, seed: int = 0) -> None:
        self.pictures, self.path, self.seed = pictures, expand_user(path), seed
        for image, methods in pictures.items():
            for method, picture in methods.items():
                check_shown(f"{image}, {method}", picture, _zoom(picture))
        self.trials = blind_trials(pictures, seed)
        self.votes = self._load()
        self._begin(max(1, -(-len(self.votes) // len(self.trials))))
        self._title, self._names, self._bar = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HBox()
        self._cards = [self._card(place) for place in range(max(map(len, pictures.values())))]
        # Pairs, so that four images wrap into one row or two rows of two, never into three above one.
        self._pairs = [ipywidgets.HBox() for _ in self._cards[::2]]
        self._confirm = self._button("Confirm", self.confirm, button_style="primary")
        self._again = self._button("Start again", self.again)
        self._more = self._button("Vote again", self.another_round)
        row = ipywidgets.HBox(self._pairs, layout={"flex_flow": "row wrap"})
        children = [self._title, row, self._names, self._bar, BallotKeys()]
        super().__init__(children, "Blind ranking: needs a running kernel.")
        self._show()

    def _begin(self, number: int) -> None:
        self.round, self.trials, self.ranking = number, blind_trials(self.pictures, self.seed, number), []

    @property
    def done(self) -> bool:
        """True if this round is complete."""
        return len(self.votes) == self.round * len(self.trials)

    @property
    def trial(self) -> Trial | None:
        """The current trial; None when the round is complete."""
        return None if self.done else self.trials[len(self.votes) % len(self.trials)]

    def rank(self, letter: str) -> None:
        """Give an image the next rank. If only one image remains, it gets the last rank."""
        left = [] if self.done else [key for key in self.trial.methods if key not in self.ranking]
        if letter in left:
            left.remove(letter)
            self.ranking += [letter, *(left if len(left) == 1 else [])]

    def again(self) -> None:
        """Clear all ranks of this trial."""
        self.ranking = []

    def confirm(self) -> None:
        """Save the ranking of this trial and continue with the next one.

        On an error (unranked images, or a file that cannot be written or was changed by another ballot), the ranking
        and the file stay unchanged.
        """
        if self.done:  # for example after a double click
            return
        if len(self.ranking) < len(self.trial.methods):
            raise SrlabError("Rank all images before you confirm.")
        if self._load() != self.votes:  # for example by the same ballot in another tab
            raise SrlabError(f"The votes in {self.path} have changed in the meantime. Run the cell again to continue.")
        votes = [*self.votes, [self.trial.methods[letter] for letter in self.ranking]]
        images = itertools.cycle(trial.image for trial in self.trials)
        rows = [{"image": image, "ranking": ranking} for image, ranking in zip(images, votes, strict=False)]
        write_atomic(self.path, json.dumps(rows, indent=1, ensure_ascii=False).encode())
        self.votes, self.ranking = votes, []

    def another_round(self) -> None:
        """Start the same trials again with the letters reshuffled; earlier votes still count."""
        if self.done:
            self._begin(self.round + 1)

    def _load(self) -> list[list[str]]:
        advice = ". Move the file away to start over, or pass another path."
        try:
            rows = json.loads(self.path.read_bytes())
            found = [(row["image"], [str(method) for method in row["ranking"]]) for row in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SrlabError(f"{self.path} is damaged or contains no votes{advice}") from error
        for (image, ranking), trial in zip(found, itertools.cycle(self.trials), strict=False):
            if image != trial.image or sorted(ranking) != sorted(trial.methods.values()):
                raise SrlabError(f"{self.path} contains votes about other images{advice}")
        return [ranking for _, ranking in found]

    def _button(self, text: str, action: Callable[[], None], **looks: Any) -> ipywidgets.Button:
        def clicked(_: ipywidgets.Button) -> None:
            problem = ""
            try:
                action()
            except SrlabError as error:  # Jupyter hides errors of callbacks in its log
                problem = str(error)
            self._show(problem)

        button = ipywidgets.Button(description=text, **looks)
        button.on_click(clicked)
        return button

    def _card(self, place: int) -> ipywidgets.VBox:
        below = self._button("", lambda: self.rank(list(self.trial.methods)[place]), layout={"width": "auto"})
        return ipywidgets.VBox([ipywidgets.Image(format="webp"), below])

    def _show(self, problem: str = "") -> None:
        """Update the widgets."""
        methods = {} if self.done else self.trial.methods
        shown = self._cards[: len(methods)]
        for number, pair in enumerate(self._pairs):
            pair.children = shown[2 * number :][:2]
        self._bar.children = [self._more] if self.done else [self._confirm, self._again]
        self._names.value = self._named() if self.done else ""
        self._confirm.disabled = len(self.ranking) < len(methods)
        for (letter, method), card in zip(methods.items(), shown, strict=True):
            image, below = card.children
            image.value = encode(_enlarged(self.pictures[self.trial.image][method]), effort=0)
            rank = self.ranking.index(letter) + 1 if letter in self.ranking else 0
            below.description = f"{letter}: rank {rank}" if rank else letter
            below.button_style = "info" if rank else ""
        # Update the title last: a new title shows that all other widgets are up to date.
        self._title.value = f"<b>{self._where()}</b> {escape(problem)}"

    def _where(self) -> str:
        if self.done:
            return f"Done: run the next cells for the scores. Votes saved so far: {len(self.votes)}."
        which = f"Round {self.round}, trial" if self.round > 1 else "Trial"
        return (
            f"{which} {len(self.votes) % len(self.trials) + 1} of {len(self.trials)}: "
            "click the letters or press their keys, from the best image to the worst. Then confirm (Enter)."
        )

    def _named(self) -> str:
        """Return HTML with the images and methods of the finished round, each trial from best to worst."""
        parts = []
        for trial, ranking in zip(self.trials, self.votes[-len(self.trials) :], strict=True):
            parts.append(f"<p>{escape(trial.image)}, from best to worst:</p>")
            for method in ranking:
                source = base64.b64encode(encode(_plain(self.pictures[trial.image][method]), effort=4)).decode()
                picture = f'<img alt="" src="data:image/webp;base64,{source}">'
                parts.append(f'<figure style="display: inline-block">{picture}<br>{escape(method)}</figure>')
        return "".join(parts)


def _plain(picture: torch.Tensor) -> torch.Tensor:
    return (picture[0] if picture.ndim == 4 else picture).detach().cpu()


def _zoom(picture: torch.Tensor) -> int:
    return 3 if 3 * picture.shape[-1] <= WIDE else 2


def _enlarged(picture: torch.Tensor) -> torch.Tensor:
    """Upscale 2 or 3 times with nearest-neighbor interpolation."""
    zoom = _zoom(picture)
    return _plain(picture).repeat_interleave(zoom, -2).repeat_interleave(zoom, -1)
