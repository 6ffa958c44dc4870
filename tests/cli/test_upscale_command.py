"""Test ``srlab upscale``: with runs and interpolation, and one line per mistake."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from spandrel.architectures.SPAN import SPAN

from srlab.cli import pick_upscaler
from srlab.cli.main import main
from srlab.data.images import read_image, to_uint8, write_image
from srlab.models import FlowNet, SRResNet
from srlab.models.loading import load_generator_file
from srlab.tiling import upscale
from srlab.training.runs import Run


@pytest.fixture
def run_folder():
    torch.manual_seed(0)
    run = Run("01_srresnet", "default")
    run.save_generator(SRResNet(1, 4, scale=2), 1)
    run.save_generator(SRResNet(1, 4, scale=3), 1, "psnr")
    return run.path


@pytest.fixture
def source(tmp_path):
    lr = torch.rand(3, 10, 12, generator=torch.Generator().manual_seed(0))
    return write_image(lr, tmp_path / "lr.png")


@pytest.fixture
def enlarge(source, tmp_path):
    """Upscale the source with options; return the output file."""

    def enlarge(*options):
        target = tmp_path / "sr.png"
        assert main(["upscale", str(source), "--out", str(target), "--force", *map(str, options)]) == 0
        return target

    return enlarge


def test_run_upscales_file(run_folder, source, enlarge, capsys):
    wanted = to_uint8(upscale(load_generator_file(str(run_folder)), read_image(source)[None]))
    target = enlarge("--run", run_folder, "--device", "cpu", "--precision", "fp32")
    assert capsys.readouterr().out == f"{target}\n"
    assert torch.equal(to_uint8(read_image(target)[None]), wanted)


def test_seed_chooses_the_answer_of_a_flow(source, enlarge):
    torch.manual_seed(0)
    flow = FlowNet(1, 4, detail_std=0.2, steps=1)
    torch.nn.init.normal_(flow.tail.weight, std=0.1)
    run = Run("07_one_step", "default")
    run.save_generator(flow, 1)
    options = ["--run", "07_one_step/default", "--device", "cpu", "--precision", "fp32"]
    answers = [read_image(enlarge(*options, *seed)) for seed in ([], ["--seed", 0], ["--seed", 7])]
    assert torch.equal(answers[0], answers[1])
    assert (answers[0] - answers[2]).abs().mean() > 0.005
    flow.seed = 7
    assert torch.equal(to_uint8(upscale(flow, read_image(source))), to_uint8(answers[2]))


def test_scale_is_from_weights_or_4(run_folder, enlarge, tmp_path):
    theirs = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    torch.save({"params": theirs.state_dict()}, tmp_path / "x.pth")
    assert Image.open(enlarge("--run", tmp_path / "x.pth")).size == (24, 20)
    assert Image.open(enlarge("--run", "01_srresnet/default/generator-best-psnr.safetensors")).size == (36, 30)
    assert Image.open(enlarge("--method", "bicubic")).size == (48, 40)


def test_folder_resumes_and_failed_file_is_reported(source, tmp_path, capsys):
    command = ["upscale", str(tmp_path), str(tmp_path / "out"), "--method", "bicubic", "--tile", "8"]
    assert main(command) == 0
    assert "lr.png: 100%" in capsys.readouterr().err
    (tmp_path / "broken.png").write_text("hello")
    for options, printed, counts in (
        ([], "", "0 written, 1 failed, 1 already exist"),
        (["--force"], f"{tmp_path / 'out' / 'lr.png'}\n", "1 written, 1 failed."),
    ):
        assert main([*command, *options]) == 1
        said = capsys.readouterr()
        assert said.out == printed
        assert f"failed {tmp_path / 'broken.png'}: " in said.err
        assert counts in said.err


@pytest.mark.parametrize(("scale", "size"), [("2", (24, 20)), ("1.5", (18, 15)), ("3.9", (47, 39))])
@pytest.mark.parametrize("upscaler", [["--run", "msrresnet"], ["--method", "bicubic"]])
def test_smaller_scale_shrinks_the_result(enlarge, upscaler, scale, size):
    large = np.asarray(Image.open(enlarge(*upscaler)), np.float32)
    with Image.open(enlarge(*upscaler, "--scale", scale)) as small:
        assert small.size == size
        assert abs(np.asarray(small, np.float32).mean() - large.mean()) < 2


def test_several_images_and_folders(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_image(read_image(source), "b.jpg")
    Path("more").mkdir()
    write_image(read_image(source), "more/c.png")
    for name in ("more/notes.txt", "more/funny.gif"):
        Path(name).write_text("no image that can be read")
    method = ["--method", "nearest", "--scale", "2"]
    assert main(["upscale", "lr.png", *method]) == 0
    assert main(["upscale", "lr.png", "b.jpg", "results", *method]) == 0
    assert main(["upscale", "lr.png", "results", *method, "--force"]) == 0
    assert main(["upscale", "l?.png", "*.jpg", '"patterns"', *method]) == 0
    assert main(["upscale", "more", *method]) == 0
    assert "Left out, because they are not .png, .jpg, .jpeg" in (said := capsys.readouterr().err)
    assert "funny.gif, notes.txt" in said
    assert main(["upscale", "more/funny.gif", "gif.png", *method]) == 2
    assert "save a camera raw, HEIC or GIF file as PNG first." in capsys.readouterr().err
    made = ["lr_x2.png", "patterns/lr.png", "patterns/b.png", "results/lr.png", "results/b.png", "more_x2/c.png"]
    assert all(Image.open(name).size == (24, 20) for name in made)
    assert main(["upscale", "lr.png", "b.jpg", "missing.png", "results/lr.png", *method]) == 1
    assert "failed missing.png: Image file missing.png not found" in capsys.readouterr().err
    assert Path("b_x2.png").is_file(), "an existing image at the end is not a target"
    assert main(["upscale", "lr.png", "b.jpg", *method]) == 2
    assert main(["upscale", "lr.png", "more/c.png", "new.png", *method]) == 2
    assert "new.png is not a folder, but there are several images" in capsys.readouterr().err
    write_image(read_image(source), "lr.jpg")
    assert main(["upscale", "lr.png", "lr.jpg", "both", *method]) == 2
    assert "Several results would be called lr.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("mine.png", ["--method", "bicubic"], "lr.png and mine.png both exist. To upscale both"),
        ("mine.png", ["--method", "bicubic", "--force"], "pass --out mine.png --force"),
        ("sr.png", ["--run", "01_srresnet/default", "--scale", "4"], "upscales by 2, but --scale is 4. Pass at most 2"),
        ("sr.png", ["--run", "01_srresnet/default", "--scale", "-1"], "scale must be above 0"),
        ("sr.png", ["--run", "01_srresnet/default", "--precision", "fp16", "--device", "cpu"], "fp16 needs a GPU"),
        ("sr.png", ["--run", "01_srresnet/default", "--seed", "1"], "01_srresnet/default has only one answer"),
        ("sr.png", ["--method", "bicubic", "--seed", "1"], "bicubic has only one answer. --seed is for flows"),
        ("sr.png", ["--run", "mine.png"], "mine.png is damaged or contains more than tensors"),
        ("sr.png", ["--run", "empty.safetensors"], "empty.safetensors is damaged"),
    ],
)
def test_upscale_error_is_one_line_without_output(
    run_folder, source, target, options, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("mine.png").write_bytes(b"mine")
    Path("empty.safetensors").touch()
    before = sorted(tmp_path.iterdir())
    assert main(["upscale", source.name, target, *options]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
    assert sorted(tmp_path.iterdir()) == before
    assert Path("mine.png").read_bytes() == b"mine"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_exits_130_without_output(source, tmp_path, capsys, monkeypatch, number):
    monkeypatch.setattr(pick_upscaler, "upsample", lambda *_: signal.raise_signal(number))
    assert main(["upscale", str(source), str(tmp_path / "sr.png"), "--method", "bicubic"]) == 130
    assert "stopped" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


def test_results_never_replace_each_other_or_a_source(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    nearest = ["--method", "nearest", "--scale", "2"]
    for name in ("a.jpg", "a.png", "b.jpg", "x/HR/p.png", "y/HR/p.png"):
        write_image(read_image(source), name)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    for paths, twice in (["a.jpg", "a.png", "b.jpg"], "a_x2.png"), (["x/HR", "y/HR", "out"], "p.png"):
        assert main(["upscale", *paths, *nearest, "--force"]) == 2
        assert f"Several results would be called {twice}" in capsys.readouterr().err
    assert main(["upscale", "a.jpg", "b.jpg", *nearest, "--force"]) == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before
    monkeypatch.chdir(tmp_path / "x" / "HR")
    assert main(["upscale", ".", *nearest]) == 0
    assert (tmp_path / "x" / "HR_x2" / "p.png").is_file()
    assert main(["upscale", "p.png", *nearest[:2], "--scale", "inf"]) == 2
