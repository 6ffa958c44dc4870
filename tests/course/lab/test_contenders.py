"""Test which methods compete in lab 05, with and without runs of the student."""

from types import SimpleNamespace

import pytest
import torch

import srlab
from srlab.errors import SrlabError
from srlab_course import split_photo
from srlab_course.lab import contenders
from srlab_course.lab.contenders import find_contenders, remembering
from tests.conftest import leave_run

LAB = SimpleNamespace(name="05_evaluation", device=torch.device("cpu"))


@pytest.fixture
def without_realesrgan(monkeypatch):
    def missing():
        raise SrlabError("not installed")

    monkeypatch.setattr(srlab, "load_realesrgan", missing)


def test_course_replaces_what_is_missing(home, without_realesrgan, capsys):
    found = find_contenders(LAB)
    assert capsys.readouterr().out == f"No network of yours for all photos in {home}, so the course's take part.\n"
    assert [*found.upscalers] == ["bicubic", "MSRResNet", "SRGAN"]
    assert (found.msrresnet, found.srgan, found.published) == ("MSRResNet", "SRGAN", "Real-ESRGAN (precomputed)")
    lr = srlab.downsample(srlab.mod_crop(split_photo("gravel")[1]["gravel"], 4), 4)
    images = found.gravel_images(lr)
    assert {tuple(image.shape) for image in images.values()} == {(1, 3, 512, 256)}
    table = found.table(images)
    owners = table["from"].to_dict()
    assert owners.pop("Real-ESRGAN (precomputed)") == "its authors"
    assert set(owners.values()) == {"the course"}
    assert table.loc[["SRGAN", "SRGAN (precomputed)"], "photos"].tolist() == ["all", "the gravel"]
    assert "lab 01" in table.loc["MSRResNet", "what it is"]
    assert "stored image" in table.loc["Real-ESRGAN (precomputed)", "what it is"]


def test_runs_that_are_clearly_ahead_compete(home, without_realesrgan, monkeypatch):
    ours = srlab.load_bundled()["MSRResNet"]
    ours.origin = "01_srresnet/default"
    monkeypatch.setattr(contenders, "load_trained", lambda *_, subject="": {} if subject else {"MSRResNet": ours})
    found = find_contenders(LAB)
    assert found.networks["MSRResNet"] is ours
    assert [*found.upscalers] == ["bicubic", "MSRResNet", "SRGAN"]
    assert found.table({})["from"].tolist() == ["the course", "a copied run (01_srresnet/default)", "the course"]


def test_short_runs_do_not_replace_the_course(home, without_realesrgan, monkeypatch):
    short = srlab.MSRResNet(num_blocks=1, num_features=8)
    monkeypatch.setattr(contenders, "load_trained", lambda *_, subject="": {} if subject else {"MSRResNet": short})
    found = find_contenders(LAB)
    assert [*found.networks] == ["MSRResNet", "MSRResNet (bundled)", "SRGAN"]
    assert found.msrresnet == "MSRResNet (bundled)"


def test_run_that_cannot_be_computed_is_skipped_by_name(home, without_realesrgan, capsys):
    """Its weights are finite, but their products are not."""
    network = srlab.MSRResNet(1, 4)
    network.load_state_dict({name: torch.full_like(value, 1e30) for name, value in network.state_dict().items()})
    for name, about in (("huge", {}), ("gravel", {"subject": "gravel"})):
        leave_run("01_srresnet", name, 1, **about).save_generator(network, 1)
    found = find_contenders(LAB)
    assert [*found.networks] == ["MSRResNet", "SRGAN"]
    assert not found.on_gravel
    printed = capsys.readouterr().out
    for name in ("huge", "gravel"):
        assert f"Skipped: 01_srresnet/{name} cannot be computed: Image" in printed


def test_each_image_is_upscaled_once():
    calls = []
    upscale = remembering(lambda lr: calls.append(1) or 2 * srlab.upsample(lr, 4))
    lr = torch.rand(1, 3, 8, 8)
    assert upscale(lr).max() <= 1
    assert torch.equal(upscale(lr), upscale(lr.clone()))
    upscale(lr[..., :4])
    assert len(calls) == 2
