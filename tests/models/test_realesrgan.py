"""Test Real-ESRGAN x4plus from its package: bit-exact weights, or one sentence with a remedy."""

import struct
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import srlab
from srlab.errors import SrlabError
from srlab.models import RRDBNet, realesrgan
from srlab.models.loading import load_generator_file
from tests.models.published import same, write_package

ANEW = f"--force-reinstall --no-deps {realesrgan.PACKAGE}=={realesrgan.VERSION}"


def test_package_network_upscales_photo(astronaut):
    file = srlab.find_realesrgan()
    if file is None or file.suffix != ".bin":
        pytest.skip(f"needs {realesrgan.PACKAGE}. Run make realesrgan")
    network, hr = srlab.load_realesrgan(), astronaut[..., 40:168, 160:288]
    assert not network.training
    assert not [name for name in sys.modules if name.startswith("sr_vulkan")]
    assert srlab.psnr(srlab.upscale(network, srlab.downsample(hr, 4)), hr).item() > 20


# --- with a similar package that has a small network: works anywhere


def small():
    return RRDBNet(num_blocks=1, num_features=4, growth=4)


@pytest.fixture
def network():
    torch.manual_seed(1)
    network = small()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1).data = parameter.data.half().float()
    return network


@pytest.fixture
def package(network, tmp_path, monkeypatch):
    """Create the ``.bin`` of a package with that name and a small network; the authors' file is missing."""
    data = b""  # as ncnn stores it
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            weight, bias = layer.weight.detach().flatten().tolist(), layer.bias.detach().tolist()
            data += struct.pack(f"<I{len(weight)}e{len(bias)}f", 0x01306B47, *weight, *bias)
    path = write_package(tmp_path, realesrgan.FILE, data, monkeypatch)
    monkeypatch.setattr(realesrgan, "RRDBNet", small)
    monkeypatch.setattr(realesrgan, "SHA256", realesrgan.hashlib.sha256(data).hexdigest())
    return path


def test_package_network_is_read_layer_by_layer_without_rng(package, network):
    assert srlab.find_realesrgan() == package
    state = torch.get_rng_state()
    found = srlab.load_realesrgan()
    assert torch.equal(torch.get_rng_state(), state), "a lab's random numbers would depend on the package"
    assert same(found, network)


def test_changed_file_is_rejected(package):
    data = package.read_bytes()
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    for content in (changed, data[:-1], b"", data + b"\0", data + data):
        package.write_bytes(content)
        with pytest.raises(SrlabError, match=ANEW):
            srlab.load_realesrgan()


def test_original_file_is_used_without_package(package, network, tmp_path, monkeypatch):
    monkeypatch.setattr(realesrgan, "find_spec", lambda name: None)
    assert srlab.find_realesrgan() is None
    path = tmp_path / "data" / "RealESRGAN_x4plus.pth"
    with pytest.raises(SrlabError, match=f"{ANEW} .*{path.name} into {path.parent}") as caught:
        load_generator_file("realesrgan")
    assert sys.executable in str(caught.value)
    path.parent.mkdir()
    torch.save({"params_ema": network.state_dict()}, path)
    assert same(load_generator_file("realesrgan"), network)
    torch.save({"params_ema": RRDBNet(1, 8, 4).state_dict()}, path)
    with pytest.raises(SrlabError, match="does not have the shape"):
        srlab.load_realesrgan()


def test_name_is_known_and_folder_takes_precedence(package, network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert same(load_generator_file("realesrgan"), network)
    Path("realesrgan").mkdir()
    for name, words in (("realesrgn", "Did you mean realesrgan"), ("realesrgan", r"generator\.safetensors")):
        with pytest.raises(SrlabError, match=words):
            load_generator_file(name)
