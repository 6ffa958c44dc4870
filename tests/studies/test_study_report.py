"""The report of the content-loss study on made-up scores: numbers in their cells, and no claim from random features."""

import json
import re

import pandas as pd
import pytest
import torch

import srlab
from studies.content_loss import tables
from studies.content_loss.claims import claims
from studies.content_loss.report import main
from studies.copies import backbone_of

pytestmark = pytest.mark.nightly

SET = "photos/validation"
SRGAN = {"method": "SRGAN", "epochs": 100}
CODED = {"variant": "coded", "network": "CodedSRResNet"}
BICUBIC = {"row": "bicubic", "weights": "last", "set": SET, "image": "astronaut", "psnr_rgb": 24.5, "ssim_rgb": 0.7}
SCORES = {"psnr_rgb": 25.0, "ssim_rgb": 0.8, "ms_ssim_rgb": 0.95, "psnr_y": 26.0, "ssim_y": 0.82}
SCORES |= {"gradient_ratio": 0.6, "energy_error": 0.5, "colour_shift": 1.0, "saturation_ratio": 0.9}


def line(loss, seed=0, real=False, layers="vgg19 relu5_4", **changes):
    known = {"variant": "described", "method": "SRResNet", "epochs": 250, "loss": loss, "seed": seed} | SCORES
    known |= {"backbone": f"{layers}{'' if real else ' (random)'}", "real": real}
    known |= {"backbone": "no features", "real": None} if loss == "MSE" else {}
    known |= {"lab": "02", "run": "r", "network": "MSRResNet", "discriminator": "", "iters": 20, "wall_time_s": 7.0}
    known |= {"weights": "last", "step": 20, "set": SET, "image": "astronaut"} | changes
    return {"row": "-".join(str(known[key]) for key in ("variant", "method", "epochs", "loss", "seed"))} | known


@pytest.fixture
def read(tmp_path):
    """Means over tables as ``score.py`` leaves them in ``scores/``."""
    (tmp_path / "scores").mkdir()

    def read(*lines):
        for row, found in pd.DataFrame([*lines, BICUBIC]).groupby("row"):
            found.dropna(axis=1, how="all").to_csv(tmp_path / "scores" / f"{row}.csv", index=False)
        return tables.read_scores(tmp_path / "scores")

    return read


def cells(text, first):
    """Cells of the line that begins with this one."""
    (found,) = [one for one in text.splitlines() if one.startswith(f"| {first} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_numbers_land_in_the_row_of_the_loss_and_the_column_of_the_variant(read):
    coded = line("Res34_3", **CODED, psnr_rgb=19.75, layers="resnet34 -stage1 block16")
    seeds = [line("MSE", seed, psnr_rgb=25.25, colour_shift=shift) for seed, shift in enumerate((1.0, 2.0, 4.5))]
    other = line("MSE", psnr_rgb=25.25, image="chelsea", colour_shift=2.0)  # so seed 0 has 1.5
    means = read(*seeds, other, line("Res34_3", psnr_rgb=21.5), coded)
    text = tables.beside_published(means, "SRResNet", 250, SET)
    assert cells(text, "loss")[3:5] == [f"ours, {v}, {SET}: PSNR / SSIM / MS-SSIM" for v in ("described", "coded")]
    assert cells(text, "MSE")[1:3] == ["23.13 / 0.9348", "21.73 / 0.9090"]
    assert cells(text, "MSE")[3].startswith("25.25 (n=3, all alike) / 0.8000 (n=3, all alike) / 0.95")
    _, theirs, _, described, as_coded, looked = cells(text, "Res34_3")
    assert (theirs, described[:5], as_coded[:5]) == ("14.90 / 0.8287", "21.50", "19.75")
    assert looked == "vgg19 relu5_4 (random)<br>resnet34 -stage1 block16 (random)"
    assert cells(text, "bicubic")[3] == "24.50 / 0.7000 / -"
    # mean of 1.5, 2, 4.5 is 2.6667; s = 1.6073; t(0.975, 2) = 4.3027; 4.3027 * 1.6073 / sqrt(3) = 3.9927
    assert cells(tables.over_losses(means, "colour_shift", SET), "MSE")[1] == "2.67 ± 3.99 (n=3)"


def whole(real):
    lines = [line("MSE", **SRGAN, psnr_rgb=24.0)]
    for seed in (0, 1, 2):
        lines.append(line("MSE", seed))
        for place, (loss, layers) in enumerate({"VGG19_5_4": "vgg19 relu5_4", "Res34_3": "resnet34 block3"}.items()):
            scores = {"gradient_ratio": 0.7, "energy_error": 0.4 + 0.2 * place, "psnr_rgb": 22.0}
            scores["saturation_ratio"] = 0.5 + 0.3 * place + 0.01 * seed
            lines.append(line(loss, seed, real=real, layers=layers, **scores))
        hybrid = {"psnr_rgb": 25.5, "ssim_rgb": 0.81, "ms_ssim_rgb": 0.96}
        lines.append(line("hybrid VGG19_5_4", seed, real=real, **hybrid))
    return lines


def test_with_trained_features_the_claims_are_answered_by_the_numbers(read):
    texture, hybrid, gan, _, question = (" ".join(said) for _, said in claims(read(*whole(real=True)), SET))
    assert re.search(r"VGG19_5_4 \(described\): gradient ratio 0.700 .*0.400 .* against 0.500 .*: holds", texture)
    assert re.search(r"Res34_3 \(described\): .*0.600 .*: does not hold", texture)
    assert "PSNR +0.50 dB, SSIM +0.0100, MS-SSIM +0.0100 over MSE (3 runs each): holds" in hybrid
    assert re.search(r"PSNR -1.00 dB.*one run each.*does not hold", gan)
    assert "0.510 ± 0.025 (n=3) with VGG19_5_4, 0.810 ± 0.025 (n=3) with Res34_3" in question
    assert "The difference of 0.300 is more than the intervals explain." in question


def test_with_random_features_nothing_is_said_of_vgg_against_resnet(read):
    said = claims(read(*whole(real=False)), SET)
    for sentence in (sentence for _, answers in said for sentence in answers):
        assert not ("VGG" in sentence and "Res34" in sentence), sentence
        assert "holds" not in sentence or "SRGAN-100 MSE" in sentence
    for network in ("vgg19", "resnet34"):
        assert network in " ".join(said[0][1]), "how to get its weights"
    # One random network is enough to leave the question of colours open.
    mixed = [one for real in (True, False) for one in whole(real) if (one["loss"] != "Res34_3") == real]
    question = claims(read(*mixed), SET)[-1][1]
    assert question == ["Res34_3 (described): cannot be answered, because a feature network was random here."]


def test_the_whole_report_is_written_with_its_figures_and_without_paths(read, tmp_path):
    for row in read(*whole(real=False))["row"].unique():
        srlab.write_image(torch.rand(3, 96, 144), tmp_path / "scores" / f"{row}.png")
    about = {"preset": "laptop", "given": {"backbone": "/home/somebody/vgg.pth"}}
    about["iters"] = {"250": 20, "100": 10, "200": 20}
    main(str(tmp_path / "scores"), str(tmp_path / "RESULTS.md"), json.dumps(about))
    text = (tmp_path / "RESULTS.md").read_text()
    assert "--backbone vgg.pth" in text
    assert "somebody" not in text
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", text)
    assert len(pictures) >= 2
    assert all((tmp_path / picture).stat().st_size > 1000 for picture in pictures)
    assert "0 rows looked through trained networks" in text
    assert "nan" not in text.lower()


def test_a_run_says_itself_what_its_features_were():
    features = {"layers": "vgg19 relu5_4", "weights": "vgg19-dcbb9e9d.pth", "normalize": True}
    made = {"parameters": {"features": features}}
    assert backbone_of(made, "vgg19 relu5_4") == ("vgg19 relu5_4 (vgg19-dcbb9e9d.pth)", True)
    assert backbone_of(made, "") == ("no features", None)
    with pytest.raises(srlab.SrlabError, match="does not say that its features were vgg19 relu2_2"):
        backbone_of(made, "vgg19 relu2_2")
    features |= {"weights": "random, seed 0", "normalize": False}
    assert backbone_of(made, "vgg19 relu5_4") == ("vgg19 relu5_4 (random, not normalised)", False)
