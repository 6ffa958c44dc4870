"""Test Real-ESRGAN's compact network: its layers are the published ones, and its weights are read from the package."""

import struct

import pytest
import torch
from spandrel import ModelLoader
from torch import nn

import srlab
from srlab.errors import SrlabError
from srlab.models import compact, realesrgan
from tests.models.published import same, write_package


def small():
    return srlab.CompactNet(num_blocks=2, num_features=4)


@pytest.fixture
def network():
    torch.manual_seed(1)
    network = small()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3).data = parameter.data.half().float()
    return network


@pytest.fixture
def package(network, tmp_path, monkeypatch):
    """Create the ``.bin`` of a package with that name and a small network."""
    data = b""  # as ncnn stores it
    for layer in network.body:
        values = [parameter.detach().flatten().tolist() for parameter in layer.parameters()]
        if isinstance(layer, nn.Conv2d):
            data += struct.pack(f"<I{len(values[0])}e{len(values[1])}f", 0x01306B47, *values[0], *values[1])
        else:
            data += struct.pack(f"<{len(values[0])}f", *values[0])
    path = write_package(tmp_path, compact.FILE, data, monkeypatch)
    monkeypatch.setattr(compact, "CompactNet", small)
    monkeypatch.setattr(compact, "SHA256", realesrgan.hashlib.sha256(data).hexdigest())
    return path


def test_published_weights_upscale_handwriting():
    if srlab.find_compact() is None:
        pytest.skip(f"needs {realesrgan.PACKAGE}. Run make realesrgan")
    network = srlab.load_compact()
    hr = srlab.mod_crop(srlab.bundled_photos("validation")["text"], 4)
    lr = srlab.downsample(hr, 4)
    gain = srlab.psnr(srlab.upscale(network, lr), hr) - srlab.psnr(srlab.upsample(lr, 4), hr)
    assert gain.item() > 1.5


def test_layers_are_those_that_spandrel_builds():
    torch.manual_seed(0)
    ours = srlab.CompactNet(num_blocks=3, num_features=8, scale=2).eval()
    theirs = ModelLoader("cpu").load_from_state_dict(ours.state_dict())
    assert (theirs.architecture.name, theirs.scale) == ("RealESRGAN Compact", 2)
    lr = torch.rand(1, 3, 7, 9)
    with torch.no_grad():
        assert torch.allclose(theirs.model(lr), ours(lr), atol=1e-6)


def test_radius_covers_all_pixels_that_matter():
    network = srlab.CompactNet(num_blocks=2, num_features=4)
    lr = torch.rand(1, 3, 21, 21, requires_grad=True)
    network(lr)[0, 0, 42, 42].backward()
    rows = lr.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert max(10 - rows.min(), rows.max() - 10) == network.radius


def test_weights_are_read_layer_by_layer_without_rng(package, network):
    assert srlab.find_compact() == package
    state = torch.get_rng_state()
    found = srlab.load_compact()
    assert torch.equal(torch.get_rng_state(), state)
    assert same(found, network)
    assert not found.training


def test_changed_file_is_rejected(package):
    package.write_bytes(package.read_bytes()[:-1])
    with pytest.raises(SrlabError, match=f"damaged .*{realesrgan.PACKAGE}"):
        srlab.load_compact()


def test_original_file_is_used_without_package(package, network, tmp_path, monkeypatch):
    monkeypatch.setattr(realesrgan, "find_spec", lambda name: None)
    assert srlab.find_compact() is None
    with pytest.raises(SrlabError, match=f"compact network are not on this computer.*{compact.AUTHORS_FILE}"):
        srlab.load_compact()
    path = tmp_path / "data" / compact.AUTHORS_FILE
    path.parent.mkdir()
    torch.save({"params": network.state_dict()}, path)
    assert same(srlab.load_compact(), network)
