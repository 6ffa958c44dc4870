"""environment.yml, requirements.lock, Makefile and CI agree with pyproject.toml, the one list of dependencies."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(line) for group in (PROJECT["dependencies"], *EXTRAS.values()) for line in group]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in LOCK.splitlines() if line.strip() and not line.lstrip().startswith("#")]
PYTHONS = ("3.11.0", "3.11.9", "3.12.7", "3.13.1")
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
}


def pins_for(name, python, system):
    """Versions that the lock gives a package on a Python and a system."""
    environment = default_environment() | SYSTEMS[system]
    environment |= {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    found = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(name)]
    return [pin for pin in found if pin.marker is None or pin.marker.evaluate(environment)]


# --- environment.yml -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def conda():
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_conda_gives_the_python_of_pyproject_and_nothing_else(conda):
    assert conda["name"] == "srlab"
    plain = [entry for entry in conda["dependencies"] if isinstance(entry, str)]
    python = [entry for entry in plain if entry.startswith("python")]
    assert SpecifierSet(python[0].removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    assert sorted(plain) == sorted([*python, "pip"])


def test_pip_installs_this_package_from_the_lock_and_lists_no_dependency_of_its_own(conda):
    (pip,) = (entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert "-c requirements.lock" in pip
    rest = [entry for entry in pip if entry != "-c requirements.lock"]
    (install,) = rest
    extras = re.fullmatch(r"-e \.\[(.+)\]", install)[1].split(",")
    assert {"labs", "test"} <= set(extras) <= set(EXTRAS)


# --- requirements.lock ---------------------------------------------------------------------------------------


def test_the_lock_names_no_address_and_no_index():
    assert "://" not in LOCK
    assert not re.search(r"^\s*-", LOCK, re.MULTILINE)  # --index-url, -e, --find-links, --hash, ...
    assert " @ " not in LOCK
    assert all([specifier.operator for specifier in pin.specifier] == ["=="] for pin in PINS)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_each_dependency_has_one_fitting_pin_on_every_python_and_system(asked):
    for system in SYSTEMS:
        for python in PYTHONS:
            pins = pins_for(asked.name, python, system)
            assert len(pins) == 1, f"{asked.name} on Python {python}, {system}: {pins}"
            (version,) = (specifier.version for specifier in pins[0].specifier)
            assert asked.specifier.contains(version, prereleases=True), f"{pins[0]} does not satisfy {asked}"


def test_no_package_is_pinned_twice_for_the_same_python_and_system():
    for name in {canonicalize_name(pin.name) for pin in PINS}:
        for system in SYSTEMS:
            assert all(len(pins_for(name, python, system)) <= 1 for python in PYTHONS), name


def test_the_pythons_checked_here_are_those_of_pyproject():
    allowed = SpecifierSet(PROJECT["requires-python"])
    minors = [f"3.{minor}" for minor in range(8, 30) if f"3.{minor}.0" in allowed]
    assert minors == list(dict.fromkeys(python.rpartition(".")[0] for python in PYTHONS))


# --- Makefile and CI -----------------------------------------------------------------------------------------


def test_the_makefile_has_every_target_that_the_readme_names():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\$ )make ([a-z]+)", readme, re.MULTILINE))
    assert {"labs", "test", "lab", "format", "clean"} | named <= targets
    phony = re.search(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)[1].split()
    assert {"labs", "test", "lab", "format", "clean"} <= set(phony)


def test_ci_does_what_the_makefile_says():
    ci = ROOT / ".ci" / "run"
    commands = [line.strip() for line in ci.read_text(encoding="utf-8").splitlines()]
    assert "make test" in commands
    assert ci.stat().st_mode & 0o111
