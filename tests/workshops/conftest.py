"""Provide a student's file, right or with a mistake, a folder of small photos, and the lines of a check."""

from pathlib import Path

import pytest

import srlab
from srlab_course.feedback import still_running
from srlab_course.workshops import parts

from .files import joined


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a busy machine, a check takes longer than the time after which it prints that it still runs."""
    monkeypatch.setattr(still_running, "PATIENCE", 3600.0)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the reference up to a workshop, with some text replaced, as a student's file."""

    def write(*replacements: tuple[str, str], workshop: int = 1) -> Path:
        text = joined(workshop)
        for old, new in replacements:
            assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
            text = text.replace(old, new)
        file = tmp_path / "mine.py"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def lines(folder):
    """Return a function that checks a part of a file, and returns the (word, text, hint) of each line."""
    return lambda file, part: [*parts._lines(file, parts.PARTS[part], folder)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Create a folder of small photos: crops of bundled ones, two of them overlapping."""
    folder = tmp_path_factory.mktemp("photos")
    photos = dict(srlab.bundled_photos("train")) | dict(srlab.bundled_photos("validation"))
    for name in ("coffee", "page", "astronaut", "chelsea"):
        srlab.write_image(photos[name][..., 40:184, 40:200], folder / f"{name}.png")
    srlab.write_image(photos["astronaut"][..., 44:188, 44:204], folder / "astronaut_again.png")
    return folder
