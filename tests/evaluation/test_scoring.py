"""Test srlab.evaluate and its tables: scores of an upscaler on image sets, and that it is not changed."""

import math
from functools import partial

import pytest
import torch

from srlab.data.degradation import Degradation
from srlab.data.image_set import ImageSet
from srlab.data.images import mod_crop, to_uint8
from srlab.data.resampling import downsample, upsample
from srlab.errors import SrlabError
from srlab.evaluation import perceptual
from srlab.evaluation.catalog import METRICS, Metric
from srlab.evaluation.metrics import Protocol, lr_consistency, psnr, ssim
from srlab.evaluation.scoring import evaluate, evaluate_all, summarize
from srlab.models import MSRResNet
from srlab.tiling import upscale


def bicubic(lr):
    return upsample(lr, 4)


def texture(height, width, seed=0, channels=3):
    """Return a smooth random image, on which bicubic scores neither 0 nor infinity."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, -(-height // 2), -(-width // 2), generator=random)
    return to_uint8(upsample(coarse, 2)[0, :, :height, :width].clamp(0, 1))


@pytest.fixture
def images():
    return ImageSet.from_images("two", {"a": texture(50, 43), "b": texture(40, 60, 1)})


# --- Images and their LR -------------------------------------------------------------------------------------


def test_lr_comes_from_degradation_then_set_then_protocol(images):
    made = evaluate(bicubic, images)
    aliased = evaluate(bicubic, images, protocol=Protocol(resampler="bicubic-aliased"))
    assert aliased.equals(evaluate(bicubic, images, degradation=Degradation("bicubic-aliased")))
    assert not aliased.equals(made)
    images.lr = ImageSet.from_images("lr", {name: to_uint8(downsample(mod_crop(hr, 4), 4))[0] for name, hr in images})
    assert evaluate(bicubic, images).equals(made)
    assert evaluate(bicubic, images, protocol=Protocol(resampler="bicubic-aliased")).equals(made)
    images.lr.hr[0].zero_()
    given = evaluate(bicubic, images)
    assert given["psnr"][0] < 10 < made["psnr"][0]
    assert given["psnr"][1] == made["psnr"][1]
    assert evaluate(bicubic, images, degradation=Degradation()).equals(made)


def test_gray_file_is_scored_on_gray_values_and_in_rgb():
    gray = texture(48, 64, channels=1).repeat(3, 1, 1)
    as_file, expanded = (ImageSet.from_images("set", {"g": gray}, names) for names in (["g"], []))
    scored = evaluate(bicubic, as_file)
    gain = evaluate(bicubic, expanded)["psnr"][0] - scored["psnr"][0]
    assert gain == pytest.approx(20 * math.log10(255 / 219), abs=0.02)
    for other in (Protocol("rgb", 4), Protocol(gray="luma")):
        assert evaluate(bicubic, as_file, protocol=other).equals(evaluate(bicubic, expanded, protocol=other))


# --- Metrics of the table ------------------------------------------------------------------------------------


def test_table_has_requested_metrics_of_each_image_in_order(images):
    model, names = MSRResNet(1, 4), ("energy_error", "psnr", "ssim", "lr_consistency", "psnr")
    protocol = Protocol(crop=2, resampler="bicubic-aliased")
    table = evaluate(model, images, protocol=protocol, metrics=[*names, partial(perceptual.color_shift)])
    assert list(table.columns) == ["image", *names[:-1], "partial"]
    assert list(table["image"]) == ["a", "b"]
    for name, *scores in table.itertuples(index=False):
        hr = mod_crop(images[name], 4)  # 50 x 43 is cropped to 48 x 40
        lr = downsample(hr, 4, "bicubic-aliased")
        sr = upscale(model, lr)
        wanted = [perceptual.energy_error(sr, hr), psnr(sr, hr, protocol), ssim(sr, hr, protocol)]
        wanted += [lr_consistency(sr, lr, "bicubic-aliased"), perceptual.color_shift(sr, hr)]
        assert scores == pytest.approx([score.item() for score in wanted], abs=1e-6)


def test_image_smaller_than_window_gets_nan(backbone_file):
    both = ImageSet.from_images("two", {"small": texture(16, 180), "large": texture(176, 180)})
    metrics = ["ssim", "patch_distance", "lpips"]
    table = evaluate(bicubic, both, metrics=("psnr", *metrics), weights=backbone_file)
    for metric in metrics:
        assert table[metric].isna().tolist() == [True, False]
        assert summarize(table.assign(set="two", method="m"))[metric][0] == table[metric][1]
    assert table["psnr"].notna().all()


def test_lpips_without_weights_is_skipped_with_message(images, capsys):
    table = evaluate_all({"one": bicubic, "two": bicubic}, images, metrics=("psnr", "lpips"))
    assert list(table.columns) == ["set", "image", "method", "psnr"]
    assert capsys.readouterr().out.count("LPIPS is left out") == 1


def test_metric_with_a_network_is_one_entry(images, capsys, monkeypatch):
    def load(weights):
        return {"imagenet": torch.nn.Identity()}.get(weights)

    entry = Metric(lambda sr, hr, how: how.network(sr - hr).mean(dim=(1, 2, 3)), "mine", -1, 1, 1, load=load)
    monkeypatch.setitem(METRICS, "mine", entry)
    assert list(evaluate(bicubic, images, metrics=("psnr", "mine"), weights="imagenet").columns)[1:] == ["psnr", "mine"]
    assert list(evaluate(bicubic, images, metrics=("psnr", "mine")).columns)[1:] == ["psnr"]


def own(sr, hr):
    return sr.mean()


own.__name__ = "psnr"
BAD = ImageSet.from_images("bad", {"0": texture(8, 40)})
REFUSED = [
    ({"sets": BAD}, "Image '0' of bad: .*nothing left"),
    ({"models": {"m": lambda lr: upsample(lr, 2)}}, "into 20x24, which is not 4 times larger"),
    ({"metrics": ("psnr", "vmaf")}, "'vmaf'.*patch_distance"),
    ({"metrics": ()}, "Use one of"),
    ({"metrics": "lpips"}, "No metric is left"),
    ({"metrics": [own, "psnr"]}, "Two metrics are named 'psnr'"),
    ({"models": {}}, "at least"),
    ({"sets": []}, "at least"),
    ({"sets": [BAD, BAD]}, "bad, bad .* same"),
]


@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_evaluation_that_cannot_be_done_is_rejected(given, said, images):
    with pytest.raises(SrlabError, match=said):
        evaluate_all(**{"models": {"bicubic": bicubic}, "sets": images} | given)


# --- Many methods on many sets -------------------------------------------------------------------------------


def test_evaluate_all_rows_and_summarize_means(images):
    other = ImageSet.from_images("an earlier name", {"c": texture(40, 40, 3)})
    methods = {"nearest": lambda lr: upsample(lr, 4, "nearest"), "bicubic": bicubic, "again": bicubic}
    table = evaluate_all(methods, [images, other], metrics="psnr", degradation=Degradation(noise=0.1))
    assert list(table.columns) == ["set", "image", "method", "psnr"]
    wanted = [("two", image, method) for method in methods for image in "ab"]
    wanted += [("an earlier name", "c", method) for method in methods]
    assert list(table[["set", "image", "method"]].itertuples(index=False, name=None)) == wanted
    assert table["psnr"][2:4].tolist() == table["psnr"][4:6].tolist(), "the random LR is equal for all methods"
    means = summarize(table)
    assert means["set"].tolist() == ["two"] * 3 + ["an earlier name"] * 3
    assert means["method"].tolist() == [*methods] * 2
    assert means["psnr"][0] == pytest.approx(table["psnr"][:2].mean())
