"""Test the command line: a mistake gives one line on stderr and exit code 2."""

import io
import os
import re
import shutil
import subprocess
import sys
import time

import papermill.cli
import pytest

from srlab import __version__
from srlab.cli.main import all_commands, main
from srlab.errors import SrlabError
from srlab.models import MSRResNet
from srlab_course.cli import execute_command, plan_command
from srlab_course.notebooks.finding import find_lab
from tests.conftest import EXTRAS, LABS, ROOT, leave_run


@pytest.mark.parametrize(
    ("arguments", "known"),
    [(["--recipe", "smok"], "auto, laptop"), (["70"], "00_degradation, 01_srresnet, 02_content")],
)
def test_unknown_recipe_or_lab_lists_known_ones(capsys, home, monkeypatch, arguments, known):
    monkeypatch.chdir(ROOT / "notebooks")
    assert main(["execute", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert known in said.err
    assert not home.exists()


def test_failed_labs_and_missing_recipes_are_reported(capsys, monkeypatch):
    calls = []

    def execute(notebook, output, parameters):
        calls.append((notebook.stem, parameters))
        if notebook.stem.startswith("02"):
            raise SrlabError("NameError: name 'x' is not defined")
        return {"label": "PSNR", "value": 28.1234, "unit": "dB", "peak_memory_mib": 2048}

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(execute_command, "execute", execute)
    assert main(["execute", "--recipe", "smoke"]) == 1
    said = capsys.readouterr().out
    for words in ("PSNR: 28.12 dB", "2.0 GiB", "02_content_loss failed: NameError"):
        assert words in said
    assert calls == [(lab.stem, {"recipe": "smoke"}) for lab in [*LABS, *EXTRAS]]
    assert main(["execute", "01_srresnet.ipynb", "02", "--recipe", "blind"]) == 0
    assert "02_content_loss has no recipe blind" in capsys.readouterr().out
    assert calls[-1] == ("01_srresnet", {"recipe": "blind"})
    assert main(["execute", "01", "--seed", "0"]) == 0
    assert calls[-1] == ("01_srresnet", {"seed": 0}), "the seed in the notebook may be another one"
    assert main(["execute", "01", "--seed", "3"]) == 0
    assert calls[-1] == ("01_srresnet", {"seed": 3, "run": "default"}), "other labs find it under its usual name"


def test_run_accepts_name_or_path(tmp_path, monkeypatch, capsys):
    run = leave_run("03_srgan", "default", 50)
    run.save_generator(MSRResNet(1, 4, scale=2), step=50)
    shutil.copytree(run.path, tmp_path / "a friend's" / "default (copy)")
    monkeypatch.chdir(tmp_path)
    for name in ("03_srgan/default", "runs/03_srgan/default", "a friend's/default (copy)/generator.safetensors"):
        assert main(["diagnose", name]) == 0
        assert capsys.readouterr().out.startswith("03_srgan/default")
    for name, near in {
        "03_srgna/default": "Did you mean 03_srgan/default?",
        "runs/03_srgan/default/genrator.safetensors": "mean runs/03_srgan/default/generator.safetensors?",
        "nothing.pth": "Pass a run folder",
    }.items():
        assert main(["upscale", "photo.png", "sr.png", "--run", name]) == 2
        assert near in capsys.readouterr().err


HELP_OF_ALL = """
import contextlib, sys
from srlab.cli.main import all_commands, main
names = all_commands()
for arguments in ["--help", "upscal", *(f"{name} {word}" for name in names for word in ("--help", "--nosuch"))]:
    with contextlib.suppress(SystemExit):
        main(arguments.split())
print(*sys.modules)
"""


def test_help_and_mistyped_arguments_import_nothing_slow():
    done = subprocess.run([sys.executable, "-c", HELP_OF_ALL], cwd=ROOT, capture_output=True, text=True)
    *said, modules = done.stdout.splitlines()
    assert sum(line.startswith("usage: srlab ") for line in said) == len(all_commands()) + 1
    assert not {"torch", "numpy", "pandas", "PIL", "nbformat", "IPython"} & set(modules.split())


@pytest.mark.parametrize("typed", ["upscale a.png --metod bicubic", "upscale --metod", "upscale a.png --tile x"])
def test_mistyped_argument_shows_usage_of_its_command(typed, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(typed.split())
    said = capsys.readouterr().err
    assert said.startswith("usage: srlab upscale ")
    assert "srlab upscale: error: " in said


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("upscal photo.png", 2, "'upscal' is not a command. Did you mean upscale?"),
        ("nosuch", 2, "choose from"),
        ("", 2, "required: command"),
        ("--version", 0, f"srlab {__version__}"),
    ],
)
def test_command_is_suggested_and_version_printed(typed, code, words, capsys):
    with pytest.raises(SystemExit, match=str(code)):
        main(typed.split())
    assert words in "".join(capsys.readouterr())


def test_closed_pipe_is_not_an_error():
    """Close the pipe after the first lines, as in ``srlab runs | head -1``."""
    lines = "from srlab.cli import main; from srlab_course.cli import runs; "
    lines += "runs.list_runs = lambda options: print('a line\\n' * 10**5)"
    command = [sys.executable, "-c", f"import sys; {lines}; sys.exit(main.main(['runs']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert said == ""
    assert process.returncode == 1


def test_plan_does_not_train_or_download(capsys, home, monkeypatch, no_download):
    monkeypatch.setenv("SRLAB_DATA", str(home / "data"))
    given = {"iters": 100000, "images": "div2k", "validation": "DIV2K-valid", "jpeg": "[30, 95]", "run": "mine"}
    given |= {"betas": "[0.9, 0.99]", "device": "cpu"}
    assert main(["plan", "04", *(word for name, value in given.items() for word in ("-p", name, str(value)))]) == 0
    said = capsys.readouterr().out
    for words in ("recipe:  photos", "100,000 steps", "800 photos from DIV2K (2240.0 megapixels)", "04_esrgan/mine\n"):
        assert words in said.replace("\n         ", " ")
    for row in ("images +div2k ", "jpeg +\\[30, 95\\] ", "betas +\\[0.9, 0.99\\] ", "WARNING: The content loss"):
        assert re.search(f"^{row}", said, re.MULTILINE)
    assert not home.exists()
    assert main(["plan", "04", "-p", "itres", "5"]) == 2
    assert capsys.readouterr().err == "srlab: Unknown parameter 'itres' (did you mean iters?). Correct it.\n"


def first_columns(said):
    """Return the first words of the lines below each heading that was printed."""
    tables = [table.splitlines() for table in said.split("\nname ")[1:]]
    return [[line.split(maxsplit=1)[0] for line in table if line[0] != " "] for table in tables]


def test_plan_shows_what_differs_and_with_all_everything(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    for lab in ("03_srgan", "esrgan"):
        command = ["plan", lab, "-p", "seed", "7", "-p", "gan", "hinge"]
        assert main(command) == 0
        short = capsys.readouterr().out
        assert main([*command, "--all"]) == 0
        long = capsys.readouterr().out
        assert max(map(len, [*short.splitlines(), *long.splitlines()])) <= 100
        (differ,), (again, rest) = first_columns(short), first_columns(long)
        assert differ[:4] == again[:4] == ["seed", "gan", "features", "content_weight"]
        assert "learning_rate" in rest
        assert "learning_rate" not in differ
        assert "Add --all to list them." in short
        assert "\nsource: this course, tuned on two cores" in long, "a column would repeat it"


TEXTS = (
    "True true None none nan -inf 0x10 007 1_000 1e3 1E-3 .5 +1 １２ 1j b'x' 'mine' ... 1,2 0,001 1/2 100k -"
    " [0.9,0.99] (1,2) {'batch':4} dict(batch=4) ~/photos 2024_11"
)


@pytest.mark.parametrize("text", [*TEXTS.split(), "", " 5 ", "0.9, 0.99", "9" * 5000])
def test_plan_reads_values_as_papermill_does(text):
    ours, theirs = plan_command._typed(text), papermill.cli._resolve_type(text)
    assert (repr(ours), type(ours)) == (repr(theirs), type(theirs))


@pytest.mark.parametrize(
    ("typed", "lab"),
    [
        ("04", "04_esrgan"),
        ("srgan", "03_srgan"),
        ("esrgan", "04_esrgan"),
        ("resnet", "01_srresnet"),
        ("own", "own_camera"),
    ],
)
def test_lab_is_found_by_a_part_of_its_name(typed, lab, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks" / "extras")
    assert find_lab(typed).stem == lab
    with pytest.raises(SrlabError, match="'e' does not match exactly one lab"):
        find_lab("e")


@pytest.mark.parametrize("command", ["progress", "plan 03", "solutions 03"])
def test_course_folder_is_named_outside_of_it(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert f"{tmp_path} is not in a course folder. Change to the course folder {ROOT} first." in capsys.readouterr().err
    monkeypatch.chdir(ROOT / "docs" / "book")
    assert main(command.split()) == 0


def test_runs_lists_newest_last(capsys, home):
    assert main(["runs"]) == 0
    assert "No runs found in " in capsys.readouterr().out
    for number, (lab, name) in enumerate([("03_srgan", "long"), ("01_srresnet", "default")]):
        run = leave_run(lab, name, 250 * number)
        run.write_manifest(
            run.manifest() | {"metrics": {"val_psnr": 28.634, "ms_per_step": 31.23}, "schedule_total": 1000}
        )
        os.utime(run.path / "run.json", (time.mktime((2026, 5, number + 1, 9, 5, 0, 0, 0, -1)),) * 2)
        os.utime(run.path, (0, 0))
    assert main(["runs"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["run", "status", "steps", "psnr", "ssim", "ms/step", "written"],
        ["03_srgan/long", "finished", "0", "of", "1,000", "28.63", "31.2", "2026-05-01", "09:05"],
        ["01_srresnet/default", "finished", "250", "of", "1,000", "28.63", "31.2", "2026-05-02", "09:05"],
    ]


def test_runs_shows_status(capsys):
    leave_run("01_srresnet", "default", 5)
    leave_run("03_srgan", "killed", 5, status="running")
    damaged = leave_run("03_srgan", "null", 5)
    damaged.write_manifest(damaged.manifest() | {"step": None})
    with leave_run("03_srgan", "training", 5, status="running").lock():
        assert main(["runs", "03"]) == 0
    said = capsys.readouterr().out
    states = dict(line.split()[:2] for line in said.splitlines() if line.startswith("0"))
    assert states == {"03_srgan/killed": "stopped", "03_srgan/training": "running"}
    assert "Skipped: " in said
    assert main(["runs", "nosuch"]) == 0
    said = capsys.readouterr().out
    assert "No runs of nosuch found in " in said
    assert "It contains runs of 01_srresnet, 03_srgan." in said


def test_unencodable_character_does_not_fail(monkeypatch):
    leave_run("01_srresnet", "default", 1, status="läuft →")
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")  # the encoding of redirected output on Windows
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["runs"]) == 0
    out.seek(0)
    assert "läuft \\u2192" in out.read()
