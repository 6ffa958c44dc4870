"""data_scripts/make_kit.py: one folder for a room without a network, whole and never over what somebody else made."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import load_script

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "data_scripts" / "make_kit.py"
FILES = {
    ".gitignore": ".venv/\nruns/\ndata/\n",
    "README.md": "the course",
    "notebooks/lab.ipynb": "{}",
    "pyproject.toml": '[build-system]\nrequires = ["builder>=1"]\n',
    "requirements.lock": 'one==1.0\nTwo.Dots==2.0\nelsewhere==1 ; sys_platform == "nowhere"\n',
}
# packaging is installed where the kit is made, which must not count.
ALL = {"one": "1.0", "two_dots": "2.0+local", "builder": "1.5", "packaging": version("packaging"), "editables": "0.5"}
WHEELS = {f"wheels/{name}-{version}-py3-none-any.whl" for name, version in ALL.items()}


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
    write(folder, FILES | {"run.sh": "#!/bin/sh", "data_scripts/make_kit.py": SCRIPT.read_text(encoding="utf-8")})
    (folder / "run.sh").chmod(0o755)
    commit(folder, {})
    return folder


@pytest.fixture(scope="module")
def script():
    return load_script(SCRIPT)


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
def refuses(script, capsys):
    """Calls the script, which must end with exit code 2 and one sentence; returns that."""

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            script.main([str(argument) for argument in arguments])
        assert end.value.code == 2
        sentence = capsys.readouterr().err
        assert sentence.count("\n") == 1, sentence
        assert sentence.startswith("make_kit: ")
        return sentence

    return call


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def checked(kit):
    """As in the room: by a Python that has no packages, in the kit, with the script in it."""
    command = [sys.executable, "-S", "-I", "course/data_scripts/make_kit.py", ".", "--check"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=kit)


# --- What a kit holds ----------------------------------------------------------------------------------------


def test_it_has_the_tracked_files_all_wheels_a_first_page_and_a_list_of_hashes(made):
    kit = made / "kit"
    course = {f"course/{name}" for name in [*FILES, "run.sh", "data_scripts/make_kit.py"]}
    assert names(kit) == course | WHEELS | {"START.md", "SHA256SUMS"}
    hashes = {name: hashlib.sha256((kit / name).read_bytes()).hexdigest() for name in course | WHEELS | {"START.md"}}
    assert (kit / "SHA256SUMS").read_text() == "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    assert (kit / "course" / "run.sh").stat().st_mode & 0o100
    assert "packages for Python {}.{} on".format(*sys.version_info) in (kit / "START.md").read_text()


def test_what_is_not_committed_is_left_out_and_named(script, course, kit, capsys):
    write(course, {"README.md": "half a sentence", "secret.txt": "mine"})
    (course / "notebooks" / "lab.ipynb").unlink()
    assert script.main([str(kit)]) == 0
    error = capsys.readouterr().err
    assert all(name in error for name in ("README.md", "notebooks/lab.ipynb", "secret.txt"))
    assert (kit / "course" / "README.md").read_text() == "the course"
    assert not (kit / "course" / "secret.txt").exists()


def test_the_page_installs_what_the_makefile_installs():
    text, makefile = script_page(), (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"-c requirements.lock -e \S+", text)[0] in makefile
    targets = re.findall(r"^make (\S+)", text, re.M)
    assert targets
    assert all(re.search(rf"^{re.escape(target)}:", makefile, re.M) for target in targets)


def script_page():
    return (ROOT / "data_scripts" / "kit_start.md").read_text(encoding="utf-8")


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


# --- Checking a copy -----------------------------------------------------------------------------------------


def test_a_copy_is_checked_by_a_python_that_has_nothing_installed(kit):
    write(kit, {"slides.txt": "mine", "course/runs/b": ""})  # what is not of the kit does not count
    done = checked(kit)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{kit} is whole: all 13 files" in done.stdout


def test_damaged_and_missing_files_are_named(kit):
    wheel = kit / "wheels" / "one-1.0-py3-none-any.whl"
    content = bytearray(wheel.read_bytes())
    content[40] ^= 1
    wheel.write_bytes(content)
    (kit / "START.md").unlink()
    done = checked(kit)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["missing: START.md", f"damaged: wheels/{wheel.name}"]
    assert "2 of 13 files are damaged or missing. Copy it again." in done.stdout


@pytest.mark.parametrize("line", ["{", f"{'0' * 64}  ../victim", f"{'0' * 64}  /victim", f"{'0' * 64}  a/../../victim"])
def test_a_list_that_is_damaged_or_leads_out_of_the_kit_is_refused(refuses, kit, line):
    (kit / "SHA256SUMS").write_text(line)
    write(kit.parent, {"victim": ""})
    for options in ([], ["--check"]):
        assert "SHA256SUMS is damaged" in refuses(kit, *options)
    assert (kit.parent / "victim").exists()


# --- Again ---------------------------------------------------------------------------------------------------


def test_a_second_call_needs_no_network_and_changes_nothing(script, kit):
    before = {name: (kit / name).read_bytes() for name in names(kit)}
    wheels = {name: (kit / name).stat().st_mtime_ns for name in WHEELS}
    assert script.main([str(kit)]) == 0
    assert {name: (kit / name).read_bytes() for name in names(kit)} == before
    assert {name: (kit / name).stat().st_mtime_ns for name in WHEELS} == wheels


def test_only_what_is_missing_is_got(script, kit, tmp_path):
    for name in ("course/README.md", "wheels/two_dots-2.0+local-py3-none-any.whl"):
        (kit / name).unlink()
    add_wheel(tmp_path / "source", "two_dots")  # the only one to be had
    assert script.main([str(kit)]) == 0
    assert checked(kit).returncode == 0
    assert WHEELS | {"course/README.md"} <= names(kit)


def test_a_new_commit_replaces_and_removes_what_the_old_one_brought(script, course, kit):
    own = {"slides.txt": "mine", "course/notes.md": "mine", "wheels/other-1-py3-none-any.whl": "mine"}
    write(kit, own)
    (course / "notebooks" / "lab.ipynb").unlink()
    commit(course, {"README.md": "a better course", "requirements.lock": "one==1.0\n"})
    assert script.main([str(kit)]) == 0
    assert (kit / "course" / "README.md").read_text() == "a better course"
    assert not {"course/notebooks/lab.ipynb", "wheels/two_dots-2.0+local-py3-none-any.whl"} & names(kit)
    assert {name: (kit / name).read_text() for name in own} == own


def test_a_call_that_fails_or_is_stopped_goes_on_even_after_a_commit(
    script, refuses, course, tmp_path, monkeypatch, capsys
):
    kit = tmp_path / "kit"
    add_wheel(tmp_path / "source", "one")
    assert "look whether there is a network" in refuses(kit)
    assert "was never finished" in refuses(kit, "--check")
    with monkeypatch.context() as stopping:
        stopping.setattr(script, "get_wheels", lambda *_: os.kill(os.getpid(), 2))
        assert script.main([str(kit)]) == 130
    assert "stopped; the same command goes on from here" in capsys.readouterr().err
    assert not (kit / ".kit.part").exists()
    (kit / ".kit.part").mkdir()  # of a call that was killed
    commit(course, {"README.md": "a better course"})
    for name in ALL:
        add_wheel(tmp_path / "source", name)
    assert script.main([str(kit)]) == 0
    assert (kit / "course" / "README.md").read_text() == "a better course"
    assert checked(kit).returncode == 0


# --- Refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["course/notebooks/lab.ipynb", "course/notes.md", "wheels/one-1.0-py3-none-any.whl", "START.md"]
)
def test_a_file_that_was_changed_or_put_there_stays_and_is_named(refuses, course, kit, name):
    commit(course, {"notes.md": "of the course"})
    write(kit, {name: "an evening's work"})
    before = {file: (kit / file).read_bytes() for file in names(kit)}
    assert f"changed there since: {name}. Move them away" in refuses(kit)
    assert {file: (kit / file).read_bytes() for file in names(kit)} == before


def test_a_folder_of_somebody_else_or_in_the_course_is_left_alone(refuses, course, tmp_path):
    write(tmp_path / "photos", {"mine.txt": "mine"})
    assert "photos is no kit and has other things in it" in refuses(tmp_path / "photos")
    assert names(tmp_path / "photos") == {"mine.txt"}
    assert "lies in the course" in refuses(course / "kit")


def test_what_is_missing_on_this_machine_is_one_sentence(script, refuses, course, tmp_path, monkeypatch):
    with monkeypatch.context() as without_pip:
        without_pip.setattr(script, "find_spec", lambda _: None)
        assert "-m ensurepip first" in refuses(tmp_path / "kit")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setattr(script, "COURSE", tmp_path / "unzipped")
    write(tmp_path / "unzipped", FILES)
    assert "A kit is made in a clone of the course" in refuses(tmp_path / "kit")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in refuses(tmp_path / "kit")
