"""The reference runs: rows that their labs take, records that say what was trained, and a report that only computes."""

import json
import math
import shutil

import numpy as np
import pytest
import torch

import srlab
from benchmarks.reference import record, run, summary
from benchmarks.reference.rows import BICUBIC, HERE, ROWS, read_rows
from benchmarks.reference.summary import TITLES, beaten, claim, extrapolate
from srlab.base.errors import SrlabError
from srlab.lab.parameters import check_parameters
from srlab.training.runs import Run
from studies.presets import defaults_of

pytestmark = pytest.mark.nightly

UNSEEN = "photos/validation centre 80"
SCORES = {"psnr": 28.4, "ssim": 0.8, "gradient_ratio": 0.5, "energy_error": 0.6, "colour_shift": 0.3}


def made(row, seed=0, **changes):
    """A record as `record.write` makes it."""
    one = {"row": row, "lab": "01_srresnet", "seed": seed, "command": f"papermill {row}", "step": 1000}
    one |= {"wall_time_s": 600.0, "device": "cpu", "precision": "no", "versions": {"torch": "2.15.0"}, "threads": 2}
    one |= {"sha256": "0", "parameters": 1000, "batch": 8, "patch": 64, "images": "BSDS400 (400 images, 0)"}
    one |= {"curve": [[0, 27.9], [500, 28.9], [1000, 29.9]], "features": {}, "validation": "Set5", "start": ""}
    scores = changes.pop("scores", {})
    return one | {"scores": dict.fromkeys(("Set5", "Set14"), SCORES | scores)} | changes


SCALED = {"01_srresnet": {"learning_rate"}, "03_srgan": {"start", "ema"}}
SCALED |= {"04_esrgan": {"pretrain_iters", "pretrain_rate", "ema"}}


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: row.name)
def test_a_row_sets_what_its_lab_knows_and_starts_from_a_row_before_it(row):
    known = defaults_of(HERE.parents[1] / "notebooks" / f"{row.lab}.ipynb")
    given = row.preset | row.given(0, "a", "b", "c")
    check_parameters(known, given)
    wanted = {"04_esrgan": "photos"}.get(row.lab, "laptop")
    assert row.preset["recipe"] == wanted, "or `auto` might take another one elsewhere"
    assert {"iters", "validate_every", *SCALED.get(row.lab, ())} <= set(row.preset), "or the lab would scale them"
    names = [one.name for one in read_rows()]
    assert not row.start or row.start in names[: names.index(row.name)]
    assert row.name in TITLES or row.name.startswith(summary.LENGTHS)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two rows that train for a moment, where a lab would be executed."""
    presets = tmp_path / "rows"
    for lab, name in (("01_srresnet", "mse"), ("03_srgan", "srgan")):
        (presets / lab).mkdir(parents=True)
        shutil.copy(ROWS / lab / f"{name}.yaml", presets / lab)
    photos = srlab.photos("validation").center_crop(80)
    scored = tmp_path / "text"
    srlab.write_image(photos["text"], scored / "HR" / "text.png")
    srlab.write_image(photos["brick"], tmp_path / "photos" / "brick.png")
    monkeypatch.setattr(record.datasets, "photos", lambda kind: photos.subset("text", "astronaut"))
    monkeypatch.setattr(record, "crop", lambda sr: sr)  # the box that is shown lies outside of these photos
    trained = []

    def execute(notebook, output, parameters, without):
        assert without == "explore"
        trained.append((notebook.stem, parameters))
        torch.manual_seed(parameters["seed"])
        trainer = srlab.Trainer(notebook.stem, parameters["run"], seed=parameters["seed"])
        net = srlab.MSRResNet(1, 4)
        adam = torch.optim.Adam(net.parameters(), 1e-3)
        net, adam = trainer.prepare(generator=net, optimizer=adam)

        def step(lr, hr):
            loss = (net(lr) - hr).abs().mean()
            adam.zero_grad()
            trainer.backward(loss)
            adam.step()
            return {"loss": loss}

        patches = srlab.PatchSampler(photos, patch=32, batch=2, seed=parameters["seed"])
        trainer.fit(step, patches, 2, validate=lambda generator: {"psnr": 20.0}, validate_every=1)
        output.write_text("executed")

    monkeypatch.setattr(run, "execute", execute)
    common = ["--images", str(tmp_path / "photos"), "--sets", str(scored), "--presets", str(presets)]
    common += ["--records", str(tmp_path / "records"), "--runs", str(tmp_path / "runs")]
    return lambda *more: run.main([*common, *more]), trained, tmp_path


def names(trained):
    return [parameters["run"] for _, parameters in trained]


def test_a_record_has_the_manifest_the_curve_the_scores_and_the_noise_control(small):
    call, trained, folder = small
    assert call() == 0
    assert [lab for lab, _ in trained] == ["01_srresnet", "03_srgan"]
    (preset,) = (row.preset for row in read_rows(["srgan"]))
    assert trained[1][1].items() >= (preset | {"start": "01_srresnet/mse-seed0", "run": "srgan-seed0"}).items()
    _, mse, srgan = found = record.read_all(folder / "records")
    assert [one["row"] for one in found] == [BICUBIC, "mse", "srgan"]
    expected = {"step": 2, "seed": 0, "batch": 2, "patch": 32, "validation": "text", "start": ""}
    assert mse.items() >= expected.items()
    assert mse["curve"][-1][0] == 2
    psnr = srlab.evaluate(srlab.load_generator("01_srresnet", "mse-seed0"), srlab.image_set(folder / "text")).psnr[0]
    assert mse["scores"]["text"]["psnr"] == pytest.approx(psnr)
    assert "noise" not in mse
    assert (srgan["start"], set(srgan["noise"]), set(srgan["gap"])) == ("mse", {"text", UNSEEN}, {"text", UNSEEN})
    ratios = [one["scores"]["text"]["gradient_ratio"] for one in (srgan, mse)]  # of one photo, so it is the means'
    assert srgan["gap"]["text"] == pytest.approx(record.gap_closed(ratios[:1], ratios[1:]))
    assert (folder / "records" / "mse-seed0.png").exists()
    assert (folder / "runs" / "notebooks" / "mse-seed0.ipynb").exists()


def test_a_gan_of_lab_04_begins_with_the_stage_that_its_run_names_and_that_has_a_record_too(small, monkeypatch):
    call, _, folder = small
    (folder / "rows/04_esrgan").mkdir()
    shutil.copy(ROWS / "04_esrgan/esrgan.yaml", folder / "rows/04_esrgan")
    assert call("mse") == 0
    known = Run("01_srresnet", "mse-seed0").manifest()
    for name, note in (("esrgan-seed0", {"psnr_stage": "other-psnr"}), ("other-psnr", {})):
        shutil.copytree(folder / "runs/01_srresnet/mse-seed0", copy := folder / "runs/04_esrgan" / name)
        (copy / "run.json").write_text(json.dumps(known | {"lab": "04_esrgan", "name": name} | note))
    monkeypatch.setattr(run, "learn", lambda *_: None)
    assert call("esrgan") == 0
    found = {one["row"]: one for one in record.read_all(folder / "records")}
    assert (found["esrgan-psnr"]["start"], "noise" in found["esrgan-psnr"]) == ("", False)
    assert found["esrgan"]["start"] == "other-psnr"


def test_a_row_that_has_its_record_is_left_alone_and_new_seeds_and_sets_are_added(small):
    call, trained, folder = small
    assert call("mse") == 0
    other = folder / "other"
    srlab.write_image(torch.rand(3, 64, 64), other / "HR" / "noise.png")
    assert call("mse", "--seeds", "0", "1", "--sets", str(folder / "text"), str(other)) == 0
    assert names(trained) == ["mse-seed0", "mse-seed1"]
    bicubic, first, _ = record.read_all(folder / "records")
    assert set(bicubic["scores"]) == {UNSEEN, "text", "other"}
    assert call("mse", "--anew") == 0
    assert names(trained)[2:] == ["mse-seed0"]
    assert call("mse", "--records", str(folder / "again"), "--runs", str(folder / "again")) == 0
    assert record.read_all(folder / "again")[1]["sha256"] == first["sha256"], "trained again elsewhere"


def test_a_row_whose_start_is_not_finished_fails_in_a_sentence_and_the_others_go_on(small, capsys):
    call, trained, _ = small
    said = "srgan-seed0 failed: its start, the run 01_srresnet/mse-seed0, is not finished"
    assert call("srgan") == 1
    assert said in capsys.readouterr().err
    assert call("mse") == 0
    start = Run("01_srresnet", "mse-seed0")
    start.write_manifest(start.manifest() | {"state": "stopped"})
    assert call("srgan", "mse", "--seeds", "0", "1") == 1
    error = capsys.readouterr().err
    assert said in error
    assert "train the row mse there first" in error
    assert names(trained) == ["mse-seed0", "mse-seed1", "srgan-seed1"]


def test_photos_that_are_scored_are_not_trained_on(small):
    call, trained, folder = small
    srlab.write_image(srlab.read_image(folder / "text" / "HR" / "text.png"), folder / "photos" / "innocent.png")
    with pytest.raises(SrlabError, match=r"has photos of .*text"):
        call("mse")
    assert trained == []


def test_time_to_beat_bicubic_lies_between_the_validations_before_and_after():
    found = beaten(made("mse"), 28.4)  # 600 s for 1000 steps; 28.9 dB at step 500, and 29.4 half way to the next
    assert found == {0.5: pytest.approx(5.0), 1.0: pytest.approx(7.5)}


def test_a_claim_is_about_gap_texture_and_psnr():
    start = made("mse")
    after = {"psnr": 26.0, "gradient_ratio": 0.8, "energy_error": 0.4}
    found = claim(made("srgan", scores=after, noise={"Set5": 0.5}), start, "Set5")
    assert found.gap == pytest.approx(0.6)
    by_photo = made("srgan", scores=after, noise={"Set5": 0.5}, gap={"Set5": 0.45})
    assert claim(by_photo, start, "Set5").gap == 0.45, "one too sharp doesn't make up for one too soft"
    assert not claim(by_photo, start, "Set5").holds
    assert found.energy == (0.6, 0.5, 0.4)
    assert found.loss == pytest.approx(2.4)
    assert found.holds
    for worse, noise in (({"gradient_ratio": 0.7}, 0.5), ({"psnr": 25.8}, 0.5), ({}, 0.39)):
        assert not claim(made("srgan", scores=after | worse, noise={"Set5": noise}), start, "Set5").holds


def lengths_by(law, seeds=3, scatter=0.05):
    random = np.random.default_rng(1)
    return {n: list(law(n) + scatter * random.standard_normal(seeds)) for n in (500, 1000, 2000, 4000, 8000)}


def levels_off(steps):
    return 31 - 20 * steps**-0.5


def goes_on(steps):
    return 25 + 0.4 * math.log(steps)


def test_the_forecast_has_both_laws_and_each_finds_itself():
    one, other = (extrapolate(lengths_by(law), 1e6, draws=100) for law in (levels_off, goes_on))
    assert one.power_low < levels_off(1e6) < one.power_high < one.power_low + 1.5
    assert abs(one.held_out) < 0.2
    assert one.logarithm > one.power
    assert other.logarithm_low < goes_on(1e6) < other.logarithm_high
    exact = extrapolate(lengths_by(levels_off, scatter=0), 1e6, draws=1)
    assert exact.power == pytest.approx(levels_off(1e6), abs=0.05)
    found = lengths_by(levels_off)
    assert extrapolate(dict(list(found.items())[1:]), 1e6) is None, "it wants five lengths"
    assert extrapolate(found | {500: found[500][:1]}, 1e6) is None, "and two seeds of each"
