"""Test the configs of docs/jupyterhub/: a class gets JupyterHub's passwords and accounts, and nothing of the trial."""

import os
from types import SimpleNamespace

import pytest
from traitlets.config import PyFileConfigLoader

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads a config in an empty folder, as JupyterHub does."""
    monkeypatch.chdir(tmp_path)
    for name in ("BIND", "CLASS_TOKEN", "CUDA_VISIBLE_DEVICES", "PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    mask = os.umask(0o022)
    yield lambda name: PyFileConfigLoader(str(ROOT / "docs" / "jupyterhub" / name)).load_config()
    os.umask(mask)


def test_class_uses_accounts_of_the_machine(load, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"logins\.txt not found"):
        load("class.py")
    (tmp_path / "logins.txt").write_text("anna\nbo\n", encoding="utf-8-sig")  # as Windows editors do
    found = load("class.py")
    # The database of a trial may contain any name, even root, and these users must not be able to log in.
    assert found.Authenticator == {"allowed_users": {"anna", "bo"}, "allow_existing_users": False}
    assert set(found) == {"Authenticator", "JupyterHub", "Spawner"}
    assert set(found.JupyterHub) == {"bind_url", "concurrent_spawn_limit"}  # the default classes: PAM, accounts
    assert found.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert {"pre_spawn_hook", "args"}.isdisjoint(found.Spawner)  # they would run as root
    (tmp_path / "jupyterhub.sqlite").touch()
    assert (tmp_path / "jupyterhub.sqlite").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("CLASS_TOKEN", "a token")
    assert load("class.py").JupyterHub.services == [{"name": "class", "api_token": "a token"}]


def test_trial_gives_each_user_notebooks_once(load, tmp_path):
    found = load("trial.py")
    user = SimpleNamespace(user=SimpleNamespace(name="ada"))
    found.Spawner.pre_spawn_hook(user)
    answer = tmp_path / "homes" / "ada" / "notebooks" / "00_degradation.ipynb"
    assert answer.read_bytes() == (ROOT / "notebooks" / answer.name).read_bytes()
    answer.write_text("an answer", encoding="utf-8")
    found.Spawner.pre_spawn_hook(user)
    assert answer.read_text(encoding="utf-8") == "an answer"
    assert len(found.DummyAuthenticator.password) >= 16
    assert found.JupyterHub.bind_url == "http://127.0.0.1:8000"
