"""Blind trials, mean opinion scores, and the ballot: what is hidden, what is saved, what is refused."""

import base64
import io
import json
import math
import re

import ipywidgets
import pytest
import torch
from PIL import Image

from srlab.errors import SrlabError
from srlab.opinions import Ballot, blind_trials, mean_opinion_scores

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


def vote(ballot, best_to_worst):
    letters = {method: letter for letter, method in ballot.trial.methods.items()}
    for method in best_to_worst:
        ballot.click(letters[method])


# --- Blind trials ---------------------------------------------------------------------------------------------


def test_each_letter_has_the_picture_of_its_method(pictures):
    for trial in blind_trials(pictures, 9):
        assert list(trial.methods) == list(trial.pictures) == ["A", "B", "C"]
        assert sorted(trial.methods.values()) == sorted(METHODS)
        for letter, method in trial.methods.items():
            assert trial.pictures[letter] is pictures[trial.image][method]


def test_every_image_comes_up_once_before_any_comes_again(pictures):
    images = [trial.image for trial in blind_trials(pictures, 9)]
    assert all(sorted(images[i : i + 3]) == ["cat", "cup", "sky"] for i in (0, 3, 6))


def test_the_order_is_that_of_the_seed_and_longer_ballots_begin_alike(pictures):
    def orders(count, seed):
        return [(trial.image, *trial.methods.values()) for trial in blind_trials(pictures, count, seed)]

    assert orders(20, 1) == orders(20, 1)
    assert orders(7, 1) == orders(20, 1)[:7]
    assert orders(20, 1) != orders(20, 2)


def test_no_letter_belongs_to_a_method(pictures):
    first = [trial.methods["A"] for trial in blind_trials(pictures, 300)]
    assert all(70 < first.count(method) < 130 for method in METHODS)


def test_the_random_numbers_of_the_lab_stay_the_same(pictures):
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    blind_trials(pictures, 5)
    assert torch.equal(torch.rand(2), wanted)


@pytest.mark.parametrize("methods", [("HR",), (), [f"m{i}" for i in range(27)]])
def test_a_number_of_methods_that_cannot_be_ranked_is_refused(methods):
    with pytest.raises(SrlabError, match="'cat' has"):
        blind_trials({"cat": dict.fromkeys(methods, torch.zeros(3, 4, 4))}, 1)


@pytest.mark.parametrize(("count", "empty"), [(0, False), (3, True)])
def test_a_ballot_without_trials_is_refused(pictures, count, empty):
    with pytest.raises(SrlabError, match="an image and a trial at least"):
        blind_trials({} if empty else pictures, count)


# --- Mean opinion scores --------------------------------------------------------------------------------------


def test_scores_run_from_5_to_1_in_every_ranking_and_are_averaged():
    table = mean_opinion_scores([["a", "b", "c"], ["b", "a"], ["a", "b", "c"]])
    scores = table.set_index("method")
    assert scores["mos"].to_dict() == pytest.approx({"a": 11 / 3, "b": 11 / 3, "c": 1.0})
    assert scores["votes"].to_dict() == {"a": 3, "b": 3, "c": 2}


def test_the_best_comes_first():
    assert list(mean_opinion_scores([["c", "a", "b"], ["c", "b", "a"], ["c", "a", "b"]])["method"]) == ["c", "a", "b"]


def test_the_interval_is_students_t():
    # Scores 5, 5, 3, 1 of method a: mean 3.5, standard deviation 1.9149, t(3, 97.5 %) = 3.18245 from the tables.
    votes = [["a", "b", "c"], ["a", "b", "c"], ["b", "a", "c"], ["b", "c", "a"]]
    row = mean_opinion_scores(votes).set_index("method").loc["a"]
    assert row["mos"] == 3.5
    assert row["half_width"] == pytest.approx(3.18245 * 1.914854 / 2, rel=1e-4)


def test_one_vote_has_no_interval_and_equal_votes_have_none_to_speak_of():
    assert math.isnan(mean_opinion_scores([["a", "b"]])["half_width"][0])
    assert list(mean_opinion_scores([["a", "b"]] * 2)["half_width"]) == [0, 0]


def test_without_votes_the_table_is_empty_and_has_its_columns():
    table = mean_opinion_scores([])
    assert table.empty
    assert list(table.columns) == ["method", "mos", "half_width", "votes"]


@pytest.mark.parametrize("ranking", [["a"], [], ["a", "b", "a"]])
def test_what_is_no_ranking_is_refused(ranking):
    with pytest.raises(SrlabError, match="each of them once"):
        mean_opinion_scores([["a", "b"], ranking])


# --- The ballot, voted by code --------------------------------------------------------------------------------


def test_clicks_become_rankings_by_method(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    assert not ballot.done
    assert ballot.votes == []
    vote(ballot, ["HR", "ESRGAN", "bicubic"])
    vote(ballot, ["ESRGAN", "bicubic", "HR"])
    assert ballot.votes == [["HR", "ESRGAN", "bicubic"], ["ESRGAN", "bicubic", "HR"]]
    assert ballot.done
    assert ballot.trial is None
    with pytest.raises(SrlabError, match="All trials of this ballot are done"):
        ballot.click("A")


@pytest.mark.parametrize("letter", ["A", "Z", "a", "HR"])
def test_a_letter_that_cannot_be_clicked_is_refused_and_does_not_count(pictures, path, letter):
    ballot = Ballot(blind_trials(pictures, 2), path)
    ballot.click("A")
    with pytest.raises(SrlabError, match="B, C can be clicked"):
        ballot.click(letter)
    assert ballot.ranking == ("A",)


def test_a_trial_can_be_ranked_again_until_its_last_click(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    ballot.click("A")
    ballot.again()
    assert ballot.ranking == ()
    vote(ballot, ["bicubic", "HR", "ESRGAN"])
    ballot.again()
    assert ballot.votes == [["bicubic", "HR", "ESRGAN"]]


def test_a_ballot_goes_on_where_it_was_left(pictures, path):
    first = Ballot(blind_trials(pictures, 3), path)
    vote(first, ["HR", "ESRGAN", "bicubic"])
    vote(first, ["HR", "bicubic", "ESRGAN"])
    first.click("A")  # not finished, so not saved
    second = Ballot(blind_trials(pictures, 3), path)
    assert second.votes == first.votes
    assert second.trial.methods == first.trials[2].methods
    assert second.ranking == ()
    vote(second, ["ESRGAN", "HR", "bicubic"])
    assert Ballot(blind_trials(pictures, 3), path).done
    longer = Ballot(blind_trials(pictures, 5), path)
    assert not longer.done
    assert longer.votes == second.votes


def test_nothing_is_written_before_the_first_vote(pictures, path):
    Ballot(blind_trials(pictures, 3), path).click("A")
    assert not path.parent.exists()


def test_the_file_is_written_whole_after_each_trial_and_holds_no_letters(pictures, path):
    ballot = Ballot(blind_trials(pictures, 3), path)
    for number in (1, 2):
        vote(ballot, ["HR", "ESRGAN", "bicubic"])
        rows = json.loads(path.read_text(encoding="utf-8"))["votes"]
        assert [row["image"] for row in rows] == [trial.image for trial in ballot.trials[:number]]
        assert all(row["ranking"] == ["HR", "ESRGAN", "bicubic"] for row in rows)
        assert [file.name for file in path.parent.iterdir()] == ["votes.json"]


GOOD = {"format": "srlab votes 1", "votes": [{"image": "cat", "ranking": ["HR", "ESRGAN", "bicubic"]}]}
DAMAGED = [
    "",
    json.dumps(GOOD)[:-9],
    "[]",
    "null",
    json.dumps({"votes": []}),
    json.dumps(GOOD | {"votes": {}}),
    json.dumps(GOOD | {"votes": [["HR", "ESRGAN"]]}),
    json.dumps(GOOD | {"votes": [{"image": "cat"}]}),
    json.dumps(GOOD | {"votes": [{"image": "cat", "ranking": [1, 2, 3]}]}),
    b"\xff\xfe\x00".decode("latin-1"),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_named_and_left_as_it_is(pictures, tmp_path, content):
    path = tmp_path / "votes.json"
    path.write_bytes(before := content.encode("latin-1"))
    with pytest.raises(SrlabError, match=r"votes\.json .*damaged.*move the file away"):
        Ballot(blind_trials(pictures, 3), path)
    assert path.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_named(pictures, tmp_path):
    with pytest.raises(SrlabError, match="cannot be read"):
        Ballot(blind_trials(pictures, 3), tmp_path)


def test_votes_about_other_trials_are_refused(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    vote(ballot, ["HR", "ESRGAN", "bicubic"])
    vote(ballot, ["HR", "ESRGAN", "bicubic"])
    before = path.read_bytes()
    renamed = {image: {f"new {method}": x for method, x in by.items()} for image, by in pictures.items()}
    other_images = {f"new {image}": by for image, by in pictures.items()}
    for others in (renamed, other_images):
        with pytest.raises(SrlabError, match=r"Vote 1 in .*votes\.json is about another trial"):
            Ballot(blind_trials(others, 2), path)
    with pytest.raises(SrlabError, match="has 2 votes, but there are 1 trials"):
        Ballot(blind_trials(pictures, 1), path)
    assert path.read_bytes() == before


def test_a_second_ballot_on_the_same_file_does_not_overwrite_the_first(pictures, path):
    first, second = (Ballot(blind_trials(pictures, 3), path) for _ in range(2))
    vote(first, ["HR", "ESRGAN", "bicubic"])
    with pytest.raises(SrlabError, match="changed meanwhile"):
        vote(second, ["bicubic", "ESRGAN", "HR"])
    assert Ballot(blind_trials(pictures, 3), path).votes == first.votes
    assert second.votes == []


def test_a_click_that_cannot_be_saved_can_be_repeated(pictures, path, monkeypatch):
    def full(*_):
        raise SrlabError("Could not write: no space")

    ballot = Ballot(blind_trials(pictures, 2), path)
    ballot.click("C")
    ballot.click("A")
    with monkeypatch.context() as patch:
        patch.setattr("srlab.opinions.write_atomic", full)
        with pytest.raises(SrlabError, match="no space"):
            ballot.click("B")
    assert (ballot.ranking, ballot.votes) == (("C", "A"), [])
    ballot.click("B")
    assert len(ballot.votes) == 1


# --- The ballot on the screen ---------------------------------------------------------------------------------


def parts(ballot):
    """What is on the screen: the heading, letter -> button, letter -> the picture's HTML, the button "again"."""
    heading, row, again = ballot.widget.children
    buttons = {column.children[1].description[0]: column.children[1] for column in row.children}
    return (
        heading,
        buttons,
        {k: column.children[0].value for k, column in zip(buttons, row.children, strict=True)},
        again,
    )


def decoded(markup):
    data = re.search(r'src="data:image/png;base64,([^"]+)"', markup)[1]
    pixels = torch.frombuffer(bytearray(Image.open(io.BytesIO(base64.b64decode(data))).tobytes()), dtype=torch.uint8)
    return pixels.view(8, 10, 3).permute(2, 0, 1).float() / 255


def test_the_screen_shows_each_picture_under_its_letter(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    heading, buttons, markup, _ = parts(ballot)
    assert "Trial 1 of 2" in heading.value
    assert list(buttons) == ["A", "B", "C"]
    for letter, picture in ballot.trial.pictures.items():
        assert f'alt="picture {letter}"' in markup[letter]
        assert (decoded(markup[letter]) - picture).abs().max() <= 0.51 / 255


def test_no_name_is_shown_before_the_end(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)

    def shown():
        heading, buttons, markup, _ = parts(ballot)
        texts = [heading.value, *(b.description + (b.tooltip or "") for b in buttons.values())]
        return " ".join(texts + [re.sub(r"base64,[^\"]+", "", m) for m in markup.values()])

    for _ in range(2):
        for letter in "BCA":
            assert not any(name in shown() for name in (*METHODS, *pictures))
            ballot.click(letter)
    assert all(method in shown() for method in METHODS)
    for trial in ballot.trials:
        assert ", ".join(f"{letter} = {method}" for letter, method in trial.methods.items()) in shown()


def test_the_buttons_vote_and_show_the_rank(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    _, buttons, _, again = parts(ballot)
    assert again.disabled
    buttons["B"].click()
    assert buttons["B"].disabled
    assert buttons["B"].description == "B: 1"
    again.click()
    assert (buttons["B"].disabled, buttons["B"].description) == (False, "B")
    for letter in "CAB":
        buttons[letter].click()
    assert ballot.votes == [[ballot.trials[0].methods[letter] for letter in "CAB"]]
    heading, fresh, _, _ = parts(ballot)
    assert "Trial 2 of 2" in heading.value
    assert not any(button.disabled for button in fresh.values())
    assert all(fresh[letter] is not buttons[letter] for letter in "ABC")


def test_a_double_click_counts_once(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    heading, buttons, _, _ = parts(ballot)
    buttons["A"].click()
    buttons["A"].click()
    assert ballot.ranking == ("A",)
    assert "not saved" not in heading.value


def test_a_button_that_fails_says_so_on_the_screen(pictures, path):
    first, second = (Ballot(blind_trials(pictures, 3), path) for _ in range(2))
    vote(first, ["HR", "ESRGAN", "bicubic"])
    heading, buttons, _, _ = parts(second)
    for letter in "ABC":
        buttons[letter].click()
    assert "This click was not saved" in heading.value
    assert "changed meanwhile" in heading.value


def test_names_are_shown_as_text_and_not_as_markup(path):
    pictures = {"<i>": {"<b>x</b>": torch.zeros(3, 4, 4), "y&z": torch.ones(1, 3, 4, 4)}}
    ballot = Ballot(blind_trials(pictures, 1), path)
    vote(ballot, ["<b>x</b>", "y&z"])
    heading = ballot.widget.children[0].value
    assert "&lt;b&gt;x&lt;/b&gt;" in heading
    assert "<b>x" not in heading
    assert "y&amp;z" in heading


def test_a_finished_ballot_opens_with_the_names(pictures, path):
    ballot = Ballot(blind_trials(pictures, 1), path)
    vote(ballot, METHODS)
    heading, buttons, _, again = parts(Ballot(blind_trials(pictures, 1), path))
    assert "Done" in heading.value
    assert not buttons
    assert again.layout.display == "none"


def test_pictures_of_past_trials_do_not_stay_behind(pictures, path):
    ballot = Ballot(blind_trials(pictures, 6), path)
    _ = ballot.widget

    def images():
        states = ipywidgets.Widget.get_manager_state()["state"].values()
        return sum("data:image" in str(state["state"].get("value")) for state in states)

    before = images()
    for _ in range(5):
        vote(ballot, METHODS)
    assert images() == before
    vote(ballot, METHODS)
    assert images() == before - 3
