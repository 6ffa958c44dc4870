"""A blind ranking in the notebook: images labeled with letters, and a button for each."""

import json
import string
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path

import ipywidgets
import torch

from srlab.errors import SrlabError
from srlab.files import lock, write_atomic
from srlab.paths import expand_user
from srlab.slider import encode
from srlab.text import escaped
from srlab_course.figures.widgets import PRESENCE, CellBox, Presence

ZOOM = 2  # CSS pixels per image pixel and side
TWO = "max-content max-content"  # columns, so that four images are never three above one


class BallotKeys(Presence):
    """The letters as keyboard shortcuts."""

    _esm = PRESENCE + files("srlab_course.figures").joinpath("ballot.js").read_text(encoding="utf-8")


class Ballot(CellBox):
    """A blind test in which you rank anonymous images from best to worst, one trial per image; each vote is saved.

    A ballot with the same file continues where the last one ended. After the last trial, it names the methods.

    Parameters
    ----------
    pictures
        Image name -> method -> image ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1]. HR can be one of the methods.
    path
        JSON file for the votes, created with the first vote. A file without votes about these images raises
        `SrlabError` and is not changed.
    seed
        Random seed for the order.

    Attributes
    ----------
    trials
        Image -> letter -> method.
    votes
        Image -> methods from best to worst. Pass the values to `opinion_scores.mean_opinion_scores`.
    letters
        Letter -> method of the current trial; {} after the last one.
    ranking
        Letters ranked so far in this trial, best first.
    """

    def __init__(self, pictures: Mapping[str, Mapping[str, torch.Tensor]], path: str | Path, seed: int = 0) -> None:
        self.pictures, self.path = pictures, expand_user(path)
        self.trials = blind_trials(pictures, seed)
        self.votes = self._load()
        self._title, self._names = ipywidgets.HTML(), ipywidgets.HTML()
        self._cards = ipywidgets.GridBox(layout={"grid_template_columns": TWO})
        self._confirm = self._button("Confirm", self.confirm)
        self._confirm.button_style = "primary"
        self._bar = ipywidgets.HBox([self._confirm, self._button("Start again", self.again)])
        children = [self._title, self._cards, self._names, self._bar, BallotKeys()]
        super().__init__(children, "Blind ranking: needs a running kernel.")
        self._begin()
        self._show()

    def _begin(self) -> None:
        """Begin the next trial, or name the methods after the last one."""
        self.image = next((image for image in self.trials if image not in self.votes), "")
        self.letters = self.trials.get(self.image, {})
        self.ranking: list[str] = []
        self._cards.children = [self._card(letter) for letter in self.letters]
        if not self.letters:
            self._bar.children = []
            lines = [f"{escaped(image)}: {escaped(', '.join(vote))}" for image, vote in self.votes.items()]
            self._names.value = f"From the best image to the worst:<br>{'<br>'.join(lines)}"

    def rank(self, letter: str) -> None:
        """Give an image the next rank. If only one image remains, it gets the last rank."""
        left = [other for other in self.letters if other not in self.ranking]
        if letter in left:
            left.remove(letter)
            self.ranking += [letter, *(left if len(left) == 1 else [])]

    def again(self) -> None:
        """Clear all ranks of this trial."""
        self.ranking = []

    def confirm(self) -> None:
        """Save the ranking of this trial and begin the next one, if all images have a rank."""
        if not self.letters or len(self.ranking) < len(self.letters):  # for example after a double click
            return
        with lock(self.path.with_name(f".{self.path.name}.lock"), patience=10):  # another tab may write, too
            votes = self._load() | {self.image: [self.letters[letter] for letter in self.ranking]}
            rows = [{"image": image, "ranking": vote} for image, vote in votes.items()]
            write_atomic(self.path, json.dumps(rows, indent=1, ensure_ascii=False).encode())
        self.votes = votes
        self._begin()

    def _load(self) -> dict[str, list[str]]:
        try:
            votes = {row["image"]: row["ranking"] for row in json.loads(self.path.read_bytes())}
            known = all(sorted(vote) == sorted(self.pictures[image]) for image, vote in votes.items())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError):
            known = False
        if not known:
            raise SrlabError(f"{self.path} has no votes about these images. Move it away, or pass another path.")
        return votes

    def _card(self, letter: str) -> ipywidgets.VBox:
        picture = self.pictures[self.image][self.letters[letter]]
        picture = (picture[0] if picture.ndim == 4 else picture).detach().cpu()
        large = picture.repeat_interleave(ZOOM, -2).repeat_interleave(ZOOM, -1)
        button = self._button(letter, lambda: self.rank(letter))
        button.layout.width = "auto"
        return ipywidgets.VBox([ipywidgets.Image(value=encode(large, effort=0), format="webp"), button])

    def _button(self, text: str, action: Callable[[], None]) -> ipywidgets.Button:
        def clicked(_: ipywidgets.Button) -> None:
            problem = ""
            try:
                action()
            except SrlabError as error:  # Jupyter hides errors of callbacks in its log
                problem = str(error)
            self._show(problem)

        button = ipywidgets.Button(description=text)
        button.on_click(clicked)
        return button

    def _show(self, problem: str = "") -> None:
        """Show the ranks, and then the title: a new title shows that all other widgets are up to date."""
        for letter, card in zip(self.letters, self._cards.children, strict=True):
            place = self.ranking.index(letter) + 1 if letter in self.ranking else 0
            card.children[1].description = f"{letter}: rank {place}" if place else letter
            card.children[1].button_style = "info" if place else ""
        self._confirm.disabled = len(self.ranking) < len(self.letters)
        title = (
            f"Trial {len(self.votes) + 1} of {len(self.trials)}: click the letters or press their keys, from the best "
            "image to the worst. Then confirm (Enter)."
            if self.letters
            else "Done: run the next cells for the scores."
        )
        self._title.value = f"<b>{title}</b> {escaped(problem)}"


def blind_trials(methods: Mapping[str, Iterable[str]], seed: int = 0) -> dict[str, dict[str, str]]:
    """Return image -> letter -> method, with the images and the methods of each image in random order.

    `methods` maps an image to the methods to rank; HR can be one of them.
    """
    images = _shuffled(methods, torch.Generator().manual_seed(seed))
    random = torch.Generator().manual_seed(seed + 1)
    letters = string.ascii_uppercase
    return {image: dict(zip(letters, _shuffled(methods[image], random), strict=False)) for image in images}


def _shuffled(names: Iterable[str], random: torch.Generator) -> list[str]:
    names = list(names)
    return [names[i] for i in torch.randperm(len(names), generator=random)]
