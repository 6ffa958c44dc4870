"""The reference runs: rows that their labs take, records that say what was trained, and a report that only computes."""

import json
import shutil

import pytest
import torch

import srlab
from benchmarks.reference import record, report, run, summary
from benchmarks.reference.published import PUBLISHED
from benchmarks.reference.rows import BICUBIC, HERE, ROWS, read_rows
from benchmarks.reference.summary import TITLES, beaten, claim, extrapolate
from srlab.errors import SrlabError
from studies.presets import defaults_of

SCORES = {"psnr": 28.4, "ssim": 0.8, "gradient_ratio": 0.5, "energy_error": 0.6, "colour_shift": 0.3}


def made(row, seed=0, **changes):
    """A record as `record.write` makes it."""
    one = {"row": row, "lab": "01_srresnet", "seed": seed, "command": f"papermill {row}", "step": 1000}
    one |= {"wall_time_s": 600.0, "device": "cpu", "precision": "no", "versions": {"torch": "2.15.0"}, "threads": 2}
    one |= {"sha256": "0", "parameters": 1000, "batch": 8, "patch": 64, "images": "BSDS400 (400 images, 0)"}
    one |= {"curve": [[0, 20.0], [500, 29.0], [1000, 29.6]], "features": {}}
    scores = changes.pop("scores", {})
    return one | {"scores": dict.fromkeys(("Set5", "Set14"), SCORES | scores)} | changes


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: row.name)
def test_a_row_sets_what_its_lab_knows_and_starts_from_a_row_before_it(row):
    known = defaults_of(HERE.parents[1] / "notebooks" / f"{row.lab}.ipynb")
    assert set(row.preset) <= set(known)
    assert set(row.given(0, "a", "b", "c")) <= set(known)
    names = [one.name for one in read_rows()]
    assert not row.start or row.start in names[: names.index(row.name)]
    assert row.name in TITLES or row.name.startswith(summary.LENGTHS)


def test_the_ladder_has_one_budget_from_scratch():
    rungs = [row for row in read_rows() if row.name in ("mse", "hybrid", "vgg22", "resnet18")]
    assert len(rungs) == 4
    assert len({tuple(row.preset[key] for key in ("size", "iters", "batch", "patch")) for row in rungs}) == 1


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
    """Two rows that train for a moment, without the labs around them."""
    presets = tmp_path / "rows"
    for lab, name in (("01_srresnet", "mse"), ("03_srgan", "srgan")):
        (presets / lab).mkdir(parents=True)
        shutil.copy(ROWS / lab / f"{name}.yaml", presets / lab)
    photos = srlab.datasets.photos("validation")
    monkeypatch.setattr(record, "image_sets", lambda folders: [photos.subset("text")])
    trained = []

    def learn(row, given):
        if row.start and not srlab.Run(*given["start"].split("/")).trained_steps():
            raise SrlabError("its start is missing")
        trained.append(given["run"])
        torch.manual_seed(given["seed"])
        trainer = srlab.Trainer(row.lab, given["run"], seed=given["seed"])
        net = srlab.MSRResNet(1, 4)
        adam = torch.optim.Adam(net.parameters(), 1e-3)
        net, adam = trainer.prepare(generator=net, optimizer=adam)

        def step(lr, hr):
            loss = (net(lr) - hr).abs().mean()
            adam.zero_grad()
            trainer.backward(loss)
            adam.step()
            return {"loss": loss}

        patches = srlab.PatchSampler(photos, patch=32, batch=2, seed=given["seed"])
        trainer.fit(step, patches, 2, validate=lambda generator: {"psnr": 20.0}, validate_every=1)

    monkeypatch.setattr(run, "learn", learn)
    common = ["--images", "photos", "--sets", "Set5", "--presets", str(presets), "--records", str(tmp_path / "records")]
    return lambda *more: run.main([*common, *more]), trained, tmp_path / "records"


def test_a_record_has_the_manifest_the_curve_the_scores_and_the_noise_control(small):
    call, trained, folder = small
    assert call() == 0
    assert trained == ["mse-seed0", "srgan-seed0"]
    found = {one["row"]: one for one in record.read_all(folder)}
    assert set(found) == {BICUBIC, "mse", "srgan"}
    mse, srgan = found["mse"], found["srgan"]
    assert (mse["step"], mse["seed"], mse["batch"], mse["patch"]) == (2, 0, 2, 32)
    assert [step for step, _ in mse["curve"]][-1] == 2
    text = srlab.datasets.photos("validation").subset("text")
    expected = srlab.score(srlab.load_generator("01_srresnet", "mse-seed0"), text).psnr[0]
    assert mse["scores"]["photos/validation"]["psnr"] == pytest.approx(expected)
    assert "noise" not in mse
    assert set(srgan["noise"]) == {"photos/validation"}
    assert (folder / "mse-seed0.png").exists()


def test_a_row_that_has_its_record_is_left_alone_and_another_seed_is_trained(small):
    call, trained, _ = small
    assert call("mse") == 0
    assert call("mse", "--seeds", "0", "1") == 0
    assert trained == ["mse-seed0", "mse-seed1"]


def test_a_row_without_its_start_fails_in_a_sentence_and_the_others_go_on(small, capsys):
    call, trained, _ = small
    assert call("srgan") == 1
    assert "srgan-seed0 failed: its start is missing" in capsys.readouterr().err
    assert trained == []


def test_trained_again_the_weights_are_those_of_the_record_or_it_says_so(small, capsys):
    call, trained, folder = small
    assert call("mse", "--again") == 1
    assert "no record to be compared with" in capsys.readouterr().err
    assert call("mse") == call("mse", "--again") == 0
    assert trained == ["mse-seed0", "mse-seed0-again"]
    assert "bit for bit" in capsys.readouterr().out
    file = folder / "mse-seed0.json"
    assert json.loads(file.read_text())["again"] is True
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sha256": "other"}))
    assert call("mse", "--again") == 1
    assert "those of the record other" in capsys.readouterr().err


def test_time_to_beat_bicubic_is_that_of_the_first_validation_above_it():
    assert beaten(made("mse"), 28.4) == {0.5: 5.0, 1.0: 10.0}  # 600 s for 1000 steps: 5 minutes for 500


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


def test_the_extrapolation_finds_a_law_that_is_there_and_wants_five_lengths():
    law = {steps: [31 - 20 * steps**-0.5] for steps in (500, 1000, 2000, 4000, 8000)}
    middle, low, high = extrapolate(law, 1e6)
    assert middle == pytest.approx(31 - 20e-3, abs=0.02)
    assert high - low < 0.05
    noisy = {steps: [value + shift for shift in (-0.1, 0, 0.1)] for steps, (value,) in law.items()}
    middle, low, high = extrapolate(noisy, 1e6)
    assert high - low > 0.1
    assert low < 31 < high + 0.1
    assert extrapolate(dict(list(law.items())[1:]), 1e6) is None


def test_the_report_puts_rows_beside_what_was_published_and_calls_a_miss_a_miss(tmp_path):
    bicubic = {"row": BICUBIC, "scores": dict.fromkeys(("Set5", "Set14"), SCORES)}
    sharp = {"gradient_ratio": 0.6, "energy_error": 0.5, "psnr": 27.0}
    gan = made("srgan", scores=sharp, noise={"Set5": 0.55, "Set14": 0.55}, lab="03_srgan")
    records = [bicubic, made("mse"), made("mse", 1, scores={"psnr": 28.6}), gan]
    for file in ("bicubic", "mse-seed0", "srgan-seed0"):
        srlab.write_image(torch.rand(3, 96, 144), tmp_path / f"{file}.png")
    text = report.report(records, tmp_path, tmp_path)
    assert "| **MSE** | 28.50 ± 1.27 (n=2) / 0.8000 |" in text
    assert f"published: {PUBLISHED['mse'].name} | 32.05 / .9019" in text
    assert "| SRGAN | 0 | Set14 | 0.20 | 0.600 | 0.550 | 0.500 | 1.40 dB | no |" in text
    assert "| MSE | 0, 1 | 0.20 dB | 0.20 dB | - |" in text
    assert "LPIPS was not measured" in text
    assert "not reached" in text
    assert {file.name for file in tmp_path.glob("*.png")} >= {"curves.png", "plane.png", "crops.png"}
