"""Test the ballot: what it hides, saves and rejects, and its buttons."""

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from srlab.data.images import to_uint8
from srlab.errors import SrlabError
from srlab.text import escaped
from srlab_course.figures.ballot import Ballot

METHODS = ["HR", "<b>SRGAN", "bicubic"]


@pytest.fixture
def pictures():
    random = torch.Generator().manual_seed(0)
    return {image: {method: torch.rand(3, 8, 10, generator=random) for method in METHODS} for image in ("cat", "cup")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new folder" / "votes.json"


def vote(ballot, *best_to_worst):
    letters = {method: letter for letter, method in ballot.letters.items()}
    for method in best_to_worst:
        ballot.rank(letters[method])
    ballot.confirm()


def press(ballot, *names):
    _, cards, _, bar, _ = ballot.children
    buttons = [*bar.children, *(card.children[1] for card in cards.children)]
    for name in names:
        next(button for button in buttons if button.description.split(":")[0] == name).click()


def test_ballot_resumes_after_the_last_vote(pictures, path):
    first = Ballot(pictures, path, seed=5)
    images = list(first.trials)
    assert not path.parent.exists(), "nothing must be written before the first vote"
    vote(first, *METHODS)
    assert json.loads(path.read_text(encoding="utf-8")) == [{"image": images[0], "ranking": METHODS}]
    first.rank("A")  # not confirmed, so not saved
    second = Ballot(pictures, path, seed=5)
    assert (second.votes, second.image, second.ranking) == ({images[0]: METHODS}, images[1], [])
    vote(second, *METHODS[::-1])
    assert Ballot(pictures, path).votes == dict(zip(images, (METHODS, METHODS[::-1]), strict=True))


def test_vote_in_another_tab_is_kept(pictures, path):
    one, other = Ballot(pictures, path, seed=5), Ballot(pictures, path, seed=5)
    vote(one, *METHODS)
    vote(one, *METHODS)
    vote(other, *METHODS[::-1])
    assert list(other.votes.values()) == [METHODS[::-1], METHODS]


def test_vote_waits_while_another_tab_writes(pictures, path):
    ballot = Ballot(pictures, path)
    path.parent.mkdir()
    with ThreadPoolExecutor() as pool:
        with FileLock(path.with_name(".votes.json.lock")):
            waiting = pool.submit(vote, ballot, *METHODS)
            time.sleep(0.3)
            assert not path.exists()
        waiting.result()
    assert path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'[{"image": "cat", "rank',
        b"3",
        b'{"votes": []}',
        b"[{}]",
        b"\xff",
        b'[{"image": "cat", "ranking": ["HR", "other"]}]',
        b'[{"image": "dog", "ranking": ["HR", "<b>SRGAN", "bicubic"]}]',
    ],
)
def test_other_file_is_reported_and_kept(pictures, path, content):
    ballot = Ballot(pictures, path)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SrlabError, match=r"votes\.json has no votes about these images\. Move it away"):
        Ballot(pictures, path)
    press(ballot, "A", "B", "Confirm")
    assert "has no votes about these images" in ballot.children[0].value
    assert len(ballot.ranking) == 3, "it must stay ranked"
    assert path.read_bytes() == content


def test_ballot_display(pictures, path):
    ballot = Ballot({"<i>cat</i>": pictures["cat"]}, path)
    title, cards, names, bar, _ = ballot.children
    for (letter, method), card in zip(ballot.letters.items(), cards.children, strict=True):
        image, button = card.children
        assert button.description == letter
        right = to_uint8(pictures["cat"][method]).permute(1, 2, 0).numpy()
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(image.value))), right.repeat(2, 0).repeat(2, 1))
    press(ballot, "B", "B", "Start again", "C", "C")  # a double click
    confirm = bar.children[0]
    assert confirm.disabled
    press(ballot, "A")
    assert [card.children[1].description for card in cards.children] == ["A: rank 2", "B: rank 3", "C: rank 1"]
    wanted = [ballot.letters[letter] for letter in "CAB"]
    for _ in range(2):  # a double click
        confirm.click()
    assert (ballot.votes, cards.children, bar.children) == ({"<i>cat</i>": wanted}, (), ())
    assert "Done" in title.value
    assert escaped(f"<i>cat</i>: {', '.join(wanted)}") in names.value
