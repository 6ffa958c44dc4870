"""Test networks from published weights: ESRGAN, others that spandrel supports, and errors."""

import importlib

import pytest
import spandrel
import torch
from safetensors.torch import save_file

from srlab.errors import SrlabError
from srlab.models import MSRResNet, RRDBNet
from srlab.models.backbones import load_weights
from srlab.models.loading import load_generator_file
from srlab.tiling import precision_of, upscale

SIZE = {"num_blocks": 2, "num_features": 16, "growth": 32}  # the growth is always 32 there


def network(**size):
    torch.manual_seed(0)
    net = RRDBNet(**size)
    for parameter in net.parameters():  # including biases, as large as in trained networks
        torch.nn.init.normal_(parameter, std=0.1)
    return net.eval()


@pytest.mark.parametrize("scale", [2, 4])
def test_esrgan_weights_match_our_rrdbnet(tmp_path, scale):
    net = network(**SIZE, scale=scale)
    names = [f"module.{name}" for name in net.state_dict()]  # of a network that was trained on several GPUs
    torch.save(dict(zip(names, net.state_dict().values(), strict=True)), tmp_path / "net.pth")
    found, lr = load_generator_file(tmp_path / "net.pth"), torch.rand(1, 3, 20, 16)
    assert (found.config["scale"], found.training) == (scale, False)
    with torch.no_grad():
        torch.testing.assert_close(found.network(lr), net(lr), atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("wrapper", ["params_ema", "params", "state_dict"])
def test_wrapped_weights_are_found_and_ema_is_preferred(tmp_path, wrapper):
    weights = {"a.weight": torch.ones(2)}
    others = {"epoch": 3} | ({"params": {"a.weight": torch.zeros(2)}} if wrapper == "params_ema" else {})
    torch.save(others | {wrapper: weights}, tmp_path / "net.pth")
    assert torch.equal(load_weights(tmp_path / "net.pth")["a.weight"], weights["a.weight"])


# --- other people's networks ---

SWIN = {"embed_dim": 12, "num_heads": [2], "upscale": 4, "depths": [2], "window_size": 8}
SPAN = {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8}
# Architecture -> scale, and small sizes: only convolutions, one that overwrites its input, one for x8, and one with
# window attention.
OTHERS = {
    "Compact": (2, {"num_feat": 8, "num_conv": 2, "upscale": 2}),
    "RCAN": (2, {"scale": 2, "n_resgroups": 1, "n_resblocks": 1, "n_feats": 16}),
    "SPAN": (8, SPAN | {"upscale": 8}),
    "SwinIR real": (4, SWIN | {"upsampler": "nearest+conv"}),
}


def theirs(name, sizes):
    module = name.split()[0]
    torch.manual_seed(0)
    return getattr(importlib.import_module(f"spandrel.architectures.{module}"), module)(**sizes).eval()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "scale", "sizes"), [(name, *value) for name, value in OTHERS.items()], ids=OTHERS)
def test_spandrel_networks_upscale_any_size(name, scale, sizes, tmp_path):
    net = theirs(name, sizes)
    save_file({key: value.clone() for key, value in net.state_dict().items()}, tmp_path / "net.safetensors")
    found = load_generator_file(tmp_path / "net.safetensors")
    assert found.config["scale"] == scale
    lr = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = spandrel.ModelLoader().load_from_state_dict(net.state_dict())(lr.clone())
        given = lr.clone()
        torch.testing.assert_close(found(given), wanted, atol=1e-5, rtol=1e-5)
    assert torch.equal(given, lr)  # RCAN would overwrite it
    assert upscale(found, lr[..., :21, :25], tile=16).shape == (1, 3, 21 * scale, 25 * scale)
    assert upscale(found, lr[..., :1, :3]).shape == (1, 3, scale, 3 * scale)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "precision"), [("Compact", "bf16"), ("SwinIR real", "fp32")])
def test_tiles_have_no_seams_and_fragile_networks_use_float32(name, precision, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_PRECISION", "bf16")
    torch.save({"params_ema": theirs(name, OTHERS[name][1]).state_dict()}, tmp_path / "net.pth")
    found = load_generator_file(tmp_path / "net.pth")
    assert precision_of(found, "auto") == precision
    lr = torch.rand(1, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    assert (upscale(found, lr, tile=64) - upscale(found, lr)).abs().max() < 0.5 / 255


# --- rejected files


def compact(**size):
    return theirs("Compact", {"num_feat": 8, "num_conv": 2} | size).state_dict()


ESRGAN = network(**SIZE).state_dict()
REFUSED = {
    "shape": (ESRGAN | {"conv_hr.weight": torch.zeros(16, 16, 1, 1)}, "do not fit the network"),
    "other": (MSRResNet(1, 4).state_dict(), "does not contain a network that spandrel supports. .* run folder"),
    "restoration": (compact(upscale=1), "for Restoration"),
    "scale": (compact(upscale=5), "x5, .* scale of 2, 3, 4, 8"),
    "gray": (compact(num_in_ch=1, num_out_ch=1), "from 1 to 1 channels"),
}


@pytest.mark.parametrize(("weights", "words"), REFUSED.values(), ids=REFUSED)
def test_unsupported_file_is_rejected_in_one_line(tmp_path, weights, words):
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(SrlabError, match=rf"net\.pth .*{words}") as caught:
        load_generator_file(tmp_path / "net.pth")
    assert "\n" not in str(caught.value)


def test_content_decides_not_the_ending(tmp_path):
    weights = {name: value.clone() for name, value in RRDBNet(1, 8, 32).state_dict().items()}
    save_file(weights, tmp_path / "downloaded.pth")
    torch.save(weights, tmp_path / "saved.safetensors")
    one, other = (load_generator_file(tmp_path / name) for name in ("downloaded.pth", "saved.safetensors"))
    lr = torch.rand(1, 3, 9, 8)
    assert torch.equal(one(lr), other(lr))
