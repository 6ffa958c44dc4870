"""The reference runs: rows that their labs take, records that say what was trained, and a report that only computes."""

import json
import math
import re
import shutil
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from benchmarks.reference import record, report, rounded, run, summary
from benchmarks.reference.published import PUBLISHED
from benchmarks.reference.rows import BICUBIC, HERE, ROWS, read_rows
from benchmarks.reference.summary import TITLES, beaten, claim, extrapolate
from srlab.base.errors import SrlabError
from srlab.base.text import in_markdown
from srlab.data import datasets
from srlab.lab.parameters import check_parameters
from srlab.training.runs import Run
from studies.presets import defaults_of
from studies.report import Page

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


def test_rows_are_chosen_by_name_or_beginning_and_the_ladder_has_one_budget():
    rungs = read_rows(["mse", "hybrid", "vgg22", "resnet18"])
    budget = ("size", "iters", "batch", "patch", "learning_rate")
    assert len({tuple(row.preset[key] for key in budget) for row in rungs}) == 1
    assert len(read_rows(["length-*"])) == 5
    with pytest.raises(SrlabError, match=r"no row 'mso'; choose from .*mse"):
        read_rows(["mse", "mso"])


def test_a_command_names_the_preset_and_no_folder_of_the_machine():
    (row,) = read_rows(["srgan"])
    command = row.command(row.given(2, "/secret/BSDS400", "/secret/Set5", "/secret/vgg19.pth"))
    preset = "benchmarks/reference/rows/03_srgan/srgan.yaml"
    assert command.startswith(f"papermill notebooks/03_srgan.ipynb out.ipynb -f {preset} ")
    for words in ("-p start 01_srresnet/mse-seed2", "-p images path/to/BSDS400", "-p run srgan-seed2"):
        assert words in command
    assert "secret" not in command


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


def test_seeds_side_by_side_share_the_cores_and_a_killed_one_is_a_failure(small, monkeypatch):
    call, _, folder = small
    started = []

    def started_as(command, env):
        started.append(
            (command[-1], env["OMP_NUM_THREADS"], command[command.index("--records") + 1], "--anew" in command)
        )
        return SimpleNamespace(returncode=-9 if command[-1] == "1" else 0)

    monkeypatch.setattr(run.subprocess, "run", started_as)
    monkeypatch.setattr(run.os, "cpu_count", lambda: 4)
    assert call("mse", "--seeds", "0", "1", "--jobs", "4", "--anew") == 1
    assert sorted(started) == [(seed, "2", str(folder / "records"), True) for seed in ("0", "1")]


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


@pytest.fixture
def undrawn(monkeypatch):
    """Name the figures, and draw none: it is the text that counts."""
    monkeypatch.setattr(Page, "keep", lambda page, name, figure: page.figures.update({name: plt.close(figure)}))


@pytest.fixture
def records(tmp_path):
    bicubic = {"row": BICUBIC, "scores": dict.fromkeys(("Set5", "Set14"), SCORES)}
    sharp = {"gradient_ratio": 0.6, "energy_error": 0.5, "psnr": 27.0}
    random = {"layers": "vgg19 relu2_2", "weights": "random, seed 0"}
    gan = made("srgan", scores=sharp, noise={"Set5": 0.55, "Set14": 0.55}, start="mse", features=random)
    for file in ("bicubic", "mse-seed0", "srgan-seed0"):
        srlab.write_image(torch.rand(3, 96, 144), tmp_path / f"{file}.png")
    return [bicubic, made("mse"), made("mse", 1, scores={"psnr": 28.6}, threads=1, wall_time_s=900.0), gan]


def test_the_report_puts_rows_beside_what_was_published_and_calls_a_miss_a_miss(records, tmp_path):
    page = report.report(records, tmp_path)
    text = page.text
    assert "| **MSE** | 28.50 ± 1.27 (n=2) / 0.8000 (n=2, all alike) |" in text
    assert "| MSE | 28.50 ± 1.27 |" in text, "the short table has the spread too, and n in a column"
    assert f"**{in_markdown('SRGAN, by vgg19 relu2_2 (random)')}** | 27.00 (n=1) / 0.8000 (n=1) |" in text
    assert "| **bicubic** | 28.40 / 0.8000 |" in text, "nobody trained it, so it has no seeds"
    assert "10 min on 2 cores, 15 min on 1 core |" in text
    assert f"published: {PUBLISHED['mse'].name} | 32.05 / .9019" in text
    assert in_markdown("SRGAN, by vgg19 relu2_2 (random)") in text
    assert f"{in_markdown('(random)')} | Set14 | ≤ 0.20 | 0.600 | 0.550 | 0.500 | 1.40 dB | 0 of 1 |" in text
    assert "| MSE | 0, 1 | 0.20 dB | 0.20 dB | 0.000 | 0.000 | - |" in text
    assert "LPIPS was not measured anywhere" in text
    assert "not reached" in text
    assert all(len(page.figures[f"{name}.png"]) > 1000 for name in ("curves", "plane", "crops"))


def test_each_seed_is_held_to_the_bounds_against_its_own_start(records, tmp_path, undrawn):
    *known, gan = records
    sharper = {name: scores | {"gradient_ratio": 0.9, "psnr": 27.0} for name, scores in gan["scores"].items()}
    text = report.report([*known, gan, gan | {"seed": 1, "scores": sharper}], tmp_path).text
    assert "| 1.50 ± 1.27 (n=2) dB | at most 1 of 2 |" in text


def test_the_forecast_shows_each_seed_and_says_what_its_interval_leaves_out(records, tmp_path, undrawn):
    for steps, *psnr in ((500, 30.156, 30.157), (1000, 30.2, 30.3), (2000, 30.5, 30.49), (4000, 30.7, 30.6)):
        seeds = [{"psnr": one} for one in psnr]
        records += [made(f"length-{steps}", n, scores=one, step=steps) for n, one in enumerate(seeds)]
    records += [made("length-8000", n, scores={"psnr": 30.9}, step=8000) for n in range(2)]
    text = report.report(records, tmp_path).text
    assert "| 500 | 30.16, 30.16 |" in text
    assert "± 0.00" not in text
    assert "leaves out the choice of law, and whether any law reaches 125 times beyond the longest length" in text


def test_bicubic_has_both_kinds_of_ssim(tmp_path, capsys, monkeypatch):
    photo = datasets.photos("validation").hr[0][:, :96, :96]
    for name, image in {"colour": photo.permute(1, 2, 0), "grey": photo[0]}.items():
        (tmp_path / "pair" / "HR").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.numpy()).save(tmp_path / "pair" / "HR" / f"{name}.png")
    monkeypatch.setattr("sys.argv", ["rounded", str(tmp_path / "pair")])
    rounded.main()
    *_, line = capsys.readouterr().out.strip().splitlines()
    plain, whole = map(float, line.strip("| ").split(" | ")[1:])
    scored = srlab.evaluate(lambda lr: srlab.upsample(lr, 4), datasets.image_set(str(tmp_path / "pair")))
    assert plain == pytest.approx(scored.ssim.mean(), abs=1e-4)
    assert 0 < abs(plain - whole) < 0.01


def test_the_report_takes_rows_with_other_sets_metrics_and_without_their_start(records, tmp_path, undrawn):
    bicubic, mse, _, gan = records
    bicubic["scores"]["BSD100"] = SCORES
    mse["scores"]["Set5"] = SCORES | {"lpips": 0.3}
    gan["seed"] = 7
    text = report.report([bicubic, mse, gan], tmp_path).text
    assert "its start has no record" in text
    assert re.search(r"\*\*MSE\*\* \| [^|]+ \| [^|]+ \| - \|", text)
    assert "### LPIPS" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        assert len({line.count("|") for line in table.splitlines()}) == 1
