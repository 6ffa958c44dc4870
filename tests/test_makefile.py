"""Test the environment of the Makefile: never incomplete, never with a wrong Python, and kept once ready."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# A mock Python of any version that creates and fills environments instantly.
PYTHON = f"""#!/bin/sh
case "$1 $2" in
"-c"*) exec "{sys.executable}" -c "import sys; sys.version_info = VERSION; $2" ;;
"-m venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
"-m pip") case "$*" in *sr-vulkan-model*) [ ! -e unreachable ] ;; *) echo filled >> log; [ ! -e killed ] ;; esac ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """Create the environment of a course with a mock Python; return success and output."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for tool in ("sh", "rm", "mkdir", "touch", "cp"):
        (tools / tool).symlink_to(shutil.which(tool))
    for name, version in {"old": "(3, 9, 18)", "new": "(3, 12, 1)", "newest": "(3, 14, 0)"}.items():
        (tools / name).write_text(PYTHON.replace("VERSION", version))
        (tools / name).chmod(0o755)

    def make(python, target=".venv/ready"):
        command = [shutil.which("make"), target, f"PYTHON={tools / python}"]
        done = subprocess.run(command, cwd=tmp_path, env={"PATH": str(tools)}, capture_output=True, text=True)
        return done.returncode == 0, done.stdout + done.stderr

    return make


@pytest.fixture
def log(tmp_path):
    """Return the file in which each installation writes a line."""
    (tmp_path / "log").touch()
    return tmp_path / "log"


def test_wrong_python_is_rejected(make, log):
    done, said = make("old")
    assert not done
    assert re.search(r"Python 3\.11 to 3\.14 is needed, found 3\.9\.18", said)
    assert log.read_text() == ""


def test_killed_installation_is_repeated(make, tmp_path):
    (tmp_path / "killed").touch()
    done, said = make("new")
    assert not done
    assert "isn't installed" in said
    (tmp_path / "killed").unlink()
    half = tmp_path / ".venv" / "half"
    half.touch()
    assert make("new")[0]
    assert not half.exists()


def test_changed_lock_updates_same_environment(make, log, tmp_path):
    (tmp_path / "unreachable").touch()
    done, said = make("new")
    assert done
    assert "To try again, run: make realesrgan" in said
    (tmp_path / ".venv" / "mine").touch()
    ready = (tmp_path / ".venv" / "ready").stat().st_mtime
    os.utime(tmp_path / "requirements.lock", (ready + 10, ready + 10))
    assert make("old")[0], "its existing Python is valid"
    assert log.read_text() == 2 * "filled\n"
    assert (tmp_path / ".venv" / "mine").exists()


def test_studies_are_rejected_on_python_3_14(make, log):
    assert make("newest")[0], "the labs install there"
    done, said = make("newest", ".venv/study")
    assert not done
    assert "Use Python 3.11 to 3.13" in said
    assert log.read_text() == "filled\n"
