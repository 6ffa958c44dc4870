"""The Makefile's environment: never half of one, never one of the wrong Python, and no more work than there is."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.specifiers import SpecifierSet

from tests.conftest import ROOT

# A Python of some version that makes and fills environments in no time. As with the real ones, what lies in an
# environment stays if it is made again, and a package that does not fit is refused only when it is installed.
PYTHON = f"""#!/bin/sh
case "$1 $2" in
"-c"*) exec {sys.executable} -c "import sys; sys.version_info = VERSION; $2" ;;
"-I"*) [ -e srlab ] && [ -e .venv/packages ] ;;
"-m venv") echo "made $3" >> log; mkdir -p .venv/bin; [ -e .venv/bin/python ] || cp "$0" .venv/bin/python ;;
"-m pip") case "$*" in *sr-vulkan-model*) [ ! -e unreachable ] && touch .venv/published; exit ;; esac
    echo "filled $0" >> log; touch .venv/packages
    [ ! -e killed ] && $0 -c "sys.exit(sys.version_info < (3, 11))" ;;
esac
"""
UV = """#!/bin/sh
case "$1" in
venv) while [ "$1" != --python ]; do shift; done; exec "$2" -m venv "$3" ;;
pip) exec .venv/bin/python -m pip ;;
esac
"""
SENTENCE = (
    r"Python 3\.11 to 3\.13 is needed, found 3\.9\.18 at .*; name another one, as in: make labs PYTHON=python3\.12"
)


class Course:
    """A course without an environment, on a machine with two Pythons."""

    def __init__(self, folder, uv):
        self.folder, self.path = folder / "my own course", folder / "bin"
        (self.folder / "srlab").mkdir(parents=True)
        self.path.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.folder)
        for tool in ("sh", "rm", "mkdir", "touch", "cp"):
            (self.path / tool).symlink_to(shutil.which(tool))
        programs = {"old": PYTHON.replace("VERSION", "(3, 9, 18)"), "new": PYTHON.replace("VERSION", "(3, 12, 1)")}
        for name, text in (programs | ({"uv": UV} if uv else {})).items():
            (self.path / name).write_text(text)
            (self.path / name).chmod(0o755)
        self.python = self.folder / ".venv/bin/python"

    def make(self, python, target=".venv/ready"):
        """Whether it went well, what was said, and what was done."""
        (self.folder / "log").unlink(missing_ok=True)
        command = [shutil.which("make"), target, f"PYTHON={self.path / python}"]
        done = subprocess.run(
            command, cwd=self.folder, env={"PATH": str(self.path)}, capture_output=True, text=True, timeout=60
        )
        log = self.folder / "log"
        words = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
        return done.returncode == 0, done.stdout + done.stderr, words

    def change_dependencies(self):
        ready = (self.folder / ".venv/ready").stat().st_mtime
        os.utime(self.folder / "requirements.lock", (ready + 10, ready + 10))


@pytest.fixture(params=[True, False], ids=["uv", "no uv"])
def course(request, tmp_path):
    return Course(tmp_path, request.param)


def test_a_python_that_is_too_old_is_named_before_anything_is_installed_and_leaves_no_trace(course):
    done, said, work = course.make("old")
    assert not done
    assert re.search(SENTENCE, said)
    assert "filled" not in work
    assert course.make("new")[::2] == (True, ["made", "filled"])
    assert course.python.read_text() == (course.path / "new").read_text()
    assert course.make("old")[::2] == (True, [])  # there is nothing to do, so nobody asks for a Python


def test_an_environment_cut_short_is_made_from_nothing(course):
    (course.folder / "killed").touch()
    assert not course.make("old")[0]
    done, said, _ = course.make("new")
    assert not done
    assert "The course isn't installed: the reason stands above." in said
    half = course.folder / ".venv/half"
    half.touch()
    (course.folder / "killed").unlink()
    assert course.make("new")[::2] == (True, ["made", "filled"])
    assert not half.exists()


def test_without_the_published_network_it_is_ready_and_says_so_in_one_line(course):
    published = course.folder / ".venv/published"
    (course.folder / "unreachable").touch()
    done, said, _ = course.make("new")
    assert done
    assert said.splitlines()[1:] == [
        "The published network isn't installed, so the labs go on without it; make published tries again."
    ]
    assert not course.make("new", "published")[0]
    assert not published.exists()
    (course.folder / "unreachable").unlink()
    assert course.make("new", "published")[::2] == (True, [])
    assert published.exists()
    published.unlink()
    course.change_dependencies()
    assert course.make("new")[0]
    assert published.exists()


def test_what_was_ready_stays_when_the_dependencies_change(course):
    course.make("new")
    (course.folder / ".venv/mine").touch()
    course.change_dependencies()
    assert course.make("old")[::2] == (True, ["filled"])  # with the Python that it has
    assert (course.folder / ".venv/mine").exists()
    (course.folder / "killed").touch()
    course.change_dependencies()
    assert not course.make("new")[0]  # as without a network; the environment serves as before
    assert (course.folder / ".venv/mine").exists()


def test_what_was_ready_is_made_anew_where_its_python_has_gone(course):
    course.make("new")
    course.make("new", ".venv/book")
    course.python.unlink()
    course.python.symlink_to("/nowhere/python3")
    assert course.make("new", ".venv/book")[::2] == (True, ["made", "filled", "filled"])
    assert course.make("new", ".venv/book")[::2] == (True, [])


def test_a_course_that_has_moved_is_only_installed_again(course):
    course.make("new")
    (course.folder / ".venv/packages").unlink()  # srlab is no longer found
    assert course.make("new")[::2] == (True, ["filled"])


def test_the_makefile_asks_for_the_python_of_pyproject():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    low, high = re.search(r"\(3, (\d+)\) <= v < \(3, (\d+)\)", text).groups()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert SpecifierSet(wanted) == SpecifierSet(f">=3.{low},<3.{high}")
    assert f"Python 3.{low} to 3.{int(high) - 1} is needed" in text
