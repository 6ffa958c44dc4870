"""Test networks from published weights: ESRGAN, others that spandrel supports, and errors."""

import importlib

import pytest
import spandrel
import torch
from safetensors.torch import save_file

from srlab.errors import SrlabError
from srlab.models import MSRResNet, RRDBNet
from srlab.models.loading import load_generator_file
from srlab.tiling import precision_of, upscale

pytestmark = pytest.mark.filterwarnings("ignore")


def esrgan(scale=4):
    torch.manual_seed(0)
    network = RRDBNet(num_blocks=2, num_features=16, growth=32, scale=scale)  # the growth is always 32 there
    for parameter in network.parameters():  # including biases, as large as in trained networks
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@pytest.mark.parametrize(("scale", "save"), [(2, torch.save), (4, save_file)])
def test_esrgan_weights_match_our_rrdbnet(tmp_path, scale, save):
    network, lr = esrgan(scale), torch.rand(1, 3, 20, 16)
    # as trained on several GPUs; the content decides on the format, whatever the name
    save({f"module.{name}": value.clone() for name, value in network.state_dict().items()}, tmp_path / "net.pth")
    found = load_generator_file(tmp_path / "net.pth")
    assert (found.config["scale"], found.training) == (scale, False)
    with torch.no_grad():
        torch.testing.assert_close(found.network(lr), network(lr), atol=1e-3, rtol=1e-5)


def theirs(name, **sizes):
    torch.manual_seed(0)
    return getattr(importlib.import_module(f"spandrel.architectures.{name}"), name)(**sizes).eval()


# Small sizes, scale and precision: only convolutions, one that overwrites its input, one with window attention.
OTHERS = {
    "Compact": ({"num_feat": 8, "num_conv": 2, "upscale": 2}, 2, "bf16"),
    "RCAN": ({"scale": 2, "n_resgroups": 1, "n_resblocks": 1, "n_feats": 16}, 2, "fp32"),
    "SwinIR": (
        {"embed_dim": 12, "num_heads": [2], "upscale": 4, "depths": [2], "window_size": 8, "upsampler": "nearest+conv"},
        4,
        "fp32",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_spandrel_networks_upscale_any_size_without_seams(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_PRECISION", "bf16")
    sizes, scale, precision = OTHERS[name]
    network = theirs(name, **sizes)
    torch.save({"params_ema": network.state_dict()}, tmp_path / "net.pth")
    found = load_generator_file(tmp_path / "net.pth")
    assert (found.config["scale"], precision_of(found, "auto")) == (scale, precision)
    lr = torch.rand(1, 3, 96, 40, generator=torch.Generator().manual_seed(0))
    kept = lr.clone()
    with torch.no_grad():
        wanted = spandrel.ModelLoader().load_from_state_dict(network.state_dict())(lr.clone())
        torch.testing.assert_close(found(lr), wanted, atol=1e-5, rtol=1e-5)
    assert torch.equal(lr, kept)  # RCAN would overwrite it
    assert (upscale(found, lr, tile=32) - upscale(found, lr)).abs().max() < 0.5 / 255
    assert upscale(found, lr[..., :1, :3]).shape == (1, 3, scale, 3 * scale)


def compact(**size):
    return theirs("Compact", **{"num_feat": 8, "num_conv": 2} | size).state_dict()


ESRGAN = esrgan().state_dict()
REFUSED = {
    "shape": (ESRGAN | {"conv_hr.weight": torch.zeros(16, 16, 1, 1)}, "do not fit the network"),
    "other": (MSRResNet(1, 4).state_dict(), "does not contain a network that spandrel supports. .* run folder"),
    "restoration": (compact(upscale=1), "for Restoration"),
    "scale": (compact(upscale=5), "x5, .* scale of 2, 3, 4, 8"),
    "gray": (compact(num_in_ch=1, num_out_ch=1), "from 1 to 1 channels"),
}


@pytest.mark.parametrize(("weights", "words"), REFUSED.values(), ids=REFUSED)
def test_unsupported_file_is_rejected(tmp_path, weights, words):
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(SrlabError, match=rf"net\.pth .*{words}"):
        load_generator_file(tmp_path / "net.pth")
