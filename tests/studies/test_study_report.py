"""The report of the content-loss study on made-up scores: numbers in their cells, and no claim from random features."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest

import srlab
import srlab.view.plots
from studies.content_loss import published, tables
from studies.content_loss.claims import claims
from studies.content_loss.report import main, opening, reading, variants
from studies.copies import backbone_of
from studies.tables import interval, number

SET = "photos/validation"
IDENTITY = ["row", "variant", "method", "loss", "epochs", "seed", "backbone", "real"]


def line(
    loss, seed=0, variant="described", method="SRResNet", epochs=250, real=False, layers="vgg19 relu5_4", **scores
):
    backbone, real = ("no features", None) if loss == "MSE" else (f"{layers}{'' if real else ' (random)'}", real)
    row = f"{variant}-{method}-{epochs}-{loss}-seed{seed}"
    known = dict(zip(IDENTITY, [row, variant, method, loss, epochs, seed, backbone, real], strict=True))
    known |= {"lab": "02", "run": "r", "network": "MSRResNet", "iters": 20, "wall_time_s": 7.0}
    known |= {"discriminator": "PatchDiscriminator" if method == "SRGAN" else ""}
    known |= {"weights": "last", "step": 20, "set": SET, "image": "astronaut"}
    known |= {"psnr_rgb": 25.0, "ssim_rgb": 0.8, "ms_ssim_rgb": 0.95, "psnr_y": 26.0, "ssim_y": 0.82}
    known |= {"gradient_ratio": 0.6, "energy_error": 0.5, "colour_shift": 1.0, "saturation_ratio": 0.9}
    return known | scores


BICUBIC = {"row": "bicubic", "weights": "last", "set": SET, "image": "astronaut", "psnr_rgb": 24.5, "ssim_rgb": 0.7}


@pytest.fixture
def write(tmp_path):
    def write(*lines):
        folder = tmp_path / "scores"
        folder.mkdir(exist_ok=True)
        for one in [*lines, BICUBIC]:
            file = folder / f"{one['row']}.csv"
            pd.DataFrame([one]).to_csv(file, mode="a", header=not file.exists(), index=False)
            srlab.write_image(srlab.view.plots.torch.rand(3, 96, 144), file.with_suffix(".png"))
        return folder

    return write


def cells(text, first):
    """Cells of the line that begins with this one."""
    (found,) = [one for one in text.splitlines() if one.startswith(f"| {first} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_numbers_land_in_the_row_of_the_loss_and_the_column_of_the_variant(write):
    means = tables.read_scores(
        write(
            line("MSE", psnr_rgb=25.25),
            line("Res34_3", psnr_rgb=21.5),
            line("Res34_3", variant="coded", psnr_rgb=19.75, layers="resnet34 -stage1 block16"),
        )
    )
    text = tables.beside_published(means, "SRResNet", 250, SET)
    head = cells(text, "loss")
    assert head[3:5] == [f"ours, {v}, {SET}: PSNR / SSIM / MS-SSIM" for v in ("described", "coded")]
    assert cells(text, "MSE")[1:5] == ["23.13 / 0.9348", "21.73 / 0.9090", "25.25 / 0.8000 / 0.9500", "-"]
    row = cells(text, "Res34_3")
    assert row[1] == "14.90 / 0.8287"
    assert row[3].startswith("21.50")
    assert row[4].startswith("19.75")
    assert row[5] == "vgg19 relu5_4 (random)<br>resnet34 -stage1 block16 (random)"
    assert cells(text, "bicubic")[3] == "24.50 / 0.7000 / -"


def test_mean_is_over_images_and_then_over_seeds_with_the_interval_by_hand(write):
    lines = [line("MSE", seed, colour_shift=shift) for seed, shift in enumerate((1.0, 2.0, 4.5))]
    lines.append(line("MSE", 0, image="chelsea", colour_shift=2.0))  # so seed 0 has 1.5
    means = tables.read_scores(write(*lines))
    found = cells(tables.over_losses(means, "colour_shift", SET), "MSE")
    # mean of 1.5, 2, 4.5 is 2.6667; s = 1.6073; t(0.975, 2) = 4.3027; 4.3027 * 1.6073 / sqrt(3) = 3.9927
    assert found[1] == "2.67 ± 3.99 (n=3)"
    assert interval([1.5, 2.0, 4.5]) == pytest.approx(3.9927, abs=1e-3)


def test_nan_and_missing_rows_are_a_dash(write):
    means = tables.read_scores(write(line("MSE", saturation_ratio=math.nan), line("Res18_4", variant="coded")))
    text = tables.over_losses(means, "saturation_ratio", SET)
    assert cells(text, "MSE")[1:3] == ["-", "-"]
    assert cells(text, "Res18_4")[1:3] == ["-", "0.900"]
    assert number([]) == "-"
    assert math.isnan(interval([1.0]))


def test_an_image_without_a_score_does_not_count(write):
    means = tables.read_scores(write(line("MSE"), line("MSE", image="text", saturation_ratio=math.nan)))
    assert cells(tables.over_losses(means, "saturation_ratio", SET), "MSE")[1] == "0.900"


def sentences(means):
    return {claim: " ".join(said) for claim, said in claims(means, SET)}


def whole(real):
    content = {"VGG19_5_4": "vgg19 relu5_4", "Res34_3": "resnet34 block3"}
    found = [line("MSE", seed) for seed in (0, 1, 2)]
    for seed in (0, 1, 2):
        for place, (loss, layers) in enumerate(content.items()):
            options = {"real": real, "layers": layers, "gradient_ratio": 0.7, "energy_error": 0.4 + 0.2 * place}
            found.append(line(loss, seed, saturation_ratio=0.5 + 0.3 * place + 0.01 * seed, psnr_rgb=22.0, **options))
        hybrid = {"real": real, "psnr_rgb": 25.5, "ssim_rgb": 0.81, "ms_ssim_rgb": 0.96}
        found.append(line("hybrid VGG19_5_4", seed, **hybrid))
    return [*found, line("MSE", method="SRGAN", epochs=100, psnr_rgb=24.0)]


def test_with_trained_features_the_claims_are_answered_by_the_numbers(write):
    said = sentences(tables.read_scores(write(*whole(real=True))))
    texture = said["Content losses bring finer texture than MSE."]
    assert re.search(r"VGG19_5_4 \(described\): gradient ratio 0.700 .*0.400 .* against 0.500 .*: holds", texture)
    assert re.search(r"Res34_3 \(described\): .*0.600 .*: does not hold", texture)
    assert "PSNR +0.50 dB, SSIM +0.0100, MS-SSIM +0.0100 over MSE (3 runs each): holds" in " ".join(said.values())
    gan = said["The GAN raises PSNR and SSIM."]
    assert "PSNR -1.00 dB" in gan
    assert "one run each" in gan
    assert "does not hold" in gan
    question = next(answer for claim, answer in said.items() if claim.startswith("Open question"))
    assert "0.510 ± 0.025 (n=3) with VGG19_5_4, 0.810 ± 0.025 (n=3) with Res34_3" in question
    assert "The difference of 0.300 is more than the intervals explain." in question


def test_with_random_features_nothing_is_said_of_vgg_against_resnet(write):
    said = claims(tables.read_scores(write(*whole(real=False))), SET)
    for claim, answers in said:
        for sentence in answers:
            assert not ("VGG" in sentence and "Res34" in sentence), (claim, sentence)
            assert "holds" not in sentence or "SRGAN-100 MSE" in sentence
    texture = dict(said)["Content losses bring finer texture than MSE."]
    assert [answer for answer in texture if "find_weights('vgg19', 'imagenet')" in answer]
    assert [answer for answer in texture if "find_weights('resnet34', 'imagenet')" in answer]


def test_one_random_network_is_enough_to_leave_the_colour_question_open(write):
    lines = [one for one in whole(real=True) if one["loss"] != "Res34_3"]
    lines += [one for one in whole(real=False) if one["loss"] == "Res34_3"]
    question = claims(tables.read_scores(write(*lines)), SET)[-1][1]
    assert question == ["Res34_3 (described): cannot be answered, because a feature network was random here."]


def test_as_coded_the_gan_gets_no_credit(write):
    lines = [line("MSE", variant="coded"), line("MSE", variant="coded", method="SRGAN", epochs=100, psnr_rgb=25.9)]
    gan = sentences(tables.read_scores(write(*lines)))["The GAN raises PSNR and SSIM."]
    assert "no gradient of D reached it" in gan


def test_the_whole_report_is_written_with_its_figures_and_without_paths(write, tmp_path):
    target = tmp_path / "RESULTS.md"
    about = {"preset": "laptop", "given": {"backbone": "/home/somebody/vgg.pth"}}
    about["iters"] = {"250": 20, "100": 10, "200": 20}
    main(str(write(*whole(real=False))), str(target), json.dumps(about))
    text = target.read_text()
    assert "--backbone vgg.pth" in text
    assert "somebody" not in text
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", text)
    assert len(pictures) >= 2
    assert all((tmp_path / picture).stat().st_size > 1000 for picture in pictures)
    assert "0 rows looked through trained networks" in text
    assert "probably MS-SSIM" in text
    assert "nan" not in text.lower()


SRGAN = {"method": "SRGAN", "epochs": 100}


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        (
            ("MSRResNet", "PatchDiscriminator"),
            "As described (here with MSRResNet and PatchDiscriminator instead of SRResNet and SRGANDiscriminator): nor",
        ),
        (("SRResNet", "PatchDiscriminator"), "As described (here with PatchDiscriminator instead of SRGANDiscriminat"),
        (("SRResNet", "SRGANDiscriminator"), "As described, with SRResNet and SRGANDiscriminator: normalised input"),
    ],
)
def test_the_variants_name_the_networks_that_were_used(write, networks, words):
    network, discriminator = networks
    lines = [line("MSE", network=network), line("MSE", **SRGAN, network=network, discriminator=discriminator)]
    text = variants(tables.read_scores(write(*lines)), SET)
    assert text.startswith(words)
    assert "As coded" not in text, "no such row"


def test_both_variants_are_explained_where_both_are_there(write):
    made = {"variant": "coded", "network": "CodedSRResNet"}
    lines = [line("MSE"), line("MSE", **made), line("MSE", **made, **SRGAN, discriminator="CodedDiscriminator")]
    text = variants(tables.read_scores(write(*lines)), SET)
    assert text.startswith("As described (here with MSRResNet instead of SRResNet): normalised input")
    assert "As coded, with CodedSRResNet and CodedDiscriminator: one batch norm" in text


def test_tables_from_before_the_discriminator_had_a_column_can_be_read(write):
    lines = [line("MSE"), line("MSE", **SRGAN)]
    for one in lines:
        del one["discriminator"]
    text = variants(tables.read_scores(write(*lines)), SET)
    assert text.startswith("As described (here with MSRResNet instead of SRResNet): ")


def test_the_opening_promises_both_variants_only_where_both_are_there(write):
    about = {"preset": "laptop", "given": {}}
    found = [line("MSE"), line("Res34_3")]
    text = opening(tables.read_scores(write(*found)), about)
    assert "Here are 2 rows as its text describes them and 0 rows as its code did them." in text
    coded = [line(loss, variant="coded", network="CodedSRResNet") for loss in ("MSE", "Res34_3")]
    text = opening(tables.read_scores(write(*coded)), about)  # beside those from before
    assert "Here each row exists as its text describes it and as its code did it." in text


def test_the_average_of_the_weights_is_said_to_be_a_deviation():
    assert "the weights scored are averages over the training steps (EMA), which the study did not have" in reading()


def test_the_study_is_shown_to_lose_to_bicubic():
    assert "of the 19 networks published, none reaches it (the best has 24.17 dB)" in published.gap_to_bicubic("Set5")


def test_a_run_says_itself_what_its_features_were():
    made = {"parameters": {"features": {"layers": "vgg19 relu5_4", "weights": "random, seed 0", "normalize": False}}}
    assert backbone_of(made, "vgg19 relu5_4") == ("vgg19 relu5_4 (random, not normalised)", False)
    made["parameters"]["features"] |= {"weights": "vgg19-dcbb9e9d.pth", "normalize": True}
    assert backbone_of(made, "vgg19 relu5_4") == ("vgg19 relu5_4 (vgg19-dcbb9e9d.pth)", True)
    assert backbone_of({"parameters": {}}, "") == ("no features", None)
    with pytest.raises(srlab.SrlabError, match="does not say that its features were vgg19 relu2_2"):
        backbone_of(made, "vgg19 relu2_2")


def test_interval_is_zero_for_equal_values():
    assert np.isclose(interval([2.0, 2.0, 2.0]), 0)
