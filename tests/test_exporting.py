"""Exported networks give PyTorch's result in onnxruntime and spandrel."""

import sys

import pytest
import torch
from spandrel import ModelLoader
from torch import nn

import srlab
from srlab import exporting
from srlab.course.cli.main import main
from srlab.errors import SrlabError
from srlab.models import MSRResNet, RRDBNet, SRResNet

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `export`")

SIZES = [(37, 23), (1, 5), (64, 51)]


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


NETWORKS = {
    "MSRResNet": lambda: network(MSRResNet, 2, 8, 4),
    "SRResNet x3": lambda: network(SRResNet, 1, 8, 3),
    "RRDBNet": lambda: network(RRDBNet, 1, 8, 8),
    "bundled RRDB": lambda: srlab.load_bundled()["RRDB"],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_matches_pytorch_at_any_size(name, tmp_path):
    net = NETWORKS[name]()
    path = srlab.export(net, tmp_path / "net.onnx")
    for size in SIZES:
        lr = torch.rand(1, 3, *size)
        with torch.no_grad():
            torch.testing.assert_close(run_onnx(path, lr), net(lr), atol=1e-4, rtol=0)


def test_onnx_of_command_has_metadata(tmp_path, capsys):
    assert main(["export", "msrresnet", str(tmp_path / "net.onnx")]) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(tmp_path / "net.onnx")
    notes = {entry.key: entry.value for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert (notes["scale"], notes["colors"], notes["range"]) == ("4", "RGB", "0 to 1")
    assert (notes["license"], notes["source"]) == ("MIT", "msrresnet")


def test_half_precision_onnx_is_smaller(tmp_path):
    net = network(MSRResNet, 4, 32, 4)
    whole, half = (srlab.export(net, tmp_path / f"{half}.onnx", half=half) for half in (False, True))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    lr = torch.rand(1, 3, 20, 16)
    with torch.no_grad():
        assert (run_onnx(half, lr.half()).float() - net(lr)).abs().max() < 0.02
    assert next(net.parameters()).dtype == torch.float32


@pytest.mark.filterwarnings("ignore")
def test_spandrel_loads_exported_rrdbnet(tmp_path):
    net = network(RRDBNet, 1, 16, 32)
    path = srlab.export(net, tmp_path / "net.safetensors")
    found = ModelLoader("cpu").load_from_file(path)
    lr = torch.rand(1, 3, 20, 17)
    assert found.architecture.name == "ESRGAN"
    with torch.no_grad():
        torch.testing.assert_close(found(lr), net(lr).clamp(0, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("net", "name", "words"),
    [
        ("msrresnet", "net.pt2", r"format of net\.pt2 is unknown"),
        ("rrdb", "net.safetensors", r"cannot load RRDBNet with growth=16\. Export it as \.onnx"),
        (SRResNet(1, 4, 4), "net.safetensors", "No other program loads weights of SRResNet x4"),
        (MSRResNet(1, 4, 4), "net.safetensors", r"MSRResNet x4\. Export it as \.onnx"),
        (RRDBNet(1, 8, fusion=1), "net.safetensors", r"cannot load RRDBNet with fusion=1\. Export it as \.onnx"),
        (MSRResNet(1, 4, 4), "there.onnx", r"there\.onnx already exists"),
    ],
)
def test_export_rejects(net, name, words, tmp_path):
    (tmp_path / "there.onnx").touch()
    with pytest.raises(SrlabError, match=words):
        srlab.export(net, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]


def test_file_that_differs_is_not_written(tmp_path, monkeypatch):
    other, net = network(RRDBNet, 1, 8, 32), network(RRDBNet, 1, 8, 32)
    monkeypatch.setattr(exporting, "load_generator_file", lambda path: other)
    net.conv_last.bias.data += 0.1
    with pytest.raises(SrlabError, match=r"net\.safetensors would differ from RRDBNet by up to 0\.1"):
        srlab.export(net, tmp_path / "net.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SrlabError, match="pip install onnx onnxruntime onnxscript"):
        srlab.export(network(MSRResNet, 1, 4, 4), tmp_path / "net.onnx")
