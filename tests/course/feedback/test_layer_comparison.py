"""Test the comparison of two networks: the first difference is named, whatever the student called her layers."""

import re
import sys
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import srlab
import srlab_course as course
from srlab.errors import SrlabError
from srlab_course.material.six_drafts import MISTAKES, load_drafts, review

LR = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))
BLOCKS, FEATURES = 3, 6


class Mine(nn.Module):
    """The compact network with other names; its parts can be replaced."""

    def __init__(self, blocks=BLOCKS):
        super().__init__()
        self.act0 = nn.PReLU(FEATURES)  # registered before the convolution that runs first
        self.entry = nn.Conv2d(3, FEATURES, 3, padding=1)
        self.blocks = nn.Sequential()
        for _ in range(blocks):
            self.blocks.extend([nn.Conv2d(FEATURES, FEATURES, 3, padding=1), nn.PReLU(FEATURES)])
        self.out = nn.Conv2d(FEATURES, 48, 3, padding=1)
        self.shuffle = nn.PixelShuffle(4)
        self.skip = nn.Upsample(scale_factor=4)

    def features(self, lr):
        return self.out(self.blocks(self.act0(self.entry(lr))))

    def forward(self, lr):
        skip = self.skip(lr)  # at the beginning, unlike in the reference
        return self.shuffle(self.features(lr)) + skip


class Functional(nn.Module):
    """The compact network with functions for all layers except the convolutions."""

    def __init__(self):
        super().__init__()
        sizes = [3, *[FEATURES] * (BLOCKS + 1), 48]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(sizes))
        self.slopes = nn.ParameterList(torch.zeros(FEATURES) for _ in range(BLOCKS + 1))

    def forward(self, lr):
        x = lr
        for place, slopes in enumerate(self.slopes):
            x = self.activate(place, self.convs[place](x), slopes)
        return F.pixel_shuffle(self.convs[-1](x), 4) + F.interpolate(lr, scale_factor=4)

    def activate(self, place, x, slopes):
        return F.prelu(x, slopes)


@pytest.fixture
def reference():
    torch.manual_seed(0)
    network = srlab.CompactNet(BLOCKS, FEATURES)
    for layer in network.body:
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.3)
    return network


def filled(network, reference):
    """Copy the reference's numbers into the layers of a network that fit, in the order in which they run."""
    convs = [layer for layer in reference.body if isinstance(layer, nn.Conv2d)]
    slopes = [layer.weight for layer in reference.body if isinstance(layer, nn.PReLU)]
    if isinstance(network, Functional):
        own, ours = list(network.convs), list(network.slopes)
    else:
        layers = [network.entry, network.act0, *network.blocks, network.out]
        own = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        ours = [layer.weight for layer in layers if isinstance(layer, nn.PReLU)]
    with torch.no_grad():
        for a, b in [*zip(own[:-1], convs[:-1], strict=False), (own[-1], convs[-1])]:
            a.weight.copy_(b.weight)
            a.bias.copy_(b.bias)
        for a, b in zip(ours, slopes, strict=False):
            if a.shape == b.shape:
                a.copy_(b)
    return network


def text(report):
    return " ".join(repr(report).split())


@pytest.mark.parametrize("build", [Mine, Functional])
def test_same_network_with_other_names_agrees(build, reference):
    report = course.compare_layers(filled(build(), reference), reference, LR)
    assert report.first == ""
    assert report.difference < 1e-6
    assert "No difference" in report.verdict


def test_parameters_are_side_by_side_before_they_are_copied(reference):
    report = course.compare_layers(Mine(), reference, LR)
    assert report.first == "layer 1, Conv2d"
    lines = report.table.splitlines()
    assert re.search(r"^1 +entry Conv2d +body\.0 Conv2d +6x3x3x3, 6: differ by \S+ +\S+ +<- first$", lines[1])
    assert re.search(r"^2 +act0 PReLU +body\.1 PReLU +6: differ by ", lines[2])
    assert sum("<- first" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (lambda n: setattr(n, "skip", nn.Upsample(scale_factor=4, mode="bicubic")), "layer 11, Upsample", "bicubic"),
        (lambda n: setattr(n, "shuffle", nn.PixelShuffle(2)), "layer 10, PixelShuffle", "shape (1, 12, 16, 18)"),
        (lambda n: setattr(n.out, "padding_mode", "reflect"), "layer 9, Conv2d", "padding_mode=reflect"),
        (lambda n: setattr(n.entry, "padding", (0, 0)), "layer 1, Conv2d", "Your network stopped with RuntimeError"),
        (lambda n: setattr(n.out, "forward", sys.exit), "between layer 8 and the output", "with SystemExit"),
        (lambda n: n.blocks[1].weight.data.neg_(), "layer 4, PReLU", "Its weight differs"),
        (lambda n: n.entry.bias.data.add_(1), "layer 1, Conv2d", "Its bias differs by up to 1."),
        (lambda n: n.blocks.__setitem__(3, nn.PReLU()), "layer 6, PReLU", "[(1,)] in yours"),
        (lambda n: n.blocks.__setitem__(3, nn.LeakyReLU(0.1)), "layer 6, PReLU", "LeakyReLU(negative_slope=0.1)"),
        (lambda n: n.blocks.__setitem__(3, n.act0), "layer 6, PReLU", "You run act0 a second time"),
        (lambda n: n.blocks.__setitem__(3, nn.Identity()), "layer 6, PReLU", "Identity()"),
        (lambda n: n.blocks.__setitem__(3, nn.Sequential()), "layer 6, PReLU", "Sequential()"),
    ],
)
def test_first_different_layer_is_named(change, place, words, reference):
    network = filled(Mine(), reference)
    change(network)
    report = course.compare_layers(network, reference, LR)
    assert report.first == place
    assert words in text(report)
    assert report.difference > 1e-4


def test_number_of_layers_differs(reference):
    report = course.compare_layers(filled(Mine(blocks=BLOCKS - 1), reference), reference, LR)
    assert report.first == "between layer 6 and layer 9"
    assert "yours runs 4 Conv2d (5 in the reference), 3 PReLU (4 in the reference)" in text(report)
    assert "the reference runs layer 7, Conv2d(6, 6, " in text(report)
    report = course.compare_layers(filled(Mine(blocks=BLOCKS + 1), reference), reference, LR)
    assert report.first == "between layer 8 and layer 11"
    assert "Only your network runs layer 9 (Conv2d); layer 10 (PReLU)." in text(report)


def test_functions_are_named_by_the_span_between_layers(reference):
    network = filled(Functional(), reference)
    network.activate = lambda place, x, slopes: F.relu(x) if place == 2 else F.prelu(x, slopes)
    report = course.compare_layers(network, reference, LR)
    assert report.first == "between layer 5 and layer 7"
    assert "the reference runs layer 6, PReLU(num_parameters=6)" in text(report)
    network = filled(Functional(), reference)
    network.slopes[1].data.neg_()
    report = course.compare_layers(network, reference, LR)
    assert report.first == "between layer 3 and layer 5"
    assert re.search(r"slopes\.1 +body\.3\.weight +6: differ by", report.table)
    assert re.search(r"slopes\.2 +body\.5\.weight +6\n", report.table)


class Flipped(Mine):
    def forward(self, lr):
        return super().forward(lr.flip(1))


class Clipped(Mine):
    def forward(self, lr):
        return super().forward(lr).clamp(0, 0.1)


@pytest.mark.parametrize(
    ("build", "place"), [(Flipped, "between the input and layer 1"), (Clipped, "between layer 11 and the output")]
)
def test_code_before_and_after_the_layers_is_named(build, place, reference):
    assert course.compare_layers(filled(build(), reference), reference, LR).first == place


class WrongShuffle(Mine):
    """A shuffle without a layer, in the wrong order; the skip is the last layer, and correct."""

    def __init__(self):
        super().__init__()
        self.shuffle = None

    def forward(self, lr):
        blocks = self.features(lr).unflatten(1, (4, 4, 3))
        return blocks.permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3) + self.skip(lr)


class Limited(Mine):
    """A layer too many before the skip."""

    def __init__(self):
        super().__init__()
        self.shuffle = nn.Sequential(nn.PixelShuffle(4), nn.Hardtanh(-0.01, 0.01))

    def forward(self, lr):
        return self.shuffle(self.features(lr)) + self.skip(lr)


@pytest.mark.parametrize(
    ("build", "before", "words"),
    [
        (WrongShuffle, 9, "There, the reference runs layer 10, PixelShuffle(upscale_factor=4)."),
        (Limited, 10, "There, your network runs layer 11, Hardtanh(min_val=-0.01, max_val=0.01)."),
    ],
)
def test_skip_that_agrees_hides_no_difference_before_it(build, before, words, reference):
    report = course.compare_layers(filled(build(), reference), reference, LR)
    assert report.first == f"between layer {before} and the output"
    assert f"Everything up to layer {before} agrees." in text(report)
    assert words in text(report)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda n: setattr(n, "act0", nn.PReLU()),
            "layer 2: yours is PReLU(num_parameters=1), the reference's is PReLU(num_parameters=6).",
        ),
        (lambda n: n.blocks.__setitem__(1, nn.LeakyReLU()), "layer 4: yours is LeakyReLU(negative_slope=0.01), the"),
        (
            lambda n: n.blocks.__setitem__(3, n.act0),
            "layer 6: yours is PReLU(num_parameters=6), act0 a second time, the",
        ),
    ],
)
def test_structure_is_compared_before_numbers_are_copied(change, words, reference):
    network = Mine()
    assert "structure" not in text(course.compare_layers(network, reference, LR))
    change(network)
    report = course.compare_layers(network, reference, LR)
    assert report.first == "layer 1, Conv2d"
    assert f"The structure differs first in {words}" in text(report)


@pytest.mark.parametrize("letter", MISTAKES)
def test_six_planted_mistakes_are_named_by_their_layer(letter):
    torch.manual_seed(0)
    reference = srlab.CompactNet()
    for parameter in reference.parameters():
        nn.init.normal_(parameter, std=0.06)
    places = {
        "shuffle": "layer 36, PixelShuffle",
        "padding": "layer 35, Conv2d",
        "activation": "layer 4, PReLU",
        "skip": "layer 37, Upsample",
        "order": "layer 1, Conv2d",
        "depth": "between layer 32 and layer 35",
    }
    draft = load_drafts(reference)[letter]
    assert course.compare_layers(draft, reference, LR).first == places[MISTAKES[letter][0]]


def test_review_names_no_mistake_that_was_not_found():
    assert review({"A": "Shuffle ", "B": "skip"}).splitlines()[:3] == [
        "A: correct",
        "B: something else",
        "C: not attempted",
    ]


def test_networks_stay_as_they_were(reference):
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.LeakyReLU(0.1, inplace=True))
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    report = course.compare_layers(network, network, LR)
    assert report.first == "", "an activation in place must not change the stored output of the layer before it"
    assert [layer.training for layer in network.modules()] == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules())
    assert network(LR).requires_grad


def test_nan_is_a_difference(reference):
    network = filled(Mine(), reference)
    network.blocks[0].weight.data.fill_(float("nan"))
    assert course.compare_layers(network, reference, LR).first == "layer 3, Conv2d"


@pytest.mark.parametrize(
    ("mine", "lr", "words"),
    [
        (Mine, LR, "`mine` must be a network, but its type is type. Pass an nn.Module."),
        (None, LR, "`mine` must be a network, but its type is NoneType"),
        (Mine(), LR[0], r"`lr` must be a tensor (1, 3, h, w), but has the shape (3, 8, 9)"),
        (Mine(), "cat.png", "`lr` must be a tensor (1, 3, h, w), but is a str"),
        (Mine(), LR[:, :2], "The reference cannot upscale `lr`: RuntimeError"),
    ],
)
def test_wrong_arguments_get_a_sentence(mine, lr, words, reference):
    with pytest.raises(SrlabError, match=re.escape(words)):
        course.compare_layers(mine, reference, lr)
