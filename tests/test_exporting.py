"""Exported networks give PyTorch's result in onnxruntime, and a run's RRDBNet in spandrel."""

import sys
from pathlib import Path

import pytest
import torch
from spandrel import ModelLoader
from torch import nn

import srlab
from srlab import exporting
from srlab.cli.main import main
from srlab.errors import SrlabError
from srlab.models import MSRResNet, RRDBNet, SRResNet
from tests.conftest import leave_run

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `export`")

SIZES = [(33, 70), (1, 5), (64, 51)]


def network(kind, *size):
    torch.manual_seed(0)
    net = kind(*size).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
    return net


def run_onnx(path, lr):
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["sr"], {"lr": lr.numpy()})[0])


def test_onnx_matches_pytorch_at_any_size_and_leaves_the_network(tmp_path):
    net = network(SRResNet, 1, 8, 3).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    path = srlab.export(net, tmp_path / "net.onnx")
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    net.eval()
    for batch, size in enumerate(SIZES, 1):
        lr = torch.rand(batch, 3, *size)
        with torch.no_grad():
            torch.testing.assert_close(run_onnx(path, lr), net(lr), atol=1e-4, rtol=0)


def test_onnx_of_command_has_metadata(tmp_path, capsys):
    assert main(["export", "msrresnet", str(tmp_path / "net.onnx")]) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(tmp_path / "net.onnx")
    notes = {entry.key: entry.value for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert (notes["scale"], notes["colors"], notes["range"]) == ("4", "RGB", "0 to 1")
    assert (notes["license"], notes["source"]) == ("MIT", "msrresnet")


@pytest.mark.filterwarnings("ignore")
def test_spandrel_loads_rrdbnet(tmp_path):
    net = network(RRDBNet, 1, 16, 32)
    found = ModelLoader("cpu").load_from_file(srlab.export(net, tmp_path / "net.safetensors"))
    lr = torch.rand(1, 3, 20, 17)
    assert found.architecture.name == "ESRGAN"
    with torch.no_grad():
        torch.testing.assert_close(found(lr), net(lr).clamp(0, 1), atol=1e-4, rtol=0)


class Branches(nn.Module):
    """A network whose code depends on the size of the image."""

    def __init__(self, decide):
        super().__init__()
        self.decide, self.config = decide, {"scale": 4}
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, lr):
        larger = nn.functional.interpolate(lr * self.weight, scale_factor=4)
        return 1 - larger if self.decide(lr.shape[-2], lr.shape[-1]) else larger


def test_network_that_depends_on_the_size_is_rejected(tmp_path):
    with pytest.raises(SrlabError, match="Branches cannot be exported as ONNX: the file"):
        srlab.export(Branches(lambda height, width: height > 32), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_network_that_depends_on_the_number_of_images_takes_one(tmp_path):
    class Mean(Branches):
        def forward(self, lr):
            larger = super().forward(lr)
            return larger / 2 if len(lr) > 1 else larger

    path = srlab.export(Mean(lambda height, width: False), tmp_path / "net.onnx")
    (given,) = onnx.load(path).graph.input
    assert given.type.tensor_type.shape.dim[0].dim_value == 1


def test_file_is_for_old_runtimes_and_without_private_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "anna" / "secret"))
    run = leave_run("01_srresnet", "mine", 1)
    run.save_generator(MSRResNet(1, 4, 2), 1)
    path = srlab.export(run.path / "generator.safetensors", tmp_path / "net.onnx")
    model = onnx.load(path)
    assert model.ir_version <= 9  # the newest of onnxruntime 1.17
    axes = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in model.graph.input]
    assert [names[2:] for names in axes] == [["height", "width"]]
    content = path.read_bytes()
    assert not any(word in content for word in (b"anna", b"secret", b".py", b"site-packages"))
    assert {entry.key: entry.value for entry in model.metadata_props}["source"] == "./generator.safetensors"


def test_license_and_source_are_those_of_the_loaded_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = leave_run("01_srresnet", "srgan", 1)
    run.save_generator(MSRResNet(1, 4, 2), 1)
    Path("srgan").write_bytes((run.path / "generator.safetensors").read_bytes())
    found = []
    monkeypatch.setattr(exporting, "_onnx", lambda net, *notes: found.append((net.config["scale"], *notes)) or b"")
    for typed in ("srgan", "./srgan", Path("srgan"), run.path, "01_srresnet/srgan"):
        srlab.export(typed, "net.onnx", force=True)
    terms = exporting.NOT_STATED
    assert found == [(4, "srgan", "MIT"), *[(2, "./srgan", terms)] * 3, (2, "01_srresnet/srgan", terms)]


@pytest.mark.parametrize(
    ("net", "name", "words"),
    [
        ("msrresnet", "net.pt2", r"format of net\.pt2 is unknown"),
        ("msrresnet", "net.safetensors", r"spandrel cannot load MSRResNet of msrresnet \(it does not recognize"),
        (MSRResNet(1, 4, 4), "there.onnx", r"there\.onnx already exists"),
    ],
)
def test_export_rejects(net, name, words, tmp_path):
    (tmp_path / "there.onnx").touch()
    with pytest.raises(SrlabError, match=words):
        srlab.export(net, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SrlabError, match="pip install onnx onnxruntime onnxscript"):
        srlab.export(network(MSRResNet, 1, 4, 4), tmp_path / "net.onnx")
