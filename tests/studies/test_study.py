"""The rows of the content-loss study: complete, with names a run may have, and parameters that the labs know."""

from pathlib import Path

import pytest

import srlab
import srlab.cli.lab
import srlab.models.features
from srlab.base.errors import SrlabError
from studies import run
from studies.content_loss.configurations import CONTENT, LOSSES, SHALLOW, VARIANTS, Row, parameters, read_preset, rows
from studies.content_loss.published import PUBLISHED
from studies.content_loss.weights import backbones_of, shallow_is_real
from studies.presets import defaults_of

ROOT = Path(__file__).parents[2]

PRESETS = {"smoke": {}, "laptop": {}, "paper": {"images": "DIV2K"}}


@pytest.fixture(params=PRESETS)
def preset(request):
    return read_preset(request.param, **PRESETS[request.param])


def whole():
    return read_preset("laptop")


def test_every_published_row_is_there_in_both_variants_and_so_are_the_hybrids_that_were_not():
    found = {(r.variant, r.method, r.epochs, r.loss) for r in rows(whole())}
    for method, epochs, _, loss in PUBLISHED:
        for variant in VARIANTS:
            assert (variant, method, epochs, loss) in found
    assert sum(r.variant in VARIANTS and r.seed == 0 for r in rows(whole())) == 2 * 3 * len(LOSSES) == 54


def test_published_numbers_stand_in_the_right_place():
    assert len(PUBLISHED) == 38
    assert PUBLISHED["SRResNet", 250, "Set5", "hybrid Res34_3"] == (23.34, 0.9413)
    assert PUBLISHED["SRGAN", 200, "Set14", "Res34_5"] == (18.02, 0.8449)
    assert PUBLISHED["SRGAN", 100, "Set5", "VGG19_5_4"] == (20.96, 0.9073)
    assert ("SRGAN", 200, "Set5", "hybrid VGG19_5_4") not in PUBLISHED


def test_names_are_unique_and_good_for_runs(preset):
    found = rows(preset, shallow=True)
    assert len({row.name for row in found}) == len(found)
    for row in found:
        srlab.Run(row.lab, row.run)
    runs = {(row.lab, row.run) for row in found}
    longer = [row for row in found if row.epochs == 200]
    assert len(runs) == len(found) - len(longer), "only a long SRGAN shares its run, with the short one"


def test_every_row_comes_after_the_one_that_it_needs(preset):
    found = rows(preset, shallow=True)
    for row in found:
        assert row.before is None or row.before in found[: found.index(row)]


def test_the_long_srgan_is_the_short_one_with_more_steps_and_nothing_else():
    short, long = (Row("described", "SRGAN", "hybrid Res34_3", epochs) for epochs in (100, 200))
    first, second = (parameters(row, whole(), "random") for row in (short, long))
    assert long.before == short
    assert first.pop("iters") < second.pop("iters")
    assert first == second
    assert first["schedule"] == "constant", "or continuing would not be exact"


def test_a_row_says_which_recipe_it_changes_and_all_that_the_lab_would_scale(preset):
    for row in rows(preset, shallow=True):
        given = parameters(row, preset, "auto")
        assert given["recipe"] == "laptop"
        assert {"validate_every", "schedule", *(("ema", "start") if row.method == "SRGAN" else ())} <= set(given)
        assert given["iters"] >= 1
        assert given["pixel_weight"] + given["content_weight"] == pytest.approx(1)


def test_layers_are_those_that_features_knows():
    for layers in {row.layers for row in rows(whole(), shallow=True)} - {""}:
        srlab.models.features.parse(layers)


@pytest.mark.parametrize("lab", ["02_content_loss", "03_srgan"])
def test_the_labs_declare_what_the_study_gives_with_the_same_types(preset, lab):
    declared = defaults_of(ROOT / "notebooks" / f"{lab}.ipynb")
    given = [parameters(row, preset, "auto") for row in rows(preset, shallow=True) if row.lab == lab]
    for one in given:
        srlab.cli.lab.check_parameters(declared, declared | one, list(one))


def test_coded_and_described_differ_where_the_study_did():
    described, coded = (parameters(Row(v, "SRGAN", "VGG19_5_4", 100), whole(), "auto") for v in VARIANTS)
    assert (described["features"], coded["features"]) == ("vgg19 relu5_4", "vgg19_bn conv4_4")
    assert (described["stale_logits"], coded["stale_logits"]) == (False, True)
    assert (described["normalize"], coded["normalize"]) == (True, False)
    assert (described["black_corners"], coded["black_corners"]) == (False, True)
    assert coded["network"] == "CodedSRResNet"
    assert CONTENT["Res34_3"]["coded"] == CONTENT["Res34_5"]["coded"]
    paper = read_preset("paper", images="DIV2K")
    assert parameters(Row("described", "SRResNet", "MSE", 250), paper, "auto")["network"] == "SRResNet"


def test_coded_resnets_keep_all_blocks_after_the_first_stage():
    for layers, blocks in (("resnet34 -stage1 block16", 13), ("resnet18 -stage1 block8", 6)):
        made = srlab.FeatureExtractor(layers, "random")
        assert sum(name.startswith("block") for name in made.layers) == blocks


def test_hybrids_have_the_shares_of_the_study():
    weights = {
        method: parameters(Row("described", method, "hybrid Res18_4", epochs), whole(), "auto")["pixel_weight"]
        for method, epochs in (("SRResNet", 250), ("SRGAN", 100))
    }
    assert weights == {"SRResNet": 0.7, "SRGAN": 0.6}


def test_paper_preset_has_the_epochs_and_settings_of_the_study():
    paper = read_preset("paper", images="DIV2K")
    given = parameters(Row("described", "SRGAN", "Res34_3", 200), paper, "auto")
    assert paper["iters"] == {epochs: epochs * 800 // given["batch"] for epochs in (250, 100, 200)}
    for name, value in {"learning_rate": 1e-4, "patch": 128, "rotate": 10.0, "adversarial_weight": 1e-3}.items():
        assert given[name] == value
    assert not given["relative"]
    assert given["images"] == "DIV2K"
    assert parameters(Row("deeper", "SRResNet", "MSE", 250), paper, "auto")["blocks"] > 16


def test_laptop_preset_has_one_seed_for_all_and_three_for_five_rows():
    found = [row for row in rows(whole()) if row.variant in VARIANTS]
    seeds = {}
    for row in found:
        seeds.setdefault((row.variant, row.method, row.epochs, row.loss), []).append(row.seed)
    assert sorted(map(len, seeds.values())) == [1] * 49 + [3] * 5


def test_mse_alone_looks_through_nothing_and_random_rows_stay_random():
    given = parameters(Row("described", "SRResNet", "MSE", 250), whole(), "imagenet")
    assert (given["backbone"], given["content_weight"], given["pixel_weight"]) == ("random", 0.0, 1.0)
    shallow = {loss: parameters(Row("shallow", "SRResNet", loss, 250), whole(), "a.pth") for loss in SHALLOW}
    assert {loss: one["backbone"] for loss, one in shallow.items() if "random" in loss} == {
        "VGG19_2_2 random": "random",
        "VGG19_3_4 random": "random",
    }
    assert not shallow["VGG19_2_2 raw"]["normalize"]
    assert shallow["VGG19_3_4"] | {"run": 0, "backbone": 0} == shallow["VGG19_3_4 random"] | {"run": 0, "backbone": 0}


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("huge", {}, ["no preset 'huge'", "laptop, paper, smoke"]),
        ("paper", {}, ["needs --images"]),
    ],
)
def test_a_wrong_preset_is_refused_in_one_sentence(name, given, words):
    with pytest.raises(SrlabError) as error:
        read_preset(name, **given)
    assert all(word in str(error.value) for word in words)


def test_a_preset_that_names_no_row_is_refused():
    with pytest.raises(SrlabError, match="'described SRResNet 250 Res50', which is no row"):
        rows(whole() | {"rows": ["described SRResNet 250 Res50"]})


def test_without_snakemake_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "snakemake" else object())
    with pytest.raises(SrlabError, match=r"install them with: pip install -e \"\.\[labs,study\]\""):
        run.main(["content_loss", "smoke"])


def test_a_weights_file_serves_the_rows_whose_layers_it_has(tmp_path):
    import torch
    from torchvision.models import get_model

    whole_network = get_model("vgg19").features[:18].state_dict()
    file = tmp_path / "vgg19.pth"
    torch.save(whole_network, file)
    served = backbones_of(rows(whole()), str(file))
    assert served["vgg19 relu3_4"] == served["vgg19 relu2_2"] == str(file)
    assert served["vgg19 relu5_4"] == served["resnet34 block3"] == "auto"
    assert shallow_is_real(served)
    assert not shallow_is_real(backbones_of(rows(whole()), "random"))


def test_a_weights_file_that_serves_no_row_is_refused(tmp_path):
    import torch

    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "short.pth")
    with pytest.raises(SrlabError, match="has the layers of no row of this study"):
        backbones_of(rows(whole()), str(tmp_path / "short.pth"))
    with pytest.raises(SrlabError, match="There is no weights file"):
        backbones_of(rows(whole()), str(tmp_path / "none.pth"))
