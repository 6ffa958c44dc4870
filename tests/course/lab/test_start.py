"""Test that a lab starts from the requested network, or from one that fits it: a run, the student's, the bundled."""

import re
import shutil
from dataclasses import replace

import pytest

import srlab
from srlab.data import datasets
from srlab.data.degradation import Degradation
from srlab.errors import SrlabError
from srlab.models import MSRResNet
from srlab_course.lab.earlier import start
from srlab_course.lab.earlier.start import check_start, first_stages, load_start, with_own_start
from srlab_course.lab.lab import Lab, generator_of
from srlab_course.material import subjects
from tests.conftest import leave_run
from tests.course.lab.cells import leave_code

LAB = "01_srresnet"
TWELVE, FOUR = datasets.bundled_photos("train"), datasets.bundled_photos("validation")
LEFT, RIGHT = subjects.split_photo("gravel")
TINY = {"scale": 4, "network": "MSRResNet", "size": "tiny", "num_blocks": 0}
LAPTOP = TINY | {"size": "laptop"}
RRDB = LAPTOP | {"network": "RRDBNet", "num_features": 32, "growth": 16}


@pytest.fixture(autouse=True)
def photos_are_read_once(monkeypatch):
    monkeypatch.setattr(start, "bundled_photos", {"train": TWELVE, "validation": FOUR}.get)


def lab_with(start, *overrides, photos=(LEFT, RIGHT), degradation=None, **values):
    values = TINY | {"run": "default", "start": start} | values
    fields = ("03_srgan", "cpu", "fp32", *photos, degradation or Degradation())
    return Lab(*fields, dict.fromkeys(overrides), is_reference_config=True, parameters=values)


def leave(name, step=900, status="finished", images=TWELVE, degradation=None, **parameters):
    sampler = {"images": images.describe(), "degradation": (degradation or Degradation()).describe()}
    about = {"generator": generator_of(TINY), "sampler": sampler, "loss": "mse"} | parameters
    leave_run(LAB, name, step, status, **about).save_generator(MSRResNet(1, 16), step)


# --- load_start ---


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"degradation": Degradation(jpeg=(60, 95))}, r"jpeg=\[60.0, 95.0\], not 0.0"),
        ({"generator": generator_of(LAPTOP)}, "num_blocks=4, not 1 and num_features=32, not 16"),
        ({"images": RIGHT}, "trained on right half of gravel, the validation photos of this run"),
        ({"status": "failed"}, "no trained run"),
    ],
)
def test_misfit_run_is_rejected_by_name_and_skipped_in_search(capsys, made, words):
    leave("one", **made)
    with pytest.raises(SrlabError, match=rf"Cannot start from {LAB}/one: .*{words}"):
        check_start(lab_with(f"{LAB}/one", "start"))
    leave("two", step=1000)
    network, where = load_start(lab_with(f"{LAB}/one"), stages=[f"{LAB}/two"])
    assert (type(network), where) == (MSRResNet, f"{LAB}/two")
    assert re.search(rf"Skipping the pretrained network {LAB}/one: .*{words}", capsys.readouterr().out)


def test_run_on_other_photos_is_only_used_by_name(capsys):
    leave("brick", images=FOUR.subset("brick"))
    check_start(lab_with(f"{LAB}/brick", "start"))
    assert "trained on photos/validation (1 images" in capsys.readouterr().out
    assert load_start(lab_with(f"{LAB}/brick", "start"))[1] == f"{LAB}/brick"
    assert load_start(lab_with(f"{LAB}/brick")) == (None, "")
    leave("gravel")  # on twelve photos, one of which is the gravel's left half
    assert load_start(lab_with(f"{LAB}/gravel"))[1] == f"{LAB}/gravel"


def test_run_on_other_lr_images_is_only_used_by_name(capsys):
    photo = FOUR.subset("brick")
    pairs, others = (photo.with_lr(degradation, 4) for degradation in (Degradation(), Degradation("nearest")))
    leave("pairs", images=pairs)
    assert load_start(lab_with(f"{LAB}/pairs", photos=(pairs, RIGHT)))[1] == f"{LAB}/pairs"
    for images in (photo, others):
        assert load_start(lab_with(f"{LAB}/pairs", photos=(images, RIGHT))) == (None, "")
    check_start(lab_with(f"{LAB}/pairs", "start", photos=(others, RIGHT)))
    assert f"Note: training starts from {LAB}/pairs, but it was trained on other LR" in capsys.readouterr().out
    assert load_start(lab_with("bundled", photos=(pairs, RIGHT), **LAPTOP)) == (None, "")


def test_named_start_of_lab_03_sets_network_but_not_scale():
    leave("one")
    other = {"network": "SRResNet", "num_blocks": 9, "pretrain_iters": 1}
    assert load_start(lab_with(f"{LAB}/one", **other)) == (None, "")
    check_start(lab_with(f"{LAB}/one", "start", **other))
    with pytest.raises(SrlabError, match="scale=4, not 2"):
        check_start(lab_with(f"{LAB}/one", "start", **other | {"scale": 2}))


def test_bundled_network_needs_same_size_scale_and_degradation():
    assert load_start(lab_with("bundled", **RRDB))[1] == "bundled"
    for other in ({"scale": 2}, {"degradation": Degradation(blur=1.0)}):
        assert load_start(lab_with("bundled", **RRDB | other)) == (None, "")
        with pytest.raises(SrlabError, match="no bundled RRDBNet of this size"):
            check_start(lab_with("bundled", "start", **RRDB | other))


@pytest.mark.parametrize(
    ("recipe", "overrides", "step", "where"),
    [
        ("bundled", (), 0, f"{LAB}/one"),  # no MSRResNet of this size is bundled, so the first stage
        (f"{LAB}/two", (), 0, f"{LAB}/two"),  # before its first step, a run may still start from another network
        (f"{LAB}/two", (), 9, f"{LAB}/begun"),
        (f"{LAB}/two", ("start",), 0, f"{LAB}/two"),
        (f"{LAB}/two", ("start",), 9, ""),
        ("", (), 0, f"{LAB}/one"),
    ],
)
def test_order_of_starts(recipe, overrides, step, where):
    leave_run("03_srgan", "default", step, start=f"{LAB}/begun")
    for name, steps in (("one", 500), ("two", 900), ("begun", 100)):
        leave(name, step=steps)
    lab = lab_with(recipe, *overrides)
    if where:
        assert load_start(lab, stages=[f"{LAB}/one", f"{LAB}/two"])[1] == where
    else:
        with pytest.raises(SrlabError, match=f"began with {LAB}/begun, not with {LAB}/two"):
            load_start(lab, stages=[f"{LAB}/one"])


def test_first_stage_is_the_shortest_finished_run_of_the_same_code(monkeypatch):
    """A network overfitted to six crops is not a start, and neither is one with the wrong loss or a discriminator."""
    leave("long", 900)
    leave("fits", 400, seed=1)
    leave("stopped", 350, "stopped")
    for name, about in (("other", {"loss": "l1"}), ("gan", {"discriminator": {}}), ("default-ablation-six", {})):
        leave(name, 350, **about)
    lab = replace(lab_with(""), name=LAB)
    for steps, found in ((300, ["fits", "long"]), (401, ["long"]), (901, [])):
        assert first_stages(lab, steps, [], loss="mse") == [f"{LAB}/{name}" for name in found]
    leave("default", 700, start=f"{LAB}/fits", discriminator={})
    assert load_start(lab, stages=[f"{LAB}/long"])[1] == f"{LAB}/fits", "the run has begun with it"
    monkeypatch.setattr(start, "is_code_of", lambda run, *answers: run.name == "long")
    assert first_stages(lab, 300, [], loss="mse") == [f"{LAB}/long"]
    assert load_start(lab, stages=[f"{LAB}/long"])[1] == f"{LAB}/long", "not with the stage of other code"


@pytest.mark.parametrize(
    ("recipe", "shape", "where"),
    [
        ("bundled", TINY, f"{LAB}/default"),  # no MSRResNet of this size is bundled
        ("bundled", LAPTOP, "bundled"),
        ("bundled", RRDB | {"scale": 2}, ""),  # another network, which is not mentioned
        ("", TINY, ""),
    ],
)
def test_run_of_lab_01_comes_before_a_fresh_network(recipe, shape, where, capsys):
    leave("default")
    assert load_start(lab_with(recipe, **shape))[1] == where
    assert LAB not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("photo", "called", "reasons"),
    [
        ("grass", "lawn", ["it was trained on all of grass", "it was trained on all of grass"]),
        ("brick", "gravel", ["", "it was trained on photos/train"]),  # only its name is that of a bundled photo
    ],
)
def test_search_skips_run_trained_on_subject(photo, called, reasons, tmp_path, capsys):
    photos = subjects.split_photo(shutil.copy(datasets.photo_file(photo), tmp_path / f"{called}.png"))
    leave("twelve")
    for recipe, shape, reason in zip(("bundled", f"{LAB}/twelve"), (RRDB, TINY), reasons, strict=True):
        assert load_start(lab_with(recipe, photos=photos, **shape))[1] == ("" if reason else recipe)
        assert reason in capsys.readouterr().out


# --- with_own_start ---


HERS, OURS = "class Block: pass\n", "from srlab_course.exercises.srresnet.block import Block\n"


def leave_own(code=HERS, name="default"):
    """Leave a run of lab 01 whose network is the bundled one, trained with this code."""
    leave(name, generator=generator_of(LAPTOP))
    srlab.Run(LAB, name).save_generator(srlab.load_bundled()["MSRResNet"], 900)
    leave_code(srlab.Run(LAB, name), code)


def test_own_network_starts_a_new_run(capsys):
    leave_own()
    lab = with_own_start(lab_with("bundled", **LAPTOP))
    assert (lab.start, lab.run) == (f"{LAB}/default", "default")
    assert not lab.is_reference_config  # the claims were measured with the bundled network
    assert load_start(lab)[1] == f"{LAB}/default"
    assert re.fullmatch(r"Your network is the pretrained one: .* gains 2\.\d\d dB .*\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("code", "lab", "printed"),
    [
        (OURS, lab_with("bundled", **LAPTOP), "$"),
        ("", lab_with("bundled", **LAPTOP), "$"),
        (HERS, lab_with("", **LAPTOP), "$"),
        (HERS, lab_with(f"{LAB}/smoke", **LAPTOP), "$"),
        (HERS, lab_with("bundled", "start", **LAPTOP), "$"),
        (HERS, lab_with("bundled", **RRDB), "$"),  # lab 04
        (HERS, lab_with("bundled", **TINY), f"Skipping the pretrained network {LAB}/default"),
    ],
)
def test_lab_keeps_its_start(code, lab, printed, capsys):
    leave_own(code)
    assert with_own_start(lab) is lab
    assert re.match(printed, capsys.readouterr().out)


def test_weak_network_does_not_start_a_run(capsys, monkeypatch):
    leave_own()
    monkeypatch.setattr(start, "_gain", lambda network, lab: 0.9)
    lab = lab_with("bundled", **LAPTOP)
    assert with_own_start(lab) is lab
    said = capsys.readouterr().out
    assert re.search(
        "gains 0.90 dB over bicubic .*, less than 1 dB, so the bundled network is the pretrained one", said
    )


@pytest.mark.parametrize("begun", ["bundled", f"{LAB}/default"])
def test_begun_run_keeps_its_start(begun, monkeypatch, capsys):
    monkeypatch.setattr(start, "_gain", lambda network, lab: 2.0)
    leave_own()
    leave_run("03_srgan", "default", 800, start=begun)
    assert with_own_start(lab_with("bundled", **LAPTOP)).start == begun
    advice = "keeps it. For yours, use -p start 01_srresnet/default"
    assert (advice in capsys.readouterr().out) == (begun == "bundled")


def test_text_of_a_manifest_is_printed_without_control_characters(capsys):
    bad = "\x1b]0;title\x07\nA line"
    leave("one", generator=generator_of(LAPTOP), sampler={"degradation": Degradation().describe() | {"method": bad}})
    load_start(lab_with(f"{LAB}/one", **LAPTOP))
    images = {"name": bad, "count": 1, "fingerprint": "0"}
    leave("two", generator=generator_of(LAPTOP), sampler={"images": images, "degradation": Degradation().describe()})
    check_start(lab_with(f"{LAB}/two", **LAPTOP))
    skipped, note = capsys.readouterr().out.splitlines()
    assert skipped.startswith(
        f"Skipping the pretrained network {LAB}/one: it was trained with method=?]0;title??A line"
    )
    assert note.startswith(f"Note: training starts from {LAB}/two, but it was trained on ?]0;title??A line (1 images")


def test_own_run_of_the_same_name_comes_first(monkeypatch):
    monkeypatch.setattr(start, "_gain", lambda network, lab: 2.0)
    leave_own()
    leave_own(name="long")
    assert with_own_start(lab_with("bundled", **LAPTOP | {"run": "long"})).start == f"{LAB}/long"
