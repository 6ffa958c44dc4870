"""``srlab evaluate``: a table on stdout or in a file, notes on stderr, and one line for each mistake."""

import pandas as pd
import pytest
import torch

from srlab.course.cli.main import main
from srlab.data.datasets import load_images
from srlab.data.images import mod_crop, quantize, write_image
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import FACE
from srlab.evaluation.scoring import evaluate
from srlab.models import MSRResNet
from srlab.training.runs import Run


def picture(seed, height=52, width=63):
    coarse = torch.rand(1, 3, -(-height // 2), -(-width // 2), generator=torch.Generator().manual_seed(seed))
    return quantize(upsample(coarse, 2)[..., :height, :width])


def enlarge(lr):
    return upsample(lr, 4)


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch, hub):
    """The working directory has hr/ and sr/ (bicubic) with two images each."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("baby", "bird")):
        hr = picture(i)
        lr = downsample(mod_crop(hr, 4), 4)
        write_image(hr, tmp_path / "hr" / f"{name}.png")
        write_image(enlarge(lr), tmp_path / "sr" / f"{name}_x4_bicubic.png")
    return tmp_path


def ran(capsys, *arguments):
    """What a command that works says on stdout and stderr."""
    assert main(["evaluate", "--hr", "hr", *arguments]) == 0
    said = capsys.readouterr()
    return said.out, said.err


def scores(capsys, *arguments):
    """The table that a command writes."""
    err = ran(capsys, *arguments, "--csv", "scores.csv", "--force")[1]
    return pd.read_csv("scores.csv"), err


def refused(capsys, *arguments):
    """The one line that a refused command says."""
    assert main(["evaluate", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("srlab: ")
    return said.err


def test_lr_images_of_the_set_are_upscaled(capsys, folders):
    made = scores(capsys, "--method", "bicubic")[0]["psnr"]
    for name in ("baby", "bird"):
        write_image(torch.zeros(3, 13, 15), folders / "hr" / "LR_bicubic" / "X4" / f"{name}x4.png")
    assert scores(capsys, "--method", "bicubic")[0]["psnr"].max() < 15 < made.min()


def test_a_folder_of_sr_files_is_scored_and_printed_with_its_mean(capsys, folders):
    out, err = ran(capsys, "--sr", "sr")
    wanted = evaluate(enlarge, load_images("hr"))
    rows = [line.split() for line in out.splitlines()]
    for _, row in wanted.iterrows():
        assert [row["image"], f"{row['psnr']:.2f}", f"{row['ssim']:.4f}"] in rows
    assert ["mean", f"{wanted['psnr'].mean():.2f}", f"{wanted['ssim'].mean():.4f}"] in rows
    assert "2 images, protocol paper; PSNR in dB" in out
    assert err == ""


def test_what_cannot_be_scored_is_left_out_and_named(capsys, folders):
    write_image(mod_crop(load_images("hr")["bird"], 4), "sr/bird_x4_bicubic.png")  # perfect
    write_image(picture(2), folders / "sr" / "stranger.png")
    out, err = ran(capsys, "--sr", "sr", "--metrics", "psnr", "ms_ssim", "lpips")
    rows = [line.split() for line in out.splitlines()]
    assert ["bird", "inf", "-"] in rows  # too small for MS-SSIM
    assert "LPIPS is left out" in out
    assert [line.split(" (")[0] for line in err.splitlines()] == ["not paired: stranger"]


def test_a_run_is_scored_at_its_own_scale(capsys):
    network = MSRResNet(1, 4)
    run = Run("01_srresnet", "default")
    run.save_generator(network, step=1)
    found, _ = scores(capsys, "--run", str(run.path))
    assert found["psnr"].tolist() == pytest.approx(evaluate(network, load_images("hr"))["psnr"].tolist())
    said = refused(capsys, "--hr", "hr", "--run", str(run.path), "--scale", "2")
    assert "enlarges x4, but --scale is 2" in said


def test_the_protocol_is_kept(capsys):
    wanted = evaluate(enlarge, load_images("hr"), protocol=FACE)["psnr"].tolist()
    for what in (["--sr", "sr"], ["--method", "bicubic"]):
        assert scores(capsys, *what, "--protocol", "face")[0]["psnr"].tolist() == pytest.approx(wanted, abs=1e-6)


def test_the_table_is_written_as_csv_and_not_over_a_file_unless_forced(capsys, folders):
    ran(capsys, "--sr", "sr", "--csv", "out/table.csv")
    table = pd.read_csv(folders / "out" / "table.csv")
    assert list(table.columns) == ["image", "file", "psnr", "ssim"]
    assert table["psnr"].tolist() == evaluate(enlarge, load_images("hr"))["psnr"].tolist()
    said = refused(capsys, "--hr", "hr", "--sr", "sr", "--csv", "out/table.csv")
    assert "out/table.csv exists already; choose another name, or add --force" in said
    ran(capsys, "--method", "nearest", "--csv", "out/table.csv", "--force")
    assert list(pd.read_csv(folders / "out" / "table.csv").columns) == ["image", "psnr", "ssim"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hr", "hr", "--method", "bicubic", "--scale", "100"], "too small for scale 100"),
        (["--hr", "hr", "--sr", "sr", "--metrics", "lpips", "--weights", "none.pth"], "no weights file none.pth"),
    ],
)
def test_a_slip_is_one_line(capsys, arguments, said):
    assert said in refused(capsys, *arguments)
