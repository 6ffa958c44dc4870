"""Test the rows of the content-loss study: complete, with valid run names and lab parameters."""

import nbformat
import pytest
import torch
from torchvision.models import get_model

import srlab
from srlab.errors import SrlabError
from srlab.paths import recipes
from srlab_course.lab.recipes import read_book
from studies.content_loss import as_coded
from studies.content_loss.configurations import VARIANTS, Row, cells, parameters, read_preset, rows
from studies.content_loss.jobs import backbones_of, shallow_is_real
from studies.train import with_cells
from tests.conftest import ROOT

PRESETS = {"smoke": {}, "laptop": {}, "paper": {"images": "DIV2K"}}


@pytest.mark.parametrize("name", PRESETS)
def test_every_row_has_valid_lab_parameters(name):
    preset = read_preset(name, **PRESETS[name])
    found = rows(preset, shallow=True)
    as_coded.register()  # its networks are valid choices, as in the labs that the study runs
    assert len({row.name for row in found}) == len(found)
    longer = [row for row in found if row.epochs == 200]
    runs = {(row.lab, row.run) for row in found}
    assert len(runs) == len(found) - len(longer), "only a long SRGAN shares its run with the short one"
    labs = {lab: read_book(recipes() / f"{lab}.py").lab for lab in {lab for lab, _ in runs}}
    for place, row in enumerate(found):
        srlab.Run(row.lab, row.run)
        assert row.before is None or row.before in found[:place]
        given = parameters(row, preset, "auto")
        labs[row.lab].check(given)
        assert given["recipe"] == "laptop"
        scaled = {"iters", "validate_every", "schedule", *(("ema", "start") if row.method == "SRGAN" else ())}
        assert scaled <= set(given), "otherwise the lab would scale them"
        assert given["pixel_weight"] + given["content_weight"] == pytest.approx(1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", ["SRResNet", "SRGAN"])
def test_row_adds_networks_before_setup_and_rotation_before_training(tmp_path, variant, method):
    row = Row(variant, method, "MSE", 250)
    lab = with_cells(ROOT / "notebooks" / f"{row.lab}.ipynb", cells(row), tmp_path)
    code = [one.source for one in nbformat.read(lab, 4).cells if "not-in-studies" not in one.metadata.get("tags", [])]
    places = ("course.setup(", "rotated.patches_of", "history = train(lab.run")
    setup, rotation, training = (next(n for n, source in enumerate(code) if text in source) for text in places)
    assert setup < rotation < training
    assert "def make_patches()" in code[rotation - 1]
    assert f"rotate=10.0, black_corners={variant == 'coded'})" in code[rotation]
    assert ("as_coded.register()" in code[setup - 1]) == (variant == "coded")


def test_preset_without_images_or_with_unknown_row_is_rejected():
    with pytest.raises(SrlabError, match="requires --images"):
        read_preset("paper")
    with pytest.raises(SrlabError, match="'described SRResNet 250 Res50'"):
        rows(read_preset("laptop") | {"rows": ["described SRResNet 250 Res50"]})


def test_weights_file_is_used_for_rows_with_its_layers(tmp_path):
    file = tmp_path / "vgg19.pth"
    found = [Row("described", "SRResNet", loss, 250) for loss in ("VGG19_5_4", "Res34_3")]
    with torch.device("meta"):
        early = get_model("vgg19").features[:18].state_dict()
    torch.save({f"features.{name}": torch.zeros(value.shape) for name, value in early.items()}, file)
    served = backbones_of(found, str(file))
    assert served["vgg19 relu3_4"] == served["vgg19 relu2_2"] == str(file)
    assert served["vgg19 relu5_4"] == served["resnet34 block3"] == "auto"
    assert shallow_is_real(served)
    assert not shallow_is_real(backbones_of(found, "random"))
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, file)
    with pytest.raises(SrlabError, match="has none of the layers of this study"):
        backbones_of([], str(file))
