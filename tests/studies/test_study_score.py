"""Scoring a row of the study from what training it left, also when its run has gone on since."""

import json

import pandas as pd
import pytest

import srlab
from srlab.base.errors import SrlabError
from srlab.training.runs import Run
from studies import train
from studies.content_loss import score
from tests.conftest import leave_run

pytestmark = pytest.mark.nightly

LAB, RUN = "03_srgan", "described-mse-seed0"
SHORT, LONG = "described-srgan-100-mse-seed0", "described-srgan-200-mse-seed0"
MADE = {"generator": {"network": "MSRResNet"}, "discriminator": {"network": "PatchDiscriminator"}}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Folder of a study whose lab trains nothing, but leaves a run of as many steps as it is given."""

    def execute(notebook, output, given, without):
        run = Run(notebook.stem, given["run"])
        if (run.manifest() or {"step": 0})["step"] < given["iters"]:
            leave_run(notebook.stem, given["run"], given["iters"], **MADE)
            for best in ("", "psnr", "ssim"):
                run.save_generator(srlab.models.MSRResNet(blocks=1, features=8), given["iters"], best)
        output.write_text("{}")

    monkeypatch.setenv("SRLAB_HOME", str(tmp_path))
    monkeypatch.setattr(train, "execute", execute)
    (tmp_path / f"{LAB}.ipynb").write_text("{}")
    return tmp_path


def train_row(study, row, iters):
    given = json.dumps({"run": RUN, "iters": iters})
    train.main(str(study / f"{LAB}.ipynb"), str(study / "notebooks" / f"{row}.ipynb"), given)


def score_row(study, row, iters):
    facts = {"row": row, "lab": LAB, "run": RUN, "variant": "described", "method": "SRGAN", "loss": "MSE"}
    facts |= {"epochs": 100, "seed": 0, "layers": "", "iters": iters, "scored": "astronaut", "benchmarks": []}
    output = study / "scores" / f"{row}.csv"
    score.main(json.dumps(facts), str(output))
    return pd.read_csv(output)


def test_a_short_row_stays_as_it_was_when_its_run_has_gone_on(study):
    train_row(study, SHORT, 10)
    before = score_row(study, SHORT, 10)
    assert set(before["step"]) == {10}
    assert set(before["network"]) == {"MSRResNet"}
    assert set(before["discriminator"]) == {"PatchDiscriminator"}
    copies = {file.name: file.read_bytes() for file in (study / "notebooks" / SHORT).iterdir()}
    assert sorted(copies) == [f"generator{end}.safetensors" for end in ("-best-psnr", "-best-ssim", "")] + ["run.json"]
    train_row(study, LONG, 20)
    assert Run(LAB, RUN).manifest()["step"] == 20
    train_row(study, SHORT, 10)  # again
    assert {file.name: file.read_bytes() for file in (study / "notebooks" / SHORT).iterdir()} == copies
    pd.testing.assert_frame_equal(score_row(study, SHORT, 10), before)


def test_without_copies_of_its_step_a_row_gets_no_notebook_and_no_score(study):
    with pytest.raises(SrlabError, match=r"There is no .*run\.json; delete .*-seed0\.ipynb and run the study again"):
        score_row(study, SHORT, 10)
    train_row(study, LONG, 20)
    with pytest.raises(SrlabError, match=f"is at step 20, but the row {SHORT} ends at step 10; delete the folder"):
        train_row(study, SHORT, 10)
    assert not (study / "notebooks" / f"{SHORT}.ipynb").exists()
    with pytest.raises(SrlabError, match="was copied at step 20, but the row is about step 15; delete"):
        score_row(study, LONG, 15)
