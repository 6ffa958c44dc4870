"""Test the ballot: what it hides, saves and rejects, and its buttons."""

import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.data.images import to_uint8
from srlab.errors import SrlabError
from srlab_course.figures.ballot import Ballot

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


def test_ballot_resumes_with_new_letters_per_round(pictures, path):
    first = Ballot(pictures, path, seed=5)
    assert not path.parent.exists(), "nothing must be written before the first vote"
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


def test_image_too_large_for_the_notebook_is_rejected(path):
    for height, width, most in ((1, 8192, 8191), (5000, 4000, 8191), (6000, 100, 5461)):
        image = torch.empty(3, 1, 1).expand(-1, height, width)
        with pytest.raises(
            SrlabError, match=f"'cat, SR' has {width}x{height} pixels, but browsers show at most {most}"
        ):
            Ballot({"cat": {"SR": image, "HR": image}}, path)


@pytest.mark.parametrize("content", [b"", b'[{"image": "cat", "rank', b"3", b'{"votes": []}', b"[{}]", b"\xff"])
def test_damaged_ballot_file_is_reported_and_kept(pictures, tmp_path, content):
    path = tmp_path / "votes.json"
    path.write_bytes(content)
    with pytest.raises(SrlabError, match=r"votes\.json is damaged.*Move the file away"):
        Ballot(pictures, path)
    assert path.read_bytes() == content


def test_votes_of_another_ballot_are_rejected_and_kept(pictures, path):
    first, second = (Ballot(pictures, path) for _ in range(2))
    vote(first, *METHODS)
    before = path.read_bytes()
    with pytest.raises(SrlabError, match="changed in the meantime"):  # in another tab
        vote(second, *METHODS[::-1])
    assert len(second.ranking) == 3, "it must stay ranked"
    press(second, "Confirm")
    assert "changed in the meantime" in second.children[0].value
    renamed = {image: {f"new {method}": x for method, x in by.items()} for image, by in pictures.items()}
    for others in (renamed, {f"new {image}": by for image, by in pictures.items()}):
        with pytest.raises(SrlabError, match="votes about other images"):
            Ballot(others, path)
    assert path.read_bytes() == before


# --- Display --------------------------------------------------------------------------------------------------


def cards(ballot):
    """Return each image with its button."""
    return [card.children for pair in ballot.children[1].children for card in pair.children]


def press(ballot, *names):
    for name in names:
        buttons = [*ballot.children[3].children, *(button for _, button in cards(ballot))]
        next(button for button in buttons if button.description.split(":")[0] == name).click()


def test_ballot_display(pictures, path):
    ballot = Ballot({"<i>cat</i>": {f"<b>{method}": x for method, x in pictures["cat"].items()}}, path)
    for (image, button), (letter, method) in zip(cards(ballot), ballot.trial.methods.items(), strict=True):
        assert button.description == letter
        right = to_uint8(ballot.pictures["<i>cat</i>"][method]).permute(1, 2, 0).numpy()
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(image.value))), right.repeat(3, 0).repeat(3, 1))
    press(ballot, "B", "B", "Start again", "C", "C")  # a double click
    confirm = ballot.children[3].children[0]
    assert confirm.disabled
    press(ballot, "A")
    assert [button.description for _, button in cards(ballot)] == ["A: rank 2", "B: rank 3", "C: rank 1"]
    wanted = [ballot.trial.methods[letter] for letter in "CAB"]
    for _ in range(2):  # a double click
        confirm.click()
    assert (ballot.votes, cards(ballot)) == ([wanted], [])
    title, _, revealed, *_ = ballot.children
    assert "Done" in title.value
    assert re.findall(r"<br>&lt;b&gt;(\w+)<", revealed.value) == [method.removeprefix("<b>") for method in wanted]
    assert "<i>" not in revealed.value
    press(ballot, "Vote again")
    assert ("Round 2, trial 1 of 1" in title.value, revealed.value) == (True, "")
