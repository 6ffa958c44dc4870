"""The rows of the content-loss study: complete, with names a run may have, and parameters that the labs know."""

import re

import pytest
import torch
from torchvision.models import get_model

import srlab
from srlab.base.errors import SrlabError
from srlab.lab.parameters import check_parameters
from studies import run
from studies.content_loss.configurations import LOSSES, SHALLOW, VARIANTS, Row, parameters, read_preset, rows
from studies.content_loss.published import PUBLISHED
from studies.content_loss.weights import backbones_of, shallow_is_real
from studies.presets import defaults_of
from tests.conftest import ROOT

PRESETS = {"smoke": {}, "laptop": {}, "paper": {"images": "DIV2K"}}


def given_to(row, preset="laptop", backbone="auto"):
    return parameters(Row(*row), read_preset(preset, **PRESETS[preset]), backbone)


@pytest.mark.parametrize("name", PRESETS)
def test_every_row_is_a_run_that_its_lab_takes_after_the_row_that_it_needs(name):
    preset = read_preset(name, **PRESETS[name])
    found = rows(preset, shallow=True)
    assert len({row.name for row in found}) == len(found)
    longer = [row for row in found if row.epochs == 200]
    runs = {(row.lab, row.run) for row in found}
    assert len(runs) == len(found) - len(longer), "only a long SRGAN shares its run, with the short one"
    labs = {lab: defaults_of(ROOT / "notebooks" / f"{lab}.ipynb") for lab, _ in runs}
    for place, row in enumerate(found):
        srlab.Run(row.lab, row.run)
        assert row.before is None or row.before in found[:place]
        given = parameters(row, preset, "auto")
        check_parameters(labs[row.lab], given)
        assert given["recipe"] == "laptop"
        scaled = {"iters", "validate_every", "schedule", *(("ema", "start") if row.method == "SRGAN" else ())}
        assert scaled <= set(given), "or the lab would scale them"
        assert given["pixel_weight"] + given["content_weight"] == pytest.approx(1)


def test_every_published_row_is_there_in_both_variants_and_so_are_the_hybrids_that_were_not():
    found = [(r.variant, r.method, r.epochs, r.loss) for r in rows(read_preset("laptop")) if r.variant in VARIANTS]
    for method, epochs, _, loss in PUBLISHED:
        assert {(variant, method, epochs, loss) for variant in VARIANTS} <= set(found)
    assert len(set(found)) == 2 * 3 * len(LOSSES) == 54
    assert sorted(found.count(row) for row in set(found)) == [1] * 49 + [3] * 5, "three seeds for five rows"


def test_published_numbers_stand_in_the_right_place():
    assert len(PUBLISHED) == 38
    assert PUBLISHED["SRResNet", 250, "Set5", "hybrid Res34_3"] == (23.34, 0.9413)
    assert PUBLISHED["SRGAN", 200, "Set14", "Res34_5"] == (18.02, 0.8449)
    assert PUBLISHED["SRGAN", 100, "Set5", "VGG19_5_4"] == (20.96, 0.9073)
    assert ("SRGAN", 200, "Set5", "hybrid VGG19_5_4") not in PUBLISHED


def test_the_long_srgan_is_the_short_one_with_more_steps_and_nothing_else():
    short, long = (given_to(("described", "SRGAN", "hybrid Res34_3", epochs)) for epochs in (100, 200))
    assert short["iters"] < long["iters"]
    assert short == long | {"iters": short["iters"]}
    assert short["schedule"] == "constant", "or continuing would not be exact"


@pytest.mark.parametrize(
    ("row", "preset", "expected"),
    [
        (
            ("described", "SRGAN", "VGG19_5_4", 100),
            "laptop",
            {"features": "vgg19 relu5_4", "adversarial_weight": 1e-3, "normalize": True, "black_corners": False},
        ),
        (
            ("coded", "SRGAN", "VGG19_5_4", 100),
            "laptop",
            {"features": "vgg19_bn conv4_4", "adversarial_weight": 0.0, "normalize": False, "black_corners": True}
            | {"network": "CodedSRResNet", "discriminator": "coded"},
        ),
        (("coded", "SRResNet", "Res34_3", 250), "laptop", {"features": "resnet34 -stage1 block16"}),
        (("coded", "SRResNet", "Res34_5", 250), "laptop", {"features": "resnet34 -stage1 block16"}),
        (("described", "SRResNet", "hybrid Res18_4", 250), "laptop", {"pixel_weight": 0.7, "content_weight": 0.3}),
        (("described", "SRGAN", "hybrid Res18_4", 100), "laptop", {"pixel_weight": 0.6, "content_weight": 0.4}),
        (("described", "SRResNet", "MSE", 250), "laptop", {"content_weight": 0, "backbone": "random"}),
        (("described", "SRResNet", "MSE", 250), "paper", {"network": "SRResNet", "iters": 250 * 800 // 16}),
        (
            ("described", "SRGAN", "Res34_3", 200),
            "paper",
            {"learning_rate": 1e-4, "patch": 128, "rotate": 10.0, "adversarial_weight": 1e-3, "relative": False}
            | {"images": "DIV2K", "batch": 16, "iters": 200 * 800 // 16},
        ),
        (("deeper", "SRResNet", "MSE", 250), "paper", {"blocks": 32}),
        (("shallow", "SRResNet", "VGG19_2_2 raw", 250), "laptop", {"backbone": "auto", "normalize": False}),
    ],
)
def test_a_row_has_the_settings_of_the_study(row, preset, expected):
    given = given_to(row, preset)
    assert {name: given[name] for name in expected} == expected


def test_random_features_are_the_only_difference_of_their_rows():
    for loss in SHALLOW:
        real, random = (given_to(("shallow", "SRResNet", f"{loss.split()[0]}{end}", 250)) for end in ("", " random"))
        assert real | {"run": 0, "backbone": 0} == random | {"run": 0, "backbone": 0}


def test_coded_resnets_keep_all_blocks_after_the_first_stage():
    names = [name for name, _ in srlab.FeatureExtractor("resnet34 -stage1 block16", "random").network.named_modules()]
    assert sum(bool(re.fullmatch(r"layer\d\.\d+", name)) for name in names) == 13


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: read_preset("huge"), "no preset 'huge' of the study; choose one of laptop, paper, smoke"),
        (lambda: read_preset("paper"), "needs --images"),
        (
            lambda: rows(read_preset("laptop") | {"rows": ["described SRResNet 250 Res50"]}),
            "'described SRResNet 250 Res50', which is no row",
        ),
    ],
)
def test_a_wrong_preset_is_refused_in_one_sentence(call, words):
    with pytest.raises(SrlabError, match=words):
        call()


def test_without_snakemake_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "snakemake" else object())
    with pytest.raises(SrlabError, match=r"install them with: pip install -e \"\.\[labs,study\]\""):
        run.main(["content_loss", "smoke"])


def test_a_weights_file_serves_the_rows_whose_layers_it_has(tmp_path):
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
    with pytest.raises(SrlabError, match="has the layers of no row of this study"):
        backbones_of([], str(file))
    with pytest.raises(SrlabError, match="There is no weights file"):
        backbones_of([], str(tmp_path / "none.pth"))
