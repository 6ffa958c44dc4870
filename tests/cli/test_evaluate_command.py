"""Test ``srlab evaluate``: a table on stdout or in a file, notes on stderr, and one line per mistake."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from srlab.cli.main import main
from srlab.data.datasets import load_images
from srlab.data.images import mod_crop, quantize, write_image
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import PROTOCOLS, WHOLE_RGB
from srlab.evaluation.scoring import evaluate, evaluate_all
from srlab.models import MSRResNet
from srlab.training.runs import Run


def enlarge(lr):
    return upsample(lr, 4)


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch, hub):
    """Create hr/ and sr/ (bicubic) with two images each in the working directory."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    for name in ("baby", "bird"):
        hr = quantize(upsample(torch.rand(1, 3, 26, 32), 2))[..., :63]
        write_image(hr, f"hr/{name}.png")
        write_image(enlarge(downsample(mod_crop(hr, 4), 4)), f"sr/{name}_x4_bicubic.png")


def scores(capsys, *arguments):
    """Run the command; return the PSNR of each image, stdout and stderr."""
    arguments += ("--suffix", "_x4_bicubic") * ("--sr" in arguments)
    Path("out/scores.csv").unlink(missing_ok=True)
    assert main(["evaluate", "--hr", "hr", *arguments, "--csv", "out/scores.csv"]) == 0
    return pd.read_csv("out/scores.csv")["psnr"].tolist(), *capsys.readouterr()


def test_evaluate_prints_scores_and_mean(capsys):
    psnr, out, err = scores(capsys, "--sr", "sr")
    wanted = evaluate(enlarge, load_images("hr"))
    assert psnr == wanted["psnr"].tolist()
    rows = [line.split() for line in out.splitlines()]
    means = wanted.mean(numeric_only=True)
    for name, row in [*zip(wanted["image"], wanted.iloc, strict=True), ("mean", means)]:
        assert [name, f"{row['psnr']:.2f}", f"{row['ssim']:.4f}"] in rows
    assert "2 images, protocol paper" in out
    assert err == ""


def test_unscorable_image_is_reported(capsys):
    write_image(mod_crop(load_images("hr")["bird"], 4), "sr/bird_x4_bicubic.png")  # perfect
    write_image(torch.rand(3, 52, 60), "sr/stranger.png")
    _, out, err = scores(capsys, "--sr", "sr", "--metrics", "psnr", "patch_distance", "lpips")
    assert ["bird", "inf", "-"] in [line.split() for line in out.splitlines()]  # too small for the patch distance
    assert "To download them, use 'imagenet'" in out
    assert "-: the image is too small for patch_distance (176 px)." in out
    assert "not paired: stranger" in err


def test_damaged_sr_file_leaves_the_others_scored(capsys):
    Path("sr/baby_x4_bicubic.png").write_text("hello", encoding="utf-8")
    assert main(["evaluate", "--hr", "hr", "--sr", "sr", "--suffix", "_x4_bicubic"]) == 1
    out, err = capsys.readouterr()
    assert ("bird" in out, "baby" in out) == (True, False)
    assert err.startswith("not scored: baby_x4_bicubic.png: ")
    assert "is not a readable image" in err


@pytest.mark.parametrize("what", [["--sr", "sr"], ["--method", "bicubic"]], ids=str)
def test_protocol_affects_scores(capsys, what):
    wanted = evaluate(enlarge, load_images("hr"), protocol=WHOLE_RGB)["psnr"].tolist()
    assert scores(capsys, *what, "--protocol", "face")[0] == pytest.approx(wanted, abs=1e-6)


def test_every_protocol_is_a_choice(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert f"{{{','.join(PROTOCOLS)}}}" in capsys.readouterr().out


def test_run_is_scored_at_its_scale(capsys):
    network = MSRResNet(1, 4)
    Run("01_srresnet", "default").save_generator(network, step=1)
    wanted = evaluate(network, load_images("hr"))["psnr"].tolist()
    assert scores(capsys, "--run", "01_srresnet/default")[0] == pytest.approx(wanted)


def test_several_methods_are_compared_in_one_table(capsys):
    network = MSRResNet(1, 4)
    Run("01_srresnet", "default").save_generator(network, step=1)
    write_image(torch.rand(3, 52, 60), "sr/stranger.png")
    Path("hr/worse").mkdir()
    write_image(load_images("hr")["bird"].flip(-1), "hr/worse/bird.png")  # has no SR file
    methods = {"01_srresnet/default": network, "bicubic": enlarge, "nearest": lambda lr: upsample(lr, 4, "nearest")}
    options = ["--run", "01_srresnet/default", "--method", "bicubic", "--sr", "sr", "--method", "nearest"]
    _, out, err = scores(capsys, *options)
    wanted = evaluate_all(methods, load_images("hr").subset("baby", "bird"))
    means = wanted.groupby("method", sort=False)[["psnr", "ssim"]].mean()
    means.loc["sr"] = means.loc["bicubic"]
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["method", "psnr", "ssim"]
    assert rows[1:5] == [[name, f"{row['psnr']:.2f}", f"{row['ssim']:.4f}"] for name, row in means.iterrows()]
    assert "2 images, protocol paper" in out  # those that all methods have
    assert "not paired: worse/bird (an HR image without an SR file" in err
    table = pd.read_csv("out/scores.csv")
    assert list(table.columns) == ["image", "method", "psnr", "ssim"]
    assert len(table) == 3 * 3 + 2


def test_methods_of_different_scales_are_rejected(capsys):
    for scale in (2, 3):
        Run("01_srresnet", f"x{scale}").save_generator(MSRResNet(1, 4, scale), step=1)
    assert main(["evaluate", "--hr", "hr", "--run", "01_srresnet/x2", "--run", "01_srresnet/x3"]) == 2
    words = "01_srresnet/x3 upscales by 3, but 01_srresnet/x2 by 2. Score them separately."
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "There is nothing to score. Pass --sr, --run or --method"),
        (["--run", "01_srresnet/default", "--scale", "2"], "upscales by 4, but --scale is 2. Leave --scale out"),
        (["--sr", "sr", "--csv", "hr/baby.png"], "already exists. Move it elsewhere, or overwrite it with --force"),
        (
            ["--sr", "sr/baby_x4_bicubic.png"],
            "Cannot read the folder sr/baby_x4_bicubic.png (Not a directory). Check the path",
        ),
        (
            ["--sr", "sr"],
            "baby_x4_bicubic is not baby. If the names of all SR files have an additional ending",
        ),
        (["--method", "bicubic", "--scale", "100"], "too small for scale 100"),
        (["--method", "bicubic", "--hr", "torn"], "a.png is not a readable image"),
        (["--sr", "sr", "--metrics", "lpips", "--weights", "none.pth"], "Weights file none.pth not found"),
    ],
    ids=str,
)
def test_evaluate_error_is_one_line(capsys, arguments, words):
    Run("01_srresnet", "default").save_generator(MSRResNet(1, 4), step=1)
    Path("torn").mkdir()
    Path("torn/a.png").write_text("hello", encoding="utf-8")
    assert main(["evaluate", "--hr", "hr", *arguments]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
