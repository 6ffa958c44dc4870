"""Test training and scoring a row of a study: its copies, also after its run has continued, and failed rows."""

import json

import nbformat
import pandas as pd
import pytest

import srlab
from srlab.errors import SrlabError
from srlab.training.runs import Run
from studies import score, train
from tests.conftest import leave_run

LAB, RUN = "03_srgan", "described-mse-seed0"
SHORT, LONG = "described-srgan-100-mse-seed0", "described-srgan-200-mse-seed0"
MADE = {"generator": {"network": "MSRResNet"}, "discriminator": {"network": "PatchDiscriminator"}}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Train and score rows of a study with a fake lab, which only writes a run with the requested steps."""

    class Study:
        state, error = "finished", ""
        folder = tmp_path / "notebooks"

        def train(self, row, iters):
            given = json.dumps({"run": RUN, "iters": iters})
            train.main(str(tmp_path / f"{LAB}.ipynb"), str(self.folder / f"{row}.ipynb"), given, "{}")

        def score(self, row, iters):
            facts = {"run": f"{LAB}/{RUN}", "known": {"seed": 0}, "layers": "", "iters": iters, "degradations": [{}]}
            table = tmp_path / "scores" / f"{row}.csv"
            score.main(json.dumps(facts | {"scored": "astronaut", "benchmarks": [], "rgb": True}), str(table))
            return pd.read_csv(table)

        def copies(self, row):
            return {file.name: file.read_bytes() for file in (self.folder / row).iterdir()}

    study = Study()

    def execute(notebook, output, given, without):
        run = Run(notebook.stem, given["run"])
        if study.error or (run.manifest() or {"step": 0})["step"] < given["iters"]:
            leave_run(notebook.stem, given["run"], given["iters"], study.state, **MADE)
            run.save_generator(srlab.models.MSRResNet(num_blocks=1, num_features=8), given["iters"])
        output.write_text("cells so far", encoding="utf-8")
        if study.error:
            raise SrlabError(study.error)

    monkeypatch.setenv("SRLAB_HOME", str(tmp_path))
    monkeypatch.setattr(train, "execute", execute)
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / f"{LAB}.ipynb")
    return study


@pytest.mark.nightly
def test_short_row_keeps_copies_after_run_continues(study):
    study.train(SHORT, 10)
    before, copies = study.score(SHORT, 10), study.copies(SHORT)
    assert before[["network", "discriminator", "lr"]].iloc[0].tolist() == ["MSRResNet", "PatchDiscriminator", "bicubic"]
    assert {"psnr", "ssim", "ms_ssim_rgb", "energy_error"} <= set(before)
    assert set(copies) == {"generator.safetensors", "run.json"}
    study.train(LONG, 20)
    assert Run(LAB, RUN).manifest()["step"] == 20
    study.train(SHORT, 10)  # again
    assert study.copies(SHORT) == copies
    pd.testing.assert_frame_equal(study.score(SHORT, 10), before)


def test_row_without_copies_gets_no_notebook_or_score(study):
    with pytest.raises(SrlabError, match=r"has no copies of step 10\. Delete .*-seed0\.ipynb and run the study again"):
        study.score(SHORT, 10)
    study.train(LONG, 20)
    with pytest.raises(SrlabError, match=f"is at step 20, but the row {SHORT} ends at step 10. Delete the folder"):
        study.train(SHORT, 10)
    assert not (study.folder / f"{SHORT}.ipynb").exists()
    with pytest.raises(SrlabError, match="has no copies of step 15"):
        study.score(LONG, 15)


@pytest.mark.nightly
def test_failed_row_is_lost_with_reason_until_it_succeeds(study, tmp_path):
    study.error = "a fault outside of training"
    with pytest.raises(SrlabError, match=study.error):
        study.train(SHORT, 10)
    assert not (study.folder / f"{SHORT}.ipynb").exists()
    study.state, study.error = "failed", "the weights are gone"
    study.train(SHORT, 10)
    assert study.copies(SHORT) == {train.LOST: b"the weights are gone"}
    assert (study.folder / f"{SHORT}.ipynb").read_text(encoding="utf-8") == "cells so far"
    study.score(SHORT, 10)
    study.state, study.error = "finished", ""
    study.train(LONG, 20)
    assert train.LOST not in study.copies(LONG)
    study.score(LONG, 20)
    scores, lost = score.read_scores(tmp_path / "scores")
    assert lost.to_dict("records") == [{"row": SHORT, "seed": 0, "lost": "the weights are gone"}]
    assert set(scores["row"]) == {LONG}
