"""Test the report of the content-loss study on fictional scores: table cells, and no claim from random features."""

import pandas as pd
import pytest

from studies.content_loss import tables

SET = "photos/validation"
SRGAN = {"method": "SRGAN", "epochs": 100}
CODED = {"variant": "coded", "network": "CodedSRResNet"}
BICUBIC = {"row": "bicubic", "lr": "bicubic", "set": SET, "image": "astronaut", "psnr_rgb": 24.5, "ssim_rgb": 0.7}
SCORES = {"psnr_rgb": 25.0, "ssim_rgb": 0.8, "ms_ssim_rgb": 0.95, "psnr": 26.0, "ssim": 0.82, "checkerboard": 0.1}
SCORES |= {"gradient_ratio": 0.6, "energy_error": 0.5, "color_shift": 1.0, "saturation_ratio": 0.9}
TEXTURE, HYBRID, GAN, SIZE, QUESTION = tables.CLAIMS


def line(loss, seed=0, real=False, layers="vgg19 relu5_4", **changes):
    known = {"variant": "described", "method": "SRResNet", "epochs": 250, "loss": loss, "seed": seed} | SCORES
    known |= {"backbone": f"{layers}{'' if real else ' (random)'}", "real": real}
    known |= {"backbone": "no features", "real": None} if loss == "MSE" else {}
    known |= {"lab": "02", "run": "r", "network": "MSRResNet", "discriminator": None, "iters": 20, "wall_time_s": 7.0}
    known |= {"lr": "bicubic", "set": SET, "image": "astronaut"} | changes
    return {"row": "-".join(str(known[key]) for key in ("variant", "method", "epochs", "loss", "seed"))} | known


def means(*lines):
    return tables.means_of(pd.DataFrame([*lines, BICUBIC]))


def cells(text, first):
    """Return the cells of the line that starts with this one."""
    (found,) = [one for one in text.splitlines() if one.startswith(f"| {first} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_table_cells_have_the_right_numbers():
    coded = line("Res34_3", **CODED, psnr_rgb=19.75, layers="resnet34_without_stage1 block16")
    seeds = [line("MSE", seed, psnr_rgb=25.25, color_shift=shift) for seed, shift in enumerate((1.0, 2.0, 4.5))]
    other = line("MSE", psnr_rgb=25.25, image="chelsea", color_shift=2.0)  # so seed 0 has 1.5
    found = means(*seeds, other, line("Res34_3", psnr_rgb=21.5), coded)
    text = tables.beside_published(found, "SRResNet", 250, SET)
    assert cells(text, "loss")[3:5] == [f"ours, {v}, {SET}: PSNR / SSIM / MS-SSIM" for v in ("described", "coded")]
    assert cells(text, "MSE")[1:3] == ["23.13 / 0.9348", "21.73 / 0.9090"]
    assert cells(text, "MSE")[3].startswith("25.25 (n=3, all alike) / 0.8000 (n=3, all alike) / 0.95")
    _, theirs, _, described, as_coded, looked = cells(text, "Res34_3")
    assert (theirs, described[:5], as_coded[:5]) == ("14.90 / 0.8287", "21.50", "19.75")
    assert looked == "vgg19 relu5_4 (random)<br>resnet34_without_stage1 block16 (random)"
    assert cells(text, "bicubic")[3] == "24.50 / 0.7000 / -"
    # mean of 1.5, 2, 4.5 is 2.6667; s = 1.6073; t(0.975, 2) = 4.3027; 4.3027 * 1.6073 / sqrt(3) = 3.9927
    assert cells(tables.over_losses(found, "color_shift"), "MSE")[1] == "2.67 ± 3.99 (n=3)"


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


HERE = "(described, SRResNet 250)"


@pytest.mark.parametrize(
    ("claim", "first", "expected"),
    [
        (TEXTURE, f"VGG19_5_4 {HERE} - MSE {HERE}", ["+0.100", "-0.100", "holds, 3 seeds"]),
        (TEXTURE, f"Res34_3 {HERE} - MSE {HERE}", ["+0.100", "+0.100", "does not hold, 3 seeds"]),
        (HYBRID, f"hybrid VGG19_5_4 {HERE} - MSE {HERE}", ["+0.50", "+0.0100", "+0.0100", "holds, 3 seeds"]),
        (GAN, f"MSE (described, SRGAN 100) - MSE {HERE}", ["-1.00", "+0.0000", "+0.0000", "does not hold, one seed"]),
        (SIZE, f"Res34_3 {HERE} - MSE {HERE}", ["-3.00", "compare, 3 seeds"]),
        (QUESTION, f"Res34_3 {HERE} - VGG19_5_4 {HERE}", ["+0.300", "holds, 3 seeds"]),
    ],
)
def test_claims_need_trained_features(claim, first, expected):
    assert cells(tables.claimed(means(*whole(real=True)), claim), first)[1:-1] == expected
    found = cells(tables.claimed(means(*whole(real=False)), claim), first)[1:-1]
    assert found == (expected if claim == GAN else ["-"] * (len(expected) - 1) + ["no answer: random features"])
    if claim == QUESTION:  # one random network is enough for no answer
        mixed = [one for real in (True, False) for one in whole(real) if (one["loss"] != "Res34_3") == real]
        assert cells(tables.claimed(means(*mixed), claim), first)[2] == "no answer: random features"
