"""The packages of a kit: pip gets a wheel for each line of the lock file that holds here, and for what builds srlab."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from srlab.base.errors import SrlabError
from srlab.base.files import publish
from srlab.data.kits import OWN

BATCH = 20  # wheels that a stop may cost


def lacking(lock: str, wheels: Path) -> list[str]:
    """What a folder still has no wheel for.

    Parameters
    ----------
    lock
        Content of a lock file: ``name==version``, with a marker or without, line by line.
    wheels
        The folder; it need not be there.

    Returns
    -------
    list of str
        ``name==version`` of the lines that hold for this machine and have no wheel.
    """
    there: dict[str, list[Version]] = {}
    for wheel in wheels.glob("*.whl"):
        with suppress(InvalidWheelFilename):
            name, version, *_ = parse_wheel_filename(wheel.name)
            there.setdefault(name, []).append(version)
    pins = [Requirement(line) for line in lock.splitlines() if line.partition("#")[0].strip()]
    needed = {canonicalize_name(pin.name): pin for pin in pins if pin.marker is None or pin.marker.evaluate()}
    return [
        f"{name}{pin.specifier}"
        for name, pin in needed.items()
        if not any(pin.specifier.contains(version, prereleases=True) for version in there.get(name, []))
    ]


def get(wheels: Path, lock: Path, build: Sequence[str]) -> list[str]:
    """Have all wheels that a lock file and the build of srlab need; those that are there stay as they are.

    Parameters
    ----------
    wheels
        The folder of wheels; it is made if it is not there, and unfinished files lie beside it.
    lock
        The lock file.
    build
        What builds srlab.

    Returns
    -------
    list of str
        File names of the wheels that an installation without a network takes, as pip finds in a trial.

    Raises
    ------
    SrlabError
        pip is missing or cannot get them all. What it got is kept.
    """
    if find_spec("pip") is None:  # as in what uv makes
        raise SrlabError(
            f"pip gets the wheels, and {sys.executable} has none; run {sys.executable} -m ensurepip first."
        )
    wheels.mkdir(parents=True, exist_ok=True)
    wanted = lacking(lock.read_text(encoding="utf-8"), wheels)
    for start in range(0, len(wanted), BATCH):
        print(f"wheels: {len(wanted) - start} to get", flush=True)
        _download(wheels, ["--no-deps", *wanted[start : start + BATCH]])  # the lock file leaves out no dependency
    try:
        return _used(wheels, lock, build)
    except SrlabError:  # what the build needs in its turn is not in the lock file
        _download(wheels, ["-c", str(lock), *build])
        return _used(wheels, lock, build)


def _download(wheels: Path, arguments: list[str]) -> None:
    """Get wheels, or build them; each gets its name when all of these have arrived."""
    staging = wheels.with_name(f"{OWN}part")
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    (staging / "tmp").mkdir(parents=True)
    try:
        # What arrives goes to the disk that was found large enough, too.
        _pip(["wheel", "--wheel-dir", str(staging), *arguments], {"TMPDIR": str(staging / "tmp")})
        for wheel in staging.glob("*.whl"):
            if not (wheels / wheel.name).exists():
                publish(wheel, wheels / wheel.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _used(wheels: Path, lock: Path, build: Sequence[str]) -> list[str]:
    """Let pip try an installation from the wheels alone, without doing it, and say which it takes."""
    report = wheels.with_name(f"{OWN}report.json")
    trial = ["--isolated", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", str(report)]
    source = ["--no-index", "--find-links", str(wheels)]
    try:
        _pip([*trial, *source, *build, "-r", str(lock)], {"PIP_CONFIG_FILE": os.devnull})
        taken = json.loads(report.read_text(encoding="utf-8"))["install"]
    finally:
        report.unlink(missing_ok=True)
    return [Path(url2pathname(urlsplit(package["download_info"]["url"]).path)).name for package in taken]


def _pip(arguments: list[str], environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        said = re.findall(r"^ERROR: (.*)", done.stderr, re.MULTILINE) or [done.stderr.strip().rpartition("\n")[2]]
        raise SrlabError(
            f"pip could not get all wheels ({said[-1]}); look whether there is a network, and run the same command "
            "again: it goes on from here."
        )
