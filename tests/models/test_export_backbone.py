"""data_scripts/export_backbone.py: the file is written, or one sentence says why not."""

from pathlib import Path

import pytest
import torch

from srlab.base import files
from tests.conftest import load_script

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "export_backbone.py"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys, hub):
    """Run the script with an empty cache of torch beside the first layer of a VGG; gives its exit code and its line."""
    monkeypatch.chdir(tmp_path)
    weights = {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}
    torch.save(weights, tmp_path / "vgg.pth")

    def run(*arguments: str) -> tuple[int, str]:
        code, said = load_script(SCRIPT).main(arguments), capsys.readouterr()
        assert (said.out + said.err).count("\n") == 1
        return code, said.out + said.err

    return run


def test_the_layers_asked_for_are_written_under_torchvisions_names(call, tmp_path):
    assert call("vgg19 relu1_1", "--backbone", "vgg.pth", "small.safetensors") == (0, "small.safetensors\n")
    tensors, notes = files.read_safetensors(tmp_path / "small.safetensors")
    assert sorted(tensors) == ["features.0.bias", "features.0.weight"]
    assert notes == {"network": "vgg19", "layers": "vgg19 relu1_1", "source": "vgg.pth"}  # and no folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vgg19 relu1_1", "a.safetensors"), "There are no trained weights of vgg19 here"),
        (("vgg19 relu1_1", "a.safetensors", "--backbone", "random"), "There are no trained weights of vgg19 here"),
        (("resnet18 block9", "a.safetensors"), "resnet18 has no layer 'block9'; its layers are"),
        (("vgg19 relu1_1", "a.pth"), "written as .safetensors, but the file is called a.pth"),
        (("vgg19 relu1_1", "a.safetensors", "--backbone", "gone.pth"), "There is no weights file gone.pth"),
        (("vgg19 relu1_1", "vgg.pth/a.safetensors", "--backbone", "vgg.pth"), "Could not write vgg.pth/a.safetensors"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(call, tmp_path, arguments, said):
    code, found = call(*arguments)
    assert (code, found.partition(": ")[0]) == (2, "export_backbone")
    assert said in found
    assert [file.name for file in tmp_path.glob("*.*")] == ["vgg.pth"]


def test_nothing_is_written_over(call, tmp_path):
    (tmp_path / "a.safetensors").write_text("mine")
    assert "a.safetensors exists already" in call("resnet18 norm1", "a.safetensors")[1]
    assert (tmp_path / "a.safetensors").read_text() == "mine"
