"""Test that input stays data: no escapes from names, no code from parameters, no memory for a false size.

Ruff's S rules forbid unpickling, eval and shell commands, see pyproject.toml.
"""

import json
import math
import os
from contextlib import suppress

import nbformat
import pytest
import torch
from PIL import EpsImagePlugin
from safetensors.torch import save

import srlab
import srlab_course
from srlab import models, paths, tensor_files
from srlab.cli.main import main
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab.models import loading
from srlab.training import runs
from srlab_course.lab.earlier.trained import load_trained
from srlab_course.lab.recipes import read_book
from srlab_course.lab.run_code import text_in
from srlab_course.lab.setup import setup
from srlab_course.notebook_files import execute as executing
from tests.conftest import leave_run, make_link


def noise():
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))


# --- names and paths ---


def test_messages_are_printable_and_short():
    """Check messages that quote anything. All spaces stay: macOS puts a narrow one into names of screenshots."""
    nasty = "\x1b[31mred\n\u202eand\udce9 narrow\u202fspace"
    assert str(SrlabError(f"a {nasty}")) == "a ?[31mred ?and? narrow\u202fspace"
    long = str(SrlabError("begin" + "x" * 10**6 + "end"))
    assert len(long) < 2000
    assert long.endswith("xend")


def test_terminal_output_escapes_foreign_runs(home, capsys):
    run = home / "lab" / "\x1b[31mred"
    run.mkdir(parents=True)
    (run / "run.json").touch()
    load_trained()
    shown = capsys.readouterr().out
    assert "red" in shown
    assert all(line.isprintable() for line in shown.splitlines())


@pytest.mark.parametrize("part", ["a\x1b[31m", "caf\udce9"], ids=ascii)
def test_image_with_unprintable_name_is_skipped(part, tmp_path, capsys):
    for name in (part, "good"):
        srlab.write_image(noise(), tmp_path / "new.png").rename(tmp_path / f"{name}.png")
    (tmp_path / part).mkdir()
    assert datasets.load_images(tmp_path).names == ["good"]
    out = capsys.readouterr().out
    assert f"Left out of {tmp_path.name}: " in out
    assert "with printable names are read" in out
    assert out.strip().isprintable()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_commands_print_names_without_control_characters(tmp_path, capsys):
    """Check commands with the names that a shell finds for ``*``; the last character turns the writing direction."""
    good, same, escape = (tmp_path / name for name in ("a\u202e.png", "a\u202e.jpg", "b\x1b[31m.png"))
    srlab.write_image(noise(), good)
    same.touch()
    escape.touch()
    assert main(["upscale", *map(str, (good, same, escape)), "--method", "nearest"]) == 2
    assert main(["upscale", str(good), "-o", str(tmp_path / "c\u202e.png"), "--method", "nearest"]) == 0
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "d\x1b[31m.ipynb")
    assert main(["handout", str(tmp_path / "d\x1b[31m.ipynb")]) == 0
    shown = "".join(capsys.readouterr())
    for words in ("a?_x4.png\n", "a?.jpg: ", "failed ", "b?[31m.png: ", "c?.png\n", "d?[31m.html\n"):
        assert words in shown
    assert all(line.isprintable() for line in shown.splitlines())


@pytest.mark.parametrize("name", ["x=1; import os #", "x\nimport os\ny", "import"])
def test_parameter_must_be_a_name(name, tmp_path):
    """Reject code in names: papermill writes names unquoted into a cell, and only quotes values."""
    with pytest.raises(SrlabError, match="is not a valid parameter name"):
        executing.execute(tmp_path / "lab.ipynb", tmp_path / "out.ipynb", {name: 1})


HUGE = [{"num_blocks": 10**9}, {"num_blocks": 2000}, {"num_blocks": 1, "num_features": 10**6}]


@pytest.mark.parametrize("config", HUGE)
def test_weights_file_cannot_request_huge_network(config, tmp_path, monkeypatch):
    real = models.RRDBNet

    def build(**config):
        assert config["num_blocks"] < 1000, "that many modules would be created"
        assert torch.get_default_device().type == "meta", "that much memory would be allocated"
        return real(**config)

    tensors = {str(number): torch.empty(1) for number in range(2000)}
    tensor_files.write_safetensors(tmp_path / "g.safetensors", tensors, {"network": "RRDBNet", "config": config})
    monkeypatch.setitem(models.GENERATORS, "RRDBNet", build)
    with pytest.raises(SrlabError, match="do not fit"):
        loading.load_generator_file(tmp_path / "g.safetensors")


ODD = [{"num_blocks": "3"}, {"num_blocks": None}, {"num_blocks": [3]}, {"num_blocks": True}, {"residual_scale": "x"}]
ODD += [{"residual_scale": None}, {"residual_scale": 10**30}, {"residual_scale": math.nan}, {"enlarge": {}}]


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(("name", "value"), [("num_features", 0), ("growth", 0), ("fusion", 2)])
def test_weights_of_a_network_that_cannot_compute_are_reported(name, value, tmp_path):
    config = {"num_blocks": 1, "num_features": 4, "growth": 4, "fusion": 3} | {name: value}
    weights = models.RRDBNet(**config | {"fusion": 3}).state_dict()
    for key in weights:
        if "conv5.weight" in key:
            weights[key] = weights[key][..., : config["fusion"], : config["fusion"]]
    tensor_files.write_safetensors(tmp_path / "g.safetensors", weights, {"network": "RRDBNet", "config": config})
    with pytest.raises(SrlabError, match="do not fit RRDBNet"):
        loading.load_generator_file(tmp_path / "g.safetensors")


@pytest.mark.parametrize("config", [None, [], "text", *ODD])
def test_weights_file_with_other_notes_is_reported(config, tmp_path):
    weights = models.RRDBNet(1, 4, 4).state_dict()
    if isinstance(config, dict):
        config = {"num_blocks": 1, "num_features": 4, "growth": 4} | config
    tensor_files.write_safetensors(tmp_path / "g.safetensors", weights, {"network": "RRDBNet", "config": config})
    with pytest.raises(SrlabError, match="do not fit RRDBNet"):
        loading.load_generator_file(tmp_path / "g.safetensors")


def test_deeply_nested_notes_are_reported(tmp_path):
    (tmp_path / "g.safetensors").write_bytes(save({"a": noise()}, {"srlab": "[" * 100_000}))
    with pytest.raises(SrlabError, match="damaged"):
        loading.load_generator_file(tmp_path / "g.safetensors")


@pytest.mark.parametrize(
    "entry",
    [
        {"parameters": None},
        {"parameters": []},
        {"parameters": {"weights": 1}},
        {"metrics": {"val_psnr": "high"}},
        {"metrics": []},
        {"schedule_total": "all"},
        {"status": None},
        {"status": "finished   10 of 10   99.99"},
        {"started": 1},
        {"lab": []},
        {"step": 2**70},
        {"parameters": {"generator": {"network": "MSRResNet"}, "sampler": {"images": {}}}},
        {"lab_run": "default"},
        {"lab_run": "default", "recipe": "laptop", "changed": [], "steps": {}},
        {"lab_run": "default", "recipe": "laptop", "changed": {}, "steps": {"iters": "many"}},
    ],
)
def test_manifest_with_other_types_is_skipped(entry, home, capsys):
    """Check what lists runs: one bad folder must stop neither the list nor lab 05."""
    run = leave_run("01_srresnet", "default", 10)
    (run.path / "generator.safetensors").touch()
    run.write_manifest(run.manifest() | entry)
    assert load_trained() == {}
    assert "is not a valid run manifest" in capsys.readouterr().out
    assert main(["runs"]) == 0
    assert main(["diagnose", str(run.path)]) == 2


def test_named_run_keeps_only_its_recipes_steps(capsys):
    """Take nothing else from a stranger's run, and print no command that a shell would split."""
    run = leave_run("01_srresnet", "mine", 10)
    notes = {"lab_run": "mine", "recipe": "smoke", "changed": {"x;ls": 1, "backbone": 3}, "steps": {"color": 5}}
    run.write_manifest(run.manifest() | notes)
    book = read_book(paths.recipes() / "01_srresnet.py")
    with pytest.raises(SrlabError, match=r"was made with other settings.* pass -p 'x;ls' 1 -p backbone 3\."):
        setup("01_srresnet", book.parameters | {"run": "mine", "device": "cpu"})


@pytest.mark.parametrize(
    "entry", [{"manifest": torch.ones(2)}, {"step": torch.ones(2)}, {"best": {"psnr": "high"}}, {"log": torch.ones(2)}]
)
def test_checkpoint_with_other_types_is_skipped(entry, home, capsys):
    run = leave_run("01_srresnet", "default", 10)
    state = {"step": 10, "best": {}, "log": None, "manifest": json.dumps(run.manifest())}
    (run.path / "run.json").unlink()
    (run.path / "checkpoints").mkdir()
    for content, code in ((state, 0), (state | entry, 2)):
        torch.save(content, run.path / "checkpoints" / "000000010.pt")
        assert main(["diagnose", str(run.path)]) == code
    load_trained()
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.count("000000010.pt is damaged or is not a checkpoint") == 3


def test_thousand_damaged_checkpoints_take_few_lines(capsys):
    run = leave_run("01_srresnet", "default", 10)
    (run.path / "run.json").unlink()
    (run.path / "checkpoints").mkdir()
    for step in range(1000):
        (run.path / "checkpoints" / f"{step:09d}.pt").touch()
    assert main(["runs"]) == 0
    assert len(capsys.readouterr().out.splitlines()) < 6


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl", "generator.safetensors", "checkpoints/000000010.pt"])
def test_folder_in_place_of_a_file_stops_no_list(name, home, capsys):
    run = leave_run("01_srresnet", "default", 10, status="running")
    leave_run("01_srresnet", "other", 10)
    (run.path / ".lock").touch()
    (run.path / name).unlink(missing_ok=True)
    (run.path / name).mkdir(parents=True)
    assert not run.is_held()
    with suppress(SrlabError):
        srlab_course.diagnose(run.path)
    load_trained()
    assert main(["runs"]) == 0
    assert "01_srresnet/other" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "code.py", "checkpoints/000000010.pt"])
@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_endless_file_stops_no_list(kind, name, home, capsys):
    run = leave_run("01_srresnet", "default", 10, status="running")
    leave_run("01_srresnet", "other", 10)
    (run.path / "checkpoints").mkdir()
    if name.startswith("checkpoints"):
        (run.path / "run.json").unlink()
    file = run.path / name
    file.unlink(missing_ok=True)
    if not hasattr(os, "mkfifo"):
        pytest.skip("Windows has neither of these files")
    if kind == "pipe":
        os.mkfifo(file)
    else:
        make_link(file, "/dev/zero")
    with run.lock():
        assert main(["runs"]) == 0
    assert "01_srresnet/other" in (said := capsys.readouterr().out)
    assert "Skipped: " in said or name == "code.py"
    load_trained()
    assert text_in(run) is None


def test_huge_file_of_a_run_is_not_read(home, capsys):
    run = leave_run("01_srresnet", "default", 10)
    (run.path / "metrics.jsonl").write_bytes(b" " * 2**25 + b'{"step": 1}\n')
    (run.path / "code.py").write_bytes(b" " * 2**20 + b"1")
    assert text_in(run) is None
    with pytest.raises(SrlabError, match=r"metrics\.jsonl is damaged \(it has more than 33,554,432 bytes"):
        run.metrics()
    (run.path / "run.json").write_bytes(b" " * 2**20 + (run.path / "run.json").read_bytes())
    assert main(["runs"]) == 0
    assert "run.json is not a valid run manifest (it has more than 1,048,576 bytes" in capsys.readouterr().out


@pytest.mark.parametrize("error", [MemoryError(), KeyError("a\nb"), RuntimeError("out of memory")])
@pytest.mark.parametrize("reader", ["parse_manifest", "parse_lines"])
def test_any_error_of_a_run_is_one_line_of_the_list(reader, error, home, monkeypatch, capsys):
    run = leave_run("01_srresnet", "default", 10, status="running")
    run.log(10, loss=1)

    def fail(_):
        raise error

    monkeypatch.setattr(runs, reader, fail)
    with run.lock():
        assert main(["runs"]) == 0
    skipped, *_ = capsys.readouterr().out.splitlines()
    assert skipped.startswith(f"Skipped: {run.path} ({type(error).__name__}: ")


def test_endless_numbers_are_diagnosed(home):
    """Read numbers near and above the largest float, whose sum Python's statistics reject."""
    run = leave_run("03_srgan", "default", 90)
    for number in ("1e308", "1e999"):
        rows = [f'{{"step": {i}, "d_real": {"-" * (i % 2)}{number}, "d_fake": 0, "val_psnr": NaN}}\n' for i in range(9)]
        (run.path / "metrics.jsonl").write_text("".join(rows), encoding="utf-8")
        assert main(["diagnose", str(run.path)]) in (0, 1)


@pytest.mark.parametrize("content", [b'{"step": 1, "loss": "low"}\n', b"[" * 100_000 + b"\n"], ids=["text", "nested"])
def test_log_with_text_is_reported(content, home):
    run = leave_run("lab", "run", 10)
    (run.path / "metrics.jsonl").write_bytes(content)
    assert main(["diagnose", "lab/run"]) == 2


# --- files that claim to be images; see also tests/data/test_odd_files.py ---


def test_eps_is_rejected_before_ghostscript(tmp_path, monkeypatch):
    def ghostscript(*_, **__):
        raise AssertionError("Ghostscript would run what the file says")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", ghostscript)
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nnewpath\nshowpage\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(text)
    with pytest.raises(SrlabError, match="is not a readable image"):
        srlab.read_image(tmp_path / "a.png")
