"""How large the wheels of a kit are, as the index of packages tells: ``python data_scripts/kit_sizes.py``.

Nothing is downloaded. It counts for a machine like this one, then for others with this version of Python, and asks the
index that pip is set to use, or pip's own.
"""

import functools
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
GROUPS = {  # beginnings of names
    "CUDA, for machines with a GPU": ("nvidia-", "cuda-", "triton"),
    "PyTorch": ("torch",),
    "the published network": ("sr-vulkan-model",),
    "all others": ("",),
}


Wheels = list[tuple[Version, frozenset[Tag], int]]  # what the index has of a package: version, machines, bytes


def main() -> int:
    """Print the sizes; returns 1 if the index doesn't answer."""
    pins = [Requirement(line) for line in LOCK.read_text(encoding="utf-8").splitlines() if line.strip()]
    names = list(dict.fromkeys(pin.name for pin in pins))
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(functools.partial(ask, find_index()), names)
            wheels = {name: wheels_among(files) for name, files in zip(names, answers, strict=True)}
    except OSError as error:
        print(f"kit_sizes: the index of packages doesn't answer ({error}); look for a network.", file=sys.stderr)
        return 1
    sizes = sizes_for(pins, wheels, {}, list(sys_tags()))
    for group, members in in_groups(sizes).items():
        print(_row(group, {name: sizes[name] for name in members}))
    print(_row("in all", sizes))
    print(f"\nWith Python {sys.version_info.major}.{sys.version_info.minor} on other machines:")
    for machine, (markers, tags) in machines().items():
        print(_row(machine, sizes_for(pins, wheels, markers, tags)))
    return 0


def machines() -> dict[str, tuple[dict[str, str], list[Tag]]]:
    """The machines that a room may have: what markers say of them, and the wheels that they take, the best first."""
    linux, mac = {"sys_platform": "linux", "os_name": "posix"}, {"sys_platform": "darwin", "os_name": "posix"}
    windows = {"sys_platform": "win32", "os_name": "nt", "platform_machine": "AMD64"}
    found = {"Windows, x86-64": (windows, _tags(["win_amd64"]))}
    for name, machine in {"x86-64": "x86_64", "ARM": "aarch64"}.items():
        glibc = [f"manylinux_2_{minor}_{machine}" for minor in range(39, 4, -1)]  # up to that of Ubuntu 24.04
        older = [f"{kind}_{machine}" for kind in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
        found[f"Linux, {name}"] = linux | {"platform_machine": machine}, _tags(glibc + older)
    for name, machine in {"Apple silicon": "arm64", "Intel": "x86_64"}.items():
        found[f"macOS, {name}"] = mac | {"platform_machine": machine}, _tags(list(mac_platforms((15, 0), machine)))
    return found


def _tags(platforms: list[str]) -> list[Tag]:
    return [*cpython_tags(platforms=platforms), *compatible_tags(platforms=platforms)]


def sizes_for(
    pins: Iterable[Requirement], wheels: dict[str, Wheels], markers: dict[str, str], tags: Sequence[Tag]
) -> dict[str, int | None]:
    """Bytes of the wheel of each package that a machine needs; None where there is none for it.

    Parameters
    ----------
    pins
        Of all machines.
    wheels
        What the index has, by package.
    markers
        What is other there than here, by the names of markers.
    tags
        Wheels that the machine takes, the best first.
    """
    needed = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(markers)]
    return {pin.name: best_size(wheels[pin.name], pin, tags) for pin in needed}


def _row(what: str, sizes: dict[str, int | None]) -> str:
    without = [name for name, size in sizes.items() if size is None]
    lacks = f"; there is no wheel of {', '.join(without)}" if without else ""
    return f"{sum(size or 0 for size in sizes.values()) / 1e9:7.2f} GB  {len(sizes):4} packages  {what}{lacks}"


def find_index() -> str:
    """Address of the index of packages, as pip's variable or its settings say."""
    from pip._internal.models.index import PyPI  # pip tells its default nowhere else

    ask = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(ask, capture_output=True, text=True).stdout.strip()  # nothing where it isn't set
    return os.environ.get("PIP_INDEX_URL") or configured or PyPI.simple_url


def ask(index: str, name: str) -> list[dict]:
    """What an index has of a package: files with ``filename`` and ``size``."""
    address = f"{index.rstrip('/')}/{name}/"
    asked = urllib.request.Request(address, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)["files"]


def wheels_among(files: Iterable[dict]) -> Wheels:
    """The wheels of an index's files."""
    found = []
    for file in files:
        try:
            _, version, _, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:  # a source archive
            continue
        found.append((version, tags, file["size"]))
    return found


def best_size(wheels: Wheels, pin: Requirement, machine: Sequence[Tag]) -> int | None:
    """Bytes of the wheel that pip would take for a pinned package; None where there is none.

    Parameters
    ----------
    wheels, pin
        What there is, and what is wanted of it.
    machine
        Wheels that the machine takes, the best first.
    """
    rank = {tag: place for place, tag in enumerate(machine)}
    fitting = [
        (min(rank[tag] for tag in tags & rank.keys()), size)
        for version, tags, size in wheels
        if version in pin.specifier and tags & rank.keys()
    ]
    return min(fitting)[1] if fitting else None


def in_groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by the first group that they belong to."""
    groups: dict[str, list[str]] = {group: [] for group in GROUPS}
    for name in names:
        group = next(group for group, beginnings in GROUPS.items() if name.startswith(beginnings))
        groups[group].append(name)
    return groups


if __name__ == "__main__":
    sys.exit(main())
