"""data_scripts/make_kit.py: one folder for a room without a network, whole and never over what somebody else made."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from importlib.metadata import version
from pathlib import Path
from urllib.error import URLError

import nbformat
import pytest
import torch
from torchvision import models

from srlab import FeatureExtractor
from srlab.data import fetching, kit_wheels, kits
from tests.conftest import load_script

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    ".gitignore": ".venv/\nruns/\ndata/\n",
    "README.md": "the course",
    "notebooks/lab.ipynb": "{}",
    "pyproject.toml": '[build-system]\nrequires = ["builder>=1"]\n',
    "requirements.lock": 'one==1.0\nTwo.Dots==2.0\nelsewhere==1 ; sys_platform == "nowhere"\n',
}
# packaging is installed where the kit is made, which must not count.
ALL = {"one": "1.0", "two_dots": "2.0+local", "builder": "1.5", "packaging": version("packaging"), "editables": "0.5"}
WHEELS = {f"{name}-{version}-py3-none-any.whl" for name, version in ALL.items()}


def git(course, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    dates = {"GIT_AUTHOR_DATE": "2020-01-01T00:00Z", "GIT_COMMITTER_DATE": "2020-01-01T00:00Z"}  # equal commits
    command = ["git", "-C", course, *identity, *arguments]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | dates)


def write(folder, contents):
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def commit(course, contents):
    write(course, contents)
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "-m", "lab")


def add_wheel(folder, name):
    folder.mkdir(exist_ok=True)
    label = f"{name}-{ALL[name]}"
    needs = "Requires-Dist: packaging\n" if name == "builder" else ""
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {ALL[name]}\n{needs}",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{label}-py3-none-any.whl", "w") as wheel:
        for file, content in about.items():
            wheel.writestr(f"{label}.dist-info/{file}", content)


def source(monkeypatch, folder, names=ALL):
    """Let pip find wheels in a folder and nowhere else."""
    for name in names:
        add_wheel(folder, name)
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def new_course(folder):
    folder.mkdir()
    git(folder, "init", "--quiet")
    write(folder, FILES | {"run.sh": "#!/bin/sh"})
    (folder / "run.sh").chmod(0o755)
    commit(folder, {})
    return folder


@pytest.fixture(scope="module")
def script():
    return load_script(ROOT / "data_scripts" / "make_kit.py")


@pytest.fixture(scope="module")
def made(script, tmp_path_factory):
    """A course and the kit of it; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(script, "COURSE", new_course(folder / "course"))
        source(monkeypatch, folder / "source")
        assert script.main([str(folder / "kit")]) == 0
    return folder


@pytest.fixture
def course(script, tmp_path, monkeypatch):
    """The course that a kit is made of, with no wheels to be had."""
    monkeypatch.setattr(script, "COURSE", new_course(tmp_path / "course"))
    source(monkeypatch, tmp_path / "source", ())
    return tmp_path / "course"


@pytest.fixture
def kit(made, course, tmp_path):
    return shutil.copytree(made / "kit", tmp_path / "kit")


@pytest.fixture
def without_pip(monkeypatch):
    """For what does not depend on wheels: those that are there are taken for all."""
    monkeypatch.setattr(kit_wheels, "get", lambda wheels, *_: [wheel.name for wheel in wheels.glob("*.whl")])


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def one_line(capsys):
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith("make_kit: ")
    return error


def bare_check(kit, *options):
    """As in the room: by a Python that has no packages, from the course in the kit."""
    where = {"cwd": kit / "course", "env": os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}}
    command = [sys.executable, "-S", "-m", "data_scripts.make_kit", "..", "--check", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **where)


# --- What a kit holds ----------------------------------------------------------------------------------------


def test_it_has_the_tracked_files_all_wheels_a_first_page_and_a_list_of_everything(made):
    kit = made / "kit"
    expected = {f"course/{name}" for name in [*FILES, "run.sh"]} | {f"wheels/{name}" for name in WHEELS} | {"START.md"}
    assert names(kit) - {".kit.json.lock", "kit.json"} == expected
    manifest = json.loads((kit / "kit.json").read_text())
    assert manifest["complete"]
    assert manifest["files"] == {
        name: {
            "bytes": (kit / name).stat().st_size,
            "sha256": hashlib.sha256((kit / name).read_bytes()).hexdigest(),
        }
        for name in expected
    }
    assert (kit / "course" / "run.sh").stat().st_mode & 0o100
    assert manifest["commit"][:12] in (page := (kit / "START.md").read_text())
    assert "Python {}.{} on".format(*sys.version_info) in page


def test_what_is_not_committed_is_left_out_and_named(script, course, kit, without_pip, capsys):
    write(course, {"README.md": "half a sentence", "secret.txt": "mine"})
    (course / "notebooks" / "lab.ipynb").unlink()
    assert script.main([str(kit)]) == 0
    error = one_line(capsys)
    assert all(name in error for name in ("README.md", "notebooks/lab.ipynb", "secret.txt"))
    assert (kit / "course" / "README.md").read_text() == "the course"
    assert not (kit / "course" / "secret.txt").exists()


def test_the_page_installs_what_the_makefile_installs():
    text = (ROOT / "data_scripts" / "make_kit.py").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    install = re.search(r"-c requirements.lock -e \S+", text)[0]
    assert install in makefile
    assert all(
        re.search(rf"^{re.escape(target)}:", makefile, re.M) for target in re.findall(r"^make (\S+)", text, re.M)
    )


# --- Checking a copy -----------------------------------------------------------------------------------------


def test_a_copy_is_checked_by_a_python_that_has_nothing_installed(kit):
    done = bare_check(kit)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{kit} is whole: all 12 files" in done.stdout


def test_damaged_missing_and_extra_files_are_named(script, kit, capsys):
    wheel = kit / "wheels" / "one-1.0-py3-none-any.whl"
    content = bytearray(wheel.read_bytes())
    content[40] ^= 1
    wheel.write_bytes(content)
    (kit / "START.md").unlink()
    write(kit, {"course/stray.py": "", "course/.venv/lib/a.py": "", "course/runs/b": ""})
    assert script.main([str(kit), "--check"]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"damaged: wheels/{wheel.name}", "missing: START.md", "extra: course/stray.py"]
    assert "1 damaged and 1 missing of 12 files" in said.out


def test_extra_files_alone_leave_a_kit_whole(script, kit, capsys):
    write(kit, {"slides.txt": "mine"})
    assert script.main([str(kit), "--check"]) == 0
    assert capsys.readouterr().err == "extra: slides.txt\n"


@pytest.mark.parametrize("content", ["{", "[]", '{"srlab": "kit"}', '{"srlab": "kit", "format": 0, "files": {}}'])
def test_a_damaged_list_of_files_is_said(script, kit, capsys, content):
    (kit / "kit.json").write_text(content)
    assert script.main([str(kit), "--check"]) == 2
    assert "kit.json is damaged or of another version" in one_line(capsys)


@pytest.mark.parametrize("name", ["../victim", "/victim", "course/../../victim"])
def test_a_list_that_leads_out_of_the_kit_is_refused(script, kit, capsys, name):
    manifest = json.loads((kit / "kit.json").read_text())
    manifest["files"][name] = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    (kit / "kit.json").write_text(json.dumps(manifest))
    write(kit.parent, {"victim": ""})
    assert script.main([str(kit)]) == 2
    assert "kit.json is damaged" in one_line(capsys)
    assert (kit.parent / "victim").exists()


# --- Again ---------------------------------------------------------------------------------------------------


def test_a_second_call_touches_nothing_and_needs_no_network(script, kit):
    before = {name: (kit / name).stat().st_mtime_ns for name in names(kit) - {"kit.json"}}
    content = (kit / "kit.json").read_bytes()
    assert script.main([str(kit)]) == 0
    assert {name: (kit / name).stat().st_mtime_ns for name in before} == before
    assert (kit / "kit.json").read_bytes() == content


def test_only_what_is_missing_is_got(script, kit, tmp_path):
    for name in ("course/README.md", "wheels/two_dots-2.0+local-py3-none-any.whl"):
        (kit / name).unlink()
    add_wheel(tmp_path / "source", "two_dots")  # the only one to be had
    assert script.main([str(kit)]) == 0
    assert script.main([str(kit), "--check"]) == 0
    assert {f"wheels/{name}" for name in WHEELS} | {"course/README.md"} <= names(kit)


def test_a_new_commit_replaces_and_removes_what_the_old_one_brought(script, course, kit):
    write(kit, {"slides.txt": "mine", "course/notes.md": "mine", "wheels/other-1-py3-none-any.whl": "mine"})
    (course / "notebooks" / "lab.ipynb").unlink()
    commit(course, {"README.md": "a better course", "requirements.lock": "one==1.0\n"})
    assert script.main([str(kit)]) == 0
    assert (kit / "course" / "README.md").read_text() == "a better course"
    assert not {"course/notebooks/lab.ipynb", "wheels/two_dots-2.0+local-py3-none-any.whl"} & names(kit)
    assert all((kit / name).read_text() == "mine" for name in ("slides.txt", "course/notes.md"))
    assert (kit / "wheels" / "other-1-py3-none-any.whl").read_text() == "mine"


def test_a_call_that_fails_leaves_an_unfinished_kit_that_goes_on(script, course, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kit_wheels, "BATCH", 1)
    add_wheel(tmp_path / "source", "one")
    kit = tmp_path / "kit"
    assert script.main([str(kit)]) == 2
    error = one_line(capsys)
    assert "two-dots" in error
    assert "look whether there is a network" in error
    assert [wheel.name for wheel in (kit / "wheels").iterdir()] == ["one-1.0-py3-none-any.whl"]
    assert script.main([str(kit), "--check"]) == 2
    assert "was never finished" in one_line(capsys)


def stop(*_):
    raise KeyboardInterrupt


def test_a_stop_among_the_first_files_leaves_an_unfinished_kit(
    script, course, kit, tmp_path, monkeypatch, capsys, without_pip
):
    (kit / "course" / "README.md").unlink()
    for folder in (tmp_path / "new", kit):
        with monkeypatch.context() as stopping:
            stopping.setattr(kits, "put", stop)
            assert script.main([str(folder)]) == 130
        assert script.main([str(folder), "--check"]) == 2
        assert "was never finished" in capsys.readouterr().err
        assert script.main([str(folder)]) == 0


def test_a_stopped_call_goes_on_even_after_a_commit(script, course, tmp_path, monkeypatch, capsys):
    kit = tmp_path / "kit"
    with monkeypatch.context() as stopping:
        stopping.setattr(kit_wheels, "get", stop)
        assert script.main([str(kit)]) == 130
    stopped = "make_kit: stopped; what is there is whole, and the same command goes on from here.\n"
    assert capsys.readouterr().err == f"\n{stopped}"
    commit(course, {"README.md": "a better course"})
    monkeypatch.setattr(kit_wheels, "get", lambda *_: [])
    assert script.main([str(kit)]) == 0
    assert (kit / "course" / "README.md").read_text() == "a better course"
    assert script.main([str(kit), "--check"]) == 0


# --- Refused -------------------------------------------------------------------------------------------------


def test_a_folder_of_somebody_else_is_left_alone(script, course, tmp_path, capsys):
    write(tmp_path / "photos", {"mine.txt": "mine"})
    assert script.main([str(tmp_path / "photos")]) == 2
    assert "photos is no kit" in one_line(capsys)
    assert names(tmp_path / "photos") == {"mine.txt"}


def test_a_file_that_was_changed_in_the_kit_stays_and_is_named(script, course, kit, capsys):
    write(kit, {"course/notebooks/lab.ipynb": "an evening's work"})
    before = names(kit)
    assert script.main([str(kit)]) == 2
    assert "changed since they were made: course/notebooks/lab.ipynb; move them away" in one_line(capsys)
    assert names(kit) == before
    assert (kit / "course" / "notebooks" / "lab.ipynb").read_text() == "an evening's work"


def test_a_file_in_the_way_of_a_new_one_stays(script, course, kit, capsys):
    commit(course, {"notes.md": "of the course"})
    write(kit, {"course/notes.md": "mine"})
    assert script.main([str(kit)]) == 2
    assert "notes.md is in the way" in one_line(capsys)
    assert (kit / "course" / "notes.md").read_text() == "mine"


def test_a_kit_for_another_python_is_not_mixed_with_this_one(script, kit, capsys):
    manifest = json.loads((kit / "kit.json").read_text())
    (kit / "kit.json").write_text(json.dumps(manifest | {"python": "3.1"}))
    assert script.main([str(kit)]) == 2
    assert "is a kit for another machine (3.1, not 3." in one_line(capsys)


def test_a_course_outside_of_git_is_one_sentence(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setattr(script, "COURSE", tmp_path / "unzipped")
    write(tmp_path / "unzipped", FILES)
    assert script.main([str(tmp_path / "kit")]) == 2
    assert "A kit is made in a clone of the course" in one_line(capsys)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script.main([str(tmp_path / "kit")]) == 2
    assert "git is not installed" in one_line(capsys)
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--photos", "set5", "set6"], "There is no data set 'set6'"),
        (["--backbone", "gone/vgg19.pth"], "gone/vgg19.pth is no weights file"),
        (["--backbone", str(ROOT / "README.md")], "README.md is no weights file whose name begins with vgg19"),
    ],
)
def test_a_slip_is_said_before_anything_is_made(script, course, tmp_path, capsys, options, said):
    assert script.main([str(tmp_path / "kit"), *options]) == 2
    assert said in one_line(capsys)
    assert not (tmp_path / "kit").exists()


def test_a_kit_in_the_course_would_hold_itself(script, course, capsys):
    assert script.main([str(course / "kit")]) == 2
    assert "lies in the course" in one_line(capsys)


def test_room_is_looked_for_before_the_first_byte(script, course, tmp_path, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 10**8))
    assert script.main([str(tmp_path / "kit")]) == 2
    assert "The kit needs 50 MB" in one_line(capsys)
    assert not (tmp_path / "kit").exists()


def test_a_dry_run_says_what_is_missing_and_makes_nothing(script, course, kit, tmp_path, capsys):
    assert script.main([str(tmp_path / "new"), "--dry-run", "--photos", "set5", "--backbone", "imagenet"]) == 0
    said = capsys.readouterr().out
    assert "course: 6 files" in said
    assert "wheels: 2 to get" in said
    assert "weights/vgg19.safetensors: to write, up to vgg19 relu3_4" in said
    assert str(tmp_path / "new" / "course" / "data" / "Set5") in said
    assert not (tmp_path / "new").exists()
    script.main([str(kit), "--dry-run"])
    assert "wheels: 0 to get" in capsys.readouterr().out


def test_without_pip_the_way_to_it_is_said(script, course, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kit_wheels, "find_spec", lambda _: None)
    assert script.main([str(tmp_path / "kit")]) == 2
    assert "-m ensurepip first" in one_line(capsys)


# --- Weights and photos --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """State dicts with names as torchvision gives its files."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        vgg = models.vgg.make_layers(models.vgg.cfgs["E"][:13])
        torch.save(vgg.state_dict(), folder / "vgg19-part.pth")
        torch.save(models.resnet18().state_dict(), folder / "resnet18-whole.pth")
    return folder


def test_the_weights_serve_the_layers_that_the_labs_ask_for(script, kit, trained, without_pip):
    options = [f"--backbone={file}" for file in trained.iterdir()]
    assert script.main([str(kit), *options]) == 0
    assert script.main([str(kit), "--check"]) == 0
    page = (kit / "START.md").read_text()
    for lab in ("02_content_loss", "03_srgan", "04_esrgan"):
        cells = "\n".join(cell.source for cell in nbformat.read(ROOT / "notebooks" / f"{lab}.ipynb", 4).cells)
        for layers in re.findall(r'^(?:features|survey) = "(.+?)"', cells, re.MULTILINE):
            file = kit / "weights" / f"{layers.split()[0]}.safetensors"
            assert FeatureExtractor(layers, file).real
            assert lab[:2] in re.search(rf"For lab (.*), write .*{file.name}", page)[1]
    before = {path: path.stat().st_mtime_ns for path in (kit / "weights").iterdir()}
    assert len(before) == 2
    assert script.main([str(kit), *options]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert f"{kit / 'weights'}" not in page


def test_without_a_network_imagenet_is_one_error_and_the_course_is_kept(script, course, tmp_path, monkeypatch, capsys):
    def refuse(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert script.main([str(tmp_path / "kit"), "--backbone", "imagenet"]) == 2
    assert "Could not download" in one_line(capsys)
    assert (tmp_path / "kit" / "course" / "README.md").exists()


def test_photos_go_where_the_labs_look_and_into_the_list(script, kit, monkeypatch, without_pip, capsys):
    def fetch(name, dry_run=False, home=None):
        write(home, {f"{name}/HR/a.png": "a", f"{name}/source.json": "{}", ".downloads.json.lock": ""})
        write(home, {".set14.unpacking/b.png": "half"})

    monkeypatch.setattr(fetching, "fetch", fetch)
    assert script.main([str(kit), "--photos", "set5"]) == 0
    assert "Set5: no licence is stated" in capsys.readouterr().out
    listed = json.loads((kit / "kit.json").read_text())["files"]
    found = {name for name in listed if name.startswith("course/data/")}
    assert found == {"course/data/set5/HR/a.png", "course/data/set5/source.json"}
    assert "course/data" in (kit / "START.md").read_text()
    assert script.main([str(kit), "--check"]) == 0
