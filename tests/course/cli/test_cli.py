"""Test the command line: what it refuses, with one line on stderr and exit code 2, and `execute`, `plan` and `runs`."""

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
from srlab_course.cli import execute_command
from srlab_course.lab.parameters import from_text
from srlab_course.lab.recipes import read_book
from srlab_course.notebook_files.finding import find_lab
from tests.conftest import EXTRAS, LABS, ROOT, leave_run


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("--version", 0, f"srlab {__version__}\n"),
        ("", 2, "required: command"),
        ("upscal photo.png", 2, "srlab: error: argument command: invalid choice: 'upscal' (choose from"),
        ("upscale a.png --metod bicubic", 2, "srlab upscale: error: unrecognized arguments: --metod"),
        ("export msrresnet a.onnx b.onnx", 2, "srlab export: error: unrecognized arguments: b.onnx"),
        ("upscale a.png --tile x", 2, "srlab upscale: error: argument --tile"),
        ("upscale photo.png -o sr.png --run 03_srgna/default", 2, "srlab: 03_srgna/default not found"),
        ("upscale photo.png -o sr.png --run 03_srgna/default", 2, "Did you mean 03_srgan/default?"),
        ("diagnose nothing.pth", 2, "Pass a run folder"),
        ("execute --recipe smok", 2, "Recipe 'smok' not found. Choose auto, laptop"),
        ("execute 70", 2, "Choose from 00_degradation, 01_srresnet"),
        ("plan e", 2, "'e' does not match exactly one lab"),
        ("plan 04 -p itres 5", 2, "srlab: Unknown parameter 'itres' (did you mean iters?). Correct it.\n"),
    ],
)
def test_mistake_is_one_line_of_advice(typed, code, words, capsys, monkeypatch):
    leave_run("03_srgan", "default", 50)
    monkeypatch.chdir(ROOT / "notebooks")
    with pytest.raises(SystemExit, match=str(code)):
        sys.exit(main(typed.split()))
    assert words in "".join(capsys.readouterr())


class WinError(OSError):
    """The error of a library that Windows can't load, as torch raises it."""

    winerror = 126


DLL = 'The specified module could not be found. Error loading "C:\\torch\\c10.dll" or one of its dependencies.'
VC = "Install Microsoft's Visual C++ runtime: https://aka.ms/vs/17/release/vc_redist.x64.exe\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (WinError(22, DLL), f"{DLL} {VC}"),
        (
            ImportError("DLL load failed while importing _C: not found."),
            f"DLL load failed while importing _C: not found. {VC}",
        ),
        (OSError(1455, "The paging file is too small."), "The paging file is too small.\n"),
        (OSError(36, "File name too long", "a" * 9), "aaaaaaaaa: File name too long. Check the path.\n"),
    ],
)
def test_error_of_the_system_is_named(error, line, monkeypatch, capsys):
    def fail(options):
        raise error

    monkeypatch.setattr("srlab_course.cli.plan_command.plan", fail)
    assert main(["plan", "03"]) == 2
    assert capsys.readouterr().err == f"srlab: {line}"


@pytest.mark.parametrize("command", ["progress", "plan 03", "solutions 03"])
def test_course_folder_is_named_outside_of_it(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert f"{tmp_path} is not in a course folder. Change to the course folder {ROOT} first." in capsys.readouterr().err
    monkeypatch.chdir(ROOT / "docs" / "book")
    assert main(command.split()) == 0


@pytest.mark.parametrize("typed", ["04 04_esrgan", "srgan 03_srgan", "esrgan 04_esrgan", "resnet 01_srresnet"])
def test_lab_is_found_by_a_part_of_its_name(typed, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks" / "extras")
    part, lab = typed.split()
    assert find_lab(part).stem == lab


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


@pytest.mark.parametrize("given", [True, False])
def test_broken_package_of_another_python_is_named(given, tmp_path):
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text(
        "raise ImportError('No module named numpy.core.x')\n", encoding="utf-8"
    )
    folders = [str(tmp_path), str(ROOT)] if given else [str(ROOT)]
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from srlab.cli.main import main; main(['doctor'])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    remedy = (
        f"numpy comes from {tmp_path}, a folder in PYTHONPATH. Unset PYTHONPATH." if given else "Install the course"
    )
    assert f"A package cannot be imported (No module named numpy.core.x). {remedy}" in done.stderr


def test_closed_pipe_is_not_an_error():
    """Close the pipe after the first line, as in ``srlab runs | head -1``."""
    code = "import sys; from srlab.cli import main; "
    code += "main.pkgutil.resolve_name = lambda name: lambda options: print('a line\\n' * 10**5); "
    command = [sys.executable, "-c", f"{code} sys.exit(main.main(['runs']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_unencodable_character_does_not_fail(monkeypatch):
    leave_run("01_srresnet", "läuft-数", 1)
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")  # the encoding of redirected output on Windows
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["runs"]) == 0
    out.seek(0)
    assert "läuft-\\u6570" in out.read()


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
    assert main(["execute", "04", "-p", "iters", "70", "-p", "betas", "[0.9, 0.99]", "-p", "recipe", "laptop"]) == 0
    assert calls[-1] == ("04_esrgan", {"iters": 70, "betas": [0.9, 0.99], "recipe": "laptop"})
    for seed, parameters in {0: {"seed": 0}, 3: {"seed": 3, "run": "default"}}.items():
        assert main(["execute", "01", "--seed", str(seed)]) == 0
        assert calls[-1] == ("01_srresnet", parameters), "other labs find the run under its usual name"


# --- plan -------------------------------------------------------------------------------------------------------


def test_plan_does_not_train_or_download(capsys, home, monkeypatch, no_download):
    monkeypatch.setenv("SRLAB_DATA", str(home / "data"))
    given = {"iters": 100000, "images": "div2k", "validation": "DIV2K-valid", "jpeg": "[30, 95]", "run": "mine"}
    given |= {"betas": "[0.9, 0.99]", "device": "cpu"}
    assert main(["plan", "04", *(word for name, value in given.items() for word in ("-p", name, str(value)))]) == 0
    said = capsys.readouterr().out
    for words in ("recipe:  photos", "100,000 steps", "800 photos from train (2240.0 megapixels)", "04_esrgan/mine\n"):
        assert words in said.replace("\n         ", " ")
    for row in ("jpeg +\\[30, 95\\] ", "betas +\\[0.9, 0.99\\] ", "WARNING: The content loss"):
        assert re.search(f"^{row}", said, re.MULTILINE)
    assert not home.exists()


def test_plan_lists_what_differs_from_the_recipe_and_all_on_request(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    settings = read_book(ROOT / "notebooks" / "recipes" / "03_srgan.py").lab.values()
    typed = ["plan", "03", "-p", "seed", "7", "-p", "iters", "70", "-p", "gan", "hinge", "-p", "backbone", "imagenet"]
    monkeypatch.setattr("srlab.models.backbones.is_trained", lambda features, backbone: True)
    for options, others in (([], []), (["--all"], settings)):
        assert main(typed + options) == 0
        said = capsys.readouterr().out
        assert max(map(len, said.splitlines())) <= 100
        *names, last = re.findall(r"^\w+", said[said.index("\nname ") + 5 :], re.M)
        assert {*names[:3]} == {"iters", "pretrain_iters", "gan"}
        assert names[3:] == [name for name in others if name not in names[:3]]
        assert last == "run", "it is not scrolled away"
    assert main(["plan", "03", "-p", "backbone", "imagenet"]) == 0
    assert "\nname " not in capsys.readouterr().out


TEXTS = "True true None 1_000 1E-3 .5 1/2 100k - mine-2 ~/photos 01_srresnet/default"


@pytest.mark.parametrize("text", [*TEXTS.split(), "", "(" * 5000], ids=lambda text: text[:20])
def test_plan_reads_values_as_papermill_does(text):
    ours, theirs = from_text(text), papermill.cli._resolve_type(text)
    assert (repr(ours), type(ours)) == (repr(theirs), type(theirs))


# --- runs -------------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_last_with_their_status(capsys):
    assert main(["runs"]) == 0
    assert "No runs found in " in capsys.readouterr().out
    scores = {"metrics": {"val_psnr": 28.634, "ms_per_step": 31.23}, "schedule_total": 1000}
    for day, (lab, name, status) in enumerate(
        [("03_srgan", "killed", "running"), ("01_srresnet", "default", "finished")], 1
    ):
        run = leave_run(lab, name, 250, status)
        run.write_manifest(run.manifest() | scores)
        os.utime(run.path / "run.json", (time.mktime((2026, 5, day, 9, 5, 0, 0, 0, -1)),) * 2)
        os.utime(run.path, (0, 0))
    damaged = leave_run("03_srgan", "damaged", 5)
    damaged.write_manifest(damaged.manifest() | {"step": None})
    training = leave_run("06_flow", "training", 5, "running")
    training.write_manifest(training.manifest() | {"schedule_total": 1000})
    training.log(5, val_psnr=25.0)
    training.log(250, loss=0.1, ms_per_step=2000.0)
    with training.lock():
        assert main(["runs"]) == 0
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines() if line[0] in "r0"][:-1] == [
        ["run", "status", "steps", "psnr", "ssim", "ms/step", "left", "written"],
        ["03_srgan/killed", "stopped", "250", "of", "1,000", "28.63", "31.2", "2026-05-01", "09:05"],
        ["01_srresnet/default", "finished", "250", "of", "1,000", "28.63", "31.2", "2026-05-02", "09:05"],
    ]
    row = "^06_flow/training +running +250 of 1,000 +25.00 +2000.0 +0:25:00 "
    assert re.search(row, said, re.M), "the last step that is logged, and the time left"
    assert "Skipped: " in said
    assert main(["runs", "nosuch"]) == 0
    assert "No runs of nosuch found in " in capsys.readouterr().out


@pytest.mark.parametrize("place", ["run.json", "metrics.jsonl"])
@pytest.mark.parametrize("number", [10**400, 1e300, float("nan"), float("-inf")])
def test_odd_number_in_a_run_hides_no_other_run(number, place, capsys):
    leave_run("03_srgan", "other", 5)
    odd = leave_run("03_srgan", "odd", 5, "running")
    odd.write_manifest(odd.manifest() | {"schedule_total": 1000})
    if place == "run.json":
        odd.write_manifest(odd.manifest() | {"metrics": {"val_psnr": number}})
    else:
        odd.log(6, ms_per_step=number)
    with odd.lock():
        assert main(["runs"]) == 0
    assert "03_srgan/other" in capsys.readouterr().out


def test_time_that_cannot_be_converted_hides_no_run(monkeypatch, capsys):
    leave_run("03_srgan", "odd", 5)
    monkeypatch.setattr(time, "localtime", lambda seconds, convert=time.localtime: convert(1e300))
    assert main(["runs"]) == 0
    assert "03_srgan/odd" in capsys.readouterr().out


def test_run_is_found_by_name_or_path(tmp_path, monkeypatch, capsys):
    run = leave_run("03_srgan", "default", 50)
    run.save_generator(MSRResNet(1, 4, scale=2), step=50)
    shutil.copytree(run.path, tmp_path / "a friend's" / "default (copy)")
    monkeypatch.chdir(tmp_path)
    for name in ("03_srgan/default", "runs/03_srgan/default", "a friend's/default (copy)/generator.safetensors"):
        assert main(["diagnose", name]) == 0
        assert capsys.readouterr().out.startswith("03_srgan/default")
