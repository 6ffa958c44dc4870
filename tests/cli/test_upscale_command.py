"""Test ``srlab upscale``: with runs and interpolation, and one line per mistake."""

import signal
from pathlib import Path

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
from tests.conftest import files_in


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
        assert main(["upscale", str(source), str(target), "--force", *map(str, options)]) == 0
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
    made = tmp_path / "out" / "lr.png"
    result = made.read_bytes()
    made.write_bytes(b"mine")
    (tmp_path / "broken.png").write_text("hello")
    for options, printed, words, content in (
        ([], "", "1 of 2 results already exist (--force overwrites them).\n", b"mine"),
        (["--force"], f"{made}\n", "srlab: 1 of 2 images failed, for the reasons above.\n", result),
    ):
        assert main([*command, *options]) == 2
        said = capsys.readouterr()
        assert (said.out, made.read_bytes()) == (printed, content)
        assert f"failed {tmp_path / 'broken.png'}: " in said.err
        assert words in said.err


METHOD = ["--method", "nearest", "--scale", "2"]
# Paths of the command, exit code, written files, message.
PATHS = [
    ("lr.png", 0, "lr_x2.png", ""),
    ("lr.png new/sr.jpg", 0, "new/sr.jpg", ""),
    ("more", 0, "more_x2/b.png more_x2/c.png", "Left out, because they are not .png, .jpg, .jpeg"),
    ("more results", 0, "results/b.png results/c.png", "Left out"),
    ("lr.png more", 2, "", "more does not have a valid extension. Use .png"),
    ("lr.png results", 2, "", "results does not have a valid extension. Use .png"),
    ("more b.jpg", 2, "", "The results cannot be written to b.jpg. Choose a folder"),
    ("*.png", 2, "", "Image file *.png not found"),
    ("more/funny.gif gif.png", 2, "", "save a TIFF, camera raw, HEIC or GIF file as PNG first."),
]


@pytest.mark.parametrize(("paths", "code", "made", "words"), PATHS)
def test_paths_name_source_and_target(source, paths, code, made, words, tmp_path, monkeypatch, capsys):
    """Check with --force that nothing but the named results is written."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "more/b.png", "more/c.png"):
        write_image(read_image(source), name)
    Path("more/funny.gif").write_text("no image that can be read")
    before = files_in(tmp_path)
    assert main(["upscale", *paths.split(), *METHOD, "--force"]) == code
    assert words in capsys.readouterr().err
    after = files_in(tmp_path)
    assert after.items() >= before.items()
    assert sorted(after.keys() - before.keys()) == made.split()
    assert all(Image.open(name).size == (24, 20) for name in made.split())


def test_current_folder_is_a_source(source, tmp_path, monkeypatch):
    write_image(read_image(source), tmp_path / "here" / "lr.png")
    monkeypatch.chdir(tmp_path / "here")
    assert main(["upscale", ".", *METHOD]) == 0
    assert (tmp_path / "here_x2" / "lr.png").is_file()


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        (
            "mine.png",
            ["--method", "bicubic"],
            "mine.png already exists. Move it elsewhere, or overwrite it with --force",
        ),
        (
            "sr.png",
            ["--run", "01_srresnet/default", "--scale", "1"],
            "01_srresnet/default upscales by 2, but --scale is 1. Leave --scale out",
        ),
        ("sr.png", ["--method", "bicubic", "--scale", "0"], "--scale must be at least 1, but is 0"),
        ("sr.png", ["--run", "01_srresnet/default", "--precision", "fp16"], "'fp16' is not a valid precision"),
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
    before = files_in(tmp_path)
    assert main(["upscale", source.name, target, *options]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_exits_130_without_output(source, tmp_path, capsys, monkeypatch, number):
    monkeypatch.setattr(pick_upscaler, "upsample", lambda *_: signal.raise_signal(number))
    assert main(["upscale", str(source), str(tmp_path / "sr.png"), "--method", "bicubic"]) == 130
    assert "stopped" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]
