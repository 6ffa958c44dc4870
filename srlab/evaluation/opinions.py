"""What people think of pictures: blind trials, a ballot to rank them in a notebook, and mean opinion scores."""

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic

if TYPE_CHECKING:
    import ipywidgets

    from srlab.view.ballot_view import BallotView

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
    seed
        Of the random order; the letters of later rounds of a ballot derive from it too.
    """

    image: str
    methods: dict[str, str]
    pictures: dict[str, torch.Tensor]
    seed: int = 0


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
            trials.append(_trial(image, pictures[image], seed, random))
    return trials[:count]


def _trial(image: str, pictures: Mapping[str, torch.Tensor], seed: int, random: torch.Generator) -> Trial:
    letters = dict(zip(string.ascii_uppercase, _shuffled(list(pictures), random), strict=False))
    return Trial(image, letters, {letter: pictures[method] for letter, method in letters.items()}, seed)


def _round(trials: list[Trial], number: int) -> list[Trial]:
    """The trials as round `number` shows them; round 1 is the trials as they came."""
    if number == 1 or not trials:
        return trials
    random = torch.Generator().manual_seed(trials[0].seed + number - 1)
    by_method = [{method: trial.pictures[letter] for letter, method in trial.methods.items()} for trial in trials]
    return [_trial(t.image, pictures, t.seed, random) for t, pictures in zip(trials, by_method, strict=True)]


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
    """A blind ranking in the notebook: click the pictures from best to worst and confirm, and the next trial comes.

    Each confirmed ranking is saved, and a ballot over the same trials and file goes on where the last one ended. The
    methods are named when all trials are done. Then another round can follow: the same trials under other letters.
    Code can vote as well, with `click` and `confirm`.

    Parameters
    ----------
    trials
        From `blind_trials`.
    path
        JSON file for the votes; missing folders are made with the first vote.

    Attributes
    ----------
    rounds
        For each round one ranking per finished trial, methods from best to worst.
    shown
        The trials of this round, with the letters that they have in it.

    Raises
    ------
    SrlabError
        The file is damaged, or its votes are about other trials. It is left as it is.
    """

    def __init__(self, trials: Sequence[Trial], path: str | Path) -> None:
        self.trials = list(trials)
        self.path = Path(path)
        self.rounds = self._load() or [[]]
        self.shown = _round(self.trials, len(self.rounds))
        self._clicked: list[str] = []
        self._view: BallotView | None = None

    @property
    def votes(self) -> list[list[str]]:
        """The rankings of all rounds, the oldest first; for `mean_opinion_scores`."""
        return [ranking for rankings in self.rounds for ranking in rankings]

    @property
    def done(self) -> bool:
        """Whether all trials of this round have been voted on."""
        return len(self.rounds[-1]) == len(self.trials)

    @property
    def trial(self) -> Trial | None:
        """The trial that is shown; None when all of this round are done."""
        return None if self.done else self.shown[len(self.rounds[-1])]

    @property
    def ranking(self) -> tuple[str, ...]:
        """Letters that are ranked in this trial so far, the best first."""
        return tuple(self._clicked)

    @property
    def complete(self) -> bool:
        """Whether all pictures of the trial that is shown are ranked, so that `confirm` can save it."""
        return self.trial is not None and len(self._clicked) == len(self.trial.methods)

    def click(self, letter: str) -> None:
        """Rank a picture next; the only one that is left then takes the last rank by itself.

        A click on a ranked picture takes its rank and all after it back. A click on the last of all changes nothing:
        it can only be last.

        Raises
        ------
        SrlabError
            All trials are done, or there is no such letter.
        """
        letters = list(self._open_trial().methods)
        if letter not in letters:
            raise SrlabError(f"There is no picture {letter} in this trial; {', '.join(letters)} can be clicked.")
        if letter not in self._clicked:
            left = [key for key in letters if key not in (*self._clicked, letter)]
            self._clicked = [*self._clicked, letter, *(left if len(left) == 1 else [])]
        elif self._clicked.index(letter) < len(letters) - 1:
            self._clicked = self._clicked[: self._clicked.index(letter)]
        self._refresh()

    def confirm(self) -> None:
        """Save the ranking of this trial and bring the next one.

        Raises
        ------
        SrlabError
            All trials are done, a picture has no rank yet, or the file cannot be written or was changed by another
            ballot. The ranking then stays as it is, and so does the file.
        """
        trial = self._open_trial()
        if not self.complete:
            left = [key for key in trial.methods if key not in self._clicked]
            raise SrlabError(f"Rank all pictures before you confirm; {', '.join(left)} can still be clicked.")
        *earlier, current = self.rounds
        rounds = [*earlier, [*current, [trial.methods[key] for key in self._clicked]]]
        self._save(rounds)
        self.rounds, self._clicked = rounds, []
        self._refresh()

    def again(self) -> None:
        """Take all ranks of the trial that is shown back."""
        self._clicked = []
        self._refresh()

    def another_round(self) -> None:
        """Begin the same trials anew under other letters; the votes so far are kept and count.

        Raises
        ------
        SrlabError
            This round is not done.
        """
        if not self.done or not self.trials:
            raise SrlabError(f"Another round can begin when all {len(self.trials)} trials of this one are done.")
        self.rounds = [*self.rounds, []]
        self.shown = _round(self.trials, len(self.rounds))
        self._refresh()

    @property
    def widget(self) -> "ipywidgets.DOMWidget":
        """The ballot as a widget, made when first asked for."""
        if self._view is None:
            from srlab.view.ballot_view import BallotView

            self._view = BallotView(self)
        return self._view.widget

    def _open_trial(self) -> Trial:
        if self.trial is None:
            raise SrlabError("All trials of this ballot are done; begin another round with another_round().")
        return self.trial

    def _refresh(self) -> None:
        if self._view is not None:
            self._view.update()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)

    def _save(self, rounds: list[list[list[str]]]) -> None:
        if self._load() != [rankings for rankings in self.rounds if rankings]:  # the same ballot in another tab
            raise SrlabError(f"The votes in {self.path} were changed meanwhile; make the ballot again to go on.")
        rows = [
            {"round": number, "image": trial.image, "ranking": ranking}
            for number, rankings in enumerate(rounds, 1)
            for trial, ranking in zip(self.trials, rankings, strict=False)
        ]
        content = json.dumps({"format": FORMAT, "votes": rows}, indent=1, ensure_ascii=False)
        write_atomic(self.path, content.encode())

    def _load(self) -> list[list[list[str]]]:
        """The rankings in the file by round, none of them empty."""
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
        rounds: list[list[list[str]]] = []
        for count, row in enumerate(content["votes"], 1):
            if row.get("round", 1) > len(rounds):
                rounds.append([])
            place = len(rounds[-1])
            if place == len(self.trials):
                raise SrlabError(f"{self.path} has more votes in round {len(rounds)} than the {place} trials{advice}")
            trial = self.trials[place]
            if row["image"] != trial.image or sorted(row["ranking"]) != sorted(trial.methods.values()):
                raise SrlabError(f"Vote {count} in {self.path} is about another trial than the one here{advice}")
            rounds[-1].append(row["ranking"])
        return rounds


def _is_votes(content: Any) -> bool:
    """Whether this is what `Ballot` writes; its first version had no rounds, which is one."""
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("votes"), list):
        return False
    last = 0
    for row in content["votes"]:
        if not isinstance(row, dict) or not isinstance(row.get("image"), str):
            return False
        ranking, number = row.get("ranking"), row.get("round", 1)
        if not isinstance(ranking, list) or not all(isinstance(method, str) for method in ranking):
            return False
        if type(number) is not int or number not in (max(last, 1), last + 1):
            return False
        last = number
    return True
