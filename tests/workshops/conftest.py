"""Provide the reference solution of the capstone, whole or with a mistake, and a folder of small photos."""

import re

import pytest

import srlab
from tests.conftest import ROOT

SOLUTION = (ROOT / "tests" / "capstone" / "solution.py").read_text(encoding="utf-8")
# Name of an answer cell -> its code.
BLOCKS = dict(re.findall(r"^# %% ([^\n]*)\n(.*?)(?=^# %% |\Z)", SOLUTION, re.MULTILINE | re.DOTALL))


@pytest.fixture
def solve():
    """Return a function that executes the solution, with some parts replaced, and returns its names."""

    def solve(*replacements: tuple[str, str]) -> dict:
        source = SOLUTION
        for old, new in replacements:
            assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times"
            source = source.replace(old, new)
        names = {"__name__": "solution"}
        exec(compile(source, "solution.py", "exec"), names)
        return names

    return solve


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Create a folder of small photos: crops of bundled ones, two of them overlapping."""
    folder = tmp_path_factory.mktemp("photos")
    photos = dict(srlab.bundled_photos("train")) | dict(srlab.bundled_photos("validation"))
    for name in ("coffee", "page", "astronaut", "chelsea"):
        srlab.write_image(photos[name][..., 40:184, 40:200], folder / f"{name}.png")
    srlab.write_image(photos["astronaut"][..., 44:188, 44:204], folder / "astronaut_again.png")
    return folder
