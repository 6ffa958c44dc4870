"""Published weights of RRDBNet: three namings, sizes from shapes alone, and an independent implementation."""

import re

import pytest
import spandrel
import torch
from safetensors.torch import save_file

from srlab.base.errors import SrlabError
from srlab.models import RRDBNet
from srlab.models.published import read_rrdbnet
from srlab.models.weights import read_generator

SIZES = [
    {"blocks": 2, "features": 16, "growth": 8, "scale": 4},
    {"blocks": 3, "features": 8, "growth": 4, "scale": 2},
    {"blocks": 1, "features": 8, "growth": 8, "scale": 8},
]


def network(**size):
    torch.manual_seed(0)
    net = RRDBNet(**size)
    for parameter in net.parameters():  # biases too, and as large as those of trained networks
        torch.nn.init.normal_(parameter, std=0.1)
    return net.eval()


def released(name):
    """Name in the ESRGAN release."""
    name = re.sub(r"body\.(\d+)\.rdb", r"RRDB_trunk.\1.RDB", name)
    for ours, theirs in (("conv_body", "trunk_conv"), ("conv_hr", "HRconv"), ("conv_up", "upconv")):
        name = name.replace(ours, theirs)
    return name


def older(name, size):
    """Name in the older release: one long list, with activations and enlargements between."""
    steps = {2: 1, 4: 2, 8: 3}[size["scale"]]
    places = {"conv_first": 0, "conv_hr": 2 + 3 * steps, "conv_last": 4 + 3 * steps}
    places |= {f"conv_up{i + 1}": 3 + 3 * i for i in range(steps)}
    if found := re.match(r"body\.(\d+)\.rdb(\d)\.(conv\d)\.(\w+)", name):
        return "model.1.sub.{}.RDB{}.{}.0.{}".format(*found.groups())
    layer, kind = name.split(".")
    return f"model.1.sub.{size['blocks']}.{kind}" if layer == "conv_body" else f"model.{places[layer]}.{kind}"


NAMINGS = {"basicsr": lambda name, size: name, "release": lambda name, size: released(name), "older": older}


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"x{size['scale']}")
def test_weights_in_every_naming_give_the_network_they_came_from(tmp_path, size, naming):
    net = network(**size)
    weights = {NAMINGS[naming](name, size): value for name, value in net.state_dict().items()}
    assert len(weights) == len(net.state_dict())
    torch.save(weights, tmp_path / "net.pth")
    found = read_rrdbnet(tmp_path / "net.pth")
    assert found.config == net.config
    assert not found.training
    lr = torch.rand(1, 3, 12, 10)
    assert torch.equal(found(lr), net(lr))


@pytest.mark.parametrize("naming", ["release", "older"])
def test_the_same_file_gives_the_same_picture_in_an_independent_implementation(tmp_path, naming):
    size = {"blocks": 2, "features": 16, "growth": 32, "scale": 4}  # there the growth is always 32
    net = network(**size)
    weights = {NAMINGS[naming](name, size): value for name, value in net.state_dict().items()}
    torch.save(weights, tmp_path / "net.pth")
    theirs = spandrel.ModelLoader().load_from_state_dict(dict(weights))
    assert theirs.architecture.name == "ESRGAN"
    lr = torch.rand(1, 3, 20, 16)
    with torch.no_grad():
        ours = read_rrdbnet(tmp_path / "net.pth")(lr)
        assert (ours - theirs.model(lr)).abs().max() < 1e-5 * ours.abs().max()


def test_files_of_basicsr_wrap_their_weights_and_the_averaged_ones_are_taken(tmp_path):
    net, last = network(**SIZES[0]), RRDBNet(**SIZES[0])
    torch.save({"params": last.state_dict(), "params_ema": net.state_dict()}, tmp_path / "both.pth")
    torch.save({"params": last.state_dict()}, tmp_path / "one.pth")
    for file, wanted in (("both.pth", net), ("one.pth", last)):
        found = read_generator(tmp_path / file)
        assert all(torch.equal(value, wanted.state_dict()[name]) for name, value in found.state_dict().items())


def test_the_narrow_fusion_of_esrdgan_is_seen_in_the_shapes(tmp_path):
    net = network(**SIZES[0], fusion=1)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    assert read_rrdbnet(tmp_path / "net.safetensors").config["fusion"] == 1


def broken(weights, naming):
    match naming:
        case "missing":
            del weights["body.1.rdb2.conv3.bias"]
        case "surplus":
            weights["body.0.attention.weight"] = torch.zeros(3)
        case "shape":
            weights["conv_hr.weight"] = torch.zeros(16, 16, 1, 1)
        case "nan":
            weights["conv_last.bias"][1] = torch.nan
        case "unshuffle":
            weights["conv_first.weight"] = torch.zeros(16, 12, 3, 3)
        case "other":
            weights = {"features.0.weight": torch.zeros(64, 3, 3, 3)}
    return weights


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("missing", "'body.1.rdb2.conv3.bias' is missing"),
        ("surplus", "has 'body.0.attention.weight', which RRDBNet has not"),
        ("shape", "'conv_hr.weight' has shape \\(16, 16, 1, 1\\)"),
        ("nan", "NaN or infinity in 'conv_last.bias'"),
        ("unshuffle", "from 12 to 3 channels"),
        ("other", "holds no weights of an RRDBNet"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_sentence(tmp_path, what, words):
    weights = broken(dict(network(**SIZES[0]).state_dict()), what)
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(SrlabError, match=words):
        read_generator(tmp_path / "net.pth")


def test_a_file_cut_short_is_named(tmp_path):
    torch.save(network(**SIZES[0]).state_dict(), tmp_path / "net.pth")
    (tmp_path / "net.pth").write_bytes((tmp_path / "net.pth").read_bytes()[:5000])
    with pytest.raises(SrlabError, match=r"net\.pth is damaged or cut short"):
        read_generator(tmp_path / "net.pth")
