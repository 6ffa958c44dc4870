"""Provide helpers for running labs."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def strict_claims(monkeypatch):
    """Check the claims of the labs."""
    monkeypatch.setenv("SRLAB_CLAIMS", "1")


@pytest.fixture
def call(tmp_path):
    """Run a command with a separate runs folder; the result has the return code and the combined output."""

    def run(*command, cwd=ROOT, **environment):
        environment = os.environ | {"SRLAB_HOME": str(tmp_path / "runs")} | environment
        command = [sys.executable if word == "python" else str(word) for word in command]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(command, cwd=cwd, env=environment, text=True, timeout=900, **pipes)

    return run
