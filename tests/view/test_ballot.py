"""The ballot: what is hidden, what is saved, what is refused, and what its buttons do."""

import io
import json

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.images import to_uint8
from srlab.view.ballot import Ballot

METHODS = ("HR", "ESRGAN", "bicubic")


@pytest.fixture
def pictures():
    random = torch.Generator().manual_seed(0)
    return {
        image: {method: torch.rand(3, 8, 10, generator=random) for method in METHODS} for image in ("cat", "cup", "sky")
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new folder" / "votes.json"


def vote(ballot, *best_to_worst):
    letters = {method: letter for letter, method in ballot.trial.methods.items()}
    for method in best_to_worst:
        ballot.rank(letters[method])
    ballot.confirm()


def test_rankings_are_saved_whole_one_by_one_and_name_methods(pictures, path):
    ballot = Ballot(pictures, path)
    assert not path.parent.exists(), "nothing is written before the first vote"
    for number in (1, 2, 3):
        vote(ballot, "HR", "ESRGAN", "bicubic")
        rows = json.loads(path.read_text(encoding="utf-8"))["votes"]
        assert [row["image"] for row in rows] == [trial.image for trial in ballot.trials[:number]]
        assert all(row["ranking"] == ["HR", "ESRGAN", "bicubic"] for row in rows)
        assert [file.name for file in path.parent.iterdir()] == ["votes.json"]
    assert ballot.votes == [["HR", "ESRGAN", "bicubic"]] * 3
    assert ballot.done
    assert ballot.trial is None


def test_the_last_picture_ranks_itself_and_only_a_whole_ranking_is_saved(pictures, path):
    ballot = Ballot(pictures, path)
    ballot.rank("B")
    ballot.rank("B")  # a double click
    with pytest.raises(SrlabError, match="Rank all pictures"):
        ballot.confirm()
    ballot.rank("C")
    assert ballot.ranking == ["B", "C", "A"]
    ballot.again()
    assert (ballot.ranking, path.exists()) == ([], False)


def test_a_ballot_goes_on_where_it_was_left_and_rounds_have_other_letters(pictures, path):
    first = Ballot(pictures, path, seed=5)
    letters = [list(trial.methods.values()) for trial in first.trials]
    vote(first, *METHODS)
    first.rank("A")  # not confirmed, so not saved
    second = Ballot(pictures, path, seed=5)
    assert (second.votes, second.trial, second.ranking) == (first.votes, first.trials[1], [])
    second.another_round()  # too early
    vote(second, *METHODS)
    vote(second, *METHODS)
    assert Ballot(pictures, path, seed=5).done
    second.another_round()
    assert not second.done
    assert [list(trial.methods.values()) for trial in second.trials] != letters
    vote(second, *METHODS[::-1])
    third = Ballot(pictures, path, seed=5)
    assert third.votes == [list(METHODS)] * 3 + [list(METHODS[::-1])]
    assert (third.round, third.trial) == (2, second.trial)


GOOD = {"votes": [{"image": "cat", "ranking": ["HR", "ESRGAN", "bicubic"]}]}


@pytest.mark.parametrize(
    "content", ["", json.dumps(GOOD)[:-9], "[]", '{"votes": 3}', '{"votes": [["HR"]]}', '{"votes": [{}]}', "\xff"]
)
def test_a_damaged_file_is_named_and_left_as_it_is(pictures, tmp_path, content):
    path = tmp_path / "votes.json"
    path.write_bytes(before := content.encode("latin-1"))
    with pytest.raises(SrlabError, match=r"votes\.json is damaged.*move the file away"):
        Ballot(pictures, path)
    assert path.read_bytes() == before
    with pytest.raises(SrlabError, match="is damaged"):  # a folder
        Ballot(pictures, tmp_path)


def test_votes_about_other_pictures_are_refused_and_kept(pictures, path):
    vote(Ballot(pictures, path), *METHODS)
    before = path.read_bytes()
    renamed = {image: {f"new {method}": x for method, x in by.items()} for image, by in pictures.items()}
    for others in (renamed, {f"new {image}": by for image, by in pictures.items()}):
        with pytest.raises(SrlabError, match=r"votes\.json has votes about other pictures"):
            Ballot(others, path)
    assert path.read_bytes() == before


def test_a_second_ballot_on_the_same_file_does_not_overwrite_the_first(pictures, path):
    first, second = (Ballot(pictures, path) for _ in range(2))
    vote(first, *METHODS)
    with pytest.raises(SrlabError, match="changed meanwhile"):
        vote(second, *METHODS[::-1])
    assert Ballot(pictures, path).votes == first.votes
    assert len(second.ranking) == 3, "it stays ranked"


# --- On the screen --------------------------------------------------------------------------------------------


def parts(widget):
    """Title, cards as (picture, button), what is revealed, and the buttons below by their text."""
    title, row, reveal, bar, _ = widget.children
    cards = [card.children for pair in row.children for card in pair.children]
    return title.value, cards, reveal.value, {button.description: button for button in bar.children}


def test_each_picture_stands_over_its_letter_magnified_and_without_a_name(pictures, path):
    ballot = Ballot(pictures, path)
    title, cards, _, _ = parts(ballot.widget())
    assert "Trial 1 of 3" in title
    assert [button.description for _, button in cards] == ["A", "B", "C"]
    for (image, _), method in zip(cards, ballot.trial.methods.values(), strict=True):
        shown = np.asarray(Image.open(io.BytesIO(image.value)))
        right = to_uint8(pictures[ballot.trial.image][method]).permute(1, 2, 0).numpy()
        assert np.array_equal(shown, right.repeat(3, 0).repeat(3, 1))


def test_the_buttons_rank_take_back_confirm_and_begin_another_round(pictures, path):
    ballot = Ballot({"cat": pictures["cat"]}, path)
    widget = ballot.widget()

    def press(*names):
        for name in names:
            _, cards, _, buttons = parts(widget)
            (buttons | {button.description: button for _, button in cards})[name].click()

    def pictures_in_the_notebook():
        return str(ipywidgets.Widget.get_manager_state()["state"]).count("'value': b")

    assert parts(widget)[3]["Confirm"].disabled
    press("B", "Start again", "C", "A")
    assert [button.description for _, button in parts(widget)[1]] == ["A: rank 2", "B: rank 3", "C: rank 1"]
    before = pictures_in_the_notebook()
    wanted = [ballot.trial.methods[letter] for letter in "CAB"]
    press("Confirm")
    assert ballot.votes == [wanted]
    title, cards, revealed, _ = parts(widget)
    assert "Done" in title
    assert not cards
    places = [revealed.index(f"<br>{method}<") for method in wanted]
    assert places == sorted(places)
    press("Vote again")
    assert "Round 2, trial 1 of 1" in parts(widget)[0]
    assert parts(widget)[2] == "", "and the names are gone"
    assert pictures_in_the_notebook() == before


def test_what_cannot_be_saved_is_said_on_the_screen_and_names_are_text(pictures, path):
    hostile = {"<i>cat</i>": {f"<b>{method}</b>": x for method, x in pictures["cat"].items()}}
    first, second = (Ballot(hostile, path) for _ in range(2))
    widget = second.widget()
    vote(first, *hostile["<i>cat</i>"])
    for letter in "AB":
        second.rank(letter)
    parts(widget)[3]["Confirm"].click()
    assert "changed meanwhile" in parts(widget)[0]
    revealed = parts(first.widget())[2]
    assert "&lt;b&gt;HR&lt;/b&gt;" in revealed
    assert "<b>" not in revealed
    assert "<i>" not in revealed
