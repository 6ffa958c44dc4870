"""Test that all files that list dependencies or Python versions match pyproject.toml."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from srlab.models import realesrgan

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(line) for group in (PROJECT["dependencies"], *EXTRAS.values()) for line in group]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in LOCK.splitlines() if line.strip() and not line.lstrip().startswith("#")]
PYTHONS = ("3.11.0", "3.12.7", "3.13.1", "3.14.0")
SYSTEMS = {  # those of .github/workflows/machines.yml
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
}


def test_lock_has_no_urls_or_indexes():
    assert "://" not in LOCK
    assert not re.search(r"^\s*-", LOCK, re.MULTILINE)  # --index-url, -e, --find-links, --hash, ...
    assert all([specifier.operator for specifier in pin.specifier] == ["=="] for pin in PINS)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_dependency_has_one_matching_pin(python, system):
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


def pythons_of(file):
    """Return the Python versions in a file, in the notation of ``pyproject.toml``."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file == "Makefile":
        return ">=3.{},<3.{}".format(*re.search(r"\(3, (\d+)\) <= v < \(3, (\d+)\)", text).groups())
    (job,) = yaml.safe_load(text)["jobs"].values()  # its first and last version; those between them are not tested
    minors = [int(python.partition(".")[2]) for python in job["strategy"]["matrix"]["python"]]
    return f">=3.{minors[0]},<3.{minors[-1] + 1}"


@pytest.mark.parametrize("file", ["Makefile", ".github/workflows/tests.yml", ".github/workflows/machines.yml"])
def test_python_versions_match_pyproject(file):
    assert pythons_of(file) == PROJECT["requires-python"]


def test_conda_installs_a_python_that_was_tested():
    first = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"][0]
    name, python = first.split("=")
    table = (ROOT / "docs" / "tested.md").read_text(encoding="utf-8").partition("Not tested yet")[0]
    assert name == "python"
    assert f"Python {python}" in table


def test_realesrgan_version_matches_srlab():
    assert EXTRAS["realesrgan"] == [f"{realesrgan.PACKAGE}=={realesrgan.VERSION}"]


@pytest.mark.nightly  # it runs pip, which takes seconds
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_installs_here_despite_the_settings_of_pip(tmp_path, monkeypatch):
    """Pip has nothing to do here; elsewhere, it would search for the package."""
    (tmp_path / "pip.conf").write_text("[install]\nuser = true\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path))
    rule = f"here:\n\t'{sys.executable}' $(PIP_INSTALL) --no-index pip\n"
    (tmp_path / "rule.mk").write_text(rule, encoding="utf-8")
    subprocess.run(["make", "-f", ROOT / "Makefile", "-f", tmp_path / "rule.mk", "here"], cwd=tmp_path, check=True)
