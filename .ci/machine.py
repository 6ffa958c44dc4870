"""Test the course without make, as on a laptop with Windows or macOS: ``python .ci/machine.py``.

The script installs the course into ``build/machine/`` as docs/machines.md describes. Then it tests the machine,
executes the labs with the recipe smoke, and runs the tests of the package. The exit code is the number of steps that
failed.
"""

import argparse
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = ("labs", "browser", "studies", "benchmarks")  # folders of tests that .ci/run covers
TESTS = ["-m", "pytest", "tests", "-n", "logical", "--dist", "loadgroup"]
TESTS += [word for folder in ELSEWHERE for word in ("--ignore", f"tests/{folder}")]
STEPS = (["-m", "srlab", "doctor"], ["-m", "srlab", "execute", "--recipe", "smoke"], TESTS)


def main() -> int:
    """Install the course if needed, run all steps, and return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--torch", choices=("newest", "lowest"), default="newest", help="version to install")
    parser.add_argument("--installed", action="store_true", help="use the environment of this Python instead")
    options = parser.parse_args()
    python = sys.executable if options.installed else install(ROOT / "build" / "machine", options.torch)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return sum(subprocess.run([python, *step], cwd=ROOT, env=environment).returncode != 0 for step in STEPS)


def install(folder: Path, torch: str) -> str:
    """Create an environment, install the course into it, and return its Python."""
    venv.create(folder, clear=True, with_pip=True)
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    versions = lowest() if torch == "lowest" else ["-c", "requirements.lock"]
    subprocess.run([python, "-m", "pip", "install", "-q", *versions, "-e", ".[labs,test]"], cwd=ROOT, check=True)
    return python


def lowest() -> list[str]:
    """Return the oldest torch and torchvision that the course supports, such as ``torch==2.11.*``."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return [f"{name}=={version}.*" for name, version in re.findall(r'"(torch|torchvision)>=([\d.]+)"', text)]


if __name__ == "__main__":
    sys.exit(main())
