"""Test course.diagnose: each failure is recognized by its metric, and a healthy run has no symptoms."""

import random

import pytest

import srlab_course as course
from srlab.cli.main import main
from srlab.training.divergence import detect_divergence
from srlab_course.feedback.run_diagnosis import find_symptoms
from tests.conftest import leave_run


def gan(steps=30, **changes):
    """Return the log of a healthy GAN, every ten steps; a change is a value or a function of the progress (0 to 1)."""
    noise = random.Random(0)
    usual = {"g_loss": 0.05, "d_loss": 0.6, "d_norm": 2.0, "d_real": 0.8, "d_fake": 0.2, "g_norm": 0.1} | changes
    rows = []
    for i in range(steps):
        values = {key: value(i / (steps - 1)) if callable(value) else value for key, value in usual.items()}
        noisy = {key: value * (1 + 0.02 * noise.uniform(-1, 1)) for key, value in values.items()}
        rows.append({"step": 10 * (i + 1)} | noisy)
    return rows


def validated(*psnr):
    return [{"step": 300 * i, "val_psnr": value} for i, value in enumerate(psnr)]


def pixels(losses):
    return [{"step": 10 * (i + 1), "loss": value} for i, value in enumerate(losses)]


@pytest.mark.parametrize(
    ("names", "history"),
    [
        ([], []),
        ([], gan()),
        ([], gan(4, d_real=0.99, d_fake=0.01)),  # the first steps
        ([], gan(7, d_real=0.6, d_fake=0.45)),
        ([], [*gan(), *validated(28.0, 27.3)]),  # it loses PSNR for sharpness
        ([], gan(g_norm=lambda t: 0.0 if t < 0.1 or 0.6 < t < 0.65 else 0.1)),  # not to its end
        ([], [*pixels([0.1, 0.05, 0.04]), *validated(24.0, 26.0, 27.5, 27.3)]),
        (
            ["D overpowers G"],
            gan(d_real=lambda t: 0.6 + 0.395 * min(1, 2 * t), d_fake=lambda t: 0.4 - 0.395 * min(1, 2 * t)),
        ),
        (["D overpowers G"], gan(6, d_real=0.99, d_fake=0.01)),
        (["D is too weak"], gan(6, d_real=0.5, d_fake=0.49)),
        (["the labels of D are swapped"], gan(d_real=0.2, d_fake=0.8)),
        (["no gradient reaches G"], gan(g_norm=0.0)),
        (["training diverged"], [*gan(), *validated(28.0, 21.0)]),
        (["training diverged"], [*pixels([0.09, 1.7, 1.6e6]), *validated(27.4, 21.9, 15.2, 8.9, 9.9)]),
    ],
)
def test_failure_has_its_symptom_and_a_healthy_run_none(names, history):
    found = find_symptoms(history)
    assert [one.name for one in found] == names
    assert all(any(character.isdigit() for character in one.evidence) for one in found)


# The hinge loss of a healthy G, every ten steps, whose D learns slowly (measured).
LATE = [-0.008, -0.008, -0.026, -0.035, -0.053, -0.057, -0.11, -0.18, -0.49, -0.41, -0.26, -0.97, -3.58, -11.9, -16.1]


@pytest.mark.parametrize(
    ("history", "ruined"),
    [
        (pixels([0.05] * 40 + [9.0]), True),
        (pixels([4.0] * 40 + [0.04] * 60 + [5.0]), True),  # 125 times the previous loss, but about the first one
        ([*gan()[:20], {"step": 210, "g_loss": 6.0}], True),
        ([{"step": 10 * i, "loss": 0.05, "d_loss": 0.05 if i < 40 else 9.0} for i in range(41)], False),
        (pixels([0.05] * 40 + [3.0]), False),
        (pixels([1e-6] * 12 + [0.01]), False),
        (pixels([5.0]), False),
        (pixels([0.09, 1.7, 1.6e6]), True),
        (pixels([0.005, 0.004, 0.006, 1.05]), False),  # a hinge loss
        (pixels(LATE), False),
    ],
)
def test_explosion_stops_run_but_jump_does_not(history, ruined):
    assert ("more than 100 times" in (detect_divergence(history, ("loss", "g_loss"), 0.0) or "")) == ruined


def leave(history, name="default", state="finished"):
    """Write a run as the trainer does."""
    run = leave_run("03_srgan", name, 300, state)
    for row in history:
        run.log(**row)
    return run


def test_stopped_run_reports_reason():
    run = leave(gan(), state="failed")
    run.write_manifest(run.manifest() | {"failure": "a loss became NaN at step 3"})
    (found,) = course.diagnose(run).findings
    assert found.evidence == "a loss became NaN at step 3"


def test_diagnose_command(capsys):
    run = leave(gan(g_norm=0.0), "ill")
    assert main(["diagnose", f"03_srgan/{leave(gan(), 'well').name}"]) == 0
    assert "nothing looks wrong" in capsys.readouterr().out
    assert main(["diagnose", str(run.path)]) == 1
    text = capsys.readouterr().out
    assert "03_srgan/ill: something looks wrong" in text
    assert "- no gradient reaches G" in text
    assert main(["diagnose", "03_srgan"]) == 2
    assert "<lab>/<name>" in capsys.readouterr().err
    assert "- **no gradient reaches G**: its norm is 0" in course.diagnose(run)._repr_markdown_()


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([], "too early to judge before step 50"),
        (gan()[:4], "too early to judge before step 50"),
        (gan()[:5], "nothing looks wrong"),
        ([*gan()[:1], *validated(28.0, 21.0)], "something looks wrong"),
    ],
)
def test_too_early_to_diagnose(rows, verdict):
    assert course.diagnose(leave(rows)).verdict == verdict
