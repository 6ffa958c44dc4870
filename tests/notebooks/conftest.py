"""Helpers for running labs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LABS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture
def call(tmp_path):
    """Run a command with its own runs folder; the result has returncode and the text of both outputs."""

    def run(*command, cwd=ROOT, **environment):
        environment = os.environ | {"SRLAB_HOME": str(tmp_path / "runs")} | environment
        command = [sys.executable if word == "python" else str(word) for word in command]
        return subprocess.run(
            command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500
        )

    return run
