"""The command line: a slip is one line on stderr and exit code 2."""

import io
import os
import shutil
import subprocess
import sys
import time

import pytest

from srlab.course.cli import labs as labs_command
from srlab.course.cli.main import main
from srlab.errors import SrlabError
from srlab.models import MSRResNet
from tests.conftest import leave_run


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with two labs, of which the first has a recipe more; the working directory is in it."""
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    recipe = "{about: x, source: y, values: {batch: 1}}"
    for lab, more in (("01_srresnet", f"blind: {recipe}\n"), ("02_content_loss", "")):
        (tmp_path / "notebooks" / f"{lab}.ipynb").write_text("{}")
        text = "parameters: {iters: 0}\nchoices: {}\nleast: {}\nsides: {}\n"
        text += f"meaning: {{batch: patches}}\nlaptop: {recipe}\nsmoke: {recipe}\n{more}"
        (tmp_path / "notebooks" / "recipes" / f"{lab}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path / "notebooks")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--recipe", "smok"], "no recipe 'smok'; choose auto, laptop, smoke, blind."),
        (["07"], "no single lab '07'; choose from 01_srresnet, 02_content_loss."),
    ],
)
def test_a_recipe_or_a_lab_that_is_not_there_is_refused_with_the_known_ones(course, capsys, home, arguments, sentence):
    assert main(["labs", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("srlab: ")
    assert said.err.endswith(f"{sentence}\n")
    assert not home.exists()


def test_labs_are_run_with_their_recipe_and_those_that_fail_or_lack_it_are_named(course, capsys, monkeypatch):
    calls = []

    def execute(notebook, output, parameters):
        calls.append((notebook.stem[:2], parameters))
        if notebook.stem.startswith("02"):
            raise SrlabError("NameError: name 'x' is not defined")
        return {"label": "PSNR", "value": 28.1234, "unit": "dB", "peak_memory_mib": 2048}

    monkeypatch.setattr(labs_command, "execute", execute)
    assert main(["labs", "--recipe", "smoke"]) == 1
    said = capsys.readouterr().out
    assert "PSNR: 28.12 dB" in said
    assert "2.0 GiB" in said
    assert "02_content_loss failed: NameError" in said
    assert main(["labs", "01_srresnet.ipynb", "02", "--recipe", "blind"]) == 0
    assert "02_content_loss has no recipe blind: left out.\n" in capsys.readouterr().out
    assert calls == [("01", {"recipe": "smoke"}), ("02", {"recipe": "smoke"}), ("01", {"recipe": "blind"})]
    assert main(["labs", "01", "--seed", "3"]) == 0
    assert calls[-1] == ("01", {"seed": 3, "run": "default"}), "and other labs find it under its usual name"


def test_a_run_is_meant_by_its_name_or_a_path_and_what_looks_alike_is_told(tmp_path, monkeypatch, capsys):
    run = leave_run("03_srgan", "default", 50)
    run.save_generator(MSRResNet(1, 4, scale=2), step=50)
    for step in range(10, 60, 10):
        run.log(step, g_loss=0.1, g_norm=1.0)
    shutil.copytree(run.path, tmp_path / "a friend's" / "default (copy)")
    monkeypatch.chdir(tmp_path)
    for name in ("03_srgan/default", "runs/03_srgan/default", "a friend's/default (copy)/generator.safetensors"):
        assert main(["diagnose", name]) == 0
        assert capsys.readouterr().out.startswith("03_srgan/default")
    for name, near in {
        "03_srgna/default": "did you mean 03_srgan/default?",
        "runs/03_srgan/default/genrator.safetensors": "mean runs/03_srgan/default/generator.safetensors?",
        "nothing.pth": "give the folder of a run, <lab>/<name>, or a file.",
    }.items():
        assert main(["upscale", "photo.png", "sr.png", "--run", name]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"srlab: There is no {name}, neither as a path nor among the runs in ")
        assert said.endswith(f"{near}\n")


def test_a_reader_who_has_enough_is_no_error():
    """As in ``srlab runs | head -1``: the first lines, and then nobody reads."""
    lines = "from srlab.course.cli import main, runs; runs.list_runs = lambda options: print('a line\\n' * 10**5)"
    command = [sys.executable, "-c", f"import sys; {lines}; sys.exit(main.main(['runs']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert said == ""
    assert process.returncode == 1


# --- plan and runs -----------------------------------------------------------------------------------------------


def test_a_plan_says_what_would_be_trained_and_trains_and_downloads_nothing(capsys, home, monkeypatch, no_download):
    monkeypatch.setenv("SRLAB_DATA", str(home / "data"))
    given = {"iters": 100000, "images": "div2k", "validation": "DIV2K-valid", "jpeg": "[30, 95]", "run": "mine"}
    given |= {"betas": "[0.9, 0.99]", "device": "cpu"}
    options = [word for name, value in given.items() for word in ("-p", name, str(value))]
    assert main(["plan", "04", *options]) == 0
    said = capsys.readouterr().out
    for words in (
        "recipe:  photos, photos of many kinds",
        "then 100,000 steps of 8 patches of 64 px, on 800 photos of DIV2K (2240.0 megapixels)",
        "run:     04_esrgan/mine\n",
        "name                 value ",
        "jpeg                 [30, 95] ",
        "betas                [0.9, 0.99] ",
        "WARNING: The content loss uses",
    ):
        assert words in said
    assert not home.exists()
    assert main(["plan", "04", "-p", "itres", "5"]) == 2
    assert "Unknown parameter 'itres' (did you mean iters?)" in capsys.readouterr().err


def test_runs_are_listed_with_their_steps_and_scores_the_newest_last(capsys, home):
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.startswith("There are no runs in ")
    for number, (lab, name) in enumerate([("03_srgan", "long"), ("01_srresnet", "default")]):
        run = leave_run(lab, name, 250 * number)
        manifest = run.manifest() | {"metrics": {"val_psnr": 28.634}, "schedule_total": 1000}
        run.write_manifest(manifest)
        os.utime(run.path / "run.json", (time.mktime((2026, 5, number + 1, 9, 5, 0, 0, 0, -1)),) * 2)
        os.utime(run.path, (0, 0))
    assert main(["runs"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["run", "state", "steps", "psnr", "ssim", "written"],
        ["03_srgan/long", "finished", "0", "of", "1,000", "28.63", "2026-05-01", "09:05"],
        ["01_srresnet/default", "finished", "250", "of", "1,000", "28.63", "2026-05-02", "09:05"],
    ]
    assert main(["runs", "03"]) == 0
    assert "01_srresnet" not in capsys.readouterr().out
    leave_run("03_srgan", "killed", 5, state="running")
    damaged = leave_run("03_srgan", "null", 5)
    damaged.write_manifest(damaged.manifest() | {"step": None})
    training = leave_run("03_srgan", "training", 5, state="running")
    with training.lock():
        assert main(["runs", "03"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[:2] for line in said.splitlines() if "killed" in line or "training" in line] == [
        ["03_srgan/killed", "stopped"],
        ["03_srgan/training", "running"],
    ]
    assert "Passed over: " in said


def test_a_sign_that_a_files_encoding_lacks_ends_no_command(monkeypatch):
    leave_run("01_srresnet", "default", 1, state="läuft →")
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")  # what Windows writes into files
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["runs"]) == 0
    out.seek(0)
    assert "läuft \\u2192" in out.read()
