"""Test Real-ESRGAN and its compact network: bit-exact weights from their package, or one sentence with a remedy."""

import hashlib
import struct
import sys
from pathlib import Path

import pytest
import torch
from spandrel import ModelLoader
from torch import nn

import srlab
from srlab.errors import SrlabError
from srlab.models import RRDBNet, compact, realesrgan
from srlab.models.loading import load_generator_file

REINSTALL = f"--force-reinstall --no-deps {realesrgan.PACKAGE}=={realesrgan.VERSION}"
# Module, name of the network's class in it, a small network, and the functions that find and load it.
KINDS = {
    "realesrgan": (realesrgan, "RRDBNet", lambda: RRDBNet(1, 4, 4), srlab.find_realesrgan, srlab.load_realesrgan),
    "compact": (compact, "CompactNet", lambda: srlab.CompactNet(2, 4), srlab.find_compact, srlab.load_compact),
}


def same(found, wanted):
    """Return whether two networks have equal weights."""
    theirs = wanted.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in found.state_dict().items())


class Scene:
    """A package with that name and a small network as ncnn stores it; the authors' file is missing."""

    def __init__(self, kind, folder, monkeypatch):
        module, name, small, self.find, self.load = KINDS[kind]
        torch.manual_seed(1)
        self.network, data = small(), b""
        for layer in self.network.modules():
            for parameter in layer.parameters(recurse=False):
                nn.init.normal_(parameter, std=0.1).data = parameter.data.half().float()
            values = [parameter.detach().flatten().tolist() for parameter in layer.parameters(recurse=False)]
            if isinstance(layer, nn.Conv2d):
                data += struct.pack(f"<I{len(values[0])}e{len(values[1])}f", 0x01306B47, *values[0], *values[1])
            elif values:
                data += struct.pack(f"<{len(values[0])}f", *values[0])
        self.path = folder / "packages" / realesrgan.PACKAGE.replace("-", "_") / "models" / module.FILE
        self.path.parent.mkdir(parents=True)
        self.path.write_bytes(data)
        (self.path.parents[1] / "__init__.py").write_text(
            "raise AssertionError('nothing of it is imported')", encoding="utf-8"
        )
        self.authors_file = folder / "data" / module.AUTHORS_FILE
        self.authors_file.parent.mkdir()
        monkeypatch.syspath_prepend(folder / "packages")
        monkeypatch.setenv("SRLAB_DATA", str(folder / "data"))
        monkeypatch.setattr(module, name, small)
        monkeypatch.setattr(module, "SHA256", hashlib.sha256(data).hexdigest())


@pytest.fixture(params=KINDS)
def scene(request, tmp_path, monkeypatch):
    return Scene(request.param, tmp_path, monkeypatch)


def test_weights_are_read_layer_by_layer_without_random_numbers(scene):
    state = torch.get_rng_state()
    found = scene.load()
    assert torch.equal(torch.get_rng_state(), state), "a lab's random numbers would depend on the package"
    assert scene.find() == scene.path
    assert same(found, scene.network)
    assert not found.training


def test_changed_file_is_rejected(scene):
    data = bytearray(scene.path.read_bytes())
    data[len(data) // 2] ^= 1
    scene.path.write_bytes(data)
    with pytest.raises(SrlabError, match=f"damaged .*{REINSTALL}"):
        scene.load()


@pytest.mark.parametrize(
    ("system", "python"), [("linux", "'/home/Ann B/python'"), ("win32", '& "/home/Ann B/python"'), ("darwin", "'/home")]
)
def test_command_can_be_pasted(system, python, monkeypatch):
    monkeypatch.setattr(realesrgan.sys, "platform", system)
    monkeypatch.setattr(realesrgan.sys, "executable", "/home/Ann B/python")
    assert realesrgan.install_command().startswith(python)


def test_original_file_is_used_without_package(scene, monkeypatch):
    monkeypatch.setattr(realesrgan, "find_spec", lambda name: None)
    assert scene.find() is None
    with pytest.raises(SrlabError, match=f"{REINSTALL} .*{scene.authors_file.name} into {scene.authors_file.parent}"):
        scene.load()
    torch.save({"params_ema": scene.network.state_dict()}, scene.authors_file)
    assert same(scene.load(), scene.network)
    torch.save({"params_ema": RRDBNet(1, 8, 4).state_dict()}, scene.authors_file)
    with pytest.raises(SrlabError, match="does not have the shape"):
        scene.load()


def test_name_is_known_whatever_the_folder_contains(tmp_path, monkeypatch):
    scene = Scene("realesrgan", tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("realesrgan").mkdir()
    assert same(load_generator_file("realesrgan"), scene.network)
    for name, words in (("realesrgn", "Did you mean realesrgan"), ("./realesrgan", r"generator\.safetensors")):
        with pytest.raises(SrlabError, match=words):
            load_generator_file(name)


def test_compact_network_has_the_layers_that_spandrel_builds():
    ours = srlab.CompactNet(num_blocks=3, num_features=8, scale=2).eval()
    theirs, lr = ModelLoader("cpu").load_from_state_dict(ours.state_dict()), torch.rand(1, 3, 7, 9)
    assert (theirs.architecture.name, theirs.scale) == ("RealESRGAN Compact", 2)
    with torch.no_grad():
        torch.testing.assert_close(theirs.model(lr), ours(lr), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_package_networks_upscale_handwriting(kind):
    *_, find, load = KINDS[kind]
    if find() is None:
        pytest.skip(f"needs {realesrgan.PACKAGE}. Run make realesrgan")
    hr = srlab.bundled_photos("validation")["text"][..., :64, :96]
    lr = srlab.downsample(hr, 4)
    gain = srlab.psnr(srlab.upscale(load(), lr), hr) - srlab.psnr(srlab.upsample(lr, 4), hr)
    assert gain.item() > 1
    assert not [name for name in sys.modules if name.startswith("sr_vulkan")]
