"""Provide a folder of photos for a student's file."""

from pathlib import Path

from srlab.data.datasets import PHOTOS, photo_file
from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.paths import find_in_course, runs_home


def photo_folder(path: str = "") -> Path:
    """Return a folder of photos: `path`, or one in the cache of your runs with copies of the sixteen bundled photos.

    Files that are already there are kept as they are. The data folder would not do, because a class may share it.
    """
    if path:
        if not (folder := find_in_course(path)).is_dir():
            raise SrlabError(f"Folder {path} not found. Correct `images`, or use the bundled photos with images = ''.")
        return folder
    folder = runs_home() / "cache" / "bundled_photos"
    for name in PHOTOS:
        file = photo_file(name)
        if not (copied := folder / f"{name}{file.suffix}").exists():
            write_atomic(copied, file.read_bytes(), "with SRLAB_HOME")
    return folder
