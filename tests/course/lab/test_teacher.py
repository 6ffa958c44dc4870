"""Lab 07 learns from the student's flow of lab 06, or from a short training run if there is none."""

from types import SimpleNamespace

import pytest
import torch

import srlab
from srlab.errors import SrlabError
from srlab.models import FlowNet
from srlab_course import split_photo
from srlab_course.lab.earlier.teacher import load_teacher
from tests.conftest import leave_run

SHAPE = {"num_blocks": 1, "num_features": 4}


@pytest.fixture
def lab():
    return SimpleNamespace(
        name="07_one_step",
        run="default",
        subject="gravel",
        train_set=split_photo("gravel")[0],
        device=torch.device("cpu"),
        trainer_kwargs={"device": "cpu", "precision": "fp32"},
        teacher_iters=2,
        patch=48,
        batch=2,
        seed=0,
    )


def leave_flow(name, lab="06_flow", **arguments):
    network = FlowNet(**SHAPE, **arguments)
    leave_run(lab, name, 1, subject="gravel").save_generator(network, 1)


def test_flow_of_lab_06_is_the_teacher(home, lab):
    leave_flow("long")
    leave_flow("default", lab="07_one_step", steps=1)  # an earlier student is not a teacher
    assert load_teacher(lab, "", SHAPE).origin == "06_flow/long"
    leave_flow("default")
    teacher = load_teacher(lab, "", SHAPE)
    assert teacher.origin == "06_flow/default"
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert load_teacher(lab, "06_flow/long", SHAPE).origin == "06_flow/long"


def test_short_run_replaces_a_missing_flow(home, lab, capsys):
    teacher = load_teacher(lab, "", SHAPE)
    assert teacher.origin == "07_one_step/default-ablation-teacher"
    assert "the course's code trains a flow: 2 steps" in capsys.readouterr().out
    assert (type(teacher), teacher.steps, teacher.training) == (FlowNet, 10, False)
    load_teacher(lab, "", SHAPE)
    assert "Nothing to train" in capsys.readouterr().out


def test_other_network_is_not_a_teacher(home, lab):
    leave_run("03_srgan", "default", 1).save_generator(srlab.MSRResNet(1, 4), 1)
    with pytest.raises(SrlabError, match="03_srgan/default is not a run of lab 06"):
        load_teacher(lab, "03_srgan/default", SHAPE)
