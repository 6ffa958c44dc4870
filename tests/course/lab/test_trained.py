"""Test which trained runs later labs show: each method by its name, the newest code, and a line per skipped run."""

import re

import pytest

from srlab.errors import SrlabError
from srlab.models import MSRResNet
from srlab_course.lab.earlier.trained import load_trained, newest_run
from tests.conftest import leave_run


def make_run(lab, name, state="finished", **parameters):
    run = leave_run(lab, name, 1, state, **parameters)
    run.save_generator(MSRResNet(1, 4), step=1)
    return run


LABELS = [  # lab, run, parameters, label
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
    ("my_lab", "x", {}, "my_lab (x)"),
]


def test_finished_runs_are_loaded_by_method_name(home, capsys):
    assert load_trained() == {}
    assert f"No finished general-purpose runs found in {home}" in capsys.readouterr().out
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
    assert re.search(r"^Skipping the run 01_srresnet/twice: .* upscales by 2, not by 4", scale)
    assert weights.startswith("Skipping the run 02_content_loss/default: ")
    assert list(load_trained()) == ["MSRResNet (twice)", "SRGAN"]


def test_subject_run_is_skipped_unless_requested(capsys):
    make_run("03_srgan", "default", subject="gravel")
    make_run("03_srgan", "all", subject="")
    assert list(load_trained()) == ["SRGAN (all)"]
    assert "Skipping 03_srgan/default for other photos: it was trained only on gravel." in capsys.readouterr().out
    assert list(load_trained(["03_srgan"])) == list(load_trained(subject="gravel")) == ["SRGAN"]
    assert load_trained(subject="text") == {}
    assert capsys.readouterr().out == ""


# Run, hash of its code, when it started; those with -> are skipped in favor of a newer one.
CHANGED = """
02_content_loss/default-hybrid           reference  2026-01-01  -> 02_content_loss/default-4f0c21-hybrid
02_content_loss/default-4f0c21-hybrid    4f0c21     2026-01-02
03_srgan/default                         reference  2026-01-01  -> 03_srgan/default-4f0c21
03_srgan/default-4f0c21                  4f0c21     2026-01-04
03_srgan/default-77aa00                  77aa00     2026-01-03  -> 03_srgan/default-4f0c21
03_srgan/default-ablation-pixels         reference  2026-01-05
03_srgan/default-from-8a31c5             reference  2026-01-02  -> 03_srgan/default-4f0c21
03_srgan/long                            4f0c21     2026-01-06
"""


def test_newest_run_of_changed_code_replaces_the_others(capsys):
    for line in CHANGED.strip().splitlines():
        origin, code, started, *_ = line.split()
        weights = {"pixel": 1.0, "content": 1.0}
        run = make_run(*origin.split("/"), subject="gravel", code=code, weights=weights)
        run.write_manifest(run.manifest() | {"started": f"{started}T10:00:00+0000"})
    make_run("03_srgan", "default-begun", "running", subject="gravel", code="begun")
    (make_run("03_srgan", "default-broken").path / "run.json").write_text("{", encoding="utf-8")
    found = [newest_run("03_srgan"), newest_run("03_srgan", "long"), newest_run("04_esrgan")]
    assert found == ["default-4f0c21", "long", None]
    assert list(load_trained(subject="gravel")) == ["hybrid", "SRGAN", "SRGAN (long)"]
    skipped = re.findall(r"^(\S+) .* -> (.*)$", CHANGED, re.M)
    said = [f"Skipping {old}: {new} was trained later, with other code." for old, new in skipped]
    assert [line for line in capsys.readouterr().out.splitlines() if "default-broken" not in line] == said
    assert list(load_trained("03_srgan/default-77aa00")) == ["SRGAN (default-77aa00)"]


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
