"""srlab.evaluate and its tables: what an upscaler scores on image sets, and that it is left as it was."""

import math
from itertools import islice

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

import srlab
from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet, folder, photos
from srlab.data.degradation import Degradation
from srlab.data.images import mod_crop, quantize, to_uint8
from srlab.data.patches import PatchSampler
from srlab.data.resampling import downsample, upsample
from srlab.evaluation import perception
from srlab.evaluation.metrics import FACE, STUDY, Protocol, psnr, ssim
from srlab.evaluation.scoring import (
    METHODS,
    METRICS,
    evaluate,
    evaluate_all,
    load_upscalers,
    save_table,
    summarize,
)
from srlab.inference.tiling import upscale
from srlab.models import MSRResNet, SRResNet
from srlab.training.runs import FORMAT, Run
from srlab.view.plots import COLORS


def bicubic(lr):
    return upsample(lr, 4)


def nearest(lr):
    return upsample(lr, 4, "nearest")


def texture(height, width, seed=0, channels=3):
    """A smooth random picture: bicubic enlargement scores neither 0 nor infinity on it."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, -(-height // 2), -(-width // 2), generator=random)
    return to_uint8(upsample(coarse, 2)[0, :, :height, :width].clamp(0, 1))


@pytest.fixture
def images():
    return ImageSet("two", ["a", "b"], [texture(50, 43), texture(40, 60, 1)])


# --- One model on one set ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [bicubic, MSRResNet(1, 4), nn.Upsample(scale_factor=4, mode="bicubic")],
    ids=["function", "network", "module without weights"],
)
def test_there_is_a_row_per_image_with_the_scores_of_the_protocol(images, model):
    table = evaluate(model, images)
    assert list(table.columns) == ["image", "psnr", "ssim"]
    assert list(table["image"]) == ["a", "b"]
    for name, row in table.set_index("image").iterrows():
        hr = mod_crop(images[name], 4)  # 50 x 43 is cut to 48 x 40
        sr = upscale(model, downsample(hr, 4))
        assert row["psnr"] == pytest.approx(float(psnr(sr, hr)), abs=1e-6)
        assert row["ssim"] == pytest.approx(float(ssim(sr, hr)), abs=1e-6)


def test_lr_that_came_with_the_set_is_used_unless_a_degradation_is_given(images):
    made = evaluate(bicubic, images)
    images.lr = [to_uint8(downsample(mod_crop(images[name], 4), 4))[0] for name in images.names]
    assert evaluate(bicubic, images).equals(made)
    assert evaluate(bicubic, images, protocol=Protocol(resampler="bicubic-aliased")).equals(made)
    images.lr[0] = torch.zeros_like(images.lr[0])
    given = evaluate(bicubic, images)
    assert given["psnr"][0] < 10 < made["psnr"][0]
    assert given["psnr"][1] == made["psnr"][1]
    assert evaluate(bicubic, images, degradation=Degradation()).equals(made)


def test_the_resampler_of_the_protocol_makes_lr(images):
    aliased = Protocol(resampler="bicubic-aliased")
    made = evaluate(bicubic, images, protocol=aliased)
    assert made.equals(evaluate(bicubic, images, degradation=Degradation("bicubic-aliased")))
    assert not made.equals(evaluate(bicubic, images))


def test_a_random_degradation_is_repeated_by_its_seed_and_the_same_for_every_method(images):
    noisy = Degradation(noise=0.1)
    tables = [evaluate(bicubic, images, degradation=noisy, seed=seed) for seed in (1, 1, 2)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
    table = evaluate_all({"one": bicubic, "two": bicubic}, images, degradation=noisy)
    one, two = (table[table["method"] == name]["psnr"].tolist() for name in ("one", "two"))
    assert one == two


def test_a_grey_file_is_scored_on_its_grey_values_which_is_1_32_db_lower_and_in_rgb_as_any_other():
    grey = texture(48, 64, channels=1).repeat(3, 1, 1)
    as_file, expanded = ImageSet("set", ["g"], [grey], grey=frozenset({"g"})), ImageSet("set", ["g"], [grey])
    scored = evaluate(bicubic, as_file)
    gain = evaluate(bicubic, expanded)["psnr"][0] - scored["psnr"][0]
    assert gain == pytest.approx(20 * math.log10(255 / 219), abs=0.02)
    hr = grey[None, :1] / 255
    sr = quantize(bicubic(quantize(downsample(hr, 4).clamp(0, 1))).clamp(0, 1))
    assert scored["psnr"][0] == pytest.approx(float(psnr(sr, hr)), abs=1e-3)
    assert scored["ssim"][0] == pytest.approx(float(ssim(sr, hr)), abs=1e-4)
    rgb = Protocol("rgb", 4)
    assert evaluate(bicubic, as_file, protocol=rgb).equals(evaluate(bicubic, expanded, protocol=rgb))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_scored_in_eval_mode_and_left_in_the_mode_it_was_in(images, training):
    network = SRResNet(1, 4).train(training)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first = evaluate(network, images)
    assert network.training is network.blocks[0].body[1].training is training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())  # BN statistics too
    assert first.equals(evaluate(network.eval(), images))


# --- Metrics of the table ------------------------------------------------------------------------------------


def test_the_metrics_asked_for_are_the_columns_in_that_order(images):
    table = evaluate(bicubic, images, metrics=("energy_error", "psnr", "colour_shift", "gradient_ratio", "psnr"))
    assert list(table.columns) == ["image", "energy_error", "psnr", "colour_shift", "gradient_ratio"]
    assert list(evaluate(bicubic, images, metrics="ssim").columns) == ["image", "ssim"]
    hr = mod_crop(images["a"], 4)
    for name in ("energy_error", "colour_shift", "gradient_ratio"):
        wanted = float(getattr(perception, name)(bicubic(downsample(hr, 4)), hr))
        assert table[name][0] == pytest.approx(wanted, abs=1e-9)
    for protocol in (FACE, STUDY):  # perception looks at colour and the whole image, whatever the protocol
        again = evaluate(bicubic, images, protocol=protocol, metrics=("energy_error", "colour_shift"))
        assert again.equals(table[["image", "energy_error", "colour_shift"]])


@pytest.mark.parametrize(
    ("metric", "small", "large"),
    [
        ("ssim", 16, 20),
        ("ms_ssim", 168, 172),
        ("gradient_ratio", 1, 2),
        ("energy_error", 15, 16),
        ("checkerboard", 31, 32),
    ],
)
def test_an_image_too_small_for_a_window_has_nan_there_and_the_others_are_scored(metric, small, large):
    both = ImageSet("two", ["small", "large"], [texture(small, 180), texture(large, 180)])
    protocol = Protocol(crop=4 if "ssim" in metric else 0)
    table = evaluate(lambda lr: 0.9 * lr, both, scale=1, protocol=protocol, metrics=("psnr", metric))
    assert table[metric].isna().tolist() == [True, False]
    assert table["psnr"].notna().all()
    assert summarize(table.assign(set="two", method="m"))[metric][0] == table[metric][1]


def test_without_its_weights_lpips_has_no_column_and_a_line_says_so_once(images, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    table = evaluate_all({"one": bicubic, "two": bicubic}, images, metrics=("psnr", "lpips"))
    assert list(table.columns) == ["set", "image", "method", "psnr"]
    assert capsys.readouterr().out.count("LPIPS is left out") == 1
    with pytest.raises(SrlabError, match="no metric is left"):
        evaluate(bicubic, images, metrics="lpips")


def test_with_weights_lpips_has_a_column_and_small_images_have_nan(tmp_path):
    from torchvision.models import alexnet

    with torch.random.fork_rng():
        torch.save(alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    both = ImageSet("two", ["small", "large"], [texture(28, 64), texture(64, 64)])
    table = evaluate(bicubic, both, metrics=("lpips",), weights=tmp_path / "alexnet.pth")
    network = perception.load_lpips(tmp_path / "alexnet.pth")
    wanted = float(perception.lpips(bicubic(downsample(both["large"], 4)), both["large"], network))
    assert table["lpips"].isna().tolist() == [True, False]
    assert table["lpips"][1] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("model", "images", "options", "said"),
    [
        (bicubic, [texture(40, 40), texture(1, 1)], {}, "Image '1' of bad: .*too small for scale 4"),
        (bicubic, [texture(40, 40), texture(8, 40)], {}, "Image '1' of bad: .*nothing left after"),
        (lambda lr: bicubic(lr) * math.nan, [texture(40, 40)], {}, "Image '0' of bad: .*NaN"),
        (lambda lr: upsample(lr, 2), [texture(40, 40)], {}, "SR has shape .* but HR"),
        (bicubic, [texture(40, 40)], {"metrics": ("psnr", "vmaf")}, f"choose from {', '.join(METRICS)}"),
        (bicubic, [texture(40, 40)], {"metrics": "vmaf"}, "no metric 'vmaf'"),
        (bicubic, [texture(40, 40)], {"metrics": ()}, "choose from"),
    ],
)
def test_what_cannot_be_scored_is_named(model, images, options, said):
    with pytest.raises(SrlabError, match=said):
        evaluate(model, ImageSet("bad", [str(i) for i in range(len(images))], images), **options)


# --- Many methods on many sets -------------------------------------------------------------------------------


def test_evaluate_all_has_a_row_per_image_and_method_and_summarize_their_means_in_that_order(images):
    other = ImageSet("an earlier name", ["c"], [texture(40, 40, 3)])
    table = evaluate_all({"nearest": nearest, "bicubic": bicubic}, [images, other], metrics=("psnr", "ms_ssim"))
    assert list(table.columns) == ["set", "image", "method", "psnr", "ms_ssim"]
    wanted = [("two", image, method) for method in ("nearest", "bicubic") for image in "ab"]
    wanted += [("an earlier name", "c", "nearest"), ("an earlier name", "c", "bicubic")]
    assert list(table[["set", "image", "method"]].itertuples(index=False, name=None)) == wanted
    assert table["psnr"][:2].tolist() == evaluate(nearest, images)["psnr"].tolist()
    means = summarize(table)
    assert list(means.columns) == ["set", "method", "psnr", "ms_ssim"]
    assert means["set"].tolist() == ["two", "two", "an earlier name", "an earlier name"]
    assert means["method"].tolist() == ["nearest", "bicubic"] * 2
    assert means["psnr"][0] == pytest.approx(table["psnr"][:2].mean())
    assert means["ms_ssim"].isna().all()  # all images are too small for it


def test_nothing_to_evaluate_and_two_sets_of_one_name_are_refused(images):
    for models, sets in (({}, [images]), ({"bicubic": bicubic}, [])):
        with pytest.raises(SrlabError, match="at least one method and one image set"):
            evaluate_all(models, sets)
    with pytest.raises(SrlabError, match="two, two have the same name"):
        evaluate_all({"bicubic": bicubic}, [images, images.subset("a")])


def test_a_table_is_saved_and_read_back_and_overwrites_nothing_unless_forced(tmp_path, images):
    table = evaluate_all({"bicubic": bicubic, "HR": lambda lr: mod_crop(images["a"], 4)}, images.subset("a"))
    path = save_table(table, tmp_path / "new" / "t.csv")
    assert pd.read_csv(path).equals(table)  # infinity too
    path.write_text("mine")
    with pytest.raises(SrlabError, match=r"t\.csv exists already.*force"):
        save_table(table, path)
    assert path.read_text() == "mine"
    assert pd.read_csv(save_table(table, path, force=True)).equals(table)


# --- Runs ----------------------------------------------------------------------------------------------------


def make_run(lab, name, state="finished"):
    run = Run(lab, name)
    facts = {"format": FORMAT, "lab": lab, "parameters": {}, "step": 1, "wall_time_s": 0.0, "state": state}
    run.write_manifest(facts)
    run.save_generator(MSRResNet(1, 4), step=1)
    return run


def test_all_finished_runs_are_loaded_by_the_name_of_their_method(home, capsys):
    assert load_upscalers() == {}
    assert f"no finished runs in {home}" in capsys.readouterr().out
    for lab, name in [("03_srgan", "default"), ("01_srresnet", "long"), ("01_srresnet", "default"), ("my_lab", "x")]:
        make_run(lab, name)
    for name in ("default", "default-hybrid", "long-hybrid", "default-ablation-mse"):
        make_run("02_content_loss", name)
    for name in ("default", "default-psnr", "paper-psnr", "default-ablation-without-d"):
        make_run("04_esrgan", name)
    make_run("01_srresnet", "default-ablation-3")
    make_run("02_content_loss", "begun", state="running")
    make_run("03_srgan", "my-hybrid")
    (home / "notebooks").mkdir()
    (home / "04_esrgan" / "begun").mkdir(parents=True)
    upscalers = load_upscalers()
    assert list(upscalers)[:2] == ["MSRResNet", "MSRResNet (long)"]
    labels = {"content loss", "hybrid", "hybrid (long)", "SRGAN", "SRGAN (my-hybrid)", "ESRGAN", "RRDB", "RRDB (paper)"}
    assert set(upscalers) == labels | {"MSRResNet", "MSRResNet (long)", "my_lab (x)"}
    assert all(isinstance(network, MSRResNet) and not network.training for network in upscalers.values())
    assert capsys.readouterr().out == ""
    assert set(METHODS.values()) <= set(COLORS)


def test_a_broken_run_is_named_and_the_others_are_loaded(capsys):
    make_run("03_srgan", "default")
    weights = make_run("01_srresnet", "default").path / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    (make_run("04_esrgan", "default").path / "run.json").write_text("{")
    assert list(load_upscalers()) == ["SRGAN"]
    said = capsys.readouterr().out
    assert "The run 01_srresnet/default is left out" in said
    assert "The run 04_esrgan/default is left out" in said
    assert said.count("\n") == 2


def test_runs_of_a_list_must_all_be_there():
    make_run("01_srresnet", "default", state="running")
    make_run("03_srgan", "long")
    assert list(load_upscalers(["03_srgan/long", "01_srresnet"])) == ["SRGAN (long)", "MSRResNet"]
    assert list(load_upscalers("01_srresnet/default")) == ["MSRResNet"]
    with pytest.raises(SrlabError, match="no weights file"):
        load_upscalers(["01_srresnet/default", "01_srresnet/other"])


# --- Against scikit-image and the papers ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    """A small network after some seconds of training: its output has the errors of a network, not of a formula."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MSRResNet(1, 16)
    with torch.no_grad():  # from its small first weights a few dozen steps would not lead far
        for layer in (*network.blocks.modules(), *network.upsample, network.head):
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(10)
    sampler = PatchSampler(photos("train").subset("camera", "coffee", "page", "motorcycle_left"), patch=64, batch=8)
    optimizer = torch.optim.Adam(network.parameters(), 4e-3)
    for lr, hr in islice(sampler, 60):
        loss = nn.functional.mse_loss(network(lr), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def skimage_scores(sr, hr, grey):
    """PSNR and SSIM of scikit-image, with the luma written out again and 4 pixels cropped; levels are rounded once."""
    planes = []
    for image in (sr, hr):
        rounded = image * 255 if grey else to_uint8(image)
        pixels = rounded[0].permute(1, 2, 0).numpy().astype(np.float64)
        y = pixels @ [65.481 / 255, 128.553 / 255, 24.966 / 255] + 16
        planes.append((np.floor((y - 16) * 255 / 219 + 0.5) if grey else y)[4:-4, 4:-4])
    options = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    similarity = structural_similarity(*planes, **options)[1][5:-5, 5:-5].mean()  # where the window lies inside
    return peak_signal_noise_ratio(*planes, data_range=255), similarity


def agrees_with_skimage(upscaler, images):
    """Assert that srlab scores a set as scikit-image does; returns the table."""
    table = evaluate(upscaler, images)
    for _, row in table.iterrows():
        hr = mod_crop(images[row["image"]], 4)
        sr = srlab.upscale(upscaler, downsample(hr, 4))
        decibels, similarity = skimage_scores(sr, hr, row["image"] in images.grey)
        assert row["psnr"] == pytest.approx(decibels, abs=1e-3)
        assert row["ssim"] == pytest.approx(similarity, abs=1e-5)
    return table


def test_the_output_of_a_network_scores_as_in_scikit_image_on_the_embedded_photos(trained):
    table = agrees_with_skimage(trained, photos("validation"))
    start = evaluate(lambda lr: upsample(lr, 4, "bilinear"), photos("validation"))  # what the network adds detail to
    assert (table["psnr"] > start["psnr"] + 0.02).all()  # it has learned something


def test_colour_and_grey_photos_of_the_benchmarks_score_as_in_scikit_image(trained, benchmark_dir):
    assert len(agrees_with_skimage(trained, folder(benchmark_dir / "Set5" / "HR"))) == 5
    images = folder(benchmark_dir / "Set14" / "HR")
    agrees_with_skimage(bicubic, images.subset(*images.names[:1], *sorted(images.grey)))


def test_the_published_bicubic_rows_of_set5_and_set14_are_reproduced_with_grey_values_as_they_are(benchmark_dir):
    sets = [folder(benchmark_dir / name / "HR") for name in ("Set5", "Set14")]
    for images, name in zip(sets, ("Set5", "Set14"), strict=True):
        images.name = name  # of the folder HR
    means = summarize(evaluate_all({"bicubic": bicubic}, sets)).set_index("set")
    for name, decibels, similarity in (("Set5", 28.42, 0.8104), ("Set14", 26.00, 0.7027)):
        assert means.loc[name, "psnr"] == pytest.approx(decibels, abs=0.03)
        assert means.loc[name, "ssim"] == pytest.approx(similarity, abs=0.002)
    assert sets[1].grey == {"img_003"}  # the bridge, which would be 1.32 dB better if it were expanded to RGB
