"""Test which trained runs later labs show: each method by its name, and a line per skipped run."""

import re
from types import SimpleNamespace

import pytest

from srlab.errors import SrlabError
from srlab.models import MSRResNet
from srlab_course.lab.earlier.trained import load_trained, run_like
from tests.conftest import leave_run


def make_run(lab, name, state="finished", **parameters):
    run = leave_run(lab, name, 1, state, **parameters)
    run.save_generator(MSRResNet(1, 4), step=1)
    return run


LABELS = [  # lab, run, parameters, label
    ("01_srresnet", "bundled", {}, "MSRResNet (run bundled)"),
    ("01_srresnet", "default", {}, "MSRResNet"),
    ("01_srresnet", "long", {}, "MSRResNet (long)"),
    ("02_content_loss", "default", {"weights": {"pixel": 0.0, "content": 1.0}}, "content loss"),
    ("02_content_loss", "default-hybrid", {"weights": {"pixel": 1.0, "content": 1.0}}, "hybrid"),
    ("02_content_loss", "long", {"weights": {"pixel": 1.0, "content": 1.0}}, "hybrid (long)"),
    ("03_srgan", "default", {}, "SRGAN"),
    ("04_esrgan", "default", {"discriminator": {}}, "ESRGAN"),
    ("04_esrgan", "default-psnr", {}, "RRDB"),
    ("04_esrgan", "long", {}, "RRDB (long)"),
    ("06_flow", "default", {}, "flow"),
    ("07_one_step", "default", {}, "one step"),
    ("bicubic", "default", {}, "runs/bicubic/default"),
]


def test_finished_runs_are_loaded_by_method_name(home, capsys):
    assert load_trained() == {}
    for lab, name, parameters, _ in reversed(LABELS):
        make_run(lab, name, **parameters)
    make_run("04_esrgan", "default-ablation-without-d", discriminator={})
    make_run("02_content_loss", "begun", state="running")
    upscalers = load_trained()
    assert list(upscalers) == [label for *_, label in LABELS]
    assert not any(network.training for network in upscalers.values())
    assert capsys.readouterr().out == ""


def test_broken_run_or_other_scale_is_skipped_with_message(capsys):
    make_run("03_srgan", "default")
    make_run("01_srresnet", "twice").save_generator(MSRResNet(1, 4, scale=2), step=1)
    weights = make_run("02_content_loss", "default").path / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    (make_run("04_esrgan", "default").path / "run.json").write_text("{", encoding="utf-8")
    assert list(load_trained(scale=4)) == ["SRGAN"]
    manifest, scale, weights = capsys.readouterr().out.splitlines()
    assert re.search(r"^Skipped: .*04_esrgan.default.run.json is not a valid run manifest", manifest)
    assert re.search(r"^Skipped: The network of 01_srresnet/twice upscales by 2, not by 4", scale)
    assert re.search(r"^Skipped: .*02_content_loss.default.generator.safetensors is damaged", weights)
    assert list(load_trained()) == ["MSRResNet (twice)", "SRGAN"]


def test_subject_run_is_skipped_unless_requested(capsys):
    make_run("03_srgan", "default", subject="gravel")
    make_run("03_srgan", "all", subject="")
    assert list(load_trained()) == ["SRGAN (all)"]
    assert "Skipping 03_srgan/default for other photos: it was trained only on gravel." in capsys.readouterr().out
    assert list(load_trained(["03_srgan"])) == list(load_trained(subject="gravel")) == ["SRGAN"]
    assert load_trained(subject="text") == {}
    assert capsys.readouterr().out == ""


def test_run_that_was_moved_aside_is_only_shown_by_name(capsys):
    for name in ("default", "default-before", "long-before", "default-ablation-pixels-before"):
        make_run("03_srgan", name, subject="gravel")
    assert list(load_trained(subject="gravel")) == ["SRGAN"]
    assert list(load_trained("03_srgan/default-before")) == ["SRGAN (default-before)"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("own", "found"), [("long", "long"), ("gpu-100000", "default"), ("begun", "default")])
def test_lab_uses_the_earlier_run_of_its_name_or_the_default(own, found):
    lab = SimpleNamespace(run=own)
    assert run_like(lab, "03_srgan") == ""
    for name, state in (("default", "finished"), ("long", "finished"), ("begun", "running")):
        make_run("03_srgan", name, state)
    make_run("03_srgan", "gpu-100000-before")
    assert run_like(lab, "03_srgan") == f"03_srgan/{found}"


def test_lab_uses_no_earlier_run_of_other_photos(capsys):
    make_run("03_srgan", "long", subject="brick")
    make_run("03_srgan", "default", subject="gravel")
    assert run_like(SimpleNamespace(run="long"), "03_srgan", "gravel") == "03_srgan/default"
    assert capsys.readouterr().out.startswith("03_srgan/long was trained on other photos")
    assert run_like(SimpleNamespace(run="long"), "03_srgan", "brick") == "03_srgan/long"


def test_listed_runs_must_exist_and_fit():
    make_run("01_srresnet", "default", state="running")
    make_run("03_srgan", "long")
    assert list(load_trained(["03_srgan/long", "01_srresnet"])) == ["SRGAN (long)", "MSRResNet"]
    assert list(load_trained("01_srresnet/default")) == ["MSRResNet"]
    for names, options, said in (
        (["01_srresnet/other"], {}, "other"),
        (["01_srresnet"], {"scale": 2}, "by 4, not by 2"),
    ):
        with pytest.raises(SrlabError, match=said):
            load_trained(names, **options)
