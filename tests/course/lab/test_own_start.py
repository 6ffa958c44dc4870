"""Test that the student's network of lab 01 starts later labs if it is good enough, and never disturbs a begun run."""

import re

import pytest

import srlab
from srlab.data import datasets
from srlab.data.degradation import Degradation
from srlab_course.lab.earlier import own_start
from srlab_course.lab.earlier.own_start import with_own_start
from srlab_course.lab.earlier.trained import newest_run
from srlab_course.lab.lab import Lab, generator_of
from srlab_course.material import subjects
from tests.conftest import leave_run

LAB = "03_srgan"
LEFT, RIGHT = subjects.split_photo("gravel")
VALUES = {"start": "bundled", "run": "default", "scale": 4, "network": "MSRResNet", "size": "laptop", "num_blocks": 0}
OWN = "01_srresnet/default"


def lab_with(overrides=(), **values):
    fields = (LAB, "cpu", "fp32", LEFT, RIGHT, Degradation(), dict.fromkeys(overrides), True)
    return Lab(*fields, VALUES | values)


@pytest.fixture
def own():
    """Leave a run of lab 01 whose network is the bundled one, trained with a student's code."""
    return leave()


def leave(code="4f0c21", **changes):
    network = srlab.load_bundled()["MSRResNet"]
    sampler = {"images": datasets.bundled_photos("train").describe(), "degradation": Degradation().describe()}
    made = {"generator": generator_of(VALUES), "sampler": sampler, "code": code} | changes
    run = leave_run("01_srresnet", "default", 1000, **made)
    run.save_generator(network, 1000)
    return run


def test_own_network_starts_a_new_run(own, capsys):
    lab = with_own_start(lab_with())
    assert (lab.start, lab.run) == (OWN, "default")
    assert not lab.is_reference_config  # the claims were measured with the bundled network
    assert lab.load_start()[1] == OWN
    assert re.fullmatch(r"Your network is the pretrained one: .* gains 2\.\d\d dB .*\n", capsys.readouterr().out)


@pytest.mark.parametrize("code", ["reference", "srlab", None])
def test_network_trained_with_the_course_s_code_does_not_count(code):
    leave(code)
    assert with_own_start(lab_with()).start == "bundled"


def test_weak_network_does_not_start_a_run(own, capsys, monkeypatch):
    monkeypatch.setattr(own_start, "ENOUGH", 3.0)
    lab = with_own_start(lab_with())
    assert (lab.start, lab.is_reference_config) == ("bundled", True)
    assert "less than 3 dB, so the bundled network is the pretrained one" in capsys.readouterr().out


@pytest.mark.parametrize("values", [{"start": ""}, {"start": "01_srresnet/smoke"}, {"network": "RRDBNet"}])
def test_other_starts_and_networks_stay(own, capsys, values):
    values = {"growth": 16, "num_features": 32} | values if "network" in values else values
    assert with_own_start(lab_with(**values)).start == values.get("start", "bundled")
    assert capsys.readouterr().out == ""


def test_start_set_by_the_user_stays(own):
    assert with_own_start(lab_with(["start"])).start == "bundled"


def test_run_begun_with_the_bundled_network_is_left_and_another_one_trained(own):
    leave_run(LAB, "default", 800, start="bundled", code="reference")
    lab = with_own_start(lab_with())
    assert (lab.start, lab.run) == (OWN, "default-yours-4f0c21")
    assert with_own_start(lab_with(), named=True).run == "default"
    assert with_own_start(lab_with(), named=True).start == "bundled"


def test_newest_run_counts_whatever_it_started_from():
    for name, code, started in (("default", "reference", "1"), ("default-yours-4f0c21-abcdef", "abcdef", "2")):
        run = leave_run(LAB, name, 800, start=OWN, code=code)
        run.write_manifest(run.manifest() | {"started": started})
        run.save_generator(srlab.load_bundled()["MSRResNet"], 800)
    assert newest_run(LAB) == "default-yours-4f0c21-abcdef"


def test_changed_network_is_another_start(own):
    leave_run(LAB, "default", 800, start=OWN, code="reference")
    assert with_own_start(lab_with()).run == "default"
