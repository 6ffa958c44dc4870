"""Test the estimate of a lab's training time: it measures the stages of each lab, and leaves nothing behind."""

import pytest

from srlab.paths import recipes
from srlab_course.cli.plan_command import print_times
from srlab_course.lab import timing
from srlab_course.lab.recipes import read_book
from srlab_course.lab.setup import setup
from tests.training.fake_cuda import FakeCuda


def lab_of(name, **given):
    usual = {"recipe": "smoke", "device": "cpu", "precision": "fp32"}
    return setup(name, read_book(recipes() / f"{name}.yaml").parameters | usual | given, dry=True)


@pytest.mark.parametrize("name", ["01_srresnet", "02_content_loss", "03_srgan", "04_esrgan", "06_flow"])
def test_time_of_each_stage_is_printed(name, home, capsys):
    lab = lab_of(name)
    capsys.readouterr()
    print_times(lab)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == [*timing.stages(lab)]
    assert all(f"{iters:,} steps of " in line for line, iters in zip(lines, timing.stages(lab).values(), strict=True))
    assert not list(home.rglob("run.json"))


def test_hours_are_steps_times_milliseconds(monkeypatch, capsys):
    lab = lab_of("04_esrgan")
    monkeypatch.setattr("srlab_course.cli.plan_command.stages", lambda lab: {"PSNR stage": 0, "GAN": 200_000})
    monkeypatch.setattr("srlab_course.cli.plan_command.milliseconds_per_step", lambda lab, stage: 36.0)
    capsys.readouterr()
    print_times(lab)
    assert capsys.readouterr().out.splitlines()[1:] == ["         GAN: 200,000 steps of 36.0 ms, 2.0 hours"]


def test_steps_are_recorded_where_they_can_be(monkeypatch):
    lab, fake = lab_of("04_esrgan", iters=100, g_every=2), FakeCuda(monkeypatch)
    assert timing.milliseconds_per_step(lab, "GAN") > 0
    assert fake.replays > 40
