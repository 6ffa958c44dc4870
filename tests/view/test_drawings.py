"""The drawings: they are what their script makes, say what they show, and name things as the code does."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
import torch

from srlab.base.errors import SrlabError
from srlab.models import PatchDiscriminator, ResidualDenseBlock
from srlab.models.features import layer_names
from srlab.view import plots
from srlab.view.drawings import FOLDER
from tests.conftest import LABS, ROOT, load_script

FILES = sorted((ROOT / "srlab" / "view" / "drawings").iterdir())
SVG = "{http://www.w3.org/2000/svg}"


def words(name):
    """Each line of text in a drawing."""
    return [text.text for text in ElementTree.parse(FOLDER / f"{name}.svg").iter(f"{SVG}text")]


def test_the_files_are_what_the_script_draws(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    script = load_script(ROOT / "docs" / "drawings.py")
    drawn = {f"{draw.__name__}.svg": draw().svg() for draw in script.DRAWINGS}
    assert sorted(drawn) == [file.name for file in FILES]
    changed = [file.name for file in FILES if file.read_text(encoding="utf-8") != drawn[file.name]]
    for draw in script.OF_PAGES:
        file = script.PAGES / f"{draw.__name__}.svg"
        changed += [file.name] if file.read_text(encoding="utf-8") != draw().svg() else []
    assert changed == [], "python docs/drawings.py draws them anew"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_drawing_is_small_and_whole_and_says_what_it_shows(file):
    root = ElementTree.parse(file).getroot()
    assert root.get("role") == "img"
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert len(root[1].text) > 150
    assert file.stat().st_size < 18_000
    inside = root.iter()
    assert {element.get("font-family") for element in inside} == {None, "Helvetica, Arial, sans-serif"}
    assert min(float(text.get("font-size", 17)) for text in root.iter(f"{SVG}text")) >= 14
    assert set(re.findall(r'https?://[^"]+', file.read_text(encoding="utf-8"))) == {"http://www.w3.org/2000/svg"}
    assert all(element.get("href", "#").startswith("#") for element in root.iter())


def test_layers_have_the_names_that_a_feature_extractor_knows():
    shown = words("vgg_resnet")
    assert set(layer_names("vgg19")) <= set(shown)
    assert set(layer_names("resnet34")) <= set(shown)
    named = {text for text in shown if re.fullmatch(r"(conv|relu|pool|norm|block|stage)\d+(_\d+)?", text)}
    assert named == {*layer_names("vgg19"), *layer_names("resnet34")}


def test_channels_of_the_dense_block_are_those_of_the_network():
    block = ResidualDenseBlock(64, 32)
    convolutions = [f"{conv.in_channels} → {conv.out_channels}" for conv in block.children()]
    assert [text for text in words("rrdb") if text in convolutions] == convolutions
    assert f"× {block.beta}" in words("rrdb")


def test_each_logit_of_the_patch_discriminator_sees_as_much_as_is_drawn():
    image = torch.rand(1, 3, 96, 96, requires_grad=True)
    logits = PatchDiscriminator().eval()(image)
    logits[0, 0, 12, 12].backward()
    seen = image.grad.abs().sum((0, 1)).nonzero()
    side = int(seen.max() - seen.min() + 1)
    assert f"{side} × {side}" in words("patch_discriminator")
    assert any(
        text.startswith(f"{logits.shape[2]} × {logits.shape[3]} logits") for text in words("patch_discriminator")
    )


def test_it_is_shown_with_its_text_and_at_most_as_wide_as_the_page(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    assert plots.drawing("gan_step") is None
    alt = ElementTree.parse(FOLDER / "gan_step.svg").getroot()[1].text
    assert shown[0]["text/plain"] == alt
    assert unescape(re.search('alt="(.*?)"', shown[0]["text/html"])[1]) == alt
    assert "overflow-x: auto" in shown[0]["text/html"]


def test_an_unknown_name_is_refused_with_the_list():
    with pytest.raises(
        SrlabError, match=r"no drawing 'gan_stop'; choose one of content_loss, gan_game, .*, vgg_resnet\."
    ):
        plots.drawing("gan_stop")


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_every_drawing_of_a_lab_is_there(lab):
    asked = re.findall(r"plots\.drawing\(\\?[\"'](\w+)", lab.read_text(encoding="utf-8"))
    assert set(asked) <= {file.stem for file in FILES}
