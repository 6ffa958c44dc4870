"""data_scripts/export_backbone.py: the file is written, or one sentence says why not."""

from pathlib import Path

import pytest
import torch

from srlab import files
from tests.conftest import load_script

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "export_backbone.py"


def test_the_layers_asked_for_are_written_under_torchvisions_names_and_over_nothing(tmp_path, monkeypatch, capsys, hub):
    monkeypatch.chdir(tmp_path)
    weights = {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}
    torch.save(weights, "vgg.pth")
    command = ["vgg19 relu1_1", "--backbone", "vgg.pth", "small.safetensors"]
    main = load_script(SCRIPT).main
    assert main(command) == 0
    assert capsys.readouterr().out == "small.safetensors\n"
    tensors, notes = files.read_safetensors(tmp_path / "small.safetensors")
    assert tensors.keys() == weights.keys()
    assert notes == {"network": "vgg19", "layers": "vgg19 relu1_1", "source": "vgg.pth"}  # and no folder
    assert main(command) == 2
    assert "small.safetensors exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vgg19 relu1_1", "a.safetensors"), "There are no trained weights of vgg19 here"),
        (("resnet18 block9", "a.safetensors"), "resnet18 has no layer 'block9'; its layers are"),
        (("vgg19 relu1_1", "a.pth"), "written as .safetensors, but the file is called a.pth"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, capsys, hub, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert load_script(SCRIPT).main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("a.*"))
