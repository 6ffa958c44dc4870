"""No fault test writes into the runs of whoever runs it."""

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "runs"
