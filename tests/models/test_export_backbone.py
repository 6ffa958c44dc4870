"""Test data_scripts/export_backbone.py: it writes the file, or prints one line with the reason."""

from pathlib import Path

import pytest
import torch

from srlab import tensor_files
from tests.conftest import load_script

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "export_backbone.py"


@pytest.fixture
def run(tmp_path, monkeypatch, hub):
    """Return the command, in a folder with a partial vgg19."""
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}, "vgg.pth")
    return load_script(SCRIPT).main


def test_export_has_notes_and_never_overwrites(run, capsys):
    command = ["vgg19 relu1_1", "--backbone", str(Path("vgg.pth").resolve()), "small.safetensors"]
    assert run(command) == 0
    assert capsys.readouterr().out == "small.safetensors\n"
    _, notes = tensor_files.read_safetensors(Path("small.safetensors"))
    assert notes == {"network": "vgg19", "layers": "vgg19 relu1_1", "source": "vgg.pth"}
    assert run(command) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "said"), [("a.safetensors", "No trained weights of vgg19"), ("a.pth", ".safetensors")]
)
def test_export_error_is_one_line_without_file(run, capsys, output, said):
    assert run(["vgg19 relu1_1", output]) == 2
    assert said in capsys.readouterr().err
    assert not Path(output).exists()
