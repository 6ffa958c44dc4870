"""``srlab evaluate``: tables and JSON on stdout, all else on stderr, and one line for each slip."""

import json

import pandas as pd
import pytest
import torch

from srlab.course.cli.main import main
from srlab.data.datasets import folder
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


def report(capsys, *arguments):
    return json.loads(ran(capsys, *arguments, "--json")[0])


def psnr(found):
    return [row["psnr"] for row in found["images"]]


def refused(capsys, *arguments):
    """The one line that a refused command says."""
    assert main(["evaluate", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("srlab: ")
    return said.err


def test_a_folder_of_sr_files_is_scored_and_printed_with_its_mean(capsys, folders):
    out, err = ran(capsys, "--sr", "sr")
    wanted = evaluate(enlarge, folder("hr"))
    rows = [line.split() for line in out.splitlines()]
    for _, row in wanted.iterrows():
        assert [row["image"], f"{row['psnr']:.2f}", f"{row['ssim']:.4f}"] in rows
    assert ["mean", f"{wanted['psnr'].mean():.2f}", f"{wanted['ssim'].mean():.4f}"] in rows
    assert "2 images, protocol paper; PSNR in dB" in out
    assert err == ""


def test_json_holds_the_protocol_the_rows_and_the_means_and_all_else_is_on_stderr(capsys, folders):
    write_image(mod_crop(folder("hr")["bird"], 4), "sr/bird_x4_bicubic.png")  # perfect
    write_image(picture(2), folders / "sr" / "stranger.png")
    out, err = ran(capsys, "--sr", "sr", "--json", "--metrics", "psnr", "ms_ssim", "lpips")
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["scored"] == {"sr": "sr", "hr": "hr"}
    assert found["protocol"]["name"] == "paper"
    assert found["protocol"]["crop"] == found["scale"] == 4
    assert [row["image"] for row in found["images"]] == ["baby", "bird"]
    assert [row["file"] for row in found["images"]] == ["baby_x4_bicubic.png", "bird_x4_bicubic.png"]
    assert [row["ms_ssim"] for row in found["images"]] == [None, None]  # too small
    assert psnr(found) == [pytest.approx(evaluate(enlarge, folder("hr"))["psnr"][0]), "inf"]
    assert found["mean"]["psnr"] == "inf"
    assert "lpips" not in found["mean"]
    assert "LPIPS is left out" in err
    assert [note.split(" (")[0] for note in found["notes"]] == ["not paired: stranger"]
    assert found["notes"][0] in err


def test_a_run_is_scored_at_its_own_scale(capsys):
    network = MSRResNet(1, 4)
    run = Run("01_srresnet", "default")
    run.save_generator(network, step=1)
    found = report(capsys, "--run", str(run.path))
    assert psnr(found) == pytest.approx(evaluate(network, folder("hr"))["psnr"].tolist())
    assert found["scored"] == {"run": str(run.path), "hr": "hr"}
    said = refused(capsys, "--hr", "hr", "--run", str(run.path), "--scale", "2")
    assert "enlarges x4, but --scale is 2" in said


def test_the_protocol_is_kept(capsys):
    wanted = evaluate(enlarge, folder("hr"), protocol=FACE)["psnr"].mean()
    for what in (["--sr", "sr"], ["--method", "bicubic"]):
        assert report(capsys, *what, "--protocol", "face")["mean"]["psnr"] == pytest.approx(wanted, abs=1e-6)


def test_the_table_is_written_as_csv_and_not_over_a_file_unless_forced(capsys, folders):
    ran(capsys, "--sr", "sr", "--csv", "out/table.csv")
    table = pd.read_csv(folders / "out" / "table.csv")
    assert list(table.columns) == ["image", "file", "psnr", "ssim"]
    assert table["psnr"].tolist() == evaluate(enlarge, folder("hr"))["psnr"].tolist()
    said = refused(capsys, "--hr", "hr", "--sr", "sr", "--csv", "out/table.csv")
    assert "out/table.csv exists already; choose another name, or add --force" in said
    ran(capsys, "--method", "nearest", "--csv", "out/table.csv", "--force")
    assert list(pd.read_csv(folders / "out" / "table.csv").columns) == ["image", "psnr", "ssim"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hr", "hr", "--sr", "sr", "--protocol", "y"], "no protocol 'y'; choose one of paper, basicsr, face, study"),
        (["--hr", "hr", "--method", "bicubic", "--scale", "100"], "too small for scale 100"),
        (["--hr", "hr", "--sr", "sr", "--metrics", "lpips", "--weights", "none.pth"], "no weights file none.pth"),
    ],
)
def test_a_slip_is_one_line(capsys, arguments, said):
    assert said in refused(capsys, *arguments)
