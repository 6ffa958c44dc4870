"""The generators that come with srlab: small, of the embedded photos alone, better than bicubic where they say so."""

import json

import pytest
import torch.nn.functional as F
import yaml

import srlab
from benchmarks.reference import ship
from benchmarks.reference.rows import HERE
from srlab.cli.main import main
from srlab.data import datasets
from srlab.data.images import read_image
from srlab.models import weights
from studies.shown import bicubic


@pytest.fixture(scope="module")
def unseen():
    """The middles of the validation photos: whole ones would take four times as long."""
    return datasets.photos("validation").center_crop(256)


@pytest.fixture(scope="module")
def table(unseen):
    networks = {"bicubic": bicubic} | weights.load_shipped()
    metrics = ("psnr", "gradient_ratio", "energy_error", "checkerboard", "colour_shift")
    return srlab.evaluate_all(networks, unseen, metrics=metrics).set_index(["method", "image"])


@pytest.mark.parametrize("name", weights.SHIPPED.values())
def test_they_were_trained_on_the_embedded_photos_alone_and_are_small(name):
    file = weights.find_shipped(name)
    manifest = json.loads(file.with_suffix(".json").read_text())
    photos = datasets.photos("train")
    assert manifest["parameters"]["sampler"]["images"] == f"{photos.name} (12 images, {photos.fingerprint()})"
    if name == "srgan":
        assert manifest["parameters"]["features"]["weights"].startswith("random")
        assert manifest["parameters"]["start"] == "01_srresnet/shipped"
    assert manifest["parameters"]["generator"]["features"] == 32
    assert file.stat().st_size < 1_000_000


@pytest.mark.parametrize("name", ["MSRResNet", "RRDB"])
def test_those_for_psnr_beat_bicubic_on_every_photo_that_they_have_not_seen(table, name):
    gain = table.psnr[name] - table.psnr["bicubic"]
    assert len(gain) == 4
    assert gain.min() > 0
    assert gain["astronaut"] >= 1.3


def test_srgan_is_sharper_with_texture_where_the_photo_has_it(table):
    means = table.groupby("method").mean(numeric_only=True)
    assert means.gradient_ratio["SRGAN"] > means.gradient_ratio["MSRResNet"] + 0.1
    assert means.energy_error["SRGAN"] < means.energy_error["MSRResNet"] - 0.05
    assert means.psnr["SRGAN"] > means.psnr["bicubic"] - 1


def test_srgan_paints_neither_a_grid_nor_a_tint(table):
    sharper = table.loc["SRGAN"]
    assert sharper.checkerboard.max() < 0.6, "levels; faint dots on the bricks, and a visible grid has 1"
    assert sharper.checkerboard.drop("brick").max() < 0.36
    assert sharper.colour_shift.max() < 0.4


@pytest.mark.parametrize("photo", ["astronaut", "chelsea"])
def test_srgan_is_sharper_where_the_photo_has_structure_and_no_grittier_where_it_has_none(unseen, photo):
    def gradient(image):
        y = srlab.luma(image)
        steps = (y[..., 1:, :-1] - y[..., :-1, :-1]).square() + (y[..., :-1, 1:] - y[..., :-1, :-1]).square()
        return F.avg_pool2d(steps.sqrt(), 16).flatten()

    hr = unseen[photo]
    lr, truth = srlab.downsample(hr, 4), gradient(hr)
    order = truth.argsort()
    flat, busy = order[: len(order) // 4], order[-len(order) // 4 :]
    found = {name: gradient(srlab.upscale(net, lr)) for name, net in weights.load_shipped().items()}
    ratio = {name: [float(g[at].sum() / truth[at].sum()) for at in (flat, busy)] for name, g in found.items()}
    assert ratio["SRGAN"][0] <= 1, "smooth areas are no rougher than those of the photo"
    assert ratio["SRGAN"][1] > ratio["MSRResNet"][1] + 0.05, (
        "and textured ones are sharper than after the squared error"
    )


def test_the_page_beside_them_says_how_much_grid_and_tint_they_have():
    page = (weights.FOLDER / "README.md").read_text(encoding="utf-8")
    assert "| gradient ratio | energy error | checkerboard | colour shift |" in page
    commands = [line for line in page.splitlines() if line.startswith("papermill")]
    assert len(commands) == 3
    assert all(line in ship.__doc__ for line in commands)


def test_srgan_was_trained_by_the_preset_that_its_command_names():
    preset = yaml.safe_load((HERE / "shipped.yaml").read_text(encoding="utf-8"))
    manifest = json.loads((weights.FOLDER / "srgan.json").read_text(encoding="utf-8"))
    made = manifest["parameters"]
    found = {"iters": manifest["step"], "precision": manifest["precision"], "pixel": made["pixel"]}
    found |= {name: made["sampler"][name] for name in ("batch", "patch")} | {"features": made["features"]["layers"]}
    found |= {name: made[name] for name in ("pixel_weight", "content_weight", "adversarial_weight")}
    found |= {"noise": made["noise"], "ema": made["ema"], "start": made["start"]}
    found |= {"learning_rate": made["g_optimizer"]["initial_lr"], "discriminator_rate": made["discriminator_rate"]}
    assert found == {name: preset[name] for name in found}


def test_upscale_takes_msrresnet_where_nothing_is_asked_for(tmp_path, capsys):
    source = srlab.write_image(datasets.photos("validation")["chelsea"][..., :40, :48], tmp_path / "lr.png")
    assert main(["upscale", str(source), str(tmp_path / "a.png")]) == 0
    assert "msrresnet, which comes with srlab" in capsys.readouterr().err
    assert main(["upscale", str(source), str(tmp_path / "b.png"), "--run", "msrresnet"]) == 0
    assert "comes with srlab" not in capsys.readouterr().err
    assert read_image(tmp_path / "a.png").shape == (3, 160, 192)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert main(["upscale", str(source), str(tmp_path / "c.png"), "--run", "srgan"]) == 0
    assert (tmp_path / "c.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_a_folder_of_that_name_comes_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "srgan").mkdir()
    source = srlab.write_image(datasets.photos("validation")["chelsea"][..., :40, :48], tmp_path / "lr.png")
    assert main(["upscale", str(source), "sr.png", "--run", "srgan"]) == 2
    assert "generator.safetensors" in capsys.readouterr().err
    assert main(["upscale", str(source), "sr.png", "--run", "msrresnet", "--best", "psnr"]) == 2
    assert "msrresnet.safetensors is one file; the best psnr" in capsys.readouterr().err
    assert main(["upscale", str(source), "sr.png", "--scale", "2"]) == 2
    assert "msrresnet enlarges x4, but --scale is 2" in capsys.readouterr().err
    assert main(["upscale", str(source), "sr.png", "--run", "srgn"]) == 2
    assert "did you mean srgan?" in capsys.readouterr().err
