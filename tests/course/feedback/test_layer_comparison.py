"""Test the comparison of two networks: it marks the first row that differs, whatever the student called her layers."""

import pytest
import torch
from torch import nn

import srlab
import srlab_course as course
from srlab_course.material.six_drafts import MISTAKES, load_drafts, review

LR = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))


def filled(network):
    """Give the parameters of a network, in order, the same random numbers every time."""
    random = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3, generator=random)
    return network


class Mine(nn.Module):
    """The compact network with four convolutions of six channels, and other names."""

    def __init__(self):
        super().__init__()
        sizes = [(3, 6), (6, 6), (6, 6)]
        layers = [layer for a, b in sizes for layer in (nn.Conv2d(a, b, 3, padding=1), nn.PReLU(b))]
        self.main = nn.Sequential(*layers, nn.Conv2d(6, 48, 3, padding=1), nn.PixelShuffle(4))
        self.skip = nn.Upsample(scale_factor=4)

    def forward(self, lr):
        return self.main(lr) + self.skip(lr)


class Clipped(Mine):
    def forward(self, lr):
        return super().forward(lr).clamp(0, 0.1)


@pytest.fixture
def reference():
    return filled(srlab.CompactNet(2, 6))


def pad(conv, by):
    conv.padding = (by, by)


def marked(table):
    """Return the rows that are marked."""
    return list(table.index[table["first difference"] != ""])


def test_same_network_with_other_names_agrees(reference, capsys):
    table = course.compare_layers(filled(Mine()), reference, LR)
    assert capsys.readouterr().out == "No row differs.\n"
    assert marked(table) == []
    assert list(table["name"]) == [*(f"main.{place}" for place in range(8)), "skip", ""]
    assert set(table["differs by"]) == {"0"}


@pytest.mark.parametrize(
    ("change", "row", "cell"),
    [
        (lambda n: n.main[0].bias.data.add_(1), 1, ("differ by", "0, 1")),
        (lambda n: (pad(n.main[0], 0), pad(n.main[2], 2)), 1, ("output", "1×6×6×7, not 1×6×8×9")),
        (lambda n: n.main[3].weight.data.fill_(float("nan")), 4, ("differs by", "nan")),
        (lambda n: n.main.__setitem__(3, n.main[1]), 4, ("name", "main.1")),
        (lambda n: n.main.__setitem__(3, nn.PReLU()), 4, ("parameters", "1, not 6")),
        (lambda n: n.main.__setitem__(3, nn.LeakyReLU(0.1)), 4, ("yours", "LeakyReLU")),
        (lambda n: n.main.__delitem__(slice(4, 6)), 5, ("output", "1×48×8×9, not 1×6×8×9")),
        (lambda n: setattr(n, "skip", nn.Upsample(scale_factor=4, mode="bicubic")), 9, ("yours", "Upsample")),
        (lambda n: setattr(n, "__class__", Clipped), 10, ("yours", "whole network")),
    ],
)
def test_first_different_row_is_marked(change, row, cell, reference, capsys):
    network = filled(Mine())
    change(network)
    table = course.compare_layers(network, reference, LR)
    assert marked(table) == [row]
    assert table.loc[row, cell[0]] == cell[1]
    assert f"The first difference is in row {row}:\n  yours      " in capsys.readouterr().out


def test_settings_of_both_layers_are_printed(reference, capsys):
    network = filled(Mine())
    network.main[6].padding_mode = "reflect"
    course.compare_layers(network, reference, LR)
    same = "Conv2d(6, 48, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)"
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"  yours      main.6 {same}, padding_mode=reflect)",
        f"  reference  body.6 {same})",
    ]


def test_networks_stay_as_they_were():
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.LeakyReLU(0.1, inplace=True))
    other = nn.Sequential(network[0], network[1], nn.Identity())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert marked(course.compare_layers(network, other, LR)) == [3], "not row 2, whose output is changed in place"
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(layer._forward_hooks for layer in network.modules())


@pytest.mark.parametrize(("letter", "row"), [*zip(MISTAKES, (36, 35, 4, 37, 1, 33), strict=True)])
def test_six_planted_mistakes_are_marked(letter, row):
    reference = srlab.CompactNet()
    for parameter in reference.parameters():  # as the extra does without the published weights
        nn.init.normal_(parameter, std=0.05)
    assert marked(course.compare_layers(load_drafts(reference)[letter], reference, LR)) == [row]


def test_review_names_no_mistake_that_was_not_found():
    said = review({"A": "Shuffle ", "B": "skip"}).splitlines()
    assert said[:3] == ["A: correct", "B: something else", "C: not attempted"]
