"""srlab.evaluation.scoring: what an upscaler scores on an image set, and that it is left as it was."""

import json
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
from srlab.evaluation.metrics import FACE, PAPER, STUDY, Protocol, ms_ssim, psnr, ssim
from srlab.evaluation.scoring import METHODS, METRICS, evaluate, load_upscalers, score, summarize
from srlab.evaluation.tables import records, save_table
from srlab.inference.tiling import upscale
from srlab.models import MSRResNet, SRResNet
from srlab.training.runs import Run
from srlab.view.perception_plot import draw_perception_distortion, perception_distortion
from srlab.view.plots import COLORS


def enlarge(lr):
    return upsample(lr, 4)


def texture(height, width, seed=0, channels=3):
    """A smooth random picture: bicubic enlargement scores neither 0 nor infinity on it."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, -(-height // 2), -(-width // 2), generator=random)
    return to_uint8(upsample(coarse, 2)[0, :, :height, :width].clamp(0, 1))


@pytest.fixture
def images():
    return ImageSet("two", ["a", "b"], [texture(50, 43), texture(40, 60, 1)])


def test_there_is_one_row_per_image_with_the_scores_of_the_protocol(images):
    table = score(enlarge, images)
    assert list(table.columns) == ["image", "psnr", "ssim"]
    assert list(table["image"]) == ["a", "b"]
    for name, row in table.set_index("image").iterrows():
        hr = mod_crop(images[name], 4)  # 50 x 43 is cut to 48 x 40
        sr = enlarge(downsample(hr, 4).clamp(0, 1).mul(255).round() / 255).clamp(0, 1)
        assert row["psnr"] == pytest.approx(float(psnr(sr, hr)), abs=0.01)
        assert row["ssim"] == pytest.approx(float(ssim(sr, hr)), abs=1e-3)


def test_lr_that_came_with_the_set_is_used(images):
    made = score(enlarge, images)
    images.lr = [to_uint8(downsample(mod_crop(images[name], 4), 4).clamp(0, 1))[0] for name in images.names]
    assert score(enlarge, images).equals(made)
    images.lr[0] = torch.zeros_like(images.lr[0])
    given = score(enlarge, images)
    assert given["psnr"][0] < 10 < made["psnr"][0]
    assert given["psnr"][1] == made["psnr"][1]


def test_a_degradation_takes_the_place_of_lr_that_came_with_the_set(images):
    images.lr = [torch.zeros(3, 12, 10, dtype=torch.uint8), torch.zeros(3, 10, 15, dtype=torch.uint8)]
    assert score(enlarge, images)["psnr"][0] < 10 < score(enlarge, images, degradation=Degradation())["psnr"][0]


def test_a_random_degradation_is_repeated_by_its_seed(images):
    tables = [score(enlarge, images, degradation=Degradation(noise=0.1), seed=seed) for seed in (1, 1, 2)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_the_protocol_is_kept(images):
    paper, rgb = score(enlarge, images), score(enlarge, images, protocol=Protocol("rgb", 0))
    assert (rgb["psnr"] < paper["psnr"]).all()


def test_a_grey_file_is_scored_on_its_grey_values_which_is_1_32_db_lower():
    grey = texture(48, 64, channels=1).repeat(3, 1, 1)
    as_file = score(enlarge, ImageSet("set", ["g"], [grey], grey=frozenset({"g"})))
    expanded = score(enlarge, ImageSet("set", ["g"], [grey]))
    assert expanded["psnr"][0] - as_file["psnr"][0] == pytest.approx(20 * math.log10(255 / 219), abs=0.02)
    hr = grey[None, :1] / 255
    sr = quantize(enlarge(quantize(downsample(hr, 4).clamp(0, 1))).clamp(0, 1))
    assert as_file["psnr"][0] == pytest.approx(float(psnr(sr, hr)), abs=1e-3)
    assert as_file["ssim"][0] == pytest.approx(float(ssim(sr, hr)), abs=1e-4)


def test_in_rgb_a_grey_file_is_scored_as_any_other():
    grey, rgb = texture(48, 64, channels=1).repeat(3, 1, 1), Protocol("rgb", 4)
    as_file = score(enlarge, ImageSet("set", ["g"], [grey], grey=frozenset({"g"})), protocol=rgb)
    assert as_file.equals(score(enlarge, ImageSet("set", ["g"], [grey]), protocol=rgb))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_scored_in_eval_mode_and_left_in_the_mode_it_was_in(images, training):
    network = SRResNet(1, 4).train(training)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first, second = score(network, images), score(network, images)
    assert network.training is network.blocks[0].body[1].training is training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())  # BN statistics too
    assert first.equals(second)
    assert first.equals(score(network.eval(), images))


def test_a_network_that_fails_is_left_in_the_mode_it_was_in():
    network = MSRResNet(1, 4).train()
    with pytest.raises(RuntimeError):
        upscale(network, torch.rand(1, 5, 4, 4))
    assert network.training


def test_upscaling_clamps_and_stays_on_the_device_of_lr_without_gradients():
    network = MSRResNet(1, 4)
    nn.init.constant_(network.tail[2].bias, 0.7)
    sr = upscale(network, torch.rand(2, 3, 5, 6))
    assert sr.shape == (2, 3, 20, 24)
    assert sr.max() == 1
    assert sr.device.type == "cpu"
    assert not sr.requires_grad
    assert upscale(lambda lr: enlarge(lr) * 3 - 1, torch.rand(1, 3, 5, 6)).aminmax() == (0, 1)


def test_a_module_without_parameters_is_an_upscaler_too(images):
    table = score(nn.Upsample(scale_factor=4, mode="bicubic"), images)
    assert (table["psnr"] > 10).all()


def test_values_in_the_table_are_plain_numbers(images):
    table = score(MSRResNet(1, 4), images)
    assert all(type(value) is float for value in table["psnr"].tolist() + table["ssim"].tolist())


def test_an_upscaler_of_the_wrong_scale_is_told_the_shapes(images):
    with pytest.raises(SrlabError, match=r"SR has shape .* but HR"):
        score(lambda lr: upsample(lr, 2), images)


# --- Metrics of the table ------------------------------------------------------------------------------------


@pytest.fixture
def without_lpips(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_the_metrics_asked_for_are_the_columns_in_that_order(images):
    table = score(enlarge, images, metrics=("energy_error", "psnr", "colour_shift", "gradient_ratio", "psnr"))
    assert list(table.columns) == ["image", "energy_error", "psnr", "colour_shift", "gradient_ratio"]
    hr = mod_crop(images["a"], 4)
    sr = enlarge(downsample(hr, 4))
    for name in ("energy_error", "colour_shift", "gradient_ratio"):
        assert table[name][0] == pytest.approx(float(getattr(perception, name)(sr, hr)), abs=1e-9)
    assert table["psnr"].equals(score(enlarge, images)["psnr"])


@pytest.mark.parametrize("metrics", [("psnr", "vmaf"), "vmaf", ()])
def test_an_unknown_metric_or_none_is_refused_with_the_known_ones(images, metrics):
    with pytest.raises(SrlabError, match=f"choose from {', '.join(METRICS)}"):
        score(enlarge, images, metrics=metrics)


def test_one_metric_may_be_given_by_its_name_alone(images):
    assert list(score(enlarge, images, metrics="ssim").columns) == ["image", "ssim"]


def test_ms_ssim_of_a_small_image_is_nan_and_of_a_large_one_a_number():
    both = ImageSet("two", ["small", "large"], [texture(172, 168, 1), texture(172, 172, 2)])
    table = score(enlarge, both, metrics=("psnr", "ms_ssim"), protocol=Protocol("y", 5))
    assert table["ms_ssim"].isna().tolist() == [True, False]  # 168 - 2 * 5 is less than 161
    hr = both["large"]
    assert table["ms_ssim"][1] == pytest.approx(float(ms_ssim(enlarge(downsample(hr, 4)), hr, Protocol("y", 5))))
    assert table["psnr"].notna().all()


def test_without_its_weights_lpips_has_no_column_and_a_line_says_so_once(images, without_lpips, capsys):
    table = evaluate({"one": enlarge, "two": enlarge}, images, metrics=("psnr", "lpips"))
    assert list(table.columns) == ["set", "image", "method", "psnr"]
    assert capsys.readouterr().out.count("LPIPS is left out") == 1


def test_with_weights_lpips_has_a_column_and_small_images_have_nan(tmp_path):
    from torchvision.models import alexnet

    with torch.random.fork_rng():
        torch.save(alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    both = ImageSet("two", ["small", "large"], [texture(28, 64), texture(64, 64)])
    table = score(enlarge, both, metrics=("lpips",), weights=tmp_path / "alexnet.pth")
    hr = both["large"]
    network = perception.load_lpips(tmp_path / "alexnet.pth")
    assert table["lpips"].isna().tolist() == [True, False]
    assert table["lpips"][1] == pytest.approx(
        float(perception.lpips(enlarge(downsample(hr, 4)), hr, network)), rel=1e-5
    )


def test_the_resampler_of_the_protocol_makes_lr_unless_lr_or_a_degradation_is_given(images):
    aliased = Protocol(resampler="bicubic-aliased")
    made = score(enlarge, images, protocol=aliased)
    assert made.equals(score(enlarge, images, degradation=Degradation("bicubic-aliased")))
    assert not made.equals(score(enlarge, images))
    assert score(enlarge, images, degradation=Degradation(), protocol=aliased).equals(score(enlarge, images))
    images.lr = [to_uint8(downsample(mod_crop(images[name], 4), 4))[0] for name in images.names]
    assert score(enlarge, images, protocol=aliased).equals(score(enlarge, images))


def test_perception_looks_at_colour_and_the_whole_image_whatever_the_protocol(images):
    tables = [
        score(enlarge, images, protocol=p, metrics=("colour_shift", "energy_error")) for p in (PAPER, FACE, STUDY)
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


@pytest.mark.parametrize(("height", "width", "said"), [(1, 1, "too small for scale 4"), (8, 40, "nothing left after")])
def test_an_image_that_cannot_be_scored_is_named(height, width, said):
    bad = ImageSet("bad", ["good", "tiny"], [texture(40, 40), texture(height, width)])
    with pytest.raises(SrlabError, match=f"Image 'tiny' of bad: .*{said}"):
        score(enlarge, bad)


def test_an_image_that_is_too_small_for_a_window_has_nan_there_and_the_others_are_scored():
    both = ImageSet("two", ["small", "large"], [texture(16, 40), texture(40, 40)])
    table = score(enlarge, both, metrics=("psnr", "ssim", "gradient_ratio"))
    assert table["ssim"].isna().tolist() == [True, False]  # 16 - 2 * 4 is less than 11
    assert table[["psnr", "gradient_ratio"]].notna().all(axis=None)
    assert summarize(table.assign(set="two", method="m"))["ssim"][0] == table["ssim"][1]
    enough = score(enlarge, both.subset("small"), protocol=Protocol("y", 2))
    assert enough["ssim"].notna().all()
    line = ImageSet("line", ["line"], [texture(1, 40)])
    assert score(lambda lr: lr, line, scale=1, protocol=FACE, metrics=("gradient_ratio",))["gradient_ratio"].isna()[0]


def test_an_upscaler_that_gives_nan_is_refused_with_the_image(images):
    with pytest.raises(SrlabError, match=r"Image 'a' of two: .*NaN"):
        score(lambda lr: enlarge(lr) * math.nan, images)


# --- Tables --------------------------------------------------------------------------------------------------


def nearest(lr):
    return upsample(lr, 4, "nearest")


def test_evaluate_has_a_row_per_image_and_method_with_the_scores_of_each(images):
    other = ImageSet("other", ["c"], [texture(40, 40, 3)])
    table = evaluate({"bicubic": enlarge, "nearest": nearest}, [images, other])
    assert list(table.columns) == ["set", "image", "method", "psnr", "ssim"]
    rows = [("two", "a"), ("two", "b")]
    wanted = [(*row, method) for method in ("bicubic", "nearest") for row in rows]
    wanted += [("other", "c", "bicubic"), ("other", "c", "nearest")]
    assert list(table[["set", "image", "method"]].itertuples(index=False, name=None)) == wanted
    assert table["psnr"][2:4].tolist() == score(nearest, images)["psnr"].tolist()
    assert table.index.tolist() == list(range(6))


def test_every_method_gets_the_same_random_lr(images):
    table = evaluate({"one": enlarge, "two": enlarge}, images, degradation=Degradation(noise=0.1))
    one, two = (table[table["method"] == name]["psnr"].tolist() for name in ("one", "two"))
    assert one == two


def test_summarize_is_the_mean_per_set_and_method_in_the_order_of_the_table(images):
    other = ImageSet("an earlier name", ["c"], [texture(40, 40, 3)])
    table = evaluate({"nearest": nearest, "bicubic": enlarge}, [images, other], metrics=("psnr", "ms_ssim"))
    means = summarize(table)
    assert list(means.columns) == ["set", "method", "psnr", "ms_ssim"]
    assert means["set"].tolist() == ["two", "two", "an earlier name", "an earlier name"]
    assert means["method"].tolist() == ["nearest", "bicubic"] * 2
    assert means["psnr"][0] == pytest.approx(score(nearest, images)["psnr"].mean())
    assert means["ms_ssim"].isna().all()  # all images are too small for it


def test_summarize_leaves_out_what_is_nan():
    rows = [("s", "a", "m", 20.0, 0.5), ("s", "b", "m", 30.0, math.nan)]
    means = summarize(pd.DataFrame(rows, columns=["set", "image", "method", "psnr", "ms_ssim"]))
    assert means.loc[0, ["psnr", "ms_ssim"]].tolist() == [25, 0.5]


def test_nothing_to_evaluate_and_two_sets_of_one_name_are_refused(images):
    for upscalers, sets in (({}, [images]), ({"bicubic": enlarge}, [])):
        with pytest.raises(SrlabError, match="at least one method and one image set"):
            evaluate(upscalers, sets)
    with pytest.raises(SrlabError, match="two, two have the same name"):
        evaluate({"bicubic": enlarge}, [images, images.subset("a")])


def test_a_table_is_saved_as_csv_or_json_and_read_back(tmp_path, images):
    table = evaluate({"bicubic": enlarge, "HR": lambda lr: mod_crop(images["a"], 4)}, images.subset("a"))
    table["ms_ssim"] = math.nan
    assert pd.read_csv(save_table(table, tmp_path / "new" / "t.csv")).equals(table)
    rows = json.loads(save_table(table, tmp_path / "t.JSON").read_text())
    assert rows == records(table)
    assert rows[0]["psnr"] == table["psnr"][0]
    assert rows[1]["psnr"] == "inf"
    assert rows[0]["ms_ssim"] is None


def test_saving_does_not_overwrite_unless_it_is_forced_and_knows_its_formats(tmp_path, images):
    table = score(enlarge, images)
    path = save_table(table, tmp_path / "t.csv")
    path.write_text("mine")
    with pytest.raises(SrlabError, match=r"t\.csv exists already.*force"):
        save_table(table, path)
    assert path.read_text() == "mine"
    assert pd.read_csv(save_table(table, path, force=True)).equals(table)
    with pytest.raises(SrlabError, match=r"t\.xlsx; end it in \.csv or \.json"):
        save_table(table, tmp_path / "t.xlsx")
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


# --- Runs ----------------------------------------------------------------------------------------------------


def make_run(lab, name, state="finished"):
    run = Run(lab, name)
    run.begin({}, {})
    run.update(step=1, state=state)
    run.save_generator(MSRResNet(1, 4), step=1)
    return run


def test_all_finished_runs_are_loaded_by_the_name_of_their_method(home, capsys):
    for lab, name in [("03_srgan", "default"), ("01_srresnet", "long"), ("01_srresnet", "default"), ("my_lab", "x")]:
        make_run(lab, name)
    make_run("01_srresnet", "default-ablation-3")
    make_run("02_content_loss", "default", state="running")
    (home / "notebooks").mkdir()
    (home / "04_esrgan" / "begun").mkdir(parents=True)
    upscalers = load_upscalers()
    assert list(upscalers) == ["MSRResNet", "MSRResNet (long)", "SRGAN", "my_lab (x)"]
    assert all(isinstance(network, MSRResNet) and not network.training for network in upscalers.values())
    assert capsys.readouterr().out == ""


def test_the_side_run_of_lab_02_is_called_a_hybrid():
    for name in ("default", "default-hybrid", "long-hybrid", "default-ablation-mse"):
        make_run("02_content_loss", name)
    make_run("03_srgan", "my-hybrid")
    assert set(load_upscalers()) == {"content loss", "hybrid", "hybrid (long)", "SRGAN (my-hybrid)"}


def test_the_first_stage_of_lab_04_is_called_rrdb():
    for name in ("default", "default-psnr", "paper-psnr", "default-ablation-without-d"):
        make_run("04_esrgan", name)
    assert set(load_upscalers()) == {"ESRGAN", "RRDB", "RRDB (paper)"}


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


def test_no_runs_is_said_and_no_error(capsys, home):
    assert load_upscalers() == {}
    assert f"no finished runs in {home}" in capsys.readouterr().out


def test_runs_of_a_list_must_all_be_there():
    make_run("01_srresnet", "default", state="running")
    make_run("03_srgan", "long")
    assert list(load_upscalers(["03_srgan/long", "01_srresnet"])) == ["SRGAN (long)", "MSRResNet"]
    assert list(load_upscalers("01_srresnet/default")) == ["MSRResNet"]
    with pytest.raises(SrlabError, match="no weights file"):
        load_upscalers(["01_srresnet/default", "01_srresnet/other"])


def test_the_names_of_the_methods_have_their_colours():
    assert set(METHODS.values()) <= set(COLORS)


# --- The plot ------------------------------------------------------------------------------------------------


@pytest.fixture
def table():
    rows = [("Set5", "a", "bicubic", 28.0, 0.34), ("Set5", "b", "bicubic", 30.0, 0.36)]
    rows += [("Set5", x, "SRGAN (long)", 27.0, 0.1) for x in "ab"] + [("Set5", "a", "HR", math.inf, 0.0)]
    return pd.DataFrame(rows, columns=["set", "image", "method", "psnr", "lpips"])


def test_the_plot_has_one_labelled_point_per_method_in_its_colour(table):
    from matplotlib.colors import to_hex

    (axis,) = draw_perception_distortion(table).axes
    points = [tuple(collection.get_offsets()[0]) for collection in axis.collections]
    assert points == [pytest.approx((29, 0.35)), pytest.approx((27, 0.1))]  # HR is at infinity
    assert [to_hex(c.get_facecolor()[0]).upper() for c in axis.collections] == [COLORS["bicubic"], COLORS["SRGAN"]]
    assert [text.get_text() for text in axis.texts] == ["bicubic", "SRGAN (long)"]
    assert "dB" in axis.get_xlabel()
    assert "LPIPS" in axis.get_ylabel()
    assert "Set5" in axis.get_title()


def test_no_name_in_the_plot_covers_another_one():
    crowd = {"content loss": (28.85, 0.48), "hybrid": (28.95, 0.47), "RRDB": (28.9, 0.475), "ESRGAN": (28.88, 0.471)}
    crowd |= {"bicubic": (28.2, 0.68), "SRGAN": (28.7, 0.32)}
    rows = [("Set5", "a", method, *point) for method, point in crowd.items()]
    (axis,) = draw_perception_distortion(pd.DataFrame(rows, columns=["set", "image", "method", "psnr", "lpips"])).axes
    boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) == len(crowd)
    assert not [(a, b) for number, a in enumerate(boxes) for b in boxes[:number] if a.overlaps(b)]


def test_the_plot_takes_the_energy_error_where_there_is_no_lpips_and_calls_it_so(table):
    (axis,) = draw_perception_distortion(table.rename(columns={"lpips": "energy_error"})).axes
    assert "energy map" in axis.get_ylabel()
    assert "LPIPS" not in axis.get_ylabel()


def test_the_plot_is_shown_with_its_numbers_in_the_caption(table, monkeypatch):
    shown = []
    monkeypatch.setattr("srlab.view.perception_plot.show", lambda figure, caption: shown.append(caption))
    perception_distortion(table)
    perception_distortion(table, caption="mine")
    assert "bicubic 29.00 dB, 0.350; SRGAN (long) 27.00 dB, 0.100" in shown[0]
    assert shown[1] == "mine"


def test_a_table_without_the_columns_of_the_plot_is_refused(table):
    for bad in (table.drop(columns="lpips"), table.drop(columns="psnr")):
        with pytest.raises(SrlabError, match="The plot needs the columns psnr"):
            draw_perception_distortion(bad)
    with pytest.raises(SrlabError, match="psnr and energy_error"):
        draw_perception_distortion(table, "energy_error")
    with pytest.raises(SrlabError, match="no point to draw"):
        draw_perception_distortion(table[table["method"] == "HR"])


# --- Against scikit-image -------------------------------------------------------------------------------------


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
    """Whether srlab scores a set as scikit-image does; returns the table."""
    table = score(upscaler, images)
    for _, row in table.iterrows():
        hr = mod_crop(images[row["image"]], 4)
        sr = srlab.upscale(upscaler, downsample(hr, 4))
        decibels, similarity = skimage_scores(sr, hr, row["image"] in images.grey)
        assert row["psnr"] == pytest.approx(decibels, abs=1e-3)
        assert row["ssim"] == pytest.approx(similarity, abs=1e-5)
    return table


def test_the_output_of_a_network_scores_as_in_scikit_image_on_the_embedded_photos(trained):
    table = agrees_with_skimage(trained, photos("validation"))
    start = score(lambda lr: upsample(lr, 4, "bilinear"), photos("validation"))  # what the network adds detail to
    assert (table["psnr"] > start["psnr"] + 0.02).all()  # it has learned something


def test_the_output_of_a_network_scores_as_in_scikit_image_on_all_of_set5(trained, benchmark_dir):
    assert len(agrees_with_skimage(trained, folder(benchmark_dir / "Set5" / "HR"))) == 5


def test_colour_and_grey_photos_score_as_in_scikit_image(benchmark_dir):
    images = folder(benchmark_dir / "Set14" / "HR")
    agrees_with_skimage(enlarge, images.subset(*images.names[:1], *sorted(images.grey)))


def test_evaluate_reproduces_the_published_bicubic_row_of_set5_and_set14(benchmark_dir):
    sets = [folder(benchmark_dir / name / "HR") for name in ("Set5", "Set14")]
    for images, name in zip(sets, ("Set5", "Set14"), strict=True):
        images.name = name  # of the folder HR
    means = summarize(evaluate({"bicubic": enlarge}, sets)).set_index("set")
    for name, decibels, similarity in (("Set5", 28.42, 0.8104), ("Set14", 26.00, 0.7027)):
        assert means.loc[name, "psnr"] == pytest.approx(decibels, abs=0.03)
        assert means.loc[name, "ssim"] == pytest.approx(similarity, abs=0.002)


def test_bridge_is_scored_on_its_grey_values_and_1_32_db_higher_when_expanded(benchmark_dir):
    images = folder(benchmark_dir / "Set14" / "HR")
    bridge = images.subset(*images.grey)  # over all of Set14 this makes 26.00 or 26.09: see test_metric_traps
    assert bridge.names == ["img_003"]
    as_file = score(enlarge, bridge)
    bridge.grey = frozenset()
    expanded = score(enlarge, bridge)
    assert (expanded["psnr"] - as_file["psnr"])[0] == pytest.approx(20 * math.log10(255 / 219), abs=1e-3)
