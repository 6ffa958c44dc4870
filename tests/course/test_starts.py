"""srlab.course.starts: a training begins where it says, with a network that fits it."""

import shutil
from dataclasses import replace

import pytest

from srlab.course.lab import Lab, generator_of
from srlab.course.starts import Wanted, begun_with, check_start, find_start, find_trained, load_start
from srlab.data import datasets, subjects
from srlab.data.degradation import Degradation
from srlab.errors import SrlabError
from srlab.models import MSRResNet, RRDBNet, pick_size
from tests.conftest import leave_run

LAB = "01_srresnet"
TWELVE, FOUR = datasets.photos("train"), datasets.photos("validation")
LEFT, RIGHT = subjects.halves("gravel")
MADE = MSRResNet(1, 4)
NETWORK = {"network": "MSRResNet"} | MADE.config
RRDB = {"network": "RRDBNet"} | RRDBNet(**pick_size("laptop", "RRDBNet")).config


def wanted(network=NETWORK, degradation=None, train_set=LEFT, unseen=RIGHT):
    return Wanted(network, degradation or Degradation(), train_set, unseen)


def leave(name, images=TWELVE, degradation=None, network=NETWORK, step=900, state="finished"):
    sampler = {"images": images.describe(), "degradation": (degradation or Degradation()).describe()}
    run = leave_run(LAB, name, step, state, generator=network, sampler=sampler, loss="mse")
    run.save_generator(MADE, step)


def found(asked, *starts):
    """Where the network of `find_start` is from."""
    return find_start(starts, asked)[1]


def named(start, asked):
    """The network of a start that the reader has named."""
    check_start(start, asked)
    return load_start(start, asked)


MISFITS = {
    "degradation": (
        {"degradation": Degradation(blur=(0.2, 3.0), jpeg=(60, 95))},
        r"it was trained with blur=\[0.2, 3.0\], not 0.0 and jpeg=\[60.0, 95.0\], not 0.0",
    ),
    "network": (
        {"network": NETWORK | {"blocks": 3, "features": 8}},
        "it was trained with blocks=3, not 1 and features=8, not 4",
    ),
    "images": ({"images": RIGHT}, "it was trained on right half of gravel, on which this run would be validated"),
    "failed": ({"state": "failed"}, "there is no trained run"),
}


@pytest.mark.parametrize(("made", "words"), MISFITS.values(), ids=MISFITS)
def test_a_start_that_was_named_is_refused_and_another_is_passed_over_with_the_reason(capsys, made, words):
    leave("one", **made)
    with pytest.raises(SrlabError, match=rf"start={LAB}/one won't do: {words}"):
        named(f"{LAB}/one", wanted())
    leave("two", step=1000)
    network, where = find_start([f"{LAB}/one", f"{LAB}/two"], wanted())
    assert (network.config, where) == (MADE.config, f"{LAB}/two")
    assert f"The start {LAB}/one is passed over: " in capsys.readouterr().out


def test_a_start_of_other_photos_may_be_named_and_is_never_found(capsys):
    leave("brick", images=FOUR.subset("brick"))
    assert named(f"{LAB}/brick", wanted())
    assert f"The start {LAB}/brick may do, but it was trained on photos/validation (1 images" in capsys.readouterr().out
    assert found(wanted(), f"{LAB}/brick") == ""
    leave("gravel", images=TWELVE)  # of which its left half is one
    assert found(wanted(), f"{LAB}/gravel") == f"{LAB}/gravel"


def test_where_the_network_is_free_a_start_that_was_named_decides_it_but_for_the_scale():
    leave("one")
    other = replace(wanted(NETWORK | {"network": "SRResNet", "blocks": 9}), free=True)
    assert found(other, f"{LAB}/one") == ""
    assert named(f"{LAB}/one", other).config == MADE.config
    with pytest.raises(SrlabError, match="it was trained with scale=4, not 2"):
        check_start(f"{LAB}/one", replace(wanted(NETWORK | {"scale": 2}), free=True))


def test_the_network_that_comes_with_srlab_is_a_start_of_its_own_size_scale_and_degradation():
    assert found(wanted(RRDB), "shipped") == "shipped"
    assert named("shipped", wanted(RRDB))
    for other in (wanted(RRDB | {"scale": 2}), wanted(RRDB, Degradation(blur=1.0))):
        assert found(other, "shipped") == ""
        with pytest.raises(SrlabError, match="no RRDBNet of this size, scale and degradation comes"):
            named("shipped", other)


def test_a_run_goes_on_with_the_start_that_it_has_begun_with():
    for step, begun in ((0, ""), (9, f"{LAB}/one")):  # before its first step a run may still begin elsewhere
        assert begun_with(leave_run("03_srgan", "default", step, start=f"{LAB}/one")) == begun


@pytest.mark.parametrize(
    ("start", "tricks", "step", "where"),
    [
        ("shipped", {}, 0, f"{LAB}/one"),  # no MSRResNet of this size is bundled, so the shortest run of the lab
        (f"{LAB}/two", {}, 0, f"{LAB}/two"),
        (f"{LAB}/two", {}, 9, f"{LAB}/begun"),
        (f"{LAB}/two", {"start"}, 0, f"{LAB}/two"),
        (f"{LAB}/two", {"start"}, 9, "began with"),
        ("", {}, 0, f"{LAB}/one"),
    ],
)
def test_the_start_of_a_lab_is_the_named_one_its_own_the_recipes_or_a_finished_run(start, tricks, step, where):
    leave_run("03_srgan", "default", step, start=f"{LAB}/begun")
    values = {"start": start, "run": "default", "scale": 4, "network": "MSRResNet", "size": "tiny", "blocks": 1}
    made = MSRResNet(**{key: value for key, value in generator_of(values).items() if key != "network"})
    shape = {"network": "MSRResNet"} | made.config
    for name, steps in (("one", 500), ("two", 900), ("begun", 100)):
        leave(name, step=steps, network=shape)
    lab = Lab("03_srgan", "cpu", "no", LEFT, RIGHT, Degradation(), dict.fromkeys(tricks), (), False, values)
    if where == "began with":
        with pytest.raises(SrlabError, match=f"began with {LAB}/begun, not with {LAB}/two"):
            lab.find_start(LAB, 200)
    else:
        assert lab.find_start(LAB, 200, loss="mse")[1] == where


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
    assert found(asked, "shipped") == ""
    assert "The start shipped is passed over: it has learned all of grass, and this" in capsys.readouterr().out
    leave("twelve", images=TWELVE)
    for start, network in (("shipped", RRDB), (f"{LAB}/twelve", NETWORK)):
        with pytest.raises(SrlabError, match=f"start={start} won't do: it has learned all of grass"):
            check_start(start, replace(asked, network=network))


def test_a_subject_that_only_has_the_name_of_a_photo_of_the_course_is_another_photo(tmp_path, capsys):
    for subject in ("gravel", copied("brick", tmp_path, "grass")):
        left, right = subjects.halves(subject)
        assert found(wanted(RRDB, train_set=left, unseen=right), "shipped") == "shipped"
    leave("twelve", images=TWELVE)
    left, right = subjects.halves(copied("brick", tmp_path, "gravel"))
    assert found(wanted(train_set=left, unseen=right), f"{LAB}/twelve") == ""
    assert f"The start {LAB}/twelve is passed over: it was trained on photos/train" in capsys.readouterr().out
