"""``srlab upscale``: from a run or an interpolation to files, and one line for each slip."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.SPAN import SPAN

from srlab.base.files import write_safetensors
from srlab.cli.main import main
from srlab.data.images import read_image, to_uint8, write_image
from srlab.data.resampling import upsample
from srlab.inference.tiling import upscale
from srlab.models import SRResNet
from srlab.training.runs import Run


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return SRResNet(1, 4, scale=2).eval()


@pytest.fixture
def run_folder(home, generator):
    run = Run("01_srresnet", "default")
    run.save_generator(generator, 1)
    other = SRResNet(1, 4, scale=3)
    run.save_generator(other, 1, "psnr")
    return run.path


@pytest.fixture
def source(tmp_path):
    lr = torch.rand(3, 10, 12, generator=torch.Generator().manual_seed(0))
    return write_image(lr, tmp_path / "lr.png")


def refused(capsys, *arguments):
    assert main(["upscale", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("srlab: ")
    return said.err


def test_a_run_folder_upscales_a_file(run_folder, generator, source, tmp_path, capsys):
    target = tmp_path / "sr.png"
    assert main(["upscale", str(source), str(target), "--run", str(run_folder), "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert torch.equal(to_uint8(read_image(target)[None]), to_uint8(upscale(generator, read_image(source)[None])))


def test_a_weights_file_works_as_well_as_its_run(run_folder, source, tmp_path):
    for name, how in (("a", run_folder), ("b", run_folder / "generator.safetensors")):
        assert main(["upscale", str(source), str(tmp_path / f"{name}.png"), "--run", str(how)]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_network_of_somebody_else_upscales_a_file(source, tmp_path):
    torch.manual_seed(0)
    torch.save(
        {"params": SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=3).state_dict()}, tmp_path / "x.pth"
    )
    assert main(["upscale", str(source), str(tmp_path / "sr.png"), "--run", str(tmp_path / "x.pth")]) == 0
    assert Image.open(tmp_path / "sr.png").size == (36, 30)


def test_the_best_weights_are_taken_where_asked_for_with_their_scale(run_folder, source, tmp_path):
    command = ["upscale", str(source), str(tmp_path / "sr.png"), "--run", str(run_folder), "--best", "psnr"]
    assert main(command) == 0
    assert Image.open(tmp_path / "sr.png").size == (36, 30)


@pytest.mark.parametrize("scale", [None, 3])
def test_bicubic_needs_no_run(scale, source, tmp_path):
    target = tmp_path / "sr.png"
    command = ["upscale", str(source), str(target), "--method", "bicubic"]
    assert main(command + (["--scale", str(scale)] if scale else [])) == 0
    truth = upsample(read_image(source)[None], scale or 4)
    assert (to_uint8(read_image(target)[None]).int() - to_uint8(truth).int()).abs().max() <= 1


def test_a_folder_says_what_was_skipped_and_what_failed(source, tmp_path, capsys):
    (tmp_path / "notes.txt").touch()
    command = ["upscale", str(tmp_path), str(tmp_path / "out"), "--method", "bicubic", "--tile", "8", "--overlap", "4"]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "1 already there, which --force makes again" in said.err
    (tmp_path / "broken.png").write_text("hello")
    (tmp_path / "new\nline.png").write_bytes(source.read_bytes())
    assert main([*command, "--force"]) == 1
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'out' / 'lr.png'}\n"
    assert "new?line.png: its name is no line of text; rename it" in said.err
    assert "notes.txt: its name is not that of an image" in said.err
    assert f"failed {tmp_path / 'broken.png'}: " in said.err
    assert "1 written, 2 skipped, 1 failed." in said.err


def test_slips_are_one_line(run_folder, source, tmp_path, capsys):
    target = tmp_path / "sr.png"
    assert "There is no file or folder" in refused(capsys, tmp_path / "none.png", target, "--method", "bicubic")
    target.write_bytes(b"mine")
    assert "exists already" in refused(capsys, source, target, "--method", "bicubic")
    target.unlink()
    said = refused(capsys, source, target, "--run", run_folder, "--scale", 4)
    assert f"{run_folder} enlarges x2, but --scale is 4" in said
    said = refused(capsys, source, target, "--run", run_folder, "--best", "lpips")
    assert "no weights with the best lpips; take those it has: psnr" in said
    (tmp_path / "file.png").write_bytes(b"mine")
    said = refused(capsys, tmp_path, tmp_path / "file.png", "--method", "bicubic", "--force")
    assert "file.png is a file" in said
    assert "at least 1, but is 0" in refused(capsys, source, target, "--method", "bicubic", "--scale", 0)
    assert "--best goes with --run" in refused(capsys, source, target, "--method", "bicubic", "--best", "psnr")
    said = refused(capsys, source, target, "--method", "bicubic", "--tile", 0)
    assert said == "srlab: --tile must be at least 1, but is 0.\n"
    said = refused(capsys, source, target, "--method", "bicubic", "--overlap", -1)
    assert said == "srlab: --overlap must be at least 0, but is -1.\n"
    said = refused(capsys, source, target, "--method", "bicubic", "--scale", 10**6)
    assert "12000000x10000000 pixels may take" in said
    assert "Unknown device 'tpu'" in refused(capsys, source, target, "--run", run_folder, "--device", "tpu")
    assert not target.exists()


def test_weights_that_are_not_those_of_a_run_are_one_line_each(run_folder, source, tmp_path, capsys):
    def said_of(path):
        return refused(capsys, source, tmp_path / "sr.png", "--run", path)

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save(Trap(), tmp_path / "weights.pth")
    assert "damaged or holds more than tensors, so it is not loaded" in said_of(tmp_path / "weights.pth")
    assert not (tmp_path / "ran").exists()
    assert "no weights file" in said_of(tmp_path)
    assert "neither a run folder" in said_of(tmp_path / "none")
    file = run_folder / "generator.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    assert "damaged or cut short" in said_of(file)
    file.write_bytes(b"")
    assert "damaged or cut short" in said_of(run_folder)
    save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    assert "no network that srlab or spandrel knows" in said_of(tmp_path / "foreign.safetensors")
    tensor = {"weight": torch.zeros(3)}
    write_safetensors(tmp_path / "other.safetensors", tensor, {"network": "VGG", "config": {}})
    assert "network 'VGG'; srlab knows SRResNet" in said_of(tmp_path / "other.safetensors")
    write_safetensors(tmp_path / "wrong.safetensors", tensor, {"network": "SRResNet", "config": {}})
    assert "do not fit SRResNet" in said_of(tmp_path / "wrong.safetensors")


def test_ctrl_c_is_130_and_leaves_nothing(source, tmp_path, capsys, monkeypatch):
    from srlab.data import resampling

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(resampling, "upsample", interrupted)
    assert main(["upscale", str(source), str(tmp_path / "sr.png"), "--method", "bicubic"]) == 130
    assert "stopped; files that were finished are whole" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["lr.png"]


def test_grey_and_deep_files_go_through_the_command(tmp_path):
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(tmp_path / "g.png")
    assert main(["upscale", str(tmp_path / "g.png"), str(tmp_path / "sr.tif"), "--method", "lanczos"]) == 0
    assert Image.open(tmp_path / "sr.tif").mode == "L"
