"""Test that diagrams use the names of the code and have alternative texts."""

import re
from html import unescape
from xml.etree import ElementTree

import torch

import srlab
import srlab_course as course
from srlab.models import PatchDiscriminator, ResidualDenseBlock
from srlab.models.features import layer_names
from srlab_course.figures.diagrams import FOLDER
from tests.conftest import replace_display

SVG = "{http://www.w3.org/2000/svg}"


def words(name):
    """Return each line of text in a diagram."""
    return [text.text for text in ElementTree.parse(FOLDER / f"{name}.svg").iter(f"{SVG}text")]


def test_diagram_layers_match_feature_extractor():
    named = {text for text in words("vgg_resnet") if re.fullmatch(r"(conv|relu|pool|norm|block|stage)\d+(_\d+)?", text)}
    assert named == {*layer_names("vgg19"), *layer_names("resnet34")}


def channels_of(layers):
    return [f"{layer.in_channels} → {layer.out_channels}" for layer in layers if hasattr(layer, "in_channels")]


def test_diagram_channels_match_networks():
    block, body = ResidualDenseBlock(64, 32), srlab.CompactNet().body
    dense, compact = channels_of(block.children()), channels_of(body)
    assert [text for text in words("rrdb") if text in dense] == dense
    assert f"× {block.residual_scale}" in words("rrdb")
    assert [text for text in words("compact") if "→" in text] == list(dict.fromkeys(compact))
    assert f"{compact.count('64 → 64')} ×" in words("compact")


def test_diagram_receptive_field_matches_patch_discriminator():
    image = torch.rand(1, 3, 96, 96, requires_grad=True)
    logits = PatchDiscriminator().eval()(image)
    logits[0, 0, 12, 12].backward()
    seen = image.grad.abs().sum((0, 1)).nonzero()
    side = int(seen.max() - seen.min() + 1)
    shown = words("patch_discriminator")
    assert f"{side} × {side}" in shown
    assert f"{logits.shape[2]} × {logits.shape[3]} logits" in "\n".join(shown)


def test_diagram_has_alternative_text(monkeypatch):
    shown = []
    replace_display(monkeypatch, lambda data, raw: shown.append(data))
    assert course.diagram("gan_step") is None
    alt = ElementTree.parse(FOLDER / "gan_step.svg").getroot()[1].text
    assert shown[0]["text/plain"] == alt
    assert unescape(re.search('alt="(.*?)"', shown[0]["text/html"])[1]) == alt
