"""Test ``srlab upscale``: with runs and interpolation, and one line per mistake."""

import signal
from pathlib import Path

import pytest
import torch
from PIL import Image
from spandrel.architectures.SPAN import SPAN

from srlab.cli import pick_upscaler, upscale_command
from srlab.cli.main import main
from srlab.data.images import read_image, to_uint8, write_image
from srlab.models import FlowNet, SRResNet
from srlab.models.loading import load_generator_file
from srlab.tensor_files import write_safetensors
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
        target.unlink(missing_ok=True)
        assert main(["upscale", str(source), "-o", str(target), *map(str, options)]) == 0
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


METHOD = ["--method", "nearest", "--scale", "2"]


def test_options_may_be_between_files(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_image(read_image(source), tmp_path / "album" / "deep" / "b.png")
    (tmp_path / "broken.png").write_text("hello", encoding="utf-8")
    (tmp_path / "-rf.png").write_bytes(source.read_bytes())
    typed = ["lr.png", "--method", "nearest", "album", "--scale", "2", "broken.png", "--", "-rf.png"]
    for printed in (["lr_x2.png", str(tmp_path / "album_x2" / "deep" / "b.png"), "-rf_x2.png"], []):
        assert main(["upscale", *typed]) == 2
        said = capsys.readouterr()
        assert said.out.splitlines() == printed
        assert said.err.endswith("srlab: 1 of 4 images failed, for the reasons above.\n")
    assert all(Image.open(name).size == (24, 20) for name in ("lr_x2.png", "-rf_x2.png"))


@pytest.mark.parametrize("typed", [[""], ["lr.png", "-o", ""]])
def test_empty_path_is_not_this_folder(source, typed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["upscale", *typed, *METHOD]) == 2
    assert "A path is empty" in capsys.readouterr().err
    assert [*files_in(tmp_path)] == ["lr.png"]


# Paths of the command, exit code, written files, message.
PATHS = [
    ("lr.png", 0, "lr_x2.png", ""),
    ("lr.png -o new/sr.jpg", 0, "new/sr.jpg", ""),
    ("lr.png -o more", 0, "more/lr.png", ""),
    ("more", 0, "more_x2/b.png more_x2/c.png", "Left out of more: funny.gif (only .png, .jpg, .jpeg"),
    ("more -o results", 0, "results/b.png results/c.png", "Left out"),
    ("lr.png b.jpg -o results", 0, "results/b.png results/lr.png", ""),
    ("lr.png sr.png", 2, "lr_x2.png", "sr.png not found. Check the path. To name a result, use -o."),
    ("more -o b.jpg", 2, "", "b.jpg is not a folder. Pass a folder for the results of several images"),
    ("lr.png -o b.jpg", 2, "", "b.jpg already exists. Move it elsewhere"),
    ("*.png", 2, "", "*.png not found"),
    ("more/funny.gif -o gif.png", 2, "", "Save a camera raw, HEIC or GIF file as one of these first."),
]


@pytest.mark.parametrize(("paths", "code", "made", "words"), PATHS)
def test_paths_name_sources_and_target(source, paths, code, made, words, tmp_path, monkeypatch, capsys):
    """Check that nothing but the named results is written."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "more/b.png", "more/c.png"):
        write_image(read_image(source), name)
    Path("more/funny.gif").write_text("no image that can be read", encoding="utf-8")
    before = files_in(tmp_path)
    assert main(["upscale", *paths.split(), *METHOD]) == code
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
            "mine.png already exists. Move it elsewhere.",
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
        ("sr.png", ["--run", "net.onnx"], "net.onnx is an ONNX file, which srlab writes and onnxruntime runs"),
        ("sr.png", ["--run", "default"], "Did you mean 01_srresnet/default?"),
        (
            "sr.png",
            ["--run", "01_srresnet/own"],
            "weights of a network 'Own', which only your code can build. Upscale in Python",
        ),
        ("sr.png", ["--run", "empty.safetensors"], "empty.safetensors is damaged"),
    ],
)
def test_upscale_error_is_one_line_without_output(
    run_folder, source, target, options, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("mine.png").write_bytes(b"mine")
    Path("empty.safetensors").touch()
    Path("net.onnx").write_bytes(b"\x08\x0a\x12\x07pytorch")
    run_folder.with_name("own").mkdir()
    weights = run_folder.with_name("own") / "generator.safetensors"
    write_safetensors(weights, {"a": torch.ones(1)}, {"network": "Own", "config": {}})
    before = files_in(tmp_path)
    assert main(["upscale", source.name, "-o", target, *options]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_exits_130_without_output(source, tmp_path, capsys, monkeypatch, number):
    monkeypatch.setattr(pick_upscaler, "upsample", lambda *_: signal.raise_signal(number))
    assert main(["upscale", str(source), "-o", str(tmp_path / "sr.png"), "--method", "bicubic"]) == 130
    assert "stopped" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


def test_lack_of_memory_at_the_start_is_one_line(source, capsys, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(upscale_command, "pick_upscaler", no_memory)
    assert main(["upscale", str(source)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "srlab: Out of memory. Raise the memory limit, or close other programs."
    )
