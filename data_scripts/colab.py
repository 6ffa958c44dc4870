"""Make a machine of Colab or Kaggle ready for the labs. Their first cell clones the course there and runs this file.

What such a machine brings stays as it is, its torch above all: only what is missing is added. This file needs nothing
that they don't have.
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
NOT_THERE = {"jupyterlab"}  # Colab and Kaggle stand in for it
# Where a GPU is switched on.
SWITCH = {
    "Colab": "Runtime, Change runtime type, T4 GPU",
    "Kaggle": "Settings, Accelerator, GPU T4 x2",
}


def main() -> None:
    """Add what is missing, make srlab importable in this kernel and in commands, and go to the folder of the labs."""
    versions, host = installed(), "Kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "Colab"
    missing = [wanted for wanted in requirements() if wanted.name not in versions]
    if missing:
        print(f"Adding {', '.join(wanted.name for wanted in missing)}: a minute or so, once a session.")
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "kept.txt")
            kept.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
            pip("-c", str(kept), *map(str, missing))
    if "srlab" not in versions:
        pip("--no-deps", "-e", str(COURSE))
    add_published(versions)
    for wanted in requirements():
        if wanted.name in versions and not wanted.specifier.contains(versions[wanted.name], prereleases=True):
            print(f"{wanted.name} {versions[wanted.name]} stays, though the course asks for {wanted.specifier}.")
    if str(COURSE) not in sys.path:
        sys.path.insert(0, str(COURSE))  # a kernel looks for editable packages only when it starts
    importlib.invalidate_caches()
    os.chdir(COURSE / "notebooks")
    if host == "Colab":
        importlib.import_module("google.colab.output").enable_custom_widget_manager()  # for guesses, ballots, sliders
    print(gpu_line(SWITCH[host]))
    print(f"The course is ready. Runs live in {COURSE / 'runs'}, and go with the session.")


def gpu_line(switch: str) -> str:
    """Say whether a GPU is on, and where to switch one on."""
    import torch

    if torch.cuda.is_available():
        return f"A GPU is on: {torch.cuda.get_device_name()}."
    return f"No GPU is on, and the labs need none. For a long training: {switch}; a new session then begins."


def requirements() -> list[Requirement]:
    """What the labs need, as ``pyproject.toml`` has it."""
    wanted = map(Requirement, project()["dependencies"] + project()["optional-dependencies"]["labs"])
    return [one for one in wanted if one.name not in NOT_THERE]


def project() -> dict:
    """What ``pyproject.toml`` says of the course."""
    return tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def add_published(versions: dict[str, str]) -> None:
    """Add the published network, which labs compare with and can do without."""
    (wanted,) = project()["optional-dependencies"]["published"]
    if Requirement(wanted).name not in versions:
        try:
            pip("--retries", "0", "--timeout", "15", "--no-deps", wanted)
        except RuntimeError:
            print("The published network isn't installed, so the labs go on without it.")


def installed() -> dict[str, str]:
    """Name as in requirements -> version, of all packages but those of the system whose version pip cannot read."""
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
    """Install quietly; what pip says is shown if it fails."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not install {arguments[-1]} beside what is there:\n{done.stderr.strip()}")


if __name__ == "__main__":
    main()
