"""data_scripts/export_backbone.py: a small file that serves the layers it was made for, or one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torchvision import models

from srlab import FeatureExtractor
from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.models import pretrained as backbones
from srlab.models.features import export
from tests.conftest import load_script

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "export_backbone.py"
IMAGE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def main():
    """The function of the script."""
    return load_script(SCRIPT).main


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of torch, and no download."""

    def refuse(*_, **__):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture(scope="module")
def resnet(tmp_path_factory) -> Path:
    """The whole state dict of a ResNet18, as torchvision publishes it."""
    file = tmp_path_factory.mktemp("weights") / "resnet18-whole.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(models.resnet18().state_dict(), file)
    return file


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "small.safetensors"


def test_the_file_has_the_layers_asked_for_under_torchvisions_names_and_no_more(main, resnet, output, capsys):
    assert main(["resnet18 conv1 block1", "--backbone", str(resnet), str(output)]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    written, whole = load_file(output), torch.load(resnet, weights_only=True)
    assert {name.rpartition(".")[0] for name in written} == {
        *("conv1", "bn1", "layer1.0.conv1", "layer1.0.bn1", "layer1.0.conv2", "layer1.0.bn2")
    }
    assert all(torch.equal(value, whole[name]) for name, value in written.items())
    assert output.stat().st_size < resnet.stat().st_size / 100


def test_vgg_keeps_the_word_features_in_its_names(output, tmp_path):
    shapes = {"0.weight": (64, 3, 3, 3), "0.bias": (64,), "2.weight": (64, 64, 3, 3), "2.bias": (64,)}
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, tmp_path / "features.pth")
    export("vgg19 relu1_2", output, tmp_path / "features.pth")
    assert sorted(load_file(output)) == [f"features.{place}.{kind}" for place in (0, 2) for kind in ("bias", "weight")]


def test_the_notes_say_what_it_is_and_where_from_but_no_folder(main, resnet, output):
    main(["resnet18 conv1 block3", str(output), "--backbone", str(resnet)])
    notes = files.read_safetensors(output)[1]
    assert notes == {"network": "resnet18", "last_layer": "block3", "source": "resnet18-whole.pth"}


def test_it_works_as_a_backbone_for_its_layers_and_earlier_ones(resnet, output):
    export("resnet18 block4", output, resnet)
    for layers in ("resnet18 block4", "resnet18 relu1 stage1"):
        small, whole = (FeatureExtractor(layers, backbone=file)(IMAGE) for file in (output, resnet))
        assert all(torch.equal(small[name], whole[name]) for name in whole)
    judge = FeatureExtractor("resnet18 block4", backbone=str(output))
    assert (judge.real, judge.label) == (True, "resnet18 block4")
    with pytest.raises(SrlabError, match=r"small\.safetensors ends before the layer asked for.* up to block4"):
        FeatureExtractor("resnet18 block5", backbone=output)


def test_a_stage_that_was_left_out_is_not_in_the_file(resnet, output):
    export("resnet18 -stage1 block4", output, resnet)
    assert not any(name.startswith("layer1.") for name in load_file(output))
    found, expected = (FeatureExtractor("resnet18 -stage1 block4", file)(IMAGE)["block4"] for file in (output, resnet))
    assert torch.equal(found, expected)
    with pytest.raises(SrlabError, match=r"'layer1\.0\.conv1\.weight' is missing"):
        FeatureExtractor("resnet18 block4", output)


def test_an_export_can_be_cut_again_and_equal_weights_give_equal_files(resnet, output, tmp_path):
    export("resnet18 block4", output, resnet)
    for name in ("a", "b"):
        export("resnet18 block2", tmp_path / f"{name}.safetensors", output)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert FeatureExtractor("resnet18 block2", tmp_path / "a.safetensors").real


def test_the_file_of_another_network_is_refused_though_all_names_and_shapes_fit(resnet, output):
    export("resnet18 block2", output, resnet)
    with pytest.raises(SrlabError, match="has weights of resnet18, not of resnet34"):
        FeatureExtractor("resnet34 block2", output)


def test_a_flipped_byte_anywhere_in_the_numbers_is_refused(resnet, output):
    export("resnet18 norm1", output, resnet)
    content = output.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for place in (start, (start + len(content)) // 2, len(content) - 1):
        broken = bytearray(content)
        broken[place] ^= 1
        output.write_bytes(broken)
        with pytest.raises(SrlabError, match=r"small\.safetensors is damaged"):
            FeatureExtractor("resnet18 norm1", output)
        with pytest.raises(SrlabError, match=r"small\.safetensors is damaged"):
            backbones.load_weights(output)
    for length in (0, 7, start // 2, len(content) - 1):
        output.write_bytes(content[:length])
        with pytest.raises(SrlabError, match=r"small\.safetensors is damaged"):
            FeatureExtractor("resnet18 norm1", output)


def test_a_changed_note_is_refused(resnet, output):
    export("resnet18 norm1", output, resnet)
    output.write_bytes(output.read_bytes().replace(b"resnet18-whole", b"resnet18-other"))
    with pytest.raises(SrlabError, match="is damaged"):
        FeatureExtractor("resnet18 norm1", output)


def test_safetensors_of_other_programs_have_no_hash_and_are_taken(resnet, output):
    from safetensors.torch import save_file

    save_file(torch.load(resnet, weights_only=True), output, {"format": "pt"})
    assert FeatureExtractor("resnet18 block1", output).real


# --- Refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", ["auto", "random"])
def test_random_weights_are_not_exported(main, output, capsys, backbone):
    assert main(["vgg19 conv1_1", str(output), "--backbone", backbone]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("export_backbone: There are no trained weights of vgg19 here")
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert not output.exists()


def test_an_existing_output_is_left_as_it_is(main, resnet, output, capsys):
    output.write_text("mine")
    assert main(["resnet18 block1", "--backbone", str(resnet), str(output)]) == 2
    assert f"{output} exists already" in capsys.readouterr().err
    assert output.read_text() == "mine"


@pytest.mark.parametrize(
    ("layers", "name", "backbone", "said"),
    [
        ("resnet18 block9", "a.safetensors", "auto", "resnet18 has no layer 'block9'; its layers are"),
        ("resnet18 block1", "a.pth", "auto", "written as .safetensors, but the file is called"),
        ("resnet18 block1", "a.safetensors", "gone.pth", "There is no weights file gone.pth"),
    ],
)
def test_other_mistakes_are_one_sentence_and_leave_nothing(main, tmp_path, capsys, layers, name, backbone, said):
    assert main([layers, str(tmp_path / name), "--backbone", backbone]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert found.count("\n") == 1
    assert list(tmp_path.glob("*.*")) == []


def test_a_folder_that_cannot_be_written_is_said(main, resnet, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    target = tmp_path / "file" / "a.safetensors"
    assert main(["resnet18 norm1", str(target), "--backbone", str(resnet)]) == 2
    assert f"Could not write {target}" in capsys.readouterr().err


def test_the_script_runs_from_anywhere_with_its_exit_code(tmp_path):
    (tmp_path / "a.safetensors").write_text("mine")
    command = [sys.executable, str(SCRIPT), "resnet18 norm1", "a.safetensors"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == "export_backbone: a.safetensors exists already; delete it or choose another name.\n"
    assert done.returncode == 2
