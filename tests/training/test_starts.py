"""srlab.course.starts: a training begins where it says, with a network that fits it."""

import shutil
from dataclasses import replace

import pytest

from srlab.base.errors import SrlabError
from srlab.course.starts import Wanted, begun_with, check_start, find_start, find_trained
from srlab.data import datasets, subjects
from srlab.data.degradation import Degradation
from srlab.models import MSRResNet, RRDBNet
from tests.conftest import leave_run

LAB = "01_srresnet"
TWELVE, FOUR = datasets.photos("train"), datasets.photos("validation")
LEFT, RIGHT = subjects.halves("gravel")
MADE = MSRResNet(1, 4)
NETWORK = {"network": "MSRResNet"} | MADE.config
RRDB = {"network": "RRDBNet"} | RRDBNet(**RRDBNet.SIZES["laptop"]).config


def wanted(network=NETWORK, degradation=None, train_set=LEFT, unseen=RIGHT):
    return Wanted(network, degradation or Degradation(), train_set, unseen)


def leave(name, images=TWELVE, degradation=None, network=NETWORK, step=900, state="finished"):
    sampler = {"images": images.describe(), "degradation": (degradation or Degradation()).describe()}
    run = leave_run(LAB, name, step, state, generator=network, sampler=sampler, loss="mse")
    run.save_generator(MADE, step)


def found(start, asked, named=False, **places):
    """Where the network of `find_start` is from."""
    return find_start(start, asked, named, **places)[1]


MISFITS = {
    "degradation": (
        {"degradation": Degradation(blur=(0.2, 3.0), jpeg=(60, 95))},
        r"it has learned from LR of blur=\[0.2, 3.0\], not 0.0 and jpeg=\[60.0, 95.0\], not 0.0",
    ),
    "network": (
        {"network": NETWORK | {"blocks": 3, "features": 8}},
        "its network has blocks=3, not 1 and features=8, not 4",
    ),
    "images": ({"images": RIGHT}, "it was trained on right half of gravel, on which this run would be validated"),
    "failed": ({"state": "failed"}, "there is no trained run"),
}


@pytest.mark.parametrize(("made", "words"), MISFITS.values(), ids=MISFITS)
def test_a_start_that_was_named_is_refused_and_another_is_passed_over_with_the_reason(capsys, made, words):
    leave("one", **made)
    with pytest.raises(SrlabError, match=rf"start={LAB}/one won't do: {words}"):
        find_start(f"{LAB}/one", wanted(), named=True, lab=LAB)
    leave("two", step=1000)
    network, where = find_start(f"{LAB}/one", wanted(), named=False, lab=LAB, steps=400, loss="mse")
    assert (network.config, where) == (MADE.config, f"{LAB}/two")
    assert f"The start {LAB}/one is passed over: " in capsys.readouterr().out


def test_a_start_of_other_photos_may_be_named_and_is_never_found(capsys):
    leave("brick", images=FOUR.subset("brick"))
    assert found(f"{LAB}/brick", wanted(), named=True) == f"{LAB}/brick"
    assert f"The start {LAB}/brick may do, but it was trained on photos/validation (1 images" in capsys.readouterr().out
    assert found(f"{LAB}/brick", wanted(), lab=LAB) == ""
    leave("gravel", images=TWELVE)  # of which its left half is one
    assert found("", wanted(), lab=LAB) == f"{LAB}/gravel"


def test_where_the_network_is_free_a_start_that_was_named_decides_it_but_for_the_scale():
    leave("one")
    other = replace(wanted(NETWORK | {"network": "SRResNet", "blocks": 9}), free=True)
    assert found(f"{LAB}/one", other) == ""
    assert find_start(f"{LAB}/one", other, named=True)[0].config == MADE.config
    with pytest.raises(SrlabError, match="its network has scale=4, not 2"):
        check_start(f"{LAB}/one", replace(wanted(NETWORK | {"scale": 2}), free=True))


def test_the_network_that_comes_with_srlab_is_a_start_of_its_own_size_scale_and_degradation():
    for named in (True, False):
        assert found("shipped", wanted(RRDB), named) == "shipped"
    assert found(f"{LAB}/none", wanted(RRDB)) == "shipped"
    for other in (wanted(RRDB | {"scale": 2}), wanted(RRDB, Degradation(blur=1.0))):
        assert found("shipped", other) == ""
        with pytest.raises(SrlabError, match="no RRDBNet of this size, scale and degradation comes"):
            find_start("shipped", other, named=True)
    assert find_start("", wanted(RRDB), named=True) == (None, "")


def test_a_run_goes_on_with_the_start_that_it_has_begun_with():
    leave("one")
    leave("two", step=500)
    places = {"begun": f"{LAB}/one", "lab": LAB}
    assert found("", wanted(), **places) == f"{LAB}/one"
    with pytest.raises(SrlabError, match=f"began with {LAB}/one, not with {LAB}/two; give it another name"):
        found(f"{LAB}/two", wanted(), True, **places)
    for step, begun in ((0, ""), (9, f"{LAB}/one")):  # before its first step a run may still begin elsewhere
        assert begun_with(leave_run("03_srgan", "default", step, start=f"{LAB}/one")) == begun


def test_a_start_is_the_shortest_finished_run_that_will_do_and_no_side_run():
    """The network of six crops, trained to overfit, is nothing to begin with."""
    parameters = {"generator": {"network": "MSRResNet"}, "loss": "mse"}
    for name, step, state, more in (
        ("long", 900, "finished", {}),
        ("fits", 400, "finished", {"seed": 1}),
        ("stopped", 350, "stopped", {}),
        ("other", 350, "finished", {"loss": "l1"}),
        ("gan", 350, "finished", {"discriminator": {}}),
        ("default-ablation-six", 350, "finished", {}),
    ):
        leave_run(LAB, name, step, state, **(parameters | more))
    assert find_trained(LAB, 300, parameters) == [f"{LAB}/fits", f"{LAB}/long"]
    assert find_trained(LAB, 401, parameters) == [f"{LAB}/long"]


def copied(name, folder, as_name):
    return shutil.copy(datasets.photo_file(name), folder / f"{as_name}.png")


def test_a_start_that_has_learned_a_subject_whole_is_passed_over_whatever_its_file_is_called(tmp_path, capsys):
    left, right = subjects.halves(copied("grass", tmp_path, "lawn"))
    asked = wanted(RRDB, train_set=left, unseen=right)
    assert found("shipped", asked) == ""
    assert "The start shipped is passed over: it has learned all of grass, and this" in capsys.readouterr().out
    leave("twelve", images=TWELVE)
    for start, network in (("shipped", RRDB), (f"{LAB}/twelve", NETWORK)):
        with pytest.raises(SrlabError, match=f"start={start} won't do: it has learned all of grass"):
            check_start(start, replace(asked, network=network))


def test_a_subject_that_only_has_the_name_of_a_photo_of_the_course_is_another_photo(tmp_path, capsys):
    for subject in ("gravel", copied("brick", tmp_path, "grass")):
        left, right = subjects.halves(subject)
        assert found("shipped", wanted(RRDB, train_set=left, unseen=right)) == "shipped"
    leave("twelve", images=TWELVE)
    left, right = subjects.halves(copied("brick", tmp_path, "gravel"))
    assert found("", wanted(train_set=left, unseen=right), lab=LAB) == ""
    assert f"The start {LAB}/twelve is passed over: it was trained on photos/train" in capsys.readouterr().out
