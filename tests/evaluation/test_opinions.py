"""Blind trials, mean opinion scores, and the ballot: what is hidden, what is saved, what is refused."""

import base64
import io
import json
import math

import ipywidgets
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.evaluation.opinions import Ballot, blind_trials, mean_opinion_scores

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
    ballot.confirm()


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


@pytest.mark.parametrize("letter", ["Z", "a", "HR", ""])
def test_a_letter_that_cannot_be_clicked_is_refused_and_does_not_count(pictures, path, letter):
    ballot = Ballot(blind_trials(pictures, 2), path)
    ballot.click("A")
    with pytest.raises(SrlabError, match="A, B, C can be clicked"):
        ballot.click(letter)
    assert ballot.ranking == ("A",)


def test_the_last_picture_ranks_itself_and_only_a_confirmed_ranking_is_saved(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    ballot.click("B")
    with pytest.raises(SrlabError, match="A, C can still be clicked"):
        ballot.confirm()
    ballot.click("C")
    assert ballot.ranking == ("B", "C", "A")
    assert ballot.complete
    assert not path.exists()
    ballot.click("A")  # as who goes on clicking
    assert ballot.ranking == ("B", "C", "A")
    first = ballot.trial
    ballot.confirm()
    assert ballot.votes == [[first.methods[letter] for letter in "BCA"]]
    assert ballot.ranking == ()
    assert path.exists()


def test_a_second_click_takes_a_rank_and_those_after_it_back(path):
    ballot = Ballot(blind_trials({"cat": {name: torch.zeros(3, 4, 4) for name in "vwxyz"}}, 1), path)
    for letter in "DBAE":
        ballot.click(letter)
    assert ballot.ranking == ("D", "B", "A", "E", "C")
    ballot.click("B")
    assert ballot.ranking == ("D",)
    assert not ballot.complete


def test_a_trial_can_be_ranked_again_until_it_is_confirmed(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    ballot.click("A")
    ballot.click("B")
    ballot.again()
    assert ballot.ranking == ()
    vote(ballot, ["bicubic", "HR", "ESRGAN"])
    ballot.again()
    assert ballot.votes == [["bicubic", "HR", "ESRGAN"]]


def test_a_ballot_goes_on_where_it_was_left(pictures, path):
    first = Ballot(blind_trials(pictures, 3), path)
    vote(first, ["HR", "ESRGAN", "bicubic"])
    vote(first, ["HR", "bicubic", "ESRGAN"])
    first.click("A")
    first.click("B")  # not confirmed, so not saved
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
    ballot = Ballot(blind_trials(pictures, 3), path)
    ballot.click("A")
    ballot.click("B")
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
    *(json.dumps(GOOD | {"votes": [GOOD["votes"][0] | {"round": number}]}) for number in (0, 2, "1", None, True)),
    json.dumps(GOOD | {"votes": [GOOD["votes"][0] | {"round": number} for number in (1, 2, 1)]}),
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
    with pytest.raises(SrlabError, match="more votes in round 1 than the 1 trials"):
        Ballot(blind_trials(pictures, 1), path)
    assert path.read_bytes() == before


def test_a_second_ballot_on_the_same_file_does_not_overwrite_the_first(pictures, path):
    first, second = (Ballot(blind_trials(pictures, 3), path) for _ in range(2))
    vote(first, ["HR", "ESRGAN", "bicubic"])
    with pytest.raises(SrlabError, match="changed meanwhile"):
        vote(second, ["bicubic", "ESRGAN", "HR"])
    assert Ballot(blind_trials(pictures, 3), path).votes == first.votes
    assert second.votes == []


def test_a_ranking_that_cannot_be_saved_can_be_confirmed_again(pictures, path, monkeypatch):
    def full(*_):
        raise SrlabError("Could not write: no space")

    ballot = Ballot(blind_trials(pictures, 2), path)
    ballot.click("C")
    ballot.click("A")
    with monkeypatch.context() as patch:
        patch.setattr("srlab.evaluation.opinions.write_atomic", full)
        with pytest.raises(SrlabError, match="no space"):
            ballot.confirm()
    assert (ballot.ranking, ballot.votes) == (("C", "A", "B"), [])
    ballot.confirm()
    assert len(ballot.votes) == 1


# --- Another round --------------------------------------------------------------------------------------------


def orders(trials):
    return [(trial.image, *trial.methods.values()) for trial in trials]


def test_another_round_shows_the_same_trials_under_other_letters_and_all_votes_count(pictures, path):
    trials = blind_trials(pictures, 6, seed=5)
    ballot = Ballot(trials, path)
    with pytest.raises(SrlabError, match="when all 6 trials of this one are done"):
        ballot.another_round()
    for _ in trials:
        vote(ballot, METHODS)
    ballot.another_round()
    assert not ballot.done
    assert [trial.image for trial in ballot.shown] == [trial.image for trial in trials]
    assert orders(ballot.shown) != orders(trials)
    for trial in ballot.shown:
        assert all(trial.pictures[key] is pictures[trial.image][method] for key, method in trial.methods.items())
    vote(ballot, METHODS[::-1])
    assert ballot.votes == [list(METHODS)] * 6 + [list(METHODS[::-1])]
    assert [row["round"] for row in json.loads(path.read_text(encoding="utf-8"))["votes"]] == [1] * 6 + [2]


def test_the_letters_of_a_round_come_from_the_seed_and_the_round(pictures, tmp_path):
    def letters(seed):
        ballot = Ballot(blind_trials(pictures, 6, seed), tmp_path / f"{seed}.json")
        found = []
        for _ in range(3):
            found.append(orders(ballot.shown))
            while not ballot.done:
                vote(ballot, METHODS)
            ballot.another_round()
        return found

    first = letters(1)
    (tmp_path / "1.json").unlink()
    assert letters(1) == first
    assert len({tuple(order) for order in first + letters(2)}) == 6


def test_a_ballot_goes_on_in_its_last_round(pictures, path):
    def reopened(count=3):
        return Ballot(blind_trials(pictures, count), path)

    ballot = reopened()
    for _ in range(3):
        vote(ballot, METHODS)
    ballot.another_round()
    vote(ballot, METHODS)
    again = reopened()
    assert again.rounds == ballot.rounds
    assert again.trial.methods == ballot.trial.methods
    vote(again, METHODS)
    vote(again, METHODS)
    assert reopened().done
    assert orders(reopened().shown) == orders(again.shown)
    assert not reopened(5).done
    assert len(reopened(5).votes) == 6


def test_votes_from_before_there_were_rounds_are_those_of_the_first(pictures, path):
    trials = blind_trials(pictures, 2)
    path.parent.mkdir()
    rows = [{"image": trial.image, "ranking": list(METHODS)} for trial in trials]
    path.write_text(json.dumps({"format": "srlab votes 1", "votes": rows[:1]}), encoding="utf-8")
    ballot = Ballot(trials, path)
    assert ballot.rounds == [[list(METHODS)]]
    vote(ballot, METHODS)
    assert Ballot(trials, path).done


# --- The ballot on the screen ---------------------------------------------------------------------------------


def press(ballot, *actions):
    """Send what the page sends: letters, "confirm", "again" or "round"."""
    for action in actions:
        what = {"do": "rank", "letter": action} if len(action) == 1 else {"do": action}
        ballot.widget._handle_custom_msg(what | {"screen": ballot.widget.state["screen"]}, [])


def decoded(source):
    data = base64.b64decode(source.removeprefix("data:image/webp;base64,"))
    pixels = torch.frombuffer(bytearray(Image.open(io.BytesIO(data)).tobytes()), dtype=torch.uint8)
    return pixels.view(8, 10, 3).permute(2, 0, 1).float() / 255


def test_the_screen_shows_each_picture_under_its_letter_magnified(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    assert ballot.widget.state["title"] == "Trial 1 of 2"
    (group,) = ballot.widget.cards
    assert [card["letter"] for card in group["cards"]] == ["A", "B", "C"]
    for card in group["cards"]:
        assert (decoded(card["source"]) - ballot.trial.pictures[card["letter"]]).abs().max() <= 0.51 / 255
        assert (card["width"], card["height"]) == (30, 24)


def test_pictures_of_the_lab_are_shown_twice_as_large_so_that_three_fit_in_a_row(path):
    crops = {"cat": {name: torch.zeros(1, 3, 96, 144) for name in ("a", "b")}}
    (group,) = Ballot(blind_trials(crops, 1), path).widget.cards
    assert [(card["width"], card["height"]) for card in group["cards"]] == [(288, 192)] * 2


def test_no_name_is_shown_before_the_end_and_all_are_then_in_the_order_of_the_ranking(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)

    def shown():
        cards = [{**card, "source": ""} for group in ballot.widget.cards for card in group["cards"]]
        return str([cards, [group["title"] for group in ballot.widget.cards], ballot.widget.state])

    for _ in range(2):
        for action in ("B", "C", "confirm"):
            assert not any(name in shown() for name in (*METHODS, *pictures))
            press(ballot, action)
    state = ballot.widget.state
    assert (state["title"], state["done"]) == ("Done: run the next cells for the scores.", True)
    for trial, group in zip(ballot.trials, ballot.widget.cards, strict=True):
        assert trial.image in group["title"]
        assert [(card["letter"], card["name"]) for card in group["cards"]] == [(k, trial.methods[k]) for k in "BCA"]
        for card in group["cards"]:
            assert (decoded(card["source"]) - trial.pictures[card["letter"]]).abs().max() <= 0.51 / 255


def test_the_page_ranks_takes_back_confirms_and_begins_another_round(pictures, path):
    ballot = Ballot(blind_trials(pictures, 1), path)
    press(ballot, "B")
    assert (ballot.widget.state["ranking"], ballot.widget.state["complete"]) == (["B"], False)
    press(ballot, "again", "C", "A")
    assert (ballot.widget.state["ranking"], ballot.widget.state["complete"]) == (["C", "A", "B"], True)
    press(ballot, "confirm")
    assert ballot.votes == [[ballot.trials[0].methods[letter] for letter in "CAB"]]
    press(ballot, "round")
    assert ballot.widget.state["title"] == "Round 2, trial 1 of 1"
    assert ballot.widget.state["done"] is False


def test_a_click_on_pictures_that_are_gone_does_not_count_and_is_answered(pictures, path):
    ballot = Ballot(blind_trials(pictures, 2), path)
    old = {"do": "rank", "letter": "A", "screen": ballot.widget.state["screen"]}
    press(ballot, "A", "B", "confirm")
    before = ballot.widget.state
    ballot.widget._handle_custom_msg(old, [])
    assert ballot.ranking == ()
    assert ballot.widget.state["handled"] > before["handled"]


def test_what_cannot_be_saved_is_said_on_the_screen_and_stays_ranked(pictures, path):
    first, second = (Ballot(blind_trials(pictures, 3), path) for _ in range(2))
    vote(first, METHODS)
    press(second, "A", "B", "confirm")
    assert "changed meanwhile" in second.widget.state["problem"]
    assert second.widget.state["ranking"] == ["A", "B", "C"]
    press(second, "again")
    assert second.widget.state["problem"] == ""


def test_a_finished_ballot_opens_with_the_names_and_can_go_on(pictures, path):
    vote(Ballot(blind_trials(pictures, 1), path), METHODS)
    ballot = Ballot(blind_trials(pictures, 1), path)
    assert [card["name"] for card in ballot.widget.cards[0]["cards"]] == list(METHODS)
    press(ballot, "round", "A", "B", "confirm")
    assert len(ballot.votes) == 2


def test_pictures_of_past_trials_do_not_stay_behind(pictures, path):
    ballot = Ballot(blind_trials(pictures, 6), path)
    _ = ballot.widget

    def images():
        return str(ipywidgets.Widget.get_manager_state()["state"]).count("data:image")

    before = images()
    for _ in range(5):
        vote(ballot, METHODS)
    assert images() == before


def test_the_saved_notebook_says_what_the_widget_was(pictures, path):
    data, _ = Ballot(blind_trials(pictures, 1), path).widget._repr_mimebundle_()
    assert data["text/plain"] == "Blind ranking: needs a running kernel."
    assert "application/vnd.jupyter.widget-view+json" in data
