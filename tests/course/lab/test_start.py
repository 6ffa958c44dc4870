"""Test srlab_course.lab.earlier.start: a run starts from the requested network, which fits it."""

import shutil
from dataclasses import replace

import pytest

from srlab.data import datasets
from srlab.data.degradation import Degradation
from srlab.errors import SrlabError
from srlab.models import MSRResNet, RRDBNet
from srlab_course.lab.earlier.start import StartRequirements, check_start, find_start, find_trained, load_start
from srlab_course.lab.lab import Lab, generator_of
from srlab_course.lab.sizes import pick_size
from srlab_course.material import subjects
from tests.conftest import leave_run

LAB = "01_srresnet"
TWELVE, FOUR = datasets.bundled_photos("train"), datasets.bundled_photos("validation")
LEFT, RIGHT = subjects.split_photo("gravel")
MADE = MSRResNet(1, 4)
NETWORK = {"network": "MSRResNet"} | MADE.config
RRDB = {"network": "RRDBNet"} | RRDBNet(**pick_size("laptop", "RRDBNet")).config


def wanted(network=NETWORK, degradation=None, train_set=LEFT, unseen=RIGHT):
    return StartRequirements(network, degradation or Degradation(), train_set, unseen)


def leave(name, images=TWELVE, degradation=None, network=NETWORK, step=900, status="finished"):
    sampler = {"images": images.describe(), "degradation": (degradation or Degradation()).describe()}
    run = leave_run(LAB, name, step, status, generator=network, sampler=sampler, loss="mse")
    run.save_generator(MADE, step)


def found(asked, *starts):
    """Return the source of the network found by `find_start`."""
    return find_start(starts, asked)[1]


def named(start, asked):
    """Return the network of a named start."""
    check_start(start, asked)
    return load_start(start, asked)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"degradation": Degradation(jpeg=(60, 95))}, r"jpeg=\[60.0, 95.0\], not 0.0"),
        ({"network": NETWORK | {"num_blocks": 3, "num_features": 8}}, "num_blocks=3, not 1 and num_features=8, not 4"),
        ({"images": RIGHT}, "trained on right half of gravel, the validation photos of this run"),
        ({"status": "failed"}, "no trained run"),
    ],
)
def test_misfit_run_is_rejected_by_name_and_skipped_in_search(capsys, made, words):
    leave("one", **made)
    with pytest.raises(SrlabError, match=rf"Cannot start from {LAB}/one: .*{words}"):
        named(f"{LAB}/one", wanted())
    leave("two", step=1000)
    network, where = find_start([f"{LAB}/one", f"{LAB}/two"], wanted())
    assert (network.config, where) == (MADE.config, f"{LAB}/two")
    assert f"Skipping the pretrained network {LAB}/one: " in capsys.readouterr().out


def test_run_on_other_photos_is_only_used_by_name(capsys):
    leave("brick", images=FOUR.subset("brick"))
    assert named(f"{LAB}/brick", wanted())
    assert "trained on photos/validation (1 images" in capsys.readouterr().out
    assert found(wanted(), f"{LAB}/brick") == ""
    leave("gravel", images=TWELVE)  # which includes its left half
    assert found(wanted(), f"{LAB}/gravel") == f"{LAB}/gravel"


def test_named_start_sets_network_but_not_scale():
    leave("one")
    other = replace(wanted(NETWORK | {"network": "SRResNet", "num_blocks": 9}), free=True)
    assert found(other, f"{LAB}/one") == ""
    assert named(f"{LAB}/one", other).config == MADE.config
    with pytest.raises(SrlabError, match="scale=4, not 2"):
        check_start(f"{LAB}/one", replace(wanted(NETWORK | {"scale": 2}), free=True))


def test_bundled_network_needs_same_size_scale_and_degradation():
    assert found(wanted(RRDB), "bundled") == "bundled"
    for other in (wanted(RRDB | {"scale": 2}), wanted(RRDB, Degradation(blur=1.0))):
        assert found(other, "bundled") == ""
        with pytest.raises(SrlabError, match="no bundled RRDBNet of this size"):
            named("bundled", other)


@pytest.mark.parametrize(
    ("start", "overrides", "step", "where"),
    [
        ("bundled", {}, 0, f"{LAB}/one"),  # no MSRResNet of this size is bundled, so the shortest run of the lab
        (f"{LAB}/two", {}, 0, f"{LAB}/two"),  # before its first step, a run may still start from another network
        (f"{LAB}/two", {}, 9, f"{LAB}/begun"),
        (f"{LAB}/two", {"start"}, 0, f"{LAB}/two"),
        (f"{LAB}/two", {"start"}, 9, ""),
        ("", {}, 0, f"{LAB}/one"),
    ],
)
def test_start_of_a_lab(start, overrides, step, where):
    leave_run("03_srgan", "default", step, start=f"{LAB}/begun")
    values = {"start": start, "run": "default", "scale": 4, "network": "MSRResNet", "size": "tiny", "num_blocks": 1}
    shape = generator_of(values)
    for name, steps in (("one", 500), ("two", 900), ("begun", 100)):
        leave(name, step=steps, network=shape)
    lab = Lab("03_srgan", "cpu", "fp32", LEFT, RIGHT, Degradation(), dict.fromkeys(overrides), False, values)
    if where:
        assert lab.load_start(LAB, 200, loss="mse")[1] == where
    else:
        with pytest.raises(SrlabError, match=f"began with {LAB}/begun, not with {LAB}/two"):
            lab.load_start(LAB, 200)


def test_search_finds_shortest_finished_main_run():
    """Check that a network overfitted to six crops is not used as a start."""
    parameters = {"generator": {"network": "MSRResNet"}, "loss": "mse"}
    for name, step, status, more in (
        ("long", 900, "finished", {}),
        ("fits", 400, "finished", {"seed": 1}),
        ("stopped", 350, "stopped", {}),
        ("other", 350, "finished", {"loss": "l1"}),
        ("gan", 350, "finished", {"discriminator": {}}),
        ("default-ablation-six", 350, "finished", {}),
    ):
        leave_run(LAB, name, step, status, **(parameters | more))
    assert find_trained(LAB, 300, parameters) == [f"{LAB}/fits", f"{LAB}/long"]
    assert find_trained(LAB, 401, parameters) == [f"{LAB}/long"]


@pytest.mark.parametrize(
    ("photo", "called", "passed_over"),
    [
        ("grass", "lawn", ["it was trained on all of grass", "it was trained on all of grass"]),
        ("brick", "gravel", ["", "it was trained on photos/train"]),  # only its name is that of a bundled photo
    ],
)
def test_search_skips_run_trained_on_subject(photo, called, passed_over, tmp_path, capsys):
    file = shutil.copy(datasets.photo_file(photo), tmp_path / f"{called}.png")
    left, right = subjects.split_photo(file)
    leave("twelve", images=TWELVE)
    for start, network, reason in zip(("bundled", f"{LAB}/twelve"), (RRDB, NETWORK), passed_over, strict=True):
        assert found(wanted(network, train_set=left, unseen=right), start) == ("" if reason else start)
        assert reason in capsys.readouterr().out
