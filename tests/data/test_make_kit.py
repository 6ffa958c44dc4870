"""data_scripts/make_kit.py: one folder for a room without a network, whole and never over what somebody else made."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT, load_script

SCRIPT = ROOT / "data_scripts" / "make_kit.py"
FILES = {
    ".gitignore": ".venv/\nruns/\ndata/\n",
    "README.md": "the course",
    "notebooks/lab.ipynb": "{}",
    "pyproject.toml": '[build-system]\nrequires = ["builder>=1"]\n'
    '[project.optional-dependencies]\npublished = ["a-network==3.0"]\n',
    "requirements.lock": 'a-network==3.0\none==1.0\nTwo.Dots==2.0\nelsewhere==1 ; sys_platform == "nowhere"\n',
    "data_scripts/make_kit.py": SCRIPT.read_text(encoding="utf-8"),
}
ALL = {"one": "1.0", "two_dots": "2.0+local", "a_network": "3.0", "builder": "1.5", "editables": "0.5"}
ALL["packaging"] = "24.0"  # is installed where the kit is made, which must not count
WHEELS = {name: f"wheels/{name}-{version}-py3-none-any.whl" for name, version in ALL.items()}


def write(folder, contents):
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def commit(course, contents):
    write(course, contents)
    for command in (["add", "--all"], ["commit", "--quiet", "-m", "lab"]):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", course, *identity, *command], check=True, capture_output=True)


def add_wheel(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    needs = "Requires-Dist: packaging\n" if name == "builder" else ""
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {ALL[name]}\n{needs}",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / Path(WHEELS[name]).name, "w") as wheel:
        for file, content in about.items():
            wheel.writestr(f"{name}-{ALL[name]}.dist-info/{file}", content)


@pytest.fixture
def course(script, tmp_path, monkeypatch):
    """The course that a kit is made of."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    subprocess.run(["git", "init", "--quiet", tmp_path / "course"], check=True)
    commit(tmp_path / "course", FILES)
    monkeypatch.setattr(script, "COURSE", tmp_path / "course")
    return tmp_path / "course"


@pytest.fixture(scope="module")
def script():
    return load_script(SCRIPT)


@pytest.fixture
def kit(script, course, tmp_path, monkeypatch):
    """The kit of it; all wheels are there, so that pip, which is slow, need not be asked."""
    monkeypatch.setattr(script, "get_wheels", lambda *_: [Path(wheel).name for wheel in WHEELS.values()])
    for name in ALL:
        add_wheel(tmp_path / "kit" / "wheels", name)
    assert script.main([str(tmp_path / "kit")]) == 0
    return tmp_path / "kit"


@pytest.fixture
def refuses(script, capsys):
    """Calls the script, which must end with exit code 2 and one sentence; returns that."""

    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            script.main([str(argument) for argument in arguments])
        assert end.value.code == 2
        sentence = capsys.readouterr().err
        assert sentence.count("\n") == 1, sentence
        assert sentence.startswith("make_kit: ")
        return sentence

    return call


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def checked(kit):
    """As in the room: by a Python that has no packages, in the kit, with the script in it."""
    command = [sys.executable, "-S", "-I", "course/data_scripts/make_kit.py", ".", "--check"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=kit)


# --- What a kit holds ----------------------------------------------------------------------------------------


def test_it_has_the_tracked_files_all_wheels_a_first_page_and_a_list_of_hashes(script, course, kit, capsys):
    held = contents(kit)
    listed = {f"course/{name}" for name in FILES} | {*WHEELS.values(), "START.md"}
    assert held.keys() == listed | {"SHA256SUMS"}
    lines = [f"{hashlib.sha256(held[name]).hexdigest()}  {name}\n" for name in sorted(listed)]
    assert held["SHA256SUMS"].decode() == "".join(lines)
    assert "packages for Python {}.{} on".format(*sys.version_info) in held["START.md"].decode()
    write(course, {"README.md": "half a sentence", "secret.txt": "mine"})  # not committed
    (course / "notebooks" / "lab.ipynb").unlink()
    capsys.readouterr()
    assert script.main([str(kit)]) == 0
    error = capsys.readouterr().err
    assert all(name in error for name in ("README.md", "notebooks/lab.ipynb", "secret.txt"))
    assert contents(kit) == held


def test_pip_gets_the_wheels_that_are_missing(script, refuses, course, tmp_path, monkeypatch, capsys):
    kit, source = tmp_path / "kit", tmp_path / "source"
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    settings = {"CONFIG_FILE": os.devnull, "DISABLE_PIP_VERSION_CHECK": "1", "NO_INDEX": "1", "FIND_LINKS": str(source)}
    for key, value in settings.items():
        monkeypatch.setenv(f"PIP_{key}", value)
    with monkeypatch.context() as patch:
        patch.setattr(script, "pip", lambda *_: "no matching distribution")
        assert "(no matching distribution); look whether there is a network" in refuses(kit)
        patch.setattr(script, "pip", lambda arguments, _: "a timeout" if "a-network==3.0" in arguments else "")
        assert script.main([str(kit)]) == 0
        said = "make_kit: the kit is without the published network, as pip can't get it (a timeout)."
        assert capsys.readouterr().err.strip() == said
    add_wheel(kit / "wheels", "one")  # is there already, and not to be had again
    for name in ALL.keys() - {"one"}:
        add_wheel(source, name)
    assert script.main([str(kit)]) == 0
    assert contents(kit).keys() >= {*WHEELS.values()}
    assert all(wheel in (kit / "SHA256SUMS").read_text() for wheel in WHEELS.values())


def test_the_page_installs_what_the_makefile_installs():
    text = (ROOT / "data_scripts" / "kit_start.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"-c requirements.lock -e \S+", text)[0] in makefile
    targets = re.findall(r"^make (\S+)", text, re.M)
    assert targets
    assert all(re.search(rf"^{re.escape(target)}:", makefile, re.M) for target in targets)


def test_weights_and_photos_that_are_put_into_it_become_a_part_of_it(script, kit):
    added = {"weights/vgg19.safetensors": "w", "course/data/Set5/HR/a.png": "a"}
    write(kit, added | {"course/data/.archives.lock": "", "course/data/.unpacking/b.png": "half"})
    for content in ("w", "other weights"):
        write(kit, {"weights/vgg19.safetensors": content})
        assert script.main([str(kit)]) == 0
        listed = (kit / "SHA256SUMS").read_text()
        assert all(f"  {name}\n" in listed for name in added)
        assert "course/data/." not in listed
        assert checked(kit).returncode == 0


def test_the_size_of_a_kit_for_another_machine_is_of_its_own_wheels():
    sizes = load_script(ROOT / "data_scripts" / "kit_sizes.py")
    pins = [Requirement("one==1.0"), Requirement("two==1.0; sys_platform == 'win32'")]
    built = {"win_amd64": 1, "manylinux_2_28_x86_64": 2, "manylinux2014_aarch64": 3, "macosx_11_0_arm64": 4}
    of_one = [{"filename": f"one-1.0-py3-none-{platform}.whl", "size": size} for platform, size in built.items()]
    of_one += [{"filename": "one-2.0-py3-none-any.whl", "size": 9}]
    wheels = {"one": sizes.wheels_among(of_one), "two": sizes.wheels_among([{"filename": "two-1.0.zip", "size": 9}])}
    found = {machine: sizes.sizes_for(pins, wheels, *of) for machine, of in sizes.machines().items()}
    assert found == {
        "Windows, x86-64": {"one": 1, "two": None},
        "Linux, x86-64": {"one": 2},
        "Linux, ARM": {"one": 3},
        "macOS, Apple silicon": {"one": 4},
        "macOS, Intel": {"one": None},
    }
    groups = sizes.in_groups(["torch", "nvidia-x", "torchvision", "numpy"])
    assert [sorted(members) for members in groups.values()] == [["nvidia-x"], ["torch", "torchvision"], [], ["numpy"]]


# --- Checking a copy -----------------------------------------------------------------------------------------


def test_a_copy_is_checked_and_what_is_damaged_or_missing_is_named(kit):
    write(kit, {"slides.txt": "mine", "course/runs/b": ""})  # what is not of the kit does not count
    done = checked(kit)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{kit} is whole: all 13 files" in done.stdout
    wheel = kit / WHEELS["one"]
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"?")
    (kit / "START.md").unlink()
    done = checked(kit)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["missing: START.md", f"damaged: {WHEELS['one']}"]
    assert "2 of 13 files are damaged or missing. Copy it again." in done.stdout


def test_a_list_that_is_damaged_or_leads_out_of_the_kit_is_refused(refuses, kit):
    for line in ("{", f"{'0' * 64}  /victim", f"{'0' * 64}  a/../../victim"):
        (kit / "SHA256SUMS").write_text(line)
        assert "SHA256SUMS is damaged" in refuses(kit)


# --- Again ---------------------------------------------------------------------------------------------------


def test_a_new_commit_replaces_and_removes_what_the_old_one_brought(script, course, kit, monkeypatch):
    own = {"slides.txt": "mine", "course/notes.md": "mine", "wheels/other-1-py3-none-any.whl": "mine"}
    write(kit, own)
    (course / "notebooks" / "lab.ipynb").unlink()
    commit(course, {"README.md": "a better course"})
    monkeypatch.setattr(script, "get_wheels", lambda *_: [])
    assert script.main([str(kit)]) == 0
    held = contents(kit)
    assert held["course/README.md"] == b"a better course"
    assert not held.keys() & {"course/notebooks/lab.ipynb", *WHEELS.values()}
    assert {name: held[name].decode() for name in own} == own


def test_a_call_that_is_stopped_or_killed_goes_on_even_after_a_commit(
    script, refuses, course, tmp_path, monkeypatch, capsys
):
    kit = tmp_path / "kit"
    monkeypatch.setattr(script, "get_wheels", lambda *_: os.kill(os.getpid(), 2))
    assert script.main([str(kit)]) == 130
    assert "stopped; the same command goes on from here" in capsys.readouterr().err
    assert "was never finished" in refuses(kit, "--check")
    write(kit, {".kit.part/course/half": ""})  # of a call that was killed
    commit(course, {"README.md": "a better course"})
    monkeypatch.setattr(script, "get_wheels", lambda *_: [])
    assert script.main([str(kit)]) == 0
    assert contents(kit).keys() == {*(f"course/{name}" for name in FILES), "START.md", "SHA256SUMS"}


# --- Refused -------------------------------------------------------------------------------------------------


def test_files_that_were_changed_or_put_there_stay_and_are_named(refuses, course, kit, tmp_path):
    commit(course, {"notes.md": "of the course"})
    names = ["START.md", "course/notebooks/lab.ipynb", "course/notes.md", WHEELS["one"]]
    write(kit, dict.fromkeys(names, "an evening's work"))
    before = contents(kit)
    assert f"changed there since: {', '.join(names)}. Move them away" in refuses(kit)
    assert contents(kit) == before
    write(tmp_path / "photos", {"mine.txt": "mine"})
    assert "photos is no kit and has other things in it" in refuses(tmp_path / "photos")
    assert contents(tmp_path / "photos") == {"mine.txt": b"mine"}
    assert "lies in the course" in refuses(course / "kit")


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_course_without_git_is_one_sentence(script, refuses, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setattr(script, "COURSE", tmp_path / "unzipped")
    write(tmp_path / "unzipped", FILES)
    assert "A kit is made in a clone of the course" in refuses(tmp_path / "kit")
