"""The Makefile's environment: never half of one, never one of the wrong Python, and what was ready stays."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# A Python of some version that makes and fills environments in no time.
PYTHON = f"""#!/bin/sh
case "$1 $2" in
"-c"*) exec "{sys.executable}" -c "import sys; sys.version_info = VERSION; $2" ;;
"-m venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
"-m pip") case "$*" in *sr-vulkan-model*) [ ! -e unreachable ] ;; *) echo filled >> log; [ ! -e killed ] ;; esac ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """Make the environment of a course with one of two Pythons: whether it went well, and what was said."""
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


def test_an_environment_is_of_the_right_python_and_whole_and_what_its_owner_put_into_it_stays(make, tmp_path):
    done, said = make("old")
    assert not done
    assert re.search(r"Python 3\.11 to 3\.14 is needed, found 3\.9\.18 at .*; name another one, as in: make labs", said)
    assert not (tmp_path / "log").exists()
    (tmp_path / "killed").touch()
    done, said = make("new")
    assert not done
    assert "The course isn't installed: the reason stands above." in said
    (tmp_path / "killed").rename(tmp_path / "unreachable")
    half = tmp_path / ".venv" / "half"
    half.touch()
    done, said = make("new")
    assert done
    assert said.splitlines()[1:] == [
        "The published network isn't installed, so the labs go on without it; make published tries again."
    ]
    assert not half.exists()
    (tmp_path / ".venv" / "mine").touch()
    ready = (tmp_path / ".venv" / "ready").stat().st_mtime
    os.utime(tmp_path / "requirements.lock", (ready + 10, ready + 10))
    assert make("old")[0], "the Python that it has is a right one"
    assert (tmp_path / "log").read_text() == 3 * "filled\n"
    assert (tmp_path / ".venv" / "mine").exists()


def test_the_studies_are_refused_in_a_sentence_where_snakemake_does_not_install(make, tmp_path):
    assert make("newest")[0], "the labs themselves install there"
    done, said = make("newest", ".venv/study")
    assert not done
    assert "Snakemake, which is not available for Python 3.14 yet. Use Python 3.11 to 3.13" in said
    assert (tmp_path / "log").read_text() == "filled\n"
