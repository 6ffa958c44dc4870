"""``srlab upscale``: from a run or an interpolation to files, and one line for each slip."""

import re
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image
from spandrel.architectures.SPAN import SPAN

from srlab.course.cli import upscalers
from srlab.course.cli.main import main
from srlab.data.images import read_image, to_uint8, write_image
from srlab.data.resampling import upsample
from srlab.models import SRResNet
from srlab.models.weights import read_generator
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
    """Enlarge the source with options; the file that this makes."""

    def enlarge(*options):
        target = tmp_path / "sr.png"
        assert main(["upscale", str(source), str(target), "--force", *map(str, options)]) == 0
        return target

    return enlarge


def test_a_run_upscales_a_file(run_folder, source, enlarge, capsys):
    wanted = to_uint8(upscale(read_generator(str(run_folder)), read_image(source)[None]))
    target = enlarge("--run", run_folder, "--device", "cpu", "--precision", "no")
    assert capsys.readouterr().out == f"{target}\n"
    assert torch.equal(to_uint8(read_image(target)[None]), wanted)


def test_the_best_weights_and_the_network_of_somebody_else_come_with_their_scale(run_folder, enlarge, tmp_path):
    assert Image.open(enlarge("--run", "01_srresnet/default/generator-best-psnr.safetensors")).size == (36, 30)
    theirs = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    torch.save({"params": theirs.state_dict()}, tmp_path / "x.pth")
    assert Image.open(enlarge("--run", tmp_path / "x.pth")).size == (24, 20)


def test_bicubic_needs_no_run(source, enlarge):
    found = to_uint8(read_image(enlarge("--method", "bicubic"))[None])
    truth = to_uint8(upsample(read_image(source)[None], 4))
    assert (found.int() - truth.int()).abs().max() <= 1


def test_a_folder_is_resumed_and_a_file_that_fails_is_named(source, tmp_path, capsys):
    command = ["upscale", str(tmp_path), str(tmp_path / "out"), "--method", "bicubic", "--tile", "8"]
    assert main(command) == 0
    capsys.readouterr()
    (tmp_path / "broken.png").write_text("hello")
    for options, printed, counts in (
        ([], "", "0 written, 1 failed, 1 already there (--force replaces them)."),
        (["--force"], f"{tmp_path / 'out' / 'lr.png'}\n", "1 written, 1 failed."),
    ):
        assert main([*command, *options]) == 1
        said = capsys.readouterr()
        assert said.out == printed
        assert f"failed {tmp_path / 'broken.png'}: " in said.err
        assert said.err.endswith(f"\n{counts}\n")


BICUBIC, RUN = ["--method", "bicubic"], ["--run", "RUN"]


@pytest.mark.parametrize(
    ("source", "target", "options", "words"),
    [
        ("lr.png", "mine.png", BICUBIC, "exists already"),
        ("lr.png", "sr.png", [*RUN, "--scale", "4"], "default enlarges x2, but --scale is 4"),
        ("lr.png", "sr.png", [*RUN, "--precision", "fp16", "--device", "cpu"], "fp16 needs a GPU"),
        ("lr.png", "sr.png", ["--run", "mine.png"], "mine.png is neither a run folder nor a weights file"),
        ("lr.png", "sr.png", ["--run", "empty.safetensors"], "damaged or cut short"),
    ],
)
def test_a_slip_is_one_line(run_folder, source, target, options, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(torch.rand(3, 10, 12), "lr.png")
    Path("mine.png").write_bytes(b"mine")
    Path("empty.safetensors").touch()
    before = sorted(tmp_path.iterdir())
    assert main(["upscale", source, target, *(str(run_folder) if word == "RUN" else word for word in options)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("srlab: ")
    assert words in said.err
    assert sorted(tmp_path.iterdir()) == before, "nothing is written"
    assert Path("mine.png").read_bytes() == b"mine"


def test_a_log_says_what_begins_and_what_is_done_and_has_no_state_of_the_bar_between(tmp_path, capsys):
    write_image(torch.rand(3, 15, 40), tmp_path / "photo.png")
    command = ["upscale", str(tmp_path / "photo.png"), str(tmp_path / "sr.png"), "--method", "bicubic"]
    assert main([*command, "--tile", "5"]) == 0
    assert re.findall(r"photo\.png: +(\d+)%", capsys.readouterr().err) == ["0", "100"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_130_and_leaves_nothing(source, tmp_path, capsys, monkeypatch, number):
    def interrupted(*_):
        signal.raise_signal(number)

    monkeypatch.setattr(upscalers, "upsample", interrupted)
    assert main(["upscale", str(source), str(tmp_path / "sr.png"), "--method", "bicubic"]) == 130
    assert "stopped; files that were finished are whole" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["lr.png"]
