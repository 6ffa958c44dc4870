"""Lab 07 learns from the student's flow of lab 06, or from a short training run if there is none."""

from types import SimpleNamespace

import pytest
import torch

import srlab
from srlab.errors import SrlabError
from srlab.models import FlowNet
from srlab_course import split_photo
from srlab_course.lab.credit import whose
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


def leave_flow(name, subject="gravel", **arguments):
    network = FlowNet(**SHAPE, **arguments)
    leave_run("06_flow", name, 1, subject=subject).save_generator(network, 1)


def test_flow_of_lab_06_is_the_teacher(home, lab):
    leave_flow("default")
    teacher = load_teacher(lab, "", SHAPE)
    assert teacher.origin == "06_flow/default"
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    leave_flow("long")
    assert load_teacher(lab, "", SHAPE).origin == "06_flow/default"
    assert load_teacher(lab, "06_flow/long", SHAPE).origin == "06_flow/long"
    lab.run = "long"
    assert load_teacher(lab, "", SHAPE).origin == "06_flow/long"


def test_flow_of_another_subject_is_not_the_teacher(home, lab, capsys):
    leave_flow("default", subject="brick")
    assert load_teacher(lab, "", SHAPE).origin == "07_one_step/default-ablation-teacher"
    assert "06_flow/default was trained on other photos" in capsys.readouterr().out


def test_short_run_replaces_a_missing_flow(home, lab, capsys):
    teacher = load_teacher(lab, "", SHAPE)
    assert teacher.origin == "07_one_step/default-ablation-teacher"
    assert "the course's code trains a flow: 2 steps" in capsys.readouterr().out
    assert whose(teacher.origin) == f"the code of the course ({teacher.origin})"
    assert (type(teacher), teacher.steps, teacher.training) == (FlowNet, 10, False)
    load_teacher(lab, "", SHAPE)
    assert "Nothing to train" in capsys.readouterr().out


def test_other_network_is_not_a_teacher(home, lab):
    leave_run("03_srgan", "default", 1).save_generator(srlab.MSRResNet(1, 4), 1)
    leave_run("07_one_step", "default", 1).save_generator(FlowNet(**SHAPE, steps=1), 1)  # an earlier student
    for name in ("03_srgan/default", "07_one_step/default"):
        with pytest.raises(SrlabError, match=f"{name} is not a run of lab 06"):
            load_teacher(lab, name, SHAPE)
