"""No unit test writes into the runs of whoever runs it."""

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    return tmp_path / "runs"


pytest.register_assert_rewrite("tests.unit.answers")  # so that its asserts show their values
