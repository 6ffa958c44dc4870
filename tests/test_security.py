"""Test that input stays data: no escapes from names, no code from parameters, no memory for a false size.

Ruff's S rules forbid unpickling, eval and shell commands, see pyproject.toml.
"""

import pytest
import torch
from PIL import EpsImagePlugin
from safetensors.torch import save

import srlab
from srlab import models, tensor_files
from srlab.cli.main import main
from srlab.data import datasets
from srlab.errors import SrlabError
from srlab.models import loading
from srlab_course.lab.earlier.trained import load_trained
from srlab_course.notebook_files import execute as executing
from tests.conftest import leave_run


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

    tensors = {str(number): torch.empty(0) for number in range(2000)}
    tensor_files.write_safetensors(tmp_path / "g.safetensors", tensors, {"network": "RRDBNet", "config": config})
    monkeypatch.setitem(models.GENERATORS, "RRDBNet", build)
    with pytest.raises(SrlabError, match="do not fit"):
        loading.load_generator_file(tmp_path / "g.safetensors")


@pytest.mark.parametrize("config", [None, [], "text", {"num_blocks": "3"}, {"num_blocks": None}, {"num_blocks": [3]}])
def test_weights_file_with_other_notes_is_reported(config, tmp_path):
    tensor_files.write_safetensors(tmp_path / "g.safetensors", {"a": noise()}, {"network": "RRDBNet", "config": config})
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
        {"started": 1},
        {"lab": []},
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
