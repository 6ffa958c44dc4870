"""Test course.diagnose: each failure is recognized by its metric, and a healthy run has no symptoms."""

import math
import random

import pytest

import srlab_course as course
from srlab.cli.main import main
from srlab.training.divergence import detect_divergence
from srlab_course.feedback.diagnosis import find_symptoms
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


def pixels(loss, psnr=()):
    """Return the log of a run with a pixel loss; the values of `psnr` are evenly spaced."""
    rows = [{"step": 10 * (i + 1), "loss": value} for i, value in enumerate(loss)]
    every = 10 * len(rows) // max(1, len(psnr) - 1)
    return rows + [{"step": i * every, "val_psnr": value} for i, value in enumerate(psnr)]


FALLING = [0.1 * math.exp(-i / 15) for i in range(60)]
# Log of 90 steps of MSRResNet with L1 at a constant rate of 2e-3; all but 8 % of its ReLUs were dead
STILL = [0.0475, 0.0529, 0.0345, 0.0518, 0.0520, 0.0454, 0.0368, 0.0498, 0.0484, 0.0262, 0.0402]
FLAT = [27.437, 27.436, 27.437, 27.483]
HEALTHY = {
    "a GAN": gan(),
    "a GAN that loses PSNR for sharpness": [*gan(), {"step": 0, "val_psnr": 28.0}, {"step": 300, "val_psnr": 27.3}],
    "steps left out in half precision": gan(g_norm=lambda t: 0.0 if t < 0.1 or 0.6 < t < 0.65 else 0.1),
    "a short GAN": gan(7, d_real=0.6, d_fake=0.45),
    "pixels": pixels(FALLING, [24.0, 26.0, 27.0, 27.5, 27.6]),
    "loss and validation that get worse together": pixels(
        [*FALLING[:20], *FALLING[19:5:-1]], [24.0, 25.0, 27.6, 27.3, 27.0]
    ),
    "a GAN that keeps the PSNR it began with": [*gan(), *pixels(STILL, FLAT)],
    "a second stage without D": [{"step": 10 * (i + 1), "g_loss": v} for i, v in enumerate(STILL)] + pixels([], FLAT),
    "a log that was lost, of a trained network": [row | {"step": row["step"] + 500} for row in pixels(STILL, FLAT)],
    "a beginning that is slow": pixels(STILL, [27.437, 27.441, 27.442, 27.554]),
    "photos known by heart from the first": pixels(FALLING[:11], FLAT),
    "the first steps": gan(4, d_real=0.99, d_fake=0.01),
    "nothing": [],
}
# Memorized photos: the loss cannot fall further
BY_HEART = [0.006 if i < 10 else 0.0009 + 0.0002 * (i % 3) for i in range(24)]
EXPLODED = [0.09, 1.7, 13.0, 1.6e6, 2e3, 2e8, 1.5e4, 561.0, 47.0, 25.0, 13.0]  # MSE at five times the rate
FAILURES = [
    ("D overpowers G", gan(d_real=lambda t: 0.6 + 0.395 * min(1, 2 * t), d_fake=lambda t: 0.4 - 0.395 * min(1, 2 * t))),
    ("D overpowers G", gan(6, d_real=0.99, d_fake=0.01)),
    ("D is too weak", gan(6, d_real=0.5, d_fake=0.49)),
    ("the labels of D are swapped", gan(d_real=0.2, d_fake=0.8)),
    ("no gradient reaches G", gan(g_norm=0.0)),
    ("the network does not learn", pixels([0.1 + 0.001 * (i % 3) for i in range(60)])),
    ("the network does not learn", pixels(STILL, FLAT)),
    ("the network overfits", pixels(FALLING, [24.0, 27.6, 27.4, 27.2, 27.0])),
    ("the network overfits", pixels(BY_HEART, [25.5, 26.6, 25.9, 25.4, 25.2])),
    ("training diverged", [*gan(), {"step": 0, "val_psnr": 28.0}, {"step": 300, "val_psnr": 21.0}]),
    ("training diverged", pixels(EXPLODED, [27.4, 21.9, 15.2, 8.9, 9.9])),
]


@pytest.mark.parametrize("history", HEALTHY.values(), ids=HEALTHY)
def test_healthy_run_has_no_symptoms(history):
    assert find_symptoms(history) == []


@pytest.mark.parametrize(("name", "history"), FAILURES)
def test_failure_has_one_symptom(name, history):
    (found,) = find_symptoms(history)
    assert found.name == name
    assert any(character.isdigit() for character in found.evidence)


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
    ],
)
def test_explosion_stops_run_but_jump_does_not(history, ruined):
    assert ("more than 100 times" in (detect_divergence(history, ("loss", "g_loss"), 0.0) or "")) == ruined


# --- Runs -------------------------------------------------------------------------------------------------------


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
        ([], "too early to judge, with 0 of the 5 rows"),
        (gan()[:4], "too early to judge, with 4 of the 5 rows"),
        (gan()[:5], "nothing looks wrong"),
        ([*gan()[:1], {"step": 10, "val_psnr": 28.0}, {"step": 20, "val_psnr": 21.0}], "something looks wrong"),
    ],
)
def test_too_early_to_diagnose(rows, verdict):
    found = course.diagnose(leave(rows))
    assert found.verdict.startswith(verdict)
    assert ("from step 50 on" in str(found)) == ("too early" in verdict)
