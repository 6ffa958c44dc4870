"""Test the bundled generators: small, trained only on embedded photos, and better than bicubic where claimed."""

import json

import pytest
import torch

import srlab
from srlab.cli.main import main
from srlab.data import datasets
from srlab.evaluation.perceptual import gradient_ratio
from srlab.models import loading
from srlab_course.material.subjects import split_photo
from studies.shown import bicubic


def test_bundled_networks_are_small_and_from_embedded_photos():
    for name in (*loading.BUNDLED.values(), loading.ONE_STEP):
        file = loading.find_bundled(name)
        assert file.stat().st_size < 1_000_000
        made = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        photos = datasets.bundled_photos("train")
        if name == loading.ONE_STEP:
            photos, made = split_photo("gravel")[0], made["teacher"]
        assert made["parameters"]["sampler"]["images"] == photos.describe()


@pytest.fixture(scope="module")
def table():
    """Return scores on center crops of the validation photos; whole photos would take much longer."""
    unseen = datasets.bundled_photos("validation").center_crop(256)
    metrics = ("psnr", "gradient_ratio", "energy_error", "checkerboard", "color_shift")
    found = srlab.evaluate_all({"bicubic": bicubic} | loading.load_bundled(), unseen, metrics=metrics)
    return found.set_index(["method", "image"])


def test_bundled_psnr_networks_beat_bicubic_on_held_out_photos(table):
    for name in ("MSRResNet", "RRDB"):
        gain = table.psnr[name] - table.psnr["bicubic"]
        assert gain.min() > 0
        assert gain["astronaut"] >= 1.3


def test_bundled_srgan_is_sharper_without_checkerboard_or_color_cast(table):
    means = table.groupby("method").mean(numeric_only=True)
    assert means.gradient_ratio["SRGAN"] > means.gradient_ratio["MSRResNet"] + 0.1
    assert means.energy_error["SRGAN"] < means.energy_error["MSRResNet"] - 0.05
    assert means.psnr["SRGAN"] > means.psnr["bicubic"] - 1
    sharper = table.loc["SRGAN"]
    assert sharper.checkerboard.max() < 0.6, "levels: faint dots on the bricks; a visible grid has 1"
    assert sharper.checkerboard.drop("brick").max() < 0.36
    assert sharper.color_shift.max() < 0.4


def test_bundled_one_step_network_has_sharp_answers_that_differ_and_fit_lr():
    network = loading.load_generator_file(loading.ONE_STEP)
    ((_, hr),) = split_photo("gravel")[1].center_crop(192)
    lr, answers = srlab.downsample(hr, 4), []
    for network.seed in range(4):
        answers.append(srlab.upscale(network, lr))
    assert 255 * torch.stack(answers).std(0).square().mean().sqrt() > 1
    psnr_network = srlab.upscale(loading.load_bundled()["MSRResNet"], lr)
    assert gradient_ratio(answers[0], hr) > gradient_ratio(psnr_network, hr) + 0.1
    assert 255 * (srlab.downsample(answers[0], 4) - lr).square().mean().sqrt() < 3


def test_upscale_defaults_to_msrresnet(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    srlab.write_image(datasets.bundled_photos("validation")["chelsea"][..., :40, :48], tmp_path / "lr.png")
    (tmp_path / "msrresnet").write_text("a file that somebody put among the photos")
    for target, *options in (["a.png"], ["b.png", "--run", "msrresnet"], ["c.png", "--run", "srgan"]):
        assert main(["upscale", "lr.png", "-o", target, *options]) == 0
        assert ("bundled network msrresnet" in capsys.readouterr().err) == (not options)
    made = [(tmp_path / f"{name}.png").read_bytes() for name in "abc"]
    assert made[0] == made[1] != made[2]
