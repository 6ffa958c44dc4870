"""requirements.lock and environment.yml agree with pyproject.toml, the one list of dependencies."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from srlab.models import realesrgan

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(line) for group in (PROJECT["dependencies"], *EXTRAS.values()) for line in group]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in LOCK.splitlines() if line.strip() and not line.lstrip().startswith("#")]
PYTHONS = ("3.11.0", "3.12.7", "3.13.1", "3.14.0")
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
}


def test_the_lock_names_no_address_and_no_index():
    assert "://" not in LOCK
    assert not re.search(r"^\s*-", LOCK, re.MULTILINE)  # --index-url, -e, --find-links, --hash, ...
    assert all([specifier.operator for specifier in pin.specifier] == ["=="] for pin in PINS)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_each_dependency_has_one_pin_that_fits(python, system):
    environment = default_environment() | SYSTEMS[system]
    environment |= {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    pins = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(environment)]
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(set(names)) == len(names)
    for asked in ASKED:
        if asked.marker and not asked.marker.evaluate(environment):
            continue
        pin = pins[names.index(canonicalize_name(asked.name))]
        (version,) = (specifier.version for specifier in pin.specifier)
        assert asked.specifier.contains(version, prereleases=True), f"{pin} does not satisfy {asked}"


def test_conda_gives_the_python_of_pyproject_and_the_published_network_is_the_one_that_srlab_knows():
    python, *_ = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert python == f"python{PROJECT['requires-python']}"
    assert EXTRAS["published"] == [f"{realesrgan.PACKAGE}=={realesrgan.VERSION}"]
