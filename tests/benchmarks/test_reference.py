"""The reference runs: rows that their labs take, records that say what was trained, and a report that only computes."""

import json
import math
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import srlab
import srlab.cli.lab
from benchmarks.reference import record, report, run, summary
from benchmarks.reference.published import PUBLISHED
from benchmarks.reference.rows import BICUBIC, HERE, RECORDS, ROWS, read_rows
from benchmarks.reference.summary import TITLES, beaten, claim, extrapolate
from srlab.base.errors import SrlabError
from srlab.base.text import in_markdown
from srlab.training.runs import Run
from studies.presets import defaults_of

SCORES = {"psnr": 28.4, "ssim": 0.8, "gradient_ratio": 0.5, "energy_error": 0.6, "colour_shift": 0.3}


def made(row, seed=0, **changes):
    """A record as `record.write` makes it."""
    one = {"row": row, "lab": "01_srresnet", "seed": seed, "command": f"papermill {row}", "step": 1000}
    one |= {"wall_time_s": 600.0, "device": "cpu", "precision": "no", "versions": {"torch": "2.15.0"}, "threads": 2}
    one |= {"sha256": "0", "parameters": 1000, "batch": 8, "patch": 64, "images": "BSDS400 (400 images, 0)"}
    one |= {"curve": [[0, 27.9], [500, 28.9], [1000, 29.9]], "features": {}, "validation": "Set5", "start": ""}
    scores = changes.pop("scores", {})
    return one | {"scores": dict.fromkeys(("Set5", "Set14"), SCORES | scores)} | changes


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: row.name)
def test_a_row_sets_what_its_lab_knows_and_starts_from_a_row_before_it(row):
    known = defaults_of(HERE.parents[1] / "notebooks" / f"{row.lab}.ipynb")
    given = row.preset | row.given(0, "a", "b", "c")
    srlab.cli.lab.check_parameters(known, known | given, list(given))
    names = [one.name for one in read_rows()]
    assert not row.start or row.start in names[: names.index(row.name)]
    assert row.name in TITLES or row.name.startswith(summary.LENGTHS)


def test_the_ladder_has_one_budget_from_scratch():
    rungs = [row for row in read_rows() if row.name in ("mse", "hybrid", "vgg22", "resnet18")]
    assert len(rungs) == 4
    assert len({tuple(row.preset[key] for key in ("size", "iters", "batch", "patch")) for row in rungs}) == 1
    assert {row.preset["learning_rate"] for row in rungs} == {2e-3}


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: row.name)
def test_a_row_says_which_recipe_it_changes_and_all_that_the_lab_would_scale(row):
    assert row.preset["recipe"] == "laptop", "or `auto` might take another one elsewhere"
    scaled = {"03_srgan": {"start", "ema"}, "04_esrgan": {"pretrain_iters", "pretrain_rate", "ema"}}
    assert {"iters", "validate_every", *scaled.get(row.lab, ())} <= set(row.preset)
    assert row.lab != "01_srresnet" or row.preset["learning_rate"], "it would follow the size"


def test_rows_are_chosen_by_name_or_beginning():
    assert [row.name for row in read_rows(["mse", "srgan"])] == ["mse", "srgan"]
    assert len(read_rows(["length-*"])) == 5
    with pytest.raises(SrlabError, match=r"no row 'mso'; choose from .*mse"):
        read_rows(["mse", "mso"])


def test_a_command_names_the_preset_and_no_folder_of_the_machine():
    row = next(row for row in read_rows() if row.name == "srgan")
    given = row.given(2, "/secret/BSDS400", "/secret/Set5", "/secret/vgg19.pth")
    command = row.command(given)
    assert command.startswith(
        "papermill notebooks/03_srgan.ipynb out.ipynb -f benchmarks/reference/rows/03_srgan/srgan.yaml "
    )
    assert "-p start 01_srresnet/mse-seed2" in command
    assert "-p images path/to/BSDS400" in command
    assert "-p run srgan-seed2" in command
    assert "secret" not in command


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two rows that train for a moment, where a lab would be executed."""
    presets = tmp_path / "rows"
    for lab, name in (("01_srresnet", "mse"), ("03_srgan", "srgan")):
        (presets / lab).mkdir(parents=True)
        shutil.copy(ROWS / lab / f"{name}.yaml", presets / lab)
    photos = srlab.photos("validation")
    scored = tmp_path / "text"
    srlab.write_image(photos["text"], scored / "HR" / "text.png")
    srlab.write_image(photos["brick"], tmp_path / "photos" / "brick.png")
    monkeypatch.setattr(record.datasets, "photos", lambda kind: photos.subset("text", "astronaut"))
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
    preset = next(row for row in read_rows() if row.name == "srgan").preset
    assert trained[1][1].items() >= (preset | {"start": "01_srresnet/mse-seed0", "run": "srgan-seed0"}).items()
    found = {one["row"]: one for one in record.read_all(folder / "records")}
    assert set(found) == {BICUBIC, "mse", "srgan"}
    mse, srgan = found["mse"], found["srgan"]
    assert (mse["step"], mse["seed"], mse["batch"], mse["patch"]) == (2, 0, 2, 32)
    assert (mse["validation"], mse["start"], srgan["start"]) == ("text", "", "mse")
    assert [step for step, _ in mse["curve"]][-1] == 2
    text = srlab.image_set(folder / "text")
    expected = srlab.evaluate(srlab.load_generator("01_srresnet", "mse-seed0"), text).psnr[0]
    assert mse["scores"]["text"]["psnr"] == pytest.approx(expected)
    assert "noise" not in mse
    assert set(srgan["noise"]) == set(srgan["scores"]) == {"text", "photos/validation"}
    assert (folder / "records" / "mse-seed0.png").exists()
    assert (folder / "runs" / "notebooks" / "mse-seed0.ipynb").exists()


def test_a_stage_of_the_same_training_is_the_start_under_the_name_of_its_record(small):
    call, _, folder = small
    call()
    shutil.copytree(folder / "runs/01_srresnet/mse-seed0", folder / "runs/04_esrgan/esrgan-seed0-psnr")
    stage, run_of_row = Run("04_esrgan", "esrgan-seed0-psnr"), Run("03_srgan", "srgan-seed0")
    sets = record.image_sets([str(folder / "text")])
    file = record.write(folder / "records/esrgan-seed0.json", run_of_row, 0, sets, "papermill", stage)
    assert json.loads(file.read_text())["start"] == "esrgan-psnr"


@pytest.mark.parametrize("stage", ["other-psnr", "esrgan-seed0-psnr"])
def test_a_gan_of_lab_04_begins_with_its_own_stage_or_with_the_one_that_the_lab_has_found(small, monkeypatch, stage):
    call, _, folder = small
    (folder / "rows/04_esrgan").mkdir()
    shutil.copy(ROWS / "04_esrgan/esrgan.yaml", folder / "rows/04_esrgan")
    assert call("mse") == 0
    made = Run("01_srresnet", "mse-seed0").manifest()
    for name in ("esrgan-seed0", "other-psnr", "esrgan-seed0-psnr"):
        shutil.copytree(folder / "runs/01_srresnet/mse-seed0", copy := folder / "runs/04_esrgan" / name)
        note = {"psnr_stage": stage} if name == "esrgan-seed0" else {}
        (copy / "run.json").write_text(json.dumps(made | {"lab": "04_esrgan", "name": name} | note))
    written = []
    monkeypatch.setattr(run, "learn", lambda *_: None)
    monkeypatch.setattr(run.record, "write", lambda file, one, *rest: written.append((file.name, one.name, rest[3:])))
    assert call("esrgan") == 0
    (first, began, _), (second, gan, (start,)) = written
    assert (first, began) == ("esrgan-psnr-seed0.json", stage)
    assert (second, gan, start.name) == ("esrgan-seed0.json", "esrgan-seed0", stage)


def test_a_row_that_has_its_record_is_left_alone_and_another_seed_is_trained(small):
    call, trained, _ = small
    assert call("mse") == 0
    assert call("mse", "--seeds", "0", "1") == 0
    assert names(trained) == ["mse-seed0", "mse-seed1"]
    assert call("mse", "--anew") == 0
    assert names(trained)[2:] == ["mse-seed0"]


def test_a_row_without_its_start_fails_in_a_sentence_and_the_others_go_on(small, capsys):
    call, trained, folder = small
    (folder / "rows" / "01_srresnet" / "srresnet.yaml").write_text((ROWS / "01_srresnet" / "srresnet.yaml").read_text())
    assert call("srgan", "srresnet") == 1
    said = capsys.readouterr().err
    assert "srgan-seed0 failed: its start, the run 01_srresnet/mse-seed0, is not finished" in said
    assert "train the row mse there first" in said
    assert names(trained) == ["srresnet-seed0"]


def test_a_start_that_was_stopped_half_way_is_no_start(small, capsys):
    call, _, _ = small
    assert call("mse") == 0
    start = Run("01_srresnet", "mse-seed0")
    start.write_manifest(start.manifest() | {"state": "stopped"})
    assert call("srgan") == 1
    assert "is not finished" in capsys.readouterr().err


def test_bicubic_is_scored_on_a_set_that_comes_later(small):
    call, _, folder = small
    assert call("mse") == 0
    other = folder / "other"
    srlab.write_image(srlab.photos("validation")["text"].flip(-1), other / "HR" / "text.png")
    assert call("mse", "--seeds", "1", "--sets", str(folder / "text"), str(other)) == 0
    found = {one["row"]: one for one in record.read_all(folder / "records")}
    assert set(found[BICUBIC]["scores"]) == {"photos/validation", "text", "other"}


def test_photos_that_are_scored_are_not_trained_on(small):
    call, trained, folder = small
    srlab.write_image(srlab.photos("validation")["text"], folder / "photos" / "innocent.png")
    with pytest.raises(SrlabError, match=r"has photos of .*text"):
        call("mse")
    assert trained == []


def test_seeds_side_by_side_share_the_cores_and_a_killed_one_is_a_failure(small, monkeypatch):
    call, _, folder = small
    started = []

    def started_as(command, env):
        started.append((command, env["OMP_NUM_THREADS"]))
        return SimpleNamespace(returncode=-9 if command[-1] == "1" else 0)

    monkeypatch.setattr(run.subprocess, "run", started_as)
    monkeypatch.setattr(run.os, "cpu_count", lambda: 4)
    assert call("mse", "--seeds", "0", "1", "--jobs", "4", "--again") == 1
    assert sorted(command[-1] for command, _ in started) == ["0", "1"]
    assert {threads for _, threads in started} == {"2"}
    for command, _ in started:
        assert "--again" in command
        assert command[command.index("--records") + 1] == str(folder / "records")


def test_trained_again_the_weights_are_those_of_the_record_or_it_says_so(small, capsys):
    call, trained, folder = small
    assert call("mse", "--again") == 1
    assert "no record to be compared with" in capsys.readouterr().err
    assert call("mse") == call("mse", "--again") == 0
    assert names(trained) == ["mse-seed0", "mse-seed0-again"]
    assert "bit for bit" in capsys.readouterr().out
    assert call("mse", "--again") == 1
    assert "delete its folder" in capsys.readouterr().err
    file = folder / "records" / "mse-seed0.json"
    assert json.loads(file.read_text())["again"] is True
    shutil.rmtree(folder / "runs" / "01_srresnet" / "mse-seed0-again")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sha256": "other"}))
    assert call("mse", "--again") == 1
    assert "those of the record other" in capsys.readouterr().err
    file.write_text(json.dumps(json.loads(file.read_text()) | {"threads": 99}))
    assert call("mse", "--again") == 1
    assert "set OMP_NUM_THREADS" in capsys.readouterr().err


def test_a_row_with_a_first_stage_is_trained_again_where_there_is_none_yet(small):
    call, _, folder = small
    (folder / "rows/04_esrgan").mkdir()
    shutil.copy(ROWS / "04_esrgan/esrgan.yaml", folder / "rows/04_esrgan")
    assert call("esrgan") == call("esrgan", "mse") == call("esrgan", "mse", "--again") == 0
    found = {str(file.parent.relative_to(folder / "runs")) for file in (folder / "runs").rglob("run.json")}
    assert found >= {"again/04_esrgan/esrgan-seed0-again", "01_srresnet/mse-seed0-again"}


def test_time_to_beat_bicubic_lies_between_the_validations_before_and_after():
    found = beaten(made("mse"), 28.4)  # 600 s for 1000 steps; 28.9 dB at step 500, and 29.4 half way to the next
    assert found == {0.5: pytest.approx(5.0), 1.0: pytest.approx(7.5)}


def test_a_claim_is_about_gap_texture_and_psnr():
    start = made("mse")
    after = {"psnr": 26.0, "gradient_ratio": 0.8, "energy_error": 0.4}
    found = claim(made("srgan", scores=after, noise={"Set5": 0.5}), start, "Set5")
    assert found.gap == pytest.approx(0.6)
    assert found.energy == (0.6, 0.5, 0.4)
    assert found.loss == pytest.approx(2.4)
    assert found.holds
    for worse, noise in (({"gradient_ratio": 0.7}, 0.5), ({"psnr": 25.8}, 0.5), ({}, 0.39)):
        assert not claim(made("srgan", scores=after | worse, noise={"Set5": noise}), start, "Set5").holds


def lengths_by(law, seeds=3, scatter=0.05):
    random = np.random.default_rng(1)
    return {n: list(law(n) + scatter * random.standard_normal(seeds)) for n in (500, 1000, 2000, 4000, 8000)}


def test_the_forecast_has_both_laws_and_each_finds_itself():
    def levels_off(n):
        return 31 - 20 * n**-0.5

    def goes_on(n):
        return 25 + 0.4 * math.log(n)

    one = extrapolate(lengths_by(levels_off), 1e6)
    assert one.power_low < levels_off(1e6) < one.power_high
    assert one.power_high - one.power_low < 1.5
    assert abs(one.held_out) < 0.2
    assert one.logarithm > one.power
    other = extrapolate(lengths_by(goes_on), 1e6)
    assert other.logarithm_low < goes_on(1e6) < other.logarithm_high
    exact = extrapolate(lengths_by(levels_off, scatter=0), 1e6)
    assert exact.power == pytest.approx(levels_off(1e6), abs=0.05)


def test_the_forecast_wants_five_lengths_and_two_seeds_of_each():
    found = lengths_by(lambda n: 31 - 20 * n**-0.5)
    assert extrapolate(dict(list(found.items())[1:]), 1e6) is None
    assert extrapolate(found | {500: found[500][:1]}, 1e6) is None


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
    assert "| **MSE** | 28.50 ± 1.27 (n=2) / 0.8000 |" in text
    assert "10 min on 2 cores, 15 min on 1 core |" in text
    assert f"published: {PUBLISHED['mse'].name} | 32.05 / .9019" in text
    assert in_markdown("SRGAN, by vgg19 relu2_2 (random)") in text
    assert f"{in_markdown('(random)')} | Set14 | 0.20 | 0.600 | 0.550 | 0.500 | 1.40 dB | 0 of 1 |" in text
    assert "| MSE | 0, 1 | 0.20 dB | 0.20 dB | 0.000 | 0.000 | - |" in text
    assert "LPIPS was not measured anywhere" in text
    assert "not reached" in text
    assert {"curves.png", "plane.png", "crops.png"} <= set(page.figures)


def test_each_seed_is_held_to_the_bounds_against_its_own_start(records, tmp_path):
    *known, gan = records
    sharper = {name: scores | {"gradient_ratio": 0.9, "psnr": 27.0} for name, scores in gan["scores"].items()}
    text = report.report([*known, gan, gan | {"seed": 1, "scores": sharper}], tmp_path).text
    assert "| 1.50 ± 1.27 (n=2) dB | 1 of 2 |" in text


def test_the_report_takes_rows_with_other_sets_metrics_and_without_their_start(records, tmp_path):
    bicubic, mse, _, gan = records
    bicubic["scores"]["BSD100"] = SCORES
    mse["scores"]["Set5"] = SCORES | {"lpips": 0.3}
    gan["seed"] = 7
    text = report.report([bicubic, mse, gan], tmp_path).text
    assert "its start has no record" in text
    assert re.search(r"\*\*MSE\*\* \| [^|]+ \| [^|]+ \| - \|", text)
    assert "### LPIPS" in text
    heads = [line.count("|") for line in text.splitlines() if line.startswith("| row")]
    assert len(heads) >= 4
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_committed_report_is_that_of_the_committed_records():
    records = record.read_all()
    assert len(records) > 1
    page = report.report(records, RECORDS)
    assert (HERE / "RESULTS.md").read_text(encoding="utf-8") == page.text
    assert all((HERE / "figures" / name).is_file() for name in page.figures)
    assert max(file.stat().st_size for file in HERE.rglob("*") if file.is_file()) < 1_000_000


def test_the_readme_has_the_table_of_the_committed_records():
    assert report.short(record.read_all()) in (HERE.parents[1] / "README.md").read_text(encoding="utf-8")
