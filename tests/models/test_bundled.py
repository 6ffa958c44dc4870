"""Test the bundled generators: small, trained only on embedded photos, and better than bicubic where claimed."""

import json

import pytest
import torch

import srlab
from srlab.cli.main import main
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab.evaluation import perceptual
from srlab.models import loading
from srlab_course.material.subjects import split_photo
from studies.shown import bicubic


@pytest.fixture(scope="module")
def table():
    """Return scores on center crops of the validation photos; whole photos would take four times as long."""
    unseen = datasets.bundled_photos("validation").center_crop(256)
    networks = {"bicubic": bicubic} | loading.load_bundled()
    metrics = ("psnr", "gradient_ratio", "energy_error", "checkerboard", "color_shift")
    return srlab.evaluate_all(networks, unseen, metrics=metrics).set_index(["method", "image"])


@pytest.mark.parametrize("name", loading.BUNDLED.values())
def test_bundled_networks_are_small_and_from_embedded_photos(name):
    file = loading.find_bundled(name)
    manifest = json.loads(file.with_suffix(".json").read_text())
    assert manifest["parameters"]["sampler"]["images"] == datasets.bundled_photos("train").describe()
    assert file.stat().st_size < 1_000_000


def test_bundled_one_step_network_is_small_and_its_teacher_saw_half_of_gravel():
    file = loading.find_bundled(loading.ONE_STEP)
    manifest = json.loads(file.with_suffix(".json").read_text())
    teacher = manifest["teacher"]
    assert manifest["parameters"]["subject"] == teacher["parameters"]["subject"] == "gravel"
    assert teacher["parameters"]["sampler"]["images"] == split_photo("gravel")[0].describe()
    assert file.stat().st_size < 1_000_000


@pytest.mark.parametrize("name", ["MSRResNet", "RRDB"])
def test_bundled_psnr_networks_beat_bicubic_on_held_out_photos(table, name):
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
    spread = 255 * torch.stack(answers).std(0).square().mean().sqrt()
    assert spread > 1
    sharp = perceptual.gradient_ratio
    assert sharp(answers[0], hr) > sharp(srlab.upscale(loading.load_bundled()["MSRResNet"], lr), hr) + 0.1
    assert 255 * (srlab.downsample(answers[0], 4) - lr).square().mean().sqrt() < 3


def test_upscale_defaults_to_msrresnet(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = str(
        srlab.write_image(datasets.bundled_photos("validation")["chelsea"][..., :40, :48], tmp_path / "lr.png")
    )
    for target, *options in (["a.png"], ["b.png", "--run", "msrresnet"], ["c.png", "--run", "srgan"]):
        assert main(["upscale", source, target, *options]) == 0
        assert ("bundled network msrresnet" in capsys.readouterr().err) == (not options)
    made = [(tmp_path / f"{name}.png").read_bytes() for name in "abc"]
    assert made[0] == made[1] != made[2]
    (tmp_path / "srgan").mkdir()  # a folder with that name takes precedence
    with pytest.raises(SrlabError, match=r"generator\.safetensors"):
        loading.load_generator_file("srgan")
