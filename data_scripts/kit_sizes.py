"""How large the wheels of a kit are, as the index of packages tells: ``python data_scripts/kit_sizes.py``.

Nothing is downloaded. It counts for a machine like this one, and asks the index that pip is set to use, or pip's own.
"""

import functools
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
GROUPS = {  # beginnings of names
    "CUDA, for machines with a GPU": ("nvidia-", "cuda-", "triton"),
    "PyTorch": ("torch",),
    "the published network": ("sr-vulkan-model",),
    "all others": ("",),
}


def main() -> int:
    """Print the sizes; returns 1 if the index doesn't answer."""
    needed = [Requirement(line) for line in LOCK.read_text(encoding="utf-8").splitlines() if line.strip()]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate()]
    try:
        with ThreadPoolExecutor(8) as pool:
            asked = pool.map(functools.partial(size_of, find_index()), needed)
            sizes = dict(zip((one.name for one in needed), asked, strict=True))
    except OSError as error:
        print(f"kit_sizes: the index of packages doesn't answer ({error}); look for a network.", file=sys.stderr)
        return 1
    for group, members in in_groups(sizes).items():
        print(f"{sum(sizes[name] or 0 for name in members) / 1e9:7.2f} GB  {len(members):4} packages  {group}")
    print(f"{sum(size or 0 for size in sizes.values()) / 1e9:7.2f} GB  {len(sizes):4} packages  in all")
    if unknown := [name for name, size in sizes.items() if size is None]:
        print(f"Not counted, as there's no wheel for this machine: {', '.join(unknown)}")
    return 0


def find_index() -> str:
    """Address of the index of packages, as pip's variable or its settings say."""
    from pip._internal.models.index import PyPI  # pip tells its default nowhere else

    ask = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(ask, capture_output=True, text=True).stdout.strip()  # nothing where it isn't set
    return os.environ.get("PIP_INDEX_URL") or configured or PyPI.simple_url


def size_of(index: str, requirement: Requirement) -> int | None:
    """Bytes of the wheel of a pinned package that suits this machine; None where there is none."""
    address = f"{index.rstrip('/')}/{requirement.name}/"
    asked = urllib.request.Request(address, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        files = json.load(answer)["files"]
    return best_size(files, requirement)


def best_size(files: Iterable[dict], requirement: Requirement) -> int | None:
    """Of an index's files, the size of the one that pip would take for a pinned package; None where there is none."""
    rank = {tag: place for place, tag in enumerate(sys_tags())}
    fitting = []
    for file in files:
        try:
            _, version, _, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:  # a source archive
            continue
        if version in requirement.specifier and tags & rank.keys():
            fitting.append((min(rank[tag] for tag in tags & rank.keys()), file["size"]))
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
