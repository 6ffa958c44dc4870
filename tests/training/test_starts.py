"""srlab.training.starts: a training begins where it says, with a network that fits it."""

import shutil
from dataclasses import replace

import pytest

import srlab
from srlab.base.errors import SrlabError
from srlab.data import datasets, subjects
from srlab.data.degradation import Degradation
from srlab.models import MSRResNet, RRDBNet
from srlab.training.starts import Wanted, check_start, find_start, find_trained
from tests.conftest import leave_run

LAB = "01_srresnet"
TWELVE, FOUR = datasets.photos("train"), datasets.photos("validation")
LEFT, RIGHT = subjects.halves("gravel")
MADE = MSRResNet(1, 4)
NETWORK = {"network": "MSRResNet"} | MADE.config


def wanted(network=NETWORK, degradation=None, train_set=LEFT, unseen=RIGHT):
    return Wanted(network, degradation or Degradation(), train_set, unseen)


def leave(name, images=TWELVE, degradation=None, network=NETWORK, step=900, state="finished", **more):
    sampler = {"images": images.describe(), "degradation": (degradation or Degradation()).describe()}
    run = leave_run(LAB, name, step, state, generator=network, sampler=sampler, loss="mse", **more)
    if network == NETWORK:
        run.save_generator(MADE, step)
    return run


MISFITS = [
    (
        {"degradation": Degradation(blur=(0.2, 3.0), jpeg=(60, 95))},
        r"it has learned from LR of blur=\[0.2, 3.0\], not 0.0 and jpeg=\[60.0, 95.0\], not 0.0",
    ),
    ({"network": NETWORK | {"scale": 2}}, "its network has scale=2, not 4"),
    ({"network": NETWORK | {"blocks": 3, "features": 8}}, "its network has blocks=3, not 1 and features=8, not 4"),
    ({"images": RIGHT}, "it was trained on right half of gravel, on which this run would be validated"),
    ({"step": 0}, "there is no trained run"),
    ({"state": "failed"}, "there is no trained run"),
]


@pytest.mark.parametrize(("made", "words"), MISFITS, ids=str)
def test_a_start_that_was_named_is_refused_and_another_is_passed_over_with_the_reason(capsys, made, words):
    leave("one", **made)
    with pytest.raises(SrlabError, match=rf"start={LAB}/one won't do: {words}"):
        check_start(f"{LAB}/one", wanted())
    with pytest.raises(SrlabError, match=words):
        find_start(f"{LAB}/one", wanted(), named=True, lab=LAB)
    leave("two", step=1000)
    network, where = find_start(f"{LAB}/one", wanted(), named=False, lab=LAB, steps=400, loss="mse")
    assert (network.config, where) == (MADE.config, f"{LAB}/two")
    assert f"The start {LAB}/one is passed over: it" in capsys.readouterr().out.replace(": there", ": it")


@pytest.mark.parametrize("start", ["foo", "a/b/c", "01_srresnet"])
def test_what_is_no_run_is_refused(start):
    with pytest.raises(SrlabError, match=rf"start={start} won't do: it is shipped, or LAB/RUN such as 01_srresnet/def"):
        check_start(start, wanted())


def test_a_start_of_other_photos_may_be_named_and_is_never_found(capsys):
    leave("brick", images=FOUR.subset("brick"))
    assert find_start(f"{LAB}/brick", wanted(), named=True)[1] == f"{LAB}/brick"
    assert f"The start {LAB}/brick may do, but it was trained on photos/validation (1 images" in capsys.readouterr().out
    assert find_start(f"{LAB}/brick", wanted(), named=False, lab=LAB) == (None, "")
    leave("gravel", images=TWELVE)  # of which its left half is one
    assert find_start("", wanted(), named=False, lab=LAB)[1] == f"{LAB}/gravel"


def test_where_the_network_is_free_a_start_that_was_named_decides_it_but_for_the_scale():
    leave("one")
    for network, fits in ((NETWORK | {"network": "SRResNet", "blocks": 9}, True), (NETWORK | {"scale": 2}, False)):
        free = replace(wanted(network), free=True)
        assert find_start(f"{LAB}/one", free, named=False) == (None, "")
        if fits:
            assert find_start(f"{LAB}/one", free, named=True)[0].config == MADE.config
        else:
            with pytest.raises(SrlabError, match="its network has scale=4, not 2"):
                check_start(f"{LAB}/one", free)


def test_the_network_that_comes_with_srlab_is_a_start_of_its_own_size_scale_and_degradation():
    for network, size in ((MSRResNet, srlab.models.SIZES["laptop"]), (RRDBNet, RRDBNet.SIZES["laptop"])):
        fits = {"network": network.__name__} | network(**size).config
        for named in (True, False):
            assert find_start("shipped", wanted(fits), named)[1] == "shipped"
        assert find_start(f"{LAB}/none", wanted(fits), named=False)[1] == "shipped"
        for other in (wanted(fits | {"scale": 2}), wanted(fits, Degradation(blur=1.0))):
            assert find_start("shipped", other, named=False) == (None, "")
            with pytest.raises(SrlabError, match=f"no {network.__name__} of this size, scale and degradation comes"):
                find_start("shipped", other, named=True)
    assert find_start("", wanted(fits), named=True) == (None, "")


def test_a_run_goes_on_with_the_start_that_it_has_begun_with():
    leave("one")
    leave("two", step=500)
    assert find_start("", wanted(), False, f"{LAB}/one", lab=LAB)[1] == f"{LAB}/one"
    with pytest.raises(SrlabError, match=f"began with {LAB}/one, not with {LAB}/two; give it another name"):
        find_start(f"{LAB}/two", wanted(), True, f"{LAB}/one")


def test_a_start_is_the_shortest_finished_run_that_will_do_and_no_side_run(capsys):
    """The network of six crops, trained to overfit, is nothing to begin with."""
    parameters = {"generator": {"network": "MSRResNet"}, "loss": "mse"}
    for name, step, state, more in (
        ("long", 900, "finished", {}),
        ("short", 100, "finished", {}),
        ("fits", 400, "finished", {"seed": 1}),
        ("stopped", 350, "stopped", {}),
        ("ruined", 350, "failed", {}),
        ("other", 350, "finished", {"loss": "l1"}),
        ("gan", 350, "finished", {"discriminator": {}}),
        ("default-ablation-six", 350, "finished", {}),
    ):
        leave_run(LAB, name, step, state, **(parameters | more))
    (leave_run(LAB, "damaged", 350, **parameters).path / "run.json").write_text("{")

    def found(steps):
        return [name.removeprefix(f"{LAB}/") for name in find_trained(LAB, steps, parameters)]

    assert (found(300), found(401), found(901)) == (["fits", "long"], ["long"], [])
    assert "Passed over: " in capsys.readouterr().out


RRDB = {"network": "RRDBNet"} | RRDBNet(**RRDBNet.SIZES["laptop"]).config


def copied(name, folder, as_name):
    return shutil.copy(datasets.photo_file(name), folder / f"{as_name}.png")


def test_a_start_that_has_learned_a_subject_whole_is_passed_over_whatever_its_file_is_called(tmp_path, capsys):
    for subject in ("grass", copied("grass", tmp_path, "lawn")):
        left, right = subjects.halves(subject)
        asked = wanted(RRDB, train_set=left, unseen=right)
        assert find_start("shipped", asked, named=False) == (None, "")
        assert "The start shipped is passed over: it has learned all of grass, and this" in capsys.readouterr().out
        with pytest.raises(SrlabError, match="start=shipped won't do: it has learned all of grass"):
            check_start("shipped", asked)
    leave("twelve", images=TWELVE)
    with pytest.raises(SrlabError, match=f"start={LAB}/twelve won't do: it has learned all of grass"):
        check_start(f"{LAB}/twelve", wanted(train_set=left, unseen=right))


def test_a_subject_that_only_has_the_name_of_a_photo_of_the_course_is_another_photo(tmp_path, capsys):
    for subject in ("gravel", "brick", copied("brick", tmp_path, "grass")):
        left, right = subjects.halves(subject)
        assert find_start("shipped", wanted(RRDB, train_set=left, unseen=right), named=False)[1] == "shipped"
    leave("twelve", images=TWELVE)
    left, right = subjects.halves(copied("brick", tmp_path, "gravel"))
    assert find_start("", wanted(train_set=left, unseen=right), named=False, lab=LAB) == (None, "")
    assert f"The start {LAB}/twelve is passed over: it was trained on photos/train" in capsys.readouterr().out
