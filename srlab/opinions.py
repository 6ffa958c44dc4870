"""What people think of pictures: blind trials, a ballot to rank them in a notebook, and mean opinion scores."""

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from srlab.errors import SrlabError
from srlab.files import write_atomic

if TYPE_CHECKING:
    import ipywidgets

    from srlab.ballot_view import BallotView

Votes = Sequence[Sequence[str]]
FORMAT = "srlab votes 1"


@dataclass(frozen=True)
class Trial:
    """The pictures of one image, side by side without names.

    Attributes
    ----------
    image
        Name of the image.
    methods
        Letter -> method that made the picture; only for those who do not vote.
    pictures
        Letter -> picture, ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 1].
    """

    image: str
    methods: dict[str, str]
    pictures: dict[str, torch.Tensor]


def blind_trials(pictures: Mapping[str, Mapping[str, torch.Tensor]], count: int, seed: int = 0) -> list[Trial]:
    """Put the pictures of several methods side by side in random order, under letters.

    Every image comes up once before any comes up again, and the order of the methods is drawn anew each time. The
    first trials are the same for any larger count, so a ballot can be made longer later.

    Parameters
    ----------
    pictures
        Name of the image -> method -> picture. HR can be one of the methods.
    count
        Number of trials.
    seed
        Of the random order.

    Returns
    -------
    list of Trial
        The same for the same names, count and seed.

    Raises
    ------
    SrlabError
        There is no image, or one with fewer than 2 or more than 26 methods, or the count is below 1.
    """
    if not pictures or count < 1:
        raise SrlabError(f"A ballot needs an image and a trial at least, but got {len(pictures)} and {count}.")
    for image, by_method in pictures.items():
        if not 2 <= len(by_method) <= 26:
            raise SrlabError(f"From 2 to 26 methods can be ranked, but the image '{image}' has {len(by_method)}.")
    random = torch.Generator().manual_seed(seed)
    trials = []
    while len(trials) < count:
        for image in _shuffled(list(pictures), random):
            letters = dict(zip(string.ascii_uppercase, _shuffled(list(pictures[image]), random), strict=False))
            trials.append(Trial(image, letters, {key: pictures[image][method] for key, method in letters.items()}))
    return trials[:count]


def _shuffled(names: list[str], random: torch.Generator) -> list[str]:
    return [names[i] for i in torch.randperm(len(names), generator=random)]


def mean_opinion_scores(votes: Votes) -> pd.DataFrame:
    """Mean opinion score of each method, with a confidence interval.

    A ranking gives 5 to its best and 1 to its worst, evenly spaced between. These are scores from ranks: they say
    which picture was preferred, not whether it was good.

    Parameters
    ----------
    votes
        Rankings, each from best to worst. A method need not be in all of them.

    Returns
    -------
    pandas.DataFrame
        One row per method that was voted on, the best first: ``method``, ``mos`` from 1 to 5, ``half_width`` of the
        95 % confidence interval, ``votes`` (rankings that it is in). The interval is Student's t for independent
        votes, and NaN with one vote; votes of one person are not independent, so it is too narrow for what other
        people would say. It may reach beyond 1 or 5.

    Raises
    ------
    SrlabError
        A ranking has fewer than two methods, or one of them twice.
    """
    from scipy.special import stdtrit

    scores: dict[str, list[float]] = {}
    for ranking in votes:
        if len(ranking) < 2 or len(set(ranking)) < len(ranking):
            raise SrlabError(f"A ranking has two methods or more, and each of them once, but one is {list(ranking)}.")
        for place, method in enumerate(ranking):
            scores.setdefault(method, []).append(5 - 4 * place / (len(ranking) - 1))
    rows = []
    for method, given in scores.items():
        count, values = len(given), pd.Series(given)
        half_width = float(stdtrit(count - 1, 0.975) * values.sem()) if count > 1 else float("nan")
        rows.append({"method": method, "mos": float(values.mean()), "half_width": half_width, "votes": count})
    table = pd.DataFrame(rows, columns=["method", "mos", "half_width", "votes"])
    return table.sort_values("mos", ascending=False, kind="stable", ignore_index=True)


class Ballot:
    """A blind ranking in the notebook: click the pictures from best to worst, and the next trial comes.

    After each trial the votes are saved, and a ballot over the same trials and file goes on where the last one ended.
    The methods are named when all trials are done. Code can vote as well, with `click`.

    Parameters
    ----------
    trials
        From `blind_trials`.
    path
        JSON file for the votes; missing folders are made with the first vote.

    Attributes
    ----------
    votes
        One ranking per finished trial, methods from best to worst; for `mean_opinion_scores`.

    Raises
    ------
    SrlabError
        The file is damaged, or its votes are about other trials. It is left as it is.
    """

    def __init__(self, trials: Sequence[Trial], path: str | Path) -> None:
        self.trials = list(trials)
        self.path = Path(path)
        self.votes = self._load()
        self._clicked: list[str] = []
        self._view: BallotView | None = None

    @property
    def done(self) -> bool:
        """Whether all trials have been voted on."""
        return len(self.votes) == len(self.trials)

    @property
    def trial(self) -> Trial | None:
        """The trial that is shown; None when all are done."""
        return None if self.done else self.trials[len(self.votes)]

    @property
    def ranking(self) -> tuple[str, ...]:
        """Letters that were clicked in this trial so far, the best first."""
        return tuple(self._clicked)

    def click(self, letter: str) -> None:
        """Rank a picture next; the last one of a trial saves the ranking and brings the next trial.

        Raises
        ------
        SrlabError
            All trials are done, there is no such letter, it was clicked before, or the file cannot be written or was
            changed by another ballot. The click then does not count, and the file is left as it is.
        """
        if self.trial is None:
            raise SrlabError("All trials of this ballot are done; make a new one with another seed and path.")
        if letter not in self.trial.methods or letter in self._clicked:
            left = [key for key in self.trial.methods if key not in self._clicked]
            raise SrlabError(f"There is no picture {letter} to rank in this trial; {', '.join(left)} can be clicked.")
        clicked = [*self._clicked, letter]
        if len(clicked) == len(self.trial.methods):
            votes = [*self.votes, [self.trial.methods[key] for key in clicked]]
            self._save(votes)
            self.votes, clicked = votes, []
        self._clicked = clicked
        self._refresh()

    def again(self) -> None:
        """Forget the clicks of the trial that is shown."""
        self._clicked = []
        self._refresh()

    @property
    def widget(self) -> "ipywidgets.Widget":
        """The ballot as an ipywidget, made when first asked for."""
        if self._view is None:
            from srlab.ballot_view import BallotView

            self._view = BallotView(self)
        return self._view.box

    def _refresh(self) -> None:
        if self._view is not None:
            self._view.update()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)

    def _save(self, votes: list[list[str]]) -> None:
        if self._load() != self.votes:  # such as the same ballot in another tab
            raise SrlabError(f"The votes in {self.path} were changed meanwhile; make the ballot again to go on.")
        rows = [{"image": t.image, "ranking": vote} for t, vote in zip(self.trials, votes, strict=False)]
        content = json.dumps({"format": FORMAT, "votes": rows}, indent=1, ensure_ascii=False)
        write_atomic(self.path, content.encode())

    def _load(self) -> list[list[str]]:
        advice = "; move the file away to begin anew, or give another path."
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SrlabError(f"The votes in {self.path} cannot be read ({error.strerror or error}){advice}") from error
        except ValueError as error:
            raise SrlabError(f"The votes in {self.path} are damaged ({error}){advice}") from error
        if not _is_votes(content):
            raise SrlabError(f"{self.path} is damaged or holds no votes of srlab{advice}")
        rows = content["votes"]
        if len(rows) > len(self.trials):
            raise SrlabError(f"{self.path} has {len(rows)} votes, but there are {len(self.trials)} trials{advice}")
        for number, (row, trial) in enumerate(zip(rows, self.trials, strict=False), 1):
            if row["image"] != trial.image or sorted(row["ranking"]) != sorted(trial.methods.values()):
                raise SrlabError(f"Vote {number} in {self.path} is about another trial than the one here{advice}")
        return [row["ranking"] for row in rows]


def _is_votes(content: Any) -> bool:
    """Whether this is what `Ballot` writes."""
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("votes"), list):
        return False
    return all(
        isinstance(row, dict)
        and isinstance(row.get("image"), str)
        and isinstance(row.get("ranking"), list)
        and all(isinstance(method, str) for method in row["ranking"])
        for row in content["votes"]
    )
