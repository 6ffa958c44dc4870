"""Test that changed code of a student trains another run, and that the same code finds its run again."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from srlab import Run
from srlab.course import student_code
from tests.conftest import ROOT

DEFINED = """
def step(x, width=8, *, slope=0.2):
    return x * width if x in {'lr', 'sr', 'hr', 'mse', 'l1', 'psnr', 'ssim'} else slope
"""
LAB = SimpleNamespace(name="03_srgan", run="default")


def hashed(source):
    """Return the hash of a function without a source file, as in a notebook."""
    own = {}
    exec(source, own)
    return student_code.hash_of(own["step"])


@pytest.mark.parametrize(("old", "new"), [("'sr'", "'gt'"), ("x * width", "width * x"), ("=8", "=9"), ("=0.2", "=0.1")])
def test_each_change_of_the_code_changes_its_hash(old, new):
    assert hashed(DEFINED) != hashed(DEFINED.replace(old, new))


def test_hash_is_the_same_in_a_new_kernel():
    """A set of constants has another order there."""
    command = "from tests.course.test_student_code import DEFINED, hashed; print(hashed(DEFINED))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == hashed(DEFINED)


def test_changed_code_gets_another_run(home, monkeypatch, capsys):
    assert student_code.run_of(LAB, "abc") == "default"  # there is no such run yet
    monkeypatch.setattr(Run, "manifest", lambda run: {"parameters": {"code": "abc"}})
    assert [student_code.run_of(LAB, code) for code in ("abc", "def")] == ["default", "default-def"]
    assert "trained with other code" in capsys.readouterr().out
