"""Which photos a folder has, on which side each of them is, and what the files that are made of it are called."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.data.images import EXTENSIONS

LONGEST = 200  # bytes of a name, so that crop numbers and the parts of atomic writes find room in the usual 255


@dataclass(frozen=True)
class Photo:
    """A photo of a source: its path there with slashes, the state of its file, and the name and side of its crops."""

    photo: str
    path: Path
    size: int
    mtime_ns: int
    name: str
    split: str


def photo_files(source: Path, output: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """All image files of a folder and of those below it.

    Hidden ones are left out. Links are followed, but a folder is taken once, however many links lead to it: a loop
    ends, and a photo cannot get onto both sides under two names.

    Parameters
    ----------
    source
        The folder, resolved.
    output
        Where the crops go, resolved; links into it are not followed, nor links to a folder around the source.

    Returns
    -------
    dict, dict
        Path in the source with slashes -> file, sorted; and folder -> why it cannot be read.

    Raises
    ------
    SrlabError
        No such folder, it has no photos, or it and the output lie in each other.
    """
    if not source.is_dir():
        raise SrlabError(f"There is no folder {source}; check the path.")
    made = [output / "train", output / "validation"]
    if output.is_relative_to(source) or any(source.is_relative_to(folder) for folder in made):
        raise SrlabError(f"The output {output} and the photos in {source} lie in each other; choose another output.")
    files, failed = {}, {}
    seen, waiting, links = {output}, [(source, "")], []
    while waiting or links:
        # Links come last, so that a folder keeps its own name when a link to it is added.
        folder, prefix = waiting.pop() if waiting else links.pop(0)
        real = folder.resolve()
        above = source != real and source.is_relative_to(real)
        if real in seen or above or any(real.is_relative_to(split) for split in made):
            continue
        seen.add(real)
        try:
            for path in sorted(folder.iterdir()):
                if path.name.startswith("."):
                    continue
                if path.is_dir():
                    (links if path.is_symlink() else waiting).append((path, f"{prefix}{path.name}/"))
                elif path.suffix.lower() in EXTENSIONS:
                    files[prefix + path.name] = path
        except OSError as error:
            failed[prefix or str(source)] = f"The folder {folder} cannot be read ({error.strerror})."
    if not files and not failed:
        raise SrlabError(f"There are no photos in {source}; it needs files that end in {', '.join(EXTENSIONS)}.")
    return dict(sorted(files.items())), failed


def photos_of(files: dict[str, Path], known: dict[str, str], validation: float) -> tuple[list[Photo], dict[str, str]]:
    """Give each file its side and a name that no other has.

    ``b/x.jpg`` becomes ``b-x``. Where that is taken, a hash of the path follows it. A photo keeps a name that it has.

    Parameters
    ----------
    files
        As from `photo_files`.
    known
        Photo -> its name of before, also of photos that have gone.
    validation
        The share of photos for validation, see `side`.

    Returns
    -------
    list, dict
        The photos in the order of the files; and photo -> why its file cannot be looked at.
    """
    taken = {name.casefold() for name in known.values()}  # some systems take X.png and x.png for one file
    photos, failed = [], {}
    for photo, path in files.items():
        name = known.get(photo) or _new_name(photo, taken)
        taken.add(name.casefold())
        try:
            state = path.stat()
        except OSError as error:
            failed[photo] = f"{path} cannot be read ({error.strerror}); is it a link to nowhere?"
            continue
        photos.append(Photo(photo, path, state.st_size, state.st_mtime_ns, name, side(photo, validation)))
    return photos, failed


def side(photo: str, validation: float) -> str:
    """``"train"`` or ``"validation"``, drawn by the photo's path alone, so that it stays when photos are added.

    The extension does not count: a photo that is there as JPEG and as PNG is on one side.

    Parameters
    ----------
    photo
        Path in the source, with slashes.
    validation
        The share of photos for validation.
    """
    return "validation" if int(_digest(photo.rpartition(".")[0])[:16], 16) < validation * 2**64 else "train"


def _new_name(photo: str, taken: set[str]) -> str:
    flat, digest = photo.rpartition(".")[0].replace("/", "-"), _digest(photo)
    name, length = flat, 8
    while name.casefold() in taken or len(os.fsencode(name)) > LONGEST:
        name = f"{os.fsdecode(os.fsencode(flat)[: LONGEST - 64])}-{digest[:length]}"
        length += 1
    return name


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()
