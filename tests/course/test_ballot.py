"""The ballot: what is hidden, what is saved, what is refused, and what its buttons do."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.course.ballot import Ballot
from srlab.data.images import to_uint8
from srlab.errors import SrlabError

METHODS = ("HR", "ESRGAN", "bicubic")


@pytest.fixture
def pictures():
    random = torch.Generator().manual_seed(0)
    return {image: {method: torch.rand(3, 8, 10, generator=random) for method in METHODS} for image in ("cat", "cup")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new folder" / "votes.json"


def vote(ballot, *best_to_worst):
    letters = {method: letter for letter, method in ballot.trial.methods.items()}
    for method in best_to_worst:
        ballot.rank(letters[method])
    ballot.confirm()


def test_a_ballot_goes_on_where_it_was_left_and_rounds_have_other_letters(pictures, path):
    first = Ballot(pictures, path, seed=5)
    assert not path.parent.exists(), "nothing is written before the first vote"
    vote(first, *METHODS)
    assert json.loads(path.read_text()) == [{"image": first.trials[0].image, "ranking": list(METHODS)}]
    first.rank("A")  # not confirmed, so not saved
    second = Ballot(pictures, path, seed=5)
    assert (second.votes, second.trial, second.ranking) == (first.votes, first.trials[1], [])
    vote(second, *METHODS)
    assert Ballot(pictures, path, seed=5).done
    second.another_round()
    assert [trial.methods for trial in second.trials] != [trial.methods for trial in first.trials]
    vote(second, *METHODS[::-1])
    third = Ballot(pictures, path, seed=5)
    assert third.votes == [list(METHODS)] * 2 + [list(METHODS[::-1])]
    assert (third.round, third.trial) == (2, second.trial)


GOOD = [{"image": "cat", "ranking": ["HR", "ESRGAN", "bicubic"]}]


@pytest.mark.parametrize("content", ["", json.dumps(GOOD)[:-9], "3", '{"votes": []}', "[{}]", "\xff"])
def test_a_damaged_file_is_named_and_left_as_it_is(pictures, tmp_path, content):
    path = tmp_path / "votes.json"
    path.write_bytes(before := content.encode("latin-1"))
    with pytest.raises(SrlabError, match=r"votes\.json is damaged.*move the file away"):
        Ballot(pictures, path)
    assert path.read_bytes() == before


def test_votes_of_another_ballot_are_refused_and_kept(pictures, path):
    first, second = (Ballot(pictures, path) for _ in range(2))
    vote(first, *METHODS)
    before = path.read_bytes()
    with pytest.raises(SrlabError, match="changed meanwhile"):  # in another tab
        vote(second, *METHODS[::-1])
    assert len(second.ranking) == 3, "it stays ranked"
    renamed = {image: {f"new {method}": x for method, x in by.items()} for image, by in pictures.items()}
    for others in (renamed, {f"new {image}": by for image, by in pictures.items()}):
        with pytest.raises(SrlabError, match=r"votes\.json has votes about other pictures"):
            Ballot(others, path)
    assert path.read_bytes() == before


# --- On the screen --------------------------------------------------------------------------------------------


def parts(ballot):
    """Title, cards as (picture, button), what is revealed, and all buttons by their letter or text."""
    title, row, reveal, bar, _ = ballot.children
    cards = [card.children for pair in row.children for card in pair.children]
    buttons = [*bar.children, *(button for _, button in cards)]
    return title.value, cards, reveal.value, {button.description.split(":")[0]: button for button in buttons}


def press(ballot, *names):
    for name in names:
        parts(ballot)[3][name].click()


def test_each_picture_stands_over_its_letter_magnified_and_is_ranked_by_its_button(pictures, path):
    ballot = Ballot({"<i>cat</i>": {f"<b>{method}": x for method, x in pictures["cat"].items()}}, path)
    _, cards, _, buttons = parts(ballot)
    for (image, button), (letter, method) in zip(cards, ballot.trial.methods.items(), strict=True):
        assert button.description == letter
        right = to_uint8(ballot.pictures["<i>cat</i>"][method]).permute(1, 2, 0).numpy()
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(image.value))), right.repeat(3, 0).repeat(3, 1))
    press(ballot, "B", "B", "Start again", "C", "C")  # a double click
    assert buttons["Confirm"].disabled
    press(ballot, "A")
    assert [button.description for _, button in cards] == ["A: rank 2", "B: rank 3", "C: rank 1"]
    wanted = [ballot.trial.methods[letter] for letter in "CAB"]
    confirm = parts(ballot)[3]["Confirm"]
    for _ in range(2):  # a double click
        confirm.click()
    assert ballot.votes == [wanted]
    title, cards, revealed, _ = parts(ballot)
    assert ("Done" in title, cards) == (True, [])
    places = [revealed.index(f"<br>&lt;b&gt;{method.removeprefix('<b>')}<") for method in wanted]
    assert places == sorted(places)
    assert "<i>" not in revealed
    press(ballot, "Vote again")
    title, _, revealed, _ = parts(ballot)
    assert ("Round 2, trial 1 of 1" in title, revealed) == (True, "")


def test_what_cannot_be_saved_is_said_on_the_screen(pictures, path):
    first, second = (Ballot(pictures, path) for _ in range(2))
    vote(first, *METHODS)
    press(second, "A", "B", "Confirm")
    assert "changed meanwhile" in parts(second)[0]
