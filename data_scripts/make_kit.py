"""Make a kit: one folder with all that a room without a network needs for the course.

``python data_scripts/make_kit.py ../kit``, and the same again for what is missing or new. In the room, before anything
is installed, ``python3 -m data_scripts.make_kit .. --check`` in the kit's folder ``course`` says whether the copy is
whole; so what only the making needs is imported late.
"""

import argparse
import io
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.data import catalog, kits

COURSE = Path(__file__).resolve().parents[1]
START = "START.md"
PARTS = {"vgg19": "vgg19 relu3_4", "resnet18": "resnet18 block1"}  # the deepest layers that labs 02 to 04 ask for
EDITABLES = "editables"  # hatchling asks for it to install a package with -e, as the Makefile does
WHEEL = 25_000_000  # bytes of a wheel, on average and generously: on Linux some hold CUDA's libraries
PAGE = """# The course without a network

This folder has all that a machine needs: the course at commit {commit}, and its packages for Python {python} on
{platform}. Copy the whole folder to the disk of the machine, and open a terminal in it. `python3 --version` must say
{python}; where that Python has another name, write that name for `python3`.

Look whether the copy is whole. For this nothing has to be installed:

```
cd course
python3 -m data_scripts.make_kit .. --check
```

Then make the environment and open JupyterLab, in the same terminal:

```
export PIP_NO_INDEX=1 PIP_FIND_LINKS=../wheels
make .venv/ready PYTHON=python3
make lab
```

The next time, `make lab` alone is enough. Where there is no make, or where there is uv, which make would take instead
of pip, these three lines do the same. On Windows write `.venv\\Scripts\\python` in them:

```
python3 -m venv .venv
.venv/bin/python -m pip install --no-index --find-links ../wheels -c requirements.lock -e ".[labs,test,study]"
.venv/bin/python -m jupyterlab --notebook-dir notebooks
```

What the labs are says `README.md` in `course`, and how to teach with them `teaching.md`.
"""
WEIGHTS = """
The features of a trained {network} are in `weights`. For lab {labs}, write `backbone = "../../{name}"` and a
name such as `run = "real"` into its cell of parameters.
"""
LABS = {"vgg19": "02 or 04", "resnet18": "03"}
PHOTOS = """
Photos of the papers are in `course/data`, where the labs look for them. `source.json` beside them says where they are
from, and what may be done with them.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors that the user can put right are one line on stderr."""
    parser = argparse.ArgumentParser(
        usage="%(prog)s FOLDER [--backbone WEIGHTS] [--photos NAME ...] [--dry-run], or %(prog)s FOLDER --check",
        description=__doc__.partition("\n")[0],
        epilog="pip is asked for the packages, with its own settings; SRLAB_MIRROR is asked first for the photos.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="to make or to complete, outside of the course")
    parser.add_argument(
        "--backbone",
        action="append",
        default=[],
        metavar="WEIGHTS",
        help="add trained features for labs 02 to 04: imagenet (torch's cache, or a download of 0.6 GB), or a file of "
        f"weights whose name begins with {' or '.join(PARTS)}; can be given for each",
    )
    parser.add_argument(
        "--photos", nargs="+", default=[], metavar="NAME", help=f"add data sets: {', '.join(catalog.SETS)}"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    parser.add_argument("--check", action="store_true", help="compare a copied kit with its list of files")
    options = parser.parse_args(arguments)
    if options.check and (options.backbone or options.photos or options.dry_run):
        parser.error("--check stands alone")
    folder = options.folder.expanduser().resolve()
    try:
        if options.check:
            return check(folder)
        make(folder, options.backbone, options.photos, options.dry_run)
    except SrlabError as error:
        print(f"make_kit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nmake_kit: stopped; what is there is whole, and the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def check(folder: Path) -> int:
    """Name on stderr what differs between a kit and its manifest; returns 1 if it is not whole, else 0."""
    differences, count = kits.check(folder)
    for kind, names in differences.items():
        for name in names:
            print(f"{kind}: {name}", file=sys.stderr)
    damaged, missing = len(differences["damaged"]), len(differences["missing"])
    if damaged or missing:
        print(f"{folder} is not whole: {damaged} damaged and {missing} missing of {count} files. Copy it again.")
        return 1
    print(f"{folder} is whole: all {count} files are as they were made.")
    return 0


def make(folder: Path, backbones: Sequence[str], photos: Sequence[str], dry_run: bool = False) -> None:
    """Make a kit, or bring one up to date; what is there and as it should be stays untouched.

    Parameters
    ----------
    folder
        New, empty, or a kit.
    backbones
        ``"imagenet"``, or files of weights whose names begin with a network of `PARTS`.
    photos
        Names of data sets in `srlab.data.catalog.SETS`.
    dry_run
        Only print what there is to do.

    Raises
    ------
    SrlabError
        The folder is something else or has a file in the way, the course is no clone, something cannot be had without
        a network, or the disk is too small. What was made is kept, and the same call goes on from there.
    """
    from srlab.base import disk, files
    from srlab.data import kit_wheels
    from srlab.data.fetching import fetch

    if folder.is_relative_to(COURSE):
        raise SrlabError(f"{folder} lies in the course, and would be a part of itself; choose a folder elsewhere.")
    commit, course = committed()
    sources = weights_for(backbones)
    here = {"python": "{}.{}".format(*sys.version_info), "platform": sysconfig.get_platform()}
    had = kits.begun(folder, here)
    wheels, data = folder / "wheels", folder / "course" / "data"
    wanted = kit_wheels.lacking(course["requirements.lock"][0].decode(), wheels)
    room = sum(len(content) for content, _ in course.values()) + len(wanted) * WHEEL
    if not dry_run:
        disk.need_room(folder, room, "The kit")
    print(f"course: {len(course)} files at commit {commit[:12]}")
    print(f"wheels: {len(wanted)} to get, and what builds srlab; room for all that: about {disk.amount(room)}")
    for network in sources:
        there = (folder / weights_name(network)).exists()
        print(f"{weights_name(network)}: {'there already' if there else f'to write, up to {PARTS[network]}'}")
    for name in photos:
        print(f"{catalog.data_set(name).title}: {catalog.data_set(name).licence}", flush=True)
        if dry_run:
            fetch(name, dry_run=True, home=data)
    if dry_run:
        return
    with disk.one_writer(folder / kits.MANIFEST), files.writing(folder):
        about = {"commit": commit} | here
        kits.save(folder, about, had, complete=False)
        names = [f"course/{name}" for name in course]
        for name, (content, program) in zip(names, course.values(), strict=True):
            kits.put(folder, name, content, had)
            if program:
                (folder / name).chmod(0o755)
        kits.save(folder, about, had | kits.listed(folder, names), complete=False)
        write_weights(folder, sources)
        for name in photos:
            fetch(name, home=data)
        build = tomllib.loads(course["pyproject.toml"][0].decode())["build-system"]["requires"]
        lock = folder / "course" / "requirements.lock"
        names += [f"wheels/{name}" for name in kit_wheels.get(wheels, lock, [*build, EDITABLES])]
        images = [f"course/data/{name}" for name in kits.walk(data, [".*"])]
        networks = [network for network in PARTS if (folder / weights_name(network)).exists()]
        kits.put(folder, START, page(about, networks, bool(images)).encode(), had)
        made = kits.listed(folder, [*names, *images, *map(weights_name, networks), START])
        for name in had.keys() - made.keys():  # of an earlier commit
            (folder / name).unlink(missing_ok=True)
        kits.save(folder, about, made, complete=True)
    size = disk.amount(sum(facts["bytes"] for facts in made.values()))
    print(f"{folder} is a kit of {len(made)} files, {size}. Copy it whole; {START} in it says how to go on.")


def committed() -> tuple[str, dict[str, tuple[bytes, bool]]]:
    """The current commit, and its files; what is not committed is named on stderr.

    Returns
    -------
    commit : str
        40 hexadecimal digits.
    files : dict
        Path -> content, and whether it is a program.

    Raises
    ------
    SrlabError
        The course is no clone, or there is no git.
    """
    commit = git("rev-parse", "HEAD").decode().strip()
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", commit))) as archive:
        files = {m.name: (archive.extractfile(m).read(), bool(m.mode & 0o100)) for m in archive if m.isfile()}
    changes = git("status", "--porcelain", "-z", "--no-renames", "--", ".").decode(errors="replace").split("\0")
    if names := [change[3:] for change in changes if change]:
        print(f"make_kit: what is not committed is not in the kit: {kits.some(names)}.", file=sys.stderr)
    return commit, files


def git(*arguments: str) -> bytes:
    """What git says about the course."""
    try:
        return subprocess.run(["git", "-C", str(COURSE), *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise SrlabError("A kit is made of the files that git tracks, and git is not installed; install it.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise SrlabError(f"A kit is made in a clone of the course, and {COURSE} is none ({said}).") from error


def weights_name(network: str) -> str:
    """Where the weights of a network are in a kit."""
    return f"weights/{network}.safetensors"


def weights_for(given: Sequence[str]) -> dict[str, str]:
    """Network -> where its weights come from: "imagenet", or a file."""
    found = {}
    for source in given:
        networks = [name for name in PARTS if source == "imagenet" or Path(source).name.startswith(name)]
        if not networks or (source != "imagenet" and not Path(source).expanduser().is_file()):
            raise SrlabError(
                f"{source} is no weights file whose name begins with {' or '.join(PARTS)}; --backbone takes one, or "
                "imagenet."
            )
        found |= dict.fromkeys(networks, source)
    return found


def write_weights(folder: Path, sources: dict[str, str]) -> None:
    """Write the layers that the labs ask for, where they are not there yet."""
    for network, source in sources.items():
        if not (folder / weights_name(network)).exists():
            from srlab.models.features import export  # slow to import

            export(PARTS[network], folder / weights_name(network), source)


def page(about: dict[str, str], networks: Sequence[str], photos: bool) -> str:
    """What the one who unpacks a kit reads first."""
    text = PAGE.format(**about | {"commit": about["commit"][:12]})
    for network in networks:
        text += WEIGHTS.format(network=network, labs=LABS[network], name=weights_name(network))
    return text + (PHOTOS if photos else "")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    sys.exit(main())
